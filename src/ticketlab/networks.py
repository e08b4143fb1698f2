"""Keras networks by name, their weights as dicts from path to array, and which of them are prunable.

A network is a function ``(input_shape, classes) -> keras.Model`` that ends in logits; to add one, write the function
and add its entry to `NETWORKS`. Keras is imported inside the functions, so the names are known without TensorFlow.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ticketlab.streams import stream_seed

if TYPE_CHECKING:
    import keras


def lenet_300_100(input_shape: tuple[int, ...], classes: int) -> "keras.Model":
    """Build LeNet-300-100: two hidden layers of ReLU units (LeCun et al. 1998; Frankle & Carbin 2019, figure 2).

    Kernels are drawn from the Gaussian Glorot initialiser (truncated at two deviations, as in the authors' code),
    biases are 0. Any input shape is flattened.
    """
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input(input_shape),
            layers.Flatten(name="flatten"),
            layers.Dense(300, "relu", kernel_initializer="glorot_normal", name="dense_1"),
            layers.Dense(100, "relu", kernel_initializer="glorot_normal", name="dense_2"),
            layers.Dense(classes, kernel_initializer="glorot_normal", name="dense_3"),
        ]
    )


NETWORKS: dict[str, Callable[[tuple[int, ...], int], "keras.Model"]] = {"lenet_300_100": lenet_300_100}


def variables(model: "keras.Model") -> dict[str, Any]:
    """Return the trainable variables by path, ``<layer>/<variable>``, in the network's order."""
    return {f"{layer.name}/{variable.name}": variable for layer, variable in _layer_variables(model)}


def prunable(model: "keras.Model") -> list[str]:
    """Return the paths of all kernels of Dense and Conv layers, found by the layers' type and not by their names."""
    from keras import layers

    kinds = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)
    return [
        f"{layer.name}/{variable.name}"
        for layer, variable in _layer_variables(model)
        if isinstance(layer, kinds) and variable is layer.kernel
    ]


def dense_only(model: "keras.Model") -> bool:
    """Tell whether matrix products are all the network computes with its weights."""
    from keras import layers

    return all(isinstance(layer, layers.Dense) for layer, _ in _layer_variables(model))


def draw(model: "keras.Model", seed: int, purpose: str) -> dict[str, np.ndarray]:
    """Draw weights from the layers' own initialisers, each variable from a stream named by purpose and path.

    Args:
        model: its own values are neither used nor changed.
        seed: of the replicate.
        purpose: "initialisation" for the first draw, another word for another draw.

    Returns:
        {path: float32 array}
    """
    drawn = {}
    for layer, variable in _layer_variables(model):
        path = f"{layer.name}/{variable.name}"
        initialiser = getattr(layer, f"{variable.name}_initializer")
        settings = initialiser.get_config()
        if "seed" in settings:
            settings["seed"] = stream_seed(seed, purpose, path) % 2**31
        drawn[path] = np.asarray(type(initialiser).from_config(settings)(variable.shape, dtype="float32"))
    return drawn


def _layer_variables(model: "keras.Model") -> list[tuple[Any, Any]]:
    return [(layer, variable) for layer in model.layers for variable in layer.trainable_variables]
