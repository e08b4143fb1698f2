"""How an overall density is spread over the layers: pure functions of the kernels' shapes.

A distribution is a function ``(shapes, density) -> {path: density}``; to add one, write the function and add its entry
to `DISTRIBUTIONS`. Does not know which weights of a layer are kept (masks.py, pruning.py, saliency.py).
"""

import math
from collections.abc import Callable, Collection, Mapping

from ticketlab.errors import BadInput

Shapes = Mapping[str, tuple[int, ...]]
Distribution = Callable[..., dict[str, float]]


def uniform(shapes: Shapes, density: float, dense: Collection[str] = ()) -> dict[str, float]:
    """Give every layer the same density, so that together they have the overall one; arguments are those of `er`.

    >>> uniform({"first": (4, 3), "last": (3, 2)}, 0.5), uniform({"first": (4, 3), "last": (3, 2)}, 0.5, ["last"])
    ({'first': 0.5, 'last': 0.5}, {'first': 0.25, 'last': 1.0})
    """
    if not dense:
        _check(density)
        return dict.fromkeys(shapes, density)
    return _solve(shapes, density, dict.fromkeys(shapes, 1.0), dense)


def er(shapes: Shapes, density: float, dense: Collection[str] = ()) -> dict[str, float]:
    """Spread as an Erdős–Rényi graph: a layer's density ∝ (n_in + n_out) / (n_in · n_out), its channels alone.

    This is the distribution of SET (Mocanu et al. 2018, arXiv 1707.04780, equation 3), solved for an overall density as
    in Evci et al. 2020 (arXiv 1911.11134, section 3). Layers whose density would exceed 1 become dense and leave the
    equation. Small layers come out denser than large ones.

    Args:
        shapes: {path: shape of the kernel}, the last two axes channels in and out.
        density: kept / total over all layers, dense ones included.
        dense: layers that are dense whatever their ratio; they leave the equation.

    Raises:
        BadInput: if `density` lies outside (0, 1], or the dense layers alone exceed it.

    >>> er({"first": (8, 8), "second": (8, 4), "last": (4, 2)}, 8 / 13)
    {'first': 0.5, 'second': 0.75, 'last': 1.0}
    """
    return _solve(shapes, density, {path: _sum_over_product(shape[-2:]) for path, shape in shapes.items()}, dense)


def erk(shapes: Shapes, density: float, dense: Collection[str] = ()) -> dict[str, float]:
    """Spread as `er` does, with all axes of a kernel: density ∝ (n_in + n_out + w + h) / (n_in · n_out · w · h).

    This is the Erdős–Rényi kernel of Evci et al. 2020 (arXiv 1911.11134, section 3). On dense layers it is `er`;
    arguments and errors are those of `er`.

    >>> spread = erk({"dense_1": (784, 300), "dense_2": (300, 100), "dense_3": (100, 10)}, 0.1)
    >>> [round(1 - each, 5) for each in spread.values()]
    [0.92043, 0.76981, 0.0]
    """
    return _solve(shapes, density, {path: _sum_over_product(shape) for path, shape in shapes.items()}, dense)


def er_of_epsilon(shapes: Shapes, epsilon: float, dense: Collection[str] = ()) -> dict[str, float]:
    """Spread as an Erdős–Rényi graph with the parameter ε: density = ε·(n_in + n_out) / (n_in · n_out).

    The parametrisation of Mocanu et al. 2018 (arXiv 1707.04780, equation 3), who take ε from 11 to 20. A layer that has
    fewer weights than ε asks for is dense, as in the authors' code; the others keep to ε.

    Args:
        shapes: {path: shape of the kernel}, the last two axes channels in and out.
        epsilon: the parameter ε of the equation.
        dense: layers that are dense whatever ε says.

    Raises:
        BadInput: if `epsilon` leaves no layer sparse.

    >>> er_of_epsilon({"first": (8, 8), "second": (8, 4), "last": (4, 2)}, 2, ["last"])
    {'first': 0.5, 'second': 0.75, 'last': 1.0}
    >>> er_of_epsilon({"first": (8, 8), "last": (4, 2)}, 2)
    {'first': 0.5, 'last': 1.0}
    """
    ratios = {path: _sum_over_product(shape[-2:]) for path, shape in shapes.items() if path not in dense}
    if ratios and epsilon >= (most := 1 / min(ratios.values())):
        raise BadInput(f"`epsilon` must be less than {most:.4g}, where all layers are dense. Received: {epsilon=}")
    return {path: min(1.0, epsilon * ratios[path]) if path in ratios else 1.0 for path in shapes}


DISTRIBUTIONS: dict[str, Distribution] = {"uniform": uniform, "er": er, "erk": erk}


