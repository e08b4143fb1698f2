"""The one training loop, compiled: whole stretches of iterations in one call, masks applied inside.

Knows a network, its data and an optimizer. Knows nothing of rounds, files or when to evaluate (training.py).
"""

from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from ticketlab import devices, networks
from ticketlab.data import Dataset, split
from ticketlab.errors import BadInput
from ticketlab.masks import Arrays
from ticketlab.optimizers import slot_names, update
from ticketlab.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

EVALUATION_BATCH = 500


class Engine:
    """Train and evaluate one network on one data set; weights and masks go in and out as dicts of NumPy arrays.

    The data stays in memory as it was stored and is gathered and scaled inside the loop. New weights and new masks are
    assigned, so nothing is compiled again from round to round or from seed to seed. Each step ends with the masks, so
    anything read out is exactly zero where masked. XLA compiles the loop of dense-only networks (and of all networks
    on a GPU); for convolutions on a CPU it would be many times slower than the plain graph.

    Args:
        model: a built Keras model that ends in logits.
        dataset: the arrays.
        spec: batch size and optimizer.

    Raises:
        BadInput: if the network has state that this engine would not carry from round to round.
    """

    def __init__(self, model: keras.Model, dataset: Dataset, spec: Spec) -> None:
        if model.non_trainable_variables or len(networks.variables(model)) != len(model.trainable_variables):
            raise BadInput("`network` must have trainable variables only, in layers of its own. Received: others")
        self.model = model
        self.paths = networks.prunable(model)
        self._variables: Mapping[str, keras.Variable] = networks.variables(model)
        self._masks = {path: tf.Variable(tf.ones(self._variables[path].shape, tf.bool)) for path in self.paths}
        self._spec, self._steps, names = spec, tf.Variable(0, dtype=tf.int64), slot_names(spec)
        self._slots = {
            path: {name: tf.Variable(tf.zeros(variable.shape)) for name in names}
            for path, variable in self._variables.items()
        }
        self._stretch, self._batch_size = min(spec.eval_every, spec.iterations), spec.batch_size
        self._scale = tf.constant(dataset.scale, tf.float32)
        self._train_data = (tf.constant(dataset.x_train), tf.constant(dataset.y_train))
        self._test_data = (tf.constant(dataset.x_test), tf.constant(dataset.y_test))
        self.train_indices, validation = split(len(dataset.x_train))
        self._evaluations = {
            "validation": (self._train_data, *_chunks(validation)),
            "test": (self._test_data, *_chunks(np.arange(len(dataset.x_test), dtype=np.int32))),
        }
        compile_with_xla = networks.dense_only(model) or bool(tf.config.list_logical_devices("GPU"))
        self._train = tf.function(self._train_loop, jit_compile=compile_with_xla)
        self._evaluate = tf.function(self._evaluation_loop, jit_compile=compile_with_xla)
        self._compile()

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the prunable kernels by path."""
        return {path: tuple(self._variables[path].shape) for path in self.paths}

    def load(self, weights: Arrays, masks: Arrays, optimizer: Arrays | None = None) -> None:
        """Put a ticket in place, with a fresh optimizer or one read out by `optimizer_state`."""
        for path, variable in self._variables.items():
            variable.assign(weights[path])
        for path, mask in self._masks.items():
            mask.assign(masks[path])
            self._variables[path].assign(np.where(masks[path], weights[path], np.float32(0)))
        for name, variable in self._optimizer_variables().items():
            variable.assign(tf.zeros_like(variable) if optimizer is None else optimizer[name])

    def train(self, order: np.ndarray) -> float:
        """Do one optimizer step per row of `order`.

        Args:
            order: (steps, batch size) int32 indices of training samples, at most `eval_every` steps.

        Returns:
            The sum of the steps' losses.
        """
        padded = np.zeros((self._stretch, self._batch_size), np.int32)
        padded[: len(order)] = order
        return float(self._train(tf.constant(padded), tf.constant(len(order))))

    def evaluate(self, part: str) -> tuple[float, float]:
        """Return mean loss and accuracy on "validation" or "test"."""
        (x, y), order, counted = self._evaluations[part]
        loss, correct = self._evaluate(x, y, order, counted)
        samples = float(tf.reduce_sum(counted))
        return float(loss) / samples, float(correct) / samples

    def weights(self) -> dict[str, np.ndarray]:
        """Copy the trainable variables out."""
        return {path: variable.numpy().copy() for path, variable in self._variables.items()}

    def optimizer_state(self) -> dict[str, np.ndarray]:
        """Copy the optimizer's number of steps and its slots out, as ``<variable's path>/<slot>``."""
        return {name: variable.numpy().copy() for name, variable in self._optimizer_variables().items()}

    def _compile(self) -> None:
        """Compile now, so that no round's seconds hold it, and give back the memory that compiling took."""
        self.train(np.zeros((0, self._batch_size), np.int32))
        for part in self._evaluations:
            self.evaluate(part)
        devices.release_memory()

    def _optimizer_variables(self) -> dict[str, tf.Variable]:
        slots = {f"{path}/{name}": slot for path, slots in self._slots.items() for name, slot in slots.items()}
        return {"steps": self._steps, **slots}

    def _batch(self, x: tf.Tensor, y: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(tf.gather(x, indices), tf.float32) * self._scale, tf.gather(y, indices)

    def _train_loop(self, order: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        variables = {path: variable.value for path, variable in self._variables.items()}
        step, total = tf.constant(0), tf.constant(0.0)
        while step < steps:  # a tf.range would make XLA compile anew for every number of steps
            x, y = self._batch(*self._train_data, order[step])
            with tf.GradientTape() as tape:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, self.model(x, training=True))
                loss = tf.reduce_mean(losses)
            self._steps.assign_add(1)
            for path, gradient in tape.gradient(loss, variables).items():
                self._step(path, gradient)
            step, total = step + 1, total + loss
        return total

    def _step(self, path: str, gradient: tf.Tensor) -> None:
        """Move one variable; its mask is the last operation."""
        variable, slots = self._variables[path], self._slots[path]
        values = {name: slot.value() for name, slot in slots.items()}
        moved, kept = update(self._spec, tf.cast(self._steps, tf.float32), variable.value, gradient, values)
        variable.assign(tf.where(self._masks[path], moved, 0.0) if path in self._masks else moved)
        for name, slot in slots.items():
            slot.assign(kept[name])

    def _evaluation_loop(
        self, x: tf.Tensor, y: tf.Tensor, order: tf.Tensor, counted: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        loss, correct = tf.constant(0.0), tf.constant(0.0)
        for chunk in tf.range(tf.shape(order)[0]):
            inputs, labels = self._batch(x, y, order[chunk])
            logits = self.model(inputs, training=False)
            loss += tf.reduce_sum(counted[chunk] * tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
            hits = tf.argmax(logits, 1, output_type=labels.dtype) == labels
            correct += tf.reduce_sum(counted[chunk] * tf.cast(hits, tf.float32))
        return loss, correct


def _chunks(indices: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    """Cut indices into rows of equal length; the second array is 1 where a row's entry counts and 0 where it pads."""
    size = min(EVALUATION_BATCH, indices.size)
    rows = -(-indices.size // size)
    order, counted = np.zeros(rows * size, np.int32), np.zeros(rows * size, np.float32)
    order[: indices.size], counted[: indices.size] = indices, 1
    return tf.constant(order.reshape(rows, size)), tf.constant(counted.reshape(rows, size))
