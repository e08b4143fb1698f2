"""A network's variables as dicts by path: which are carried from round to round, trained, pruned, reinitialised.

A path is ``<layer>/<variable>``, and ``<model>/<layer>/<variable>`` inside a model that is used as a layer. This module
does not know networks by name. requirements.py refuses the networks that these functions cannot handle. Keras is
imported inside the functions.

Prunable are the kernels of Dense and Conv1D/2D/3D layers and of their subclasses. Transposed convolutions, EinsumDense
and Embedding are no subclasses of these in Keras. Their kernels have other axes than (…, inputs, outputs), by which the
analysis reads masks; hence they are trained and carried, but stay dense and uncounted. Depthwise and separable
convolutions are refused, because Keras names their initialisers differently from their kernels.
"""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ticketlab.networks import graph, operations
from ticketlab.random_streams import stream_seed
from ticketlab.sparsity.flops import Cost

if TYPE_CHECKING:
    import keras


def carried(model: "keras.Model") -> dict[str, "keras.Variable"]:
    """Return all variables that are carried from round to round, by path and in the network's order.

    These are the trainable variables and the moving statistics of batch normalisation.
    """
    return {path: variable for path, _, variable in _carried(model)}


def trained(model: "keras.Model") -> list[str]:
    """Return the paths of the variables that training changes by gradients."""
    return [path for path, variable in carried(model).items() if variable.trainable]


def prunable(model: "keras.Model") -> list[str]:
    """Return the paths of all kernels of Dense and Conv layers, found by the layers' types, not by their names."""
    return [path for path, layer, variable in _carried(model) if is_prunable(layer, variable)]


def dense_only(model: "keras.Model") -> bool:
    """Tell whether the network uses its weights in matrix products alone."""
    from keras import layers

    return all(isinstance(layer, layers.Dense) for _, layer, _ in _carried(model))


def chained(model: "keras.Model") -> bool:
    """Tell whether each prunable layer is fed by exactly the one before, so that masks alone show all paths.

    The answer is True only if it is certain: every operation is known and takes the result of the one before alone, and
    only kernels mix units. Unit i of a kernel's inputs is then unit i of the kernel before or, after a convolution's
    images were flattened, its channel ``i % channels``.
    """
    calls = graph.sequence(model)
    if calls is None:
        return False
    kernels: list[tuple[int, ...]] = []
    for call in calls:
        role = operations.role(call)
        if role is None or (role == operations.RESHAPE and kernels and len(call.given) != 2):
            return False
        if role == operations.KERNEL:
            kernels.append(tuple(call.operation.kernel.shape))
    return bool(kernels) and all(_fit(before, after) for before, after in pairwise(kernels))


def output_kernels(model: "keras.Model") -> list[str]:
    """Return the paths of the output layers' kernels, from which no other prunable kernel is reached.

    There is one, except in networks whose output is composed of several heads. Where a model's inner graph is unknown,
    its last kernel counts as the one that gives its output.
    """
    kernels, calls = prunable(model), graph.calls(model)
    if len(calls) == 1:
        return kernels[-1:]
    leads_on, ends = [False] * len(calls), set()
    for place in reversed(range(len(calls))):
        call = calls[place]
        mine = [path for path in kernels if path.startswith(f"{call.path}/")]
        if mine and not leads_on[place]:
            ends.add(mine[-1])
        for source in call.sources:
            leads_on[source] |= bool(mine) or leads_on[place]
    return [path for path in kernels if path in ends]


