"""Which networks are chains of dense layers, the networks that can be trained with their kept weights alone.

Keras is imported inside the functions.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ticketlab import variables

if TYPE_CHECKING:
    import keras

ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid", "gelu")


@dataclass(frozen=True)
class DenseLayer:
    """One layer of a chain.

    Attributes:
        kernel: path of its kernel.
        bias: path of its bias, if it has one.
        shape: (inputs, units).
        activation: what it ends in, one of `ACTIVATIONS`.
    """

    kernel: str
    bias: str | None
    shape: tuple[int, int]
    activation: str


def dense_chain(model: "keras.Model") -> list[DenseLayer] | None:
    """Return a network's dense layers if they are all it computes, one after the other; else None.

    Before the first of them inputs may be flattened or otherwise reshaped; after each, one activation may follow.
    """
    from keras import layers

    if not variables.chained(model):
        return None
    chain: list[DenseLayer] = []
    for path, layer in variables.leaves(model):
        activation = _activation(layer)
        if isinstance(layer, layers.InputLayer) or (isinstance(layer, layers.Flatten | layers.Reshape) and not chain):
            continue
        if activation is None:
            return None
        if type(layer) is layers.Dense and layer.kernel is layer.variables[0] and len(layer.input.shape) == 2:
            bias = f"{path}/bias" if layer.use_bias else None
            chain.append(DenseLayer(f"{path}/kernel", bias, tuple(layer.kernel.shape), activation))
        elif not isinstance(layer, layers.Dense) and chain and chain[-1].activation == "linear":
            last = chain.pop()
            chain.append(DenseLayer(last.kernel, last.bias, last.shape, activation))
        else:
            return None
    return chain if chain and chain[-1].activation == "linear" else None


def _activation(layer: Any) -> str | None:
    """Name the function that a layer applies to each number; None if it is none of those that are known."""
    from keras import activations, layers

    if type(layer) is layers.ReLU:
        plain = (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0, 0)
        return "relu" if plain else None
    if type(layer) not in (layers.Dense, layers.Activation):
        return None
    return next((name for name in ACTIVATIONS if layer.activation is getattr(activations, name)), None)
