"""How a network's operations are connected: each call and the calls whose results it takes, in order of computation.

Models that are used as layers are unfolded, so their inner calls stand among the others. This module does not know what
an operation computes (operations.py). Keras is imported inside the functions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Call:
    """One call of an operation.

    Attributes:
        path: path of the operation, ``<layer>``, or ``<model>/<layer>`` inside a model that is used as a layer.
        operation: a layer, an operation of keras.ops, or a model whose inner graph is unknown.
        sources: indices of the calls whose results it takes, in the list of all calls.
        taken: shapes of its inputs, (None, …), as they are known inside its own model.
        given: shape of its output, or of the first of several outputs.
    """

    path: str
    operation: Any
    sources: tuple[int, ...]
    taken: tuple[tuple[int | None, ...], ...]
    given: tuple[int | None, ...]


def calls(model: "keras.Model") -> list[Call]:
    """List all calls that a network's output depends on; the last gives the output. Inputs of models are calls as well.

    A model of a user-defined class may compute something other than its graph says, hence it is a single call.
    """
    found: list[Call] = []
    if _says_its_wiring(model):
        _unfold(model, "", (), found)
    else:
        found.append(Call(model.name, model, (), (), tuple(model.output_shape)))
    return found


def sequence(model: "keras.Model") -> list[Call] | None:
    """Return the calls if each takes the result of the one before alone, and none is made twice; else None."""
    found = calls(model)
    in_line = all(call.sources == tuple(range(place)[-1:]) for place, call in enumerate(found))
    return found if in_line and len({id(call.operation) for call in found}) == len(found) else None


def _says_its_wiring(operation: Any) -> bool:
    from keras import Model

    known = type(operation).__module__.startswith("keras.") and "call" not in vars(operation)
    return isinstance(operation, Model) and known


def _unfold(model: "keras.Model", prefix: str, given: tuple[int, ...], found: list[Call]) -> list[int]:
    """Append a model's calls; return the places of those that give its outputs."""
    inputs = [id(tensor) for tensor in model.inputs]
    places: dict[int, int] = {}
    for node in _in_order(model.outputs):
        operation, results = node.operation, node.output_tensors
        sources = tuple(places[id(tensor)] for tensor in node.input_tensors)
        if id(results[0]) in inputs:
            sources = given[inputs.index(id(results[0])) :][:1]
        path = f"{prefix}{operation.name}"
        if _says_its_wiring(operation):
            ends = _unfold(operation, f"{path}/", sources, found)
        else:
            taken = tuple(tuple(tensor.shape) for tensor in node.input_tensors)
            taken = taken or tuple(found[source].given for source in sources)  # shapes of the model's inputs
            found.append(Call(path, operation, sources, taken, tuple(results[0].shape)))
            ends = [len(found) - 1] * len(results)
        places |= zip(map(id, results), ends, strict=True)
    return [places[id(tensor)] for tensor in model.outputs]


def _in_order(tensors: Iterable[Any]) -> list[Any]:
    """Return the nodes of Keras's graph that some tensors depend on, each after the nodes that it depends on."""
    order: list[Any] = []
    done: set[int] = set()
    waiting = [_origin(tensor) for tensor in tensors]
    while waiting:
        needed = [_origin(tensor) for tensor in waiting[-1].input_tensors]
        needed = [node for node in needed if id(node) not in done]
        if needed:
            waiting.append(needed[0])
            continue
        node = waiting.pop()
        if id(node) not in done:
            done.add(id(node))
            order.append(node)
    return order


def _origin(tensor: Any) -> Any:
    """Return the node that gives a tensor."""
    operation, node, _ = tensor._keras_history
    return operation._inbound_nodes[node]
