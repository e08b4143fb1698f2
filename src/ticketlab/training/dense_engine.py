"""The dense engine: whole stretches of iterations in one compiled call, with masks applied inside.

This module knows a network, its data and an optimizer. It does not know rounds, files or when to evaluate (loop.py).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import keras
import numpy as np
import tensorflow as tf

from ticketlab import tensorflow_setup
from ticketlab.data.dataset import Dataset, split, variance
from ticketlab.networks import variables
from ticketlab.sparsity.masks import Arrays
from ticketlab.training.engine import EngineSettings, Scalar, Tensors
from ticketlab.training.optimizers import AVERAGE, BETA_1, penalised, slot_names, update

STRETCH = 200  # iterations that one call has room for, the same in all trainings, so that none compiles anew
# samples whose outputs are computed together, and how many of such chunks in one call, between which signals are served
EVALUATION_BATCH, EVALUATION_CHUNKS = 500, 20
CONVOLUTIONS_EVALUATION_BATCH, CONVOLUTIONS_EVALUATION_CHUNKS = 100, 2  # whose activations are larger


class DenseEngine:
    """Train and evaluate one network on one data set; weights and masks go in and out as dicts of NumPy arrays.

    The data stays in memory as it was stored and is gathered and scaled inside the loop. New weights and new masks are
    assigned, so nothing is compiled again from round to round or from seed to seed. Each step ends with the masks, so
    all arrays read out are exactly zero where masked. XLA compiles the loop of dense-only networks (and of all networks
    on a GPU); for convolutions on a CPU it would be many times slower than the plain graph, so there it compiles the
    optimizer's step alone. The loss is cross-entropy, or the mean squared error where the targets are numbers.

    Args:
        model: a built Keras model that meets the requirements of `requirements.refuse`.
        dataset: the data set.
        settings: settings of the steps; the slot `AVERAGE` of each kernel holds the running average of its gradients.
    """

    def __init__(self, model: keras.Model, dataset: Dataset, settings: EngineSettings) -> None:
        self.model = model
        self.paths = variables.prunable(model)
        self._variables: Mapping[str, keras.Variable] = variables.carried(model)
        self._trained = {path: self._variables[path].value for path in variables.trained(model)}
        self._masks = {path: tf.Variable(tf.ones(self._variables[path].shape, tf.bool)) for path in self.paths}
        self._settings, self._steps, names = settings, tf.Variable(tf.zeros((), tf.int64)), slot_names(settings)
        self._slots = {
            path: {name: tf.Variable(tf.zeros(variable.shape)) for name in names}
            for path, variable in self._trained.items()
        }
        averaged = self.paths if settings.averages else []
        self._averages = {path: tf.Variable(tf.zeros(self._trained[path].shape)) for path in averaged}
        self._scale = tf.constant(dataset.scale, tf.float32)
        self._offset = np.float32(dataset.offset)
        # one tensor of all samples, so that both evaluations are one function
        self._inputs = tf.constant(np.concatenate([dataset.x_train, dataset.x_test]))
        self._targets = tf.constant(np.concatenate([dataset.y_train, dataset.y_test]))
        self.train_indices, validation = split(len(dataset.x_train))
        test = np.arange(len(dataset.x_train), len(self._inputs), dtype=np.int32)
        dense_only = variables.dense_only(model)
        chunk = EVALUATION_BATCH if dense_only else CONVOLUTIONS_EVALUATION_BATCH
        self._evaluation_chunks = EVALUATION_CHUNKS if dense_only else CONVOLUTIONS_EVALUATION_CHUNKS
        most = -(-max(len(validation), len(test)) // chunk)
        self._evaluations = {
            part: _Chunks.of(indices, chunk, most) for part, indices in (("validation", validation), ("test", test))
        }
        self.task = dataset.task
        self._variances = {"validation": variance(dataset.y_train[validation]), "test": variance(dataset.y_test)}
        self._with_xla = dense_only or bool(tf.config.list_logical_devices("GPU"))
        self._compile()

    def load(self, weights: Arrays, masks: Arrays, optimizer: Arrays | None = None) -> None:
        """Put a ticket in place, with a fresh optimizer or one read out by `optimizer_state`."""
        for path, variable in self._variables.items():
            variable.assign(weights[path])
        for path, mask in self._masks.items():
            mask.assign(masks[path])
            self._variables[path].assign(np.where(masks[path], weights[path], np.float32(0)))
        for name, variable in self._optimizer_variables().items():
            variable.assign(tf.zeros_like(variable) if optimizer is None else optimizer[name])

    def train(self, order: np.ndarray, rates: np.ndarray, total: float = 0.0) -> float:
        """Do one optimizer step per row of `order`.

        Args:
            order: (steps, batch size) int32 indices of training samples.
            rates: (steps,) float32 learning rates.
            total: sum of the losses of earlier steps, to which each loss is added in turn; hence the sum has the same
                bits whether the steps are done in one call or in several.

        Returns:
            The sum of the steps' losses, without penalties, and of `total`.
        """
        for begin in range(0, max(1, len(order)), STRETCH):
            part = slice(begin, begin + STRETCH)
            total = self._train_stretch(order[part], rates[part], total)
        return total

    def gradients(self, chosen: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Differentiate a batch's loss by all weights, kept or not, in training mode; no weight is changed.

        Args:
            chosen: (batch size,) int32 indices of training samples.

        Returns:
            The mean loss, without penalties, and {path: gradient} of the prunable kernels.
        """
        loss, gradients = self._differentiate(tf.constant(chosen))
        return float(loss), {path: gradients[path].numpy() for path in self.paths}

    def evaluate(self, part: str) -> tuple[float, float]:
        """Return mean loss and accuracy on "validation" or "test"; in a regression, R² in place of the accuracy."""
        chunks = self._evaluations[part]
        sums = tf.constant(0.0), tf.constant(0.0)
        for begin in range(0, chunks.number, self._evaluation_chunks):
            stop = min(begin + self._evaluation_chunks, chunks.number)
            sums = self._evaluate(chunks.order, chunks.counted, tf.constant(begin), tf.constant(stop), *sums)
        loss, hits = (float(each) / chunks.samples for each in sums)
        return loss, hits if self.task == "classification" else 1 - loss / self._variances[part]

    def weights(self) -> dict[str, np.ndarray]:
        """Copy all variables that are carried from round to round: trained ones and normalisation statistics."""
        return {path: variable.numpy().copy() for path, variable in self._variables.items()}

    def optimizer_state(self) -> dict[str, np.ndarray]:
        """Copy the optimizer's number of steps and its slots, as ``<variable's path>/<slot>``."""
        return {name: variable.numpy().copy() for name, variable in self._optimizer_variables().items()}

    def functions(self, weights: Arrays, samples: np.ndarray) -> tuple[Scalar, Scalar]:
        """Return two differentiable functions of the prunable kernels, {path: tensor}; other variables are fixed.

        Args:
            weights: values of all carried variables, {path: array}.
            samples: indices of training samples.

        Returns:
            The mean loss on the samples, in training mode, and the sum of the outputs for an input of ones, in
            inference mode.
        """
        x, y = self._batch(tf.constant(samples))

        def outputs(kernels: Tensors, inputs: tf.Tensor, training: bool) -> tf.Tensor:
            values = {path: tf.convert_to_tensor(kernels.get(path, value)) for path, value in weights.items()}
            return variables.called(self.model, values, inputs, training=training)[0]

        def loss(kernels: Tensors) -> tf.Tensor:
            return tf.reduce_mean(self._losses(y, outputs(kernels, x, True)))

        def flow(kernels: Tensors) -> tf.Tensor:
            return tf.reduce_sum(outputs(kernels, tf.ones((1, *x.shape[1:])), False))

        return loss, flow

    def _compile(self) -> None:
        """Compile now, so that no round's seconds include it, and give back the memory that compiling took."""
        try:
            self._compile_functions()
        except tf.errors.OpError:  # by a damaged file of what was compiled before, perhaps
            if not tensorflow_setup.forget_compiled():
                raise
            self._compile_functions()
        tensorflow_setup.release_memory()

    def _compile_functions(self) -> None:
        # what autograph does besides, nothing here asks for, and it would take most of the time until the first step
        plain = functools.partial(tf.function, autograph=False)
        self._train = plain(self._train_loop, jit_compile=self._with_xla)
        self._evaluate = plain(self._evaluation_loop, jit_compile=self._with_xla)
        self._step = plain(self._optimizer_step, jit_compile=True)
        self._differentiate = plain(self._loss_and_gradients, jit_compile=self._with_xla)
        self.train(np.zeros((0, self._settings.batch_size), np.int32), np.zeros(0, np.float32))
        for part in self._evaluations:
            self.evaluate(part)

    def _train_stretch(self, order: np.ndarray, rates: np.ndarray, total: float) -> float:
        """Do the steps of one call; rows are padded to a fixed number, so that none compiles anew."""
        indices, speeds = np.zeros((STRETCH, self._settings.batch_size), np.int32), np.zeros(STRETCH, np.float32)
        indices[: len(order)], speeds[: len(order)] = order, rates
        steps = tf.constant(len(order))
        return float(self._train(tf.constant(indices), tf.constant(speeds), steps, tf.constant(total, tf.float32)))

    def _optimizer_variables(self) -> dict[str, tf.Variable]:
        slots = {f"{path}/{name}": slot for path, slots in self._slots.items() for name, slot in slots.items()}
        averages = {f"{path}/{AVERAGE}": average for path, average in self._averages.items()}
        return {"steps": self._steps, **slots, **averages}

    def _batch(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inputs = tf.cast(tf.gather(self._inputs, indices), tf.float32) * self._scale
        return inputs + self._offset if self._offset else inputs, tf.gather(self._targets, indices)

    def _losses(self, y: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return the loss of each sample."""
        if self.task == "classification":
            return tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)
        return tf.reduce_mean(tf.math.squared_difference(outputs, y), 1)

    def _train_loop(self, order: tf.Tensor, rates: tf.Tensor, steps: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
        def step(done: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            loss, gradients = self._loss_and_gradients(order[done])
            self._steps.assign_add(1)
            self._step(gradients, rates[done])
            return done + 1, total + loss

        # a loop over a tf.range would make XLA compile anew for every number of steps
        return tf.while_loop(lambda done, _: done < steps, step, (tf.constant(0), total))[1]

    def _loss_and_gradients(self, chosen: tf.Tensor) -> tuple[tf.Tensor, Tensors]:
        x, y = self._batch(chosen)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self._losses(y, self.model(x, training=True)))
        gradients = tape.gradient(loss, self._trained, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        # those of a matrix whose rows are looked up, as by Embedding, come as rows alone
        return loss, {path: tf.convert_to_tensor(gradient) for path, gradient in gradients.items()}

    def _optimizer_step(self, gradients: Tensors, rate: tf.Tensor) -> None:
        """Update the trained variables; their masks are the last operation."""
        step = tf.cast(self._steps, tf.float32)
        for path, average in self._averages.items():
            average.assign_add((gradients[path] - average) * (1 - BETA_1))
        for path, variable in self._trained.items():
            gradient, slots = gradients[path], self._slots[path]
            if path in self._masks:
                gradient = penalised(self._settings, variable.value(), gradient)
            values = {name: slot.value() for name, slot in slots.items()}
            moved, kept = update(self._settings, rate, step, variable.value(), gradient, values)
            variable.assign(tf.where(self._masks[path], moved, 0.0) if path in self._masks else moved)
            for name, slot in slots.items():
                slot.assign(kept[name])

    def _evaluation_loop(
        self,
        order: tf.Tensor,
        counted: tf.Tensor,
        begin: tf.Tensor,
        stop: tf.Tensor,
        loss: tf.Tensor,
        correct: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Add a call's chunks to the sums of losses and correct answers so far."""

        def add(chunk: tf.Tensor, loss: tf.Tensor, correct: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            inputs, labels = self._batch(order[chunk])
            outputs = self.model(inputs, training=False)
            loss += tf.reduce_sum(counted[chunk] * self._losses(labels, outputs))
            if self.task == "classification":
                hits = tf.argmax(outputs, 1, output_type=labels.dtype) == labels
                correct += tf.reduce_sum(counted[chunk] * tf.cast(hits, tf.float32))
            return chunk + 1, loss, correct

        return tf.while_loop(lambda chunk, *_: chunk < stop, add, (begin, loss, correct))[1:]


@dataclass(frozen=True)
class _Chunks:
    """Samples in rows of equal length.

    Attributes:
        order: indices of samples, (rows, length) int32.
        counted: float32 of the same shape, 1 where an index counts and 0 where it pads.
        number: number of rows with at least one counted index.
        samples: number of counted indices.
    """

    order: tf.Tensor
    counted: tf.Tensor
    number: int
    samples: int

    @classmethod
    def of(cls, indices: np.ndarray, length: int, rows: int) -> Self:
        """Cut indices into rows; fewer than one row's worth make a shorter row."""
        length = min(length, indices.size)
        order, counted = np.zeros(rows * length, np.int32), np.zeros(rows * length, np.float32)
        order[: indices.size], counted[: indices.size] = indices, 1
        order, counted = (tf.constant(each.reshape(rows, length)) for each in (order, counted))
        return cls(order, counted, -(-indices.size // length), indices.size)