def costs(model: "keras.Model", input_shape: tuple[int, ...]) -> dict[str, Cost]:
    """Return each prunable layer's cost on a sample, but for its kept weights, by its kernel's path.

    The model is called on a sample, and the numbers that its layers give are counted. A layer that is called several
    times costs as often, and sizes that the model leaves open are those of the sample.
    """
    layers = {path: layer for path, layer, variable in _carried(model) if is_prunable(layer, variable)}
    outputs = dict.fromkeys(layers, 0)
    with contextlib.ExitStack() as watched:
        for path, layer in layers.items():
            own = vars(layer).get("call")  # an instance may override its class's `call`
            layer.call = _counting(layer.call, outputs, path)
            watched.callback(*((setattr, layer, "call", own) if own else (delattr, layer, "call")))
        model(np.zeros((1, *input_shape), np.float32), training=False)
    return {path: Cost(numbers // layers[path].kernel.shape[-1], numbers) for path, numbers in outputs.items()}


def draw(model: "keras.Model", seed: int, purpose: str) -> dict[str, np.ndarray]:
    """Draw all carried variables from the layers' own initialisers, each from a stream named by purpose and path.

    Args:
        model: the network; its own values are neither used nor changed.
        seed: the replicate's seed.
        purpose: "initialisation" for the first draw, another word for another draw.

    Returns:
        {path: float32 array}
    """
    drawn = {}
    for path, layer, variable in _carried(model):
        initialiser = seeded(getattr(layer, f"{variable.name}_initializer"), stream_seed(seed, purpose, path) % 2**31)
        drawn[path] = np.asarray(initialiser(variable.shape, dtype="float32"))
    return drawn


def called(
    model: "keras.Model", values: Mapping[str, Any], inputs: Any, *, training: bool
) -> tuple[Any, dict[str, Any]]:
    """Compute a network's outputs with other values than its own, which are neither used nor changed.

    Args:
        model: the network.
        values: values of all carried variables, {path: array or tensor}.
        inputs: samples as the network sees them, (samples, ...).
        training: whether the network is called in training mode.

    Returns:
        The outputs, and {path: tensor} of the variables that a call updates: the statistics of batch normalisation.
    """
    places = {id(variable): path for path, variable in carried(model).items()}
    still = [places[id(variable)] for variable in model.non_trainable_variables]
    moving = [places[id(variable)] for variable in model.trainable_variables]
    groups = ([values[path] for path in paths] for paths in (moving, still))
    outputs, moved, *_ = model.stateless_call(*groups, inputs, training=training)
    return outputs, dict(zip(still, moved, strict=True))


def seeded(initialiser: Any, seed: int) -> Any:
    """Return a copy of an initialiser that draws from this seed; an initialiser without a seed stays as it is."""
    settings = initialiser.get_config()
    return type(initialiser).from_config({**settings, "seed": seed} if "seed" in settings else settings)


def leaves(model: "keras.Model", prefix: str = "") -> Iterator[tuple[str, "keras.Layer"]]:
    """Iterate over the layers with their paths, in the network's order, also inside models that are used as layers."""
    from keras import Model

    for layer in model.layers:
        if isinstance(layer, Model):
            yield from leaves(layer, f"{prefix}{layer.name}/")
        else:
            yield f"{prefix}{layer.name}", layer


def travels(layer: "keras.Layer", variable: "keras.Variable") -> bool:
    """Tell whether a layer's variable is carried from round to round."""
    from keras.layers import BatchNormalization

    return variable.trainable or isinstance(layer, BatchNormalization)


def is_prunable(layer: "keras.Layer", variable: "keras.Variable") -> bool:
    """Tell whether a variable is the kernel of a layer that is pruned."""
    from keras import layers

    kinds = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)
    return isinstance(layer, kinds) and variable is layer.kernel


def _carried(model: "keras.Model") -> Iterator[tuple[str, "keras.Layer", "keras.Variable"]]:
    for place, layer in leaves(model):
        for variable in layer.variables:
            if travels(layer, variable):
                yield f"{place}/{variable.name}", layer, variable


def _counting(call: Callable[..., Any], outputs: dict[str, int], path: str) -> Callable[..., Any]:
    """Return a layer's `call` that also counts the numbers that it gives for a sample."""

    @functools.wraps(call)
    def counting(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        outputs[path] += math.prod(result.shape[1:])
        return result

    return counting


def _fit(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Tell whether a kernel takes the units of the kernel before, as they are or as flattened images."""
    given, taken = before[-1], after[-2]
    flattened = len(before) > 2 and len(after) == 2 and taken % given == 0
    return taken == given or flattened
