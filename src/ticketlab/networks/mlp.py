"""Which networks are multilayer perceptrons: dense layers one after the other, which the sparse engine can train."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ticketlab.networks import graph, operations

if TYPE_CHECKING:
    import keras

ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid", "gelu")


@dataclass(frozen=True)
class DenseLayer:
    """One layer of a multilayer perceptron.

    Attributes:
        kernel: path of the layer's kernel.
        bias: path of the layer's bias, if it has one.
        shape: the kernel's shape, (inputs, units).
        activation: the activation that follows, one of `ACTIVATIONS`.
    """

    kernel: str
    bias: str | None
    shape: tuple[int, int]
    activation: str


def dense_layers(model: "keras.Model") -> list[DenseLayer] | None:
    """Return a network's dense layers if the network computes nothing else, one after the other; else None.

    Inputs may be reshaped before the first dense layer, and one activation may follow each.
    """
    found: list[DenseLayer] = []
    for call in graph.sequence(model) or ():
        role, activation = operations.role(call), operations.function(call.operation)
        if role == operations.INPUT or (role == operations.RESHAPE and not found):
            continue
        if activation not in ACTIVATIONS:
            return None
        if role == operations.KERNEL and len(call.taken[0]) == 2:
            bias = f"{call.path}/bias" if call.operation.use_bias else None
            found.append(DenseLayer(f"{call.path}/kernel", bias, tuple(call.operation.kernel.shape), activation))
        elif role == operations.ELEMENTWISE and found and found[-1].activation == "linear":
            found[-1] = replace(found[-1], activation=activation)
        else:
            return None
    return found if found and found[-1].activation == "linear" else None
