"""What a network computes, tried out on a few training samples: whether it is still the same, whether engines agree.

Knows networks and data; not where a fingerprint is kept, nor when it is the same as another (fingerprint.py).
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
LARGER = 10  # times the first kernel, for bounds that initial weights do not reach
ROUNDING = 1e-3  # of the outputs' scale: what sums in another order may depart by, and no other function does


def fingerprint(model: "keras.Model", dataset: Dataset) -> dict[str, dict]:
    """Describe a network by what it computes, whatever its code looks like.

    Args:
        model: its own values are neither used nor changed.
        dataset: whose first training samples it sees, as in training.

    Returns:
        "variables", {path: shape} of all that is carried; and "computed", {name: numbers}, with the weights that the
        seed 0 begins with: outputs in inference and, of larger weights, once more; outputs and moved statistics in
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
    """What is compared: an engine that gives the network's outputs."""

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
        engine: whatever is loaded is lost.
        model: its own values are neither used nor changed.
        dataset: that the engine was made with.
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