def layer_sizes(shapes: Shapes) -> dict[str, int]:
    """Count the weights of each layer.

    >>> layer_sizes({"first": (784, 300), "last": (300, 10)})
    {'first': 235200, 'last': 3000}
    """
    return {path: math.prod(shape) for path, shape in shapes.items()}


def kept_count(shapes: Shapes, density: float) -> int:
    """Count the weights that an overall density keeps: ``round(density × total)``.

    Raises:
        BadInput: if `density` lies outside (0, 1], or keeps fewer weights than there are layers; no signal passes a
            layer without weights.

    >>> kept_count({"first": (784, 300), "second": (300, 100), "last": (100, 10)}, 0.01)
    2662
    """
    _check(density)
    kept = round(density * sum(layer_sizes(shapes).values()))
    if kept < len(shapes):
        raise BadInput(f"`density` must keep a weight for each of {len(shapes)} layers. Received: density={density}")
    return kept


def layer_counts(shapes: Shapes, densities: Mapping[str, float], kept: int) -> dict[str, int]:
    """Turn the layers' densities into whole numbers of weights that add up to `kept`.

    This is the method of largest remainders. Each layer gets the whole part of density × size. The weights still
    missing go to the layers with the largest fractions, among equals to the first. No layer stays without a weight,
    since no signal would pass it; that weight comes from the layer furthest above its density.

    Args:
        shapes: {path: shape of the kernel}.
        densities: {path: density}.
        kept: number of weights that all layers keep together, at least one per layer.

    >>> shapes = {"a": (5, 5), "b": (5, 3), "c": (3, 1)}
    >>> layer_counts(shapes, {"a": 0.3, "b": 0.3, "c": 0.3}, 13)
    {'a': 8, 'b': 4, 'c': 1}
    >>> layer_counts(shapes, {"a": 0.1, "b": 0.1, "c": 0.1}, 4)
    {'a': 2, 'b': 1, 'c': 1}
    """
    sizes = layer_sizes(shapes)
    quotas = {path: densities[path] * size for path, size in sizes.items()}
    counts = {path: min(max(1, math.floor(quota)), sizes[path]) for path, quota in quotas.items()}
    while (missing := kept - sum(counts.values())) != 0:
        step = 1 if missing > 0 else -1
        free = [path for path in shapes if 1 <= counts[path] + step <= sizes[path]]
        most = max(free, key=lambda path: step * (quotas[path] - counts[path]))
        counts[most] += step
    return counts


def nested_counts(sizes: Mapping[str, int], quotas: Mapping[str, float], kept: int) -> dict[str, int]:
    """Turn the layers' quotas into whole numbers as `layer_counts` does, none above the weights that a layer still has.

    Where a layer has fewer weights than its quota, the others get the rest in proportion to their quotas.

    Args:
        sizes: {path: number of weights that the layer still has}.
        quotas: {path: number of weights that the layer should keep, not necessarily whole}.
        kept: number of weights that all layers keep together: at least one per layer that has any, at most all.

    >>> nested_counts({"a": 10, "b": 2, "c": 30, "d": 0}, {"a": 5.0, "b": 4.0, "c": 10.0, "d": 1.0}, 17)
    {'a': 5, 'b': 2, 'c': 10, 'd': 0}
    """
    shapes = {path: (size,) for path, size in sizes.items() if size}
    ratios = {path: quotas[path] / size for path, (size,) in shapes.items()}
    densities = _solve(shapes, kept / sum(sizes.values()), ratios)
    return {**dict.fromkeys(sizes, 0), **layer_counts(shapes, densities, kept)}


def _solve(shapes: Shapes, density: float, ratios: Mapping[str, float], held: Collection[str] = ()) -> dict[str, float]:
    """Scale `ratios` to the overall density; layers above 1 become dense, and the others are scaled anew."""
    _check(density)
    sizes, dense = layer_sizes(shapes), set(held)
    least = sum(sizes[path] for path in dense) / sum(sizes.values())
    if dense and density < least:
        raise BadInput(f"`density` must be at least the {least:.4g} of dense layers. Received: density={density}")
    while True:
        sparse = [path for path in shapes if path not in dense]
        wanted = density * sum(sizes.values()) - sum(sizes[path] for path in dense)
        scale = wanted / sum(ratios[path] * sizes[path] for path in sparse) if sparse else 0.0
        above = {path for path in sparse if scale * ratios[path] > 1}
        if not above:
            return {path: 1.0 if path in dense else scale * ratios[path] for path in shapes}
        dense |= above


def _sum_over_product(axes: tuple[int, ...]) -> float:
    return sum(axes) / math.prod(axes)


def _check(density: float) -> None:
    if not 0 < density <= 1:
        raise BadInput(f"`density` must be in (0, 1]. Received: density={density}")
