"""What a network computes on a few training samples: whether it is still the same, and whether engines agree.

This module knows networks and data. It does not know where a fingerprint is kept, nor when two are equal
(fingerprint.py).
"""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ticketlab.data.dataset import Dataset, split
from ticketlab.networks import variables
from ticketlab.random_streams import stream
from ticketlab.runs.fingerprint import close
from ticketlab.sparsity import masks

if TYPE_CHECKING:
    import keras

SAMPLES = 8
LARGER = 10  # factor on the first kernel, to reach bounds (ReLU6, say) that initial weights do not reach
ROUNDING = 1e-3  # share of the outputs' scale: sums in another order differ by less, other functions by more


def fingerprint(model: "keras.Model", dataset: Dataset) -> dict[str, dict]:
    """Describe a network by what it computes, whatever its code looks like.

    Args:
        model: the network; its own values are neither used nor changed.
        dataset: the data set whose first training samples the network sees, as in training.

    Returns:
        "variables", {path: shape} of all carried variables, and "computed", {name: numbers}. The numbers belong to the
        initial weights of seed 0: outputs in inference, also with larger weights; outputs and updated statistics in
        training; and the norm of each trained variable's gradient.
    """
    import tensorflow as tf

    inputs = seen(dataset)
    weights = variables.draw(model, 0, "initialisation")
    first = variables.prunable(model)[0]
    with tf.device("CPU"):
        values = {path: tf.constant(value) for path, value in weights.items()}
        trained = {path: values[path] for path in variables.trained(model)}
        with tf.GradientTape() as tape:
            tape.watch(trained)
            outputs, statistics = variables.called(model, values, inputs, training=True)
            mixed = tf.reduce_sum(outputs * np.cos(np.arange(outputs.shape[1], dtype=np.float32)))
        gradients = tape.gradient(mixed, trained, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        larger = {**values, first: LARGER * values[first]}
        computed = {
            "outputs": variables.called(model, values, inputs, training=False)[0],
            "outputs of larger weights": variables.called(model, larger, inputs, training=False)[0],
            "outputs in training": outputs,
            "statistics": [tf.norm(statistic) for statistic in statistics.values()],
            "gradients": [tf.norm(tf.convert_to_tensor(gradient)) for gradient in gradients.values()],
        }
    return {
        "variables": {path: list(value.shape) for path, value in weights.items()},
        "computed": {name: np.ravel(numbers).astype(float).tolist() for name, numbers in computed.items()},
    }


class Computes(Protocol):
    """An engine that gives the network's outputs, which are then compared."""

    train_indices: np.ndarray

    def load(self, weights: masks.Arrays, masks: masks.Arrays) -> None:
        """Put weights in place."""
        ...

    def outputs(self, chosen: np.ndarray) -> np.ndarray:
        """Return the outputs for training samples."""
        ...


def agrees(engine: Computes, model: "keras.Model", dataset: Dataset) -> bool:
    """Tell whether the sparse engine gives a network's outputs, on random weights under random masks.

    Args:
        engine: the engine; the weights loaded in it are lost.
        model: the network; its own values are neither used nor changed.
        dataset: the data set with which the engine was made.
    """
    rng = stream(0, "engines compared")
    weights = {
        path: (rng.standard_normal(variable.shape) / np.sqrt(variable.shape[0])).astype(np.float32)
        for path, variable in variables.carried(model).items()
    }
    mask = {path: rng.random(weights[path].shape) < 0.5 for path in variables.prunable(model)}
    weights = masks.apply(weights, mask)
    engine.load(weights, mask)
    outputs, _ = variables.called(model, weights, seen(dataset), training=False)
    return close(np.asarray(outputs), engine.outputs(engine.train_indices[:SAMPLES]), ROUNDING)


def seen(dataset: Dataset) -> np.ndarray:
    """Return the first training samples as a network sees them, float32."""
    stored = dataset.x_train[split(len(dataset.x_train))[0][:SAMPLES]].astype(np.float32)
    return stored * np.float32(dataset.scale) + np.float32(dataset.offset)
