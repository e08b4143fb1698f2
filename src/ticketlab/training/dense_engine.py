"""The one training loop, compiled: whole stretches of iterations in one call, masks applied inside.

Knows a network, its data and an optimizer. Knows nothing of rounds, files or when to evaluate (training.py).
"""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from ticketlab import tensorflow_setup
from ticketlab.data.dataset import Dataset, split, variance
from ticketlab.networks import variables
from ticketlab.sparsity.masks import Arrays
from ticketlab.training.engine import EngineSettings, Scalar, Tensors
from ticketlab.training.optimizers import AVERAGE, BETA_1, penalised, slot_names, update

STRETCH = 200  # iterations that one call has room for, the same for all trainings, so that none compiles anew
# samples whose outputs are computed together, and how many of such chunks in one call, between which signals are served
EVALUATION_BATCH, EVALUATION_CHUNKS = 500, 20
CONVOLUTIONS_EVALUATION_BATCH, CONVOLUTIONS_EVALUATION_CHUNKS = 100, 2  # whose activations are larger


class DenseEngine:
    """Train and evaluate one network on one data set; weights and masks go in and out as dicts of NumPy arrays.

    The data stays in memory as it was stored and is gathered and scaled inside the loop. New weights and new masks are
    assigned, so nothing is compiled again from round to round or from seed to seed. Each step ends with the masks, so
    anything read out is exactly zero where masked. XLA compiles the loop of dense-only networks (and of all networks
    on a GPU); for convolutions on a CPU it would be many times slower than the plain graph, so there it compiles the
    optimizer's step alone. The loss is cross-entropy, or the mean squared error where the targets are numbers.

    Args:
        model: a built Keras model that `refusals.refuse` finds nothing to say against.
        dataset: the arrays.
        settings: of the steps; running averages of all gradients are kept as the slot `AVERAGE` of each kernel.
    """

    def __init__(self, model: keras.Model, dataset: Dataset, settings: EngineSettings) -> None:
        self.model = model
        self.paths = variables.prunable(model)
        self._variables: Mapping[str, keras.Variable] = variables.carried(model)
        self._trained = {path: self._variables[path].value for path in variables.trained(model)}
        self._masks = {path: tf.Variable(tf.ones(self._variables[path].shape, tf.bool)) for path in self.paths}
        self._settings, self._steps, names = settings, tf.Variable(0, dtype=tf.int64), slot_names(settings)
        self._slots = {
            path: {name: tf.Variable(tf.zeros(variable.shape)) for name in names}
            for path, variable in self._trained.items()
        }
        averaged = self.paths if settings.averages else []
        self._averages = {path: tf.Variable(tf.zeros(self._trained[path].shape)) for path in averaged}
        self._scale = tf.constant(dataset.scale, tf.float32)
        self._offset = np.float32(dataset.offset)
        self._train_data = (tf.constant(dataset.x_train), tf.constant(dataset.y_train))
        self._test_data = (tf.constant(dataset.x_test), tf.constant(dataset.y_test))
        self.train_indices, validation = split(len(dataset.x_train))
        dense_only = variables.dense_only(model)
        chunk = EVALUATION_BATCH if dense_only else CONVOLUTIONS_EVALUATION_BATCH
        self._evaluation_chunks = EVALUATION_CHUNKS if dense_only else CONVOLUTIONS_EVALUATION_CHUNKS
        self._evaluations = {
            "validation": (self._train_data, *_chunks(validation, chunk)),
            "test": (self._test_data, *_chunks(np.arange(len(dataset.x_test), dtype=np.int32), chunk)),
        }
        self.task = dataset.task
        self._variances = {"validation": variance(dataset.y_train[validation]), "test": variance(dataset.y_test)}
        compile_with_xla = dense_only or bool(tf.config.list_logical_devices("GPU"))
        self._train = tf.function(self._train_loop, jit_compile=compile_with_xla)
        self._evaluate = tf.function(self._evaluation_loop, jit_compile=compile_with_xla)
        self._step = tf.function(self._optimizer_step, jit_compile=True)
        self._differentiate = tf.function(self._loss_and_gradients, jit_compile=compile_with_xla)
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
            total: the sum of the losses of steps before, which is added to one by one: so it comes to the same bits
                whether these steps are done in one call or in several.

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
            chosen: (batch size,) int32 training samples.

        Returns:
            The mean loss, without penalties, and {path: gradient} of the prunable kernels.
        """
        loss, gradients = self._differentiate(tf.constant(chosen))
        return float(loss), {path: gradients[path].numpy() for path in self.paths}

    def evaluate(self, part: str) -> tuple[float, float]:
        """Return mean loss and accuracy on "validation" or "test"; of a regression, R² in place of the accuracy."""
        (x, y), order, counted = self._evaluations[part]
        loss, correct = tf.constant(0.0), tf.constant(0.0)
        for begin in range(0, len(order), self._evaluation_chunks):
            chunks = tf.constant(begin), tf.constant(min(begin + self._evaluation_chunks, len(order)))
            loss, correct = self._evaluate(x, y, order, counted, *chunks, loss, correct)
        samples = float(tf.reduce_sum(counted))
        loss = float(loss) / samples
        return loss, float(correct) / samples if self.task == "classification" else 1 - loss / self._variances[part]

    def weights(self) -> dict[str, np.ndarray]:
        """Copy out all variables that travel from round to round: the trained ones and normalisation statistics."""
        return {path: variable.numpy().copy() for path, variable in self._variables.items()}

    def optimizer_state(self) -> dict[str, np.ndarray]:
        """Copy the optimizer's number of steps and its slots out, as ``<variable's path>/<slot>``."""
        return {name: variable.numpy().copy() for name, variable in self._optimizer_variables().items()}

    def functions(self, weights: Arrays, samples: np.ndarray) -> tuple[Scalar, Scalar]:
        """Return two differentiable functions of the prunable kernels, {path: tensor}; all else is as in `weights`.

        Args:
            weights: all that is carried, {path: array}.
            samples: indices of training samples.

        Returns:
            The mean loss on the samples, in training mode, and the sum of the outputs for an input of ones, in
            inference mode.
        """
        x, y = self._batch(*self._train_data, tf.constant(samples))

        def outputs(kernels: Tensors, inputs: tf.Tensor, training: bool) -> tf.Tensor:
            values = {path: tf.convert_to_tensor(kernels.get(path, value)) for path, value in weights.items()}
            return variables.called(self.model, values, inputs, training=training)[0]

        def loss(kernels: Tensors) -> tf.Tensor:
            return tf.reduce_mean(self._losses(y, outputs(kernels, x, True)))

        def flow(kernels: Tensors) -> tf.Tensor:
            return tf.reduce_sum(outputs(kernels, tf.ones((1, *x.shape[1:])), False))

        return loss, flow

    def _compile(self) -> None:
        """Compile now, so that no round's seconds hold it, and give back the memory that compiling took."""
        self.train(np.zeros((0, self._settings.batch_size), np.int32), np.zeros(0, np.float32))
        for part in self._evaluations:
            self.evaluate(part)
        tensorflow_setup.release_memory()

    def _train_stretch(self, order: np.ndarray, rates: np.ndarray, total: float) -> float:
        """Do the steps of one call, which takes as many rows whatever their number, so that none compiles anew."""
        indices, speeds = np.zeros((STRETCH, self._settings.batch_size), np.int32), np.zeros(STRETCH, np.float32)
        indices[: len(order)], speeds[: len(order)] = order, rates
        steps = tf.constant(len(order))
        return float(self._train(tf.constant(indices), tf.constant(speeds), steps, tf.constant(total, tf.float32)))

    def _optimizer_variables(self) -> dict[str, tf.Variable]:
        slots = {f"{path}/{name}": slot for path, slots in self._slots.items() for name, slot in slots.items()}
        averages = {f"{path}/{AVERAGE}": average for path, average in self._averages.items()}
        return {"steps": self._steps, **slots, **averages}

    def _batch(self, x: tf.Tensor, y: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inputs = tf.cast(tf.gather(x, indices), tf.float32) * self._scale
        return inputs + self._offset if self._offset else inputs, tf.gather(y, indices)

    def _losses(self, y: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return the loss of each sample."""
        if self.task == "classification":
            return tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)
        return tf.reduce_mean(tf.math.squared_difference(outputs, y), 1)

    def _train_loop(self, order: tf.Tensor, rates: tf.Tensor, steps: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
        step = tf.constant(0)
        while step < steps:  # a tf.range would make XLA compile anew for every number of steps
            loss, gradients = self._loss_and_gradients(order[step])
            self._steps.assign_add(1)
            self._step(gradients, rates[step])
            step, total = step + 1, total + loss
        return total

    def _loss_and_gradients(self, chosen: tf.Tensor) -> tuple[tf.Tensor, Tensors]:
        x, y = self._batch(*self._train_data, chosen)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self._losses(y, self.model(x, training=True)))
        gradients = tape.gradient(loss, self._trained, unconnected_gradients="zero")
        # those of a matrix whose rows are looked up, as by Embedding, come as rows alone
        return loss, {path: tf.convert_to_tensor(gradient) for path, gradient in gradients.items()}

    def _optimizer_step(self, gradients: Tensors, rate: tf.Tensor) -> None:
        """Move the trained variables; their masks are the last operation."""
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
        x: tf.Tensor,
        y: tf.Tensor,
        order: tf.Tensor,
        counted: tf.Tensor,
        chunk: tf.Tensor,
        stop: tf.Tensor,
        loss: tf.Tensor,
        correct: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Add a call's chunks to the sums of loss and hits over those before."""
        while chunk < stop:
            inputs, labels = self._batch(x, y, order[chunk])
            outputs = self.model(inputs, training=False)
            loss += tf.reduce_sum(counted[chunk] * self._losses(labels, outputs))
            if self.task == "classification":
                hits = tf.argmax(outputs, 1, output_type=labels.dtype) == labels
                correct += tf.reduce_sum(counted[chunk] * tf.cast(hits, tf.float32))
            chunk += 1
        return loss, correct


def _chunks(indices: np.ndarray, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Cut indices into rows of equal length; the second array is 1 where a row's entry counts and 0 where it pads."""
    size = min(size, indices.size)
    rows = -(-indices.size // size)
    order, counted = np.zeros(rows * size, np.int32), np.zeros(rows * size, np.float32)
    order[: indices.size], counted[: indices.size] = indices, 1
    return tf.constant(order.reshape(rows, size)), tf.constant(counted.reshape(rows, size))
