"""The structure of masks: degrees against chance, dead units, weights on no path.

Knows which numbers are told of a round's layers; what a degree or a path is stands in degrees.py and paths.py.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ticketlab.analysis.measures.degrees import (
    chance_variance,
    degree_distribution,
    in_degrees,
    kept_per_pair,
    out_degrees,
)
from ticketlab.analysis.measures.loaded import LoadedRound
from ticketlab.analysis.measures.paths import chained, connections, on_path, way_in, way_out
from ticketlab.sparsity.masks import Arrays

VARYING = ["varying_weights", "varying_kept", "varying_on_path"]
SUMS = ["weights", "kept", "on_path", *VARYING, "units", "no_way_in", "no_way_out", "dead", "pairs", "kept_pairs"]


def structure(loaded: LoadedRound) -> list[dict[str, Any]]:
    """Tell the structure of a round's masks, one row per layer, and a row "all" for the whole network.

    What rests on paths is left out where the layers of a network do not chain, by the file's attribute or by their
    shapes; `varying_…` where it is not known which inputs vary, or where the first layer is a convolution.
    """
    rows = _layer_rows(loaded)
    for row in rows:
        for part in ("", "varying_"):
            for name, share in (("kept", "density"), ("on_path", "effective_density")):
                if f"{part}{name}" in row:
                    row[f"{part}{share}"] = np.divide(row[f"{part}{name}"], row[f"{part}weights"])
        for way in ("in", "out"):
            if chance := row.get(f"{way}_degree_variance_chance"):
                row[f"{way}_degree_variance_ratio"] = row[f"{way}_degree_variance"] / chance
    return rows


def degrees_of_units(loaded: LoadedRound) -> dict[str, np.ndarray]:
    """Tell how many units of each layer have each degree, and how many in random masks in expectation.

    One row per layer × direction × degree. The direction is "in", "out", or, where units are joined by more than one
    weight, "pair": the kept weights of each pair (unit in, unit out), a convolution's windows.
    """
    parts = [
        (path, direction, *degree_distribution(degrees, fan))
        for path, layer in connections(loaded.masks, loaded.chain).items()
        for direction, degrees, fan in _degrees(layer)
    ]
    layers, directions, *numbers = zip(*parts, strict=True)
    lengths = [len(degrees) for degrees in numbers[0]]
    names = {"layer": np.repeat(layers, lengths), "direction": np.repeat(directions, lengths)}
    return names | dict(zip(("degree", "units", "units_chance"), map(np.concatenate, numbers), strict=True))


def _layer_rows(loaded: LoadedRound) -> list[dict[str, Any]]:
    masks, constant = loaded.masks, loaded.run.data.constant
    rows = [{"layer": path, **_counts(layer)} for path, layer in connections(masks, loaded.chain).items()]
    varying = only_varying(masks, constant)
    for row, mask in zip(rows, varying.values(), strict=False):
        row["varying_weights"], row["varying_kept"] = mask.size, np.count_nonzero(mask)
    if loaded.chain and chained(masks):
        useful, reached, reaching = on_path(masks), way_in(masks), way_out(masks)
        for row, mask in zip(rows, only_varying(useful, constant).values(), strict=False):
            row["varying_on_path"] = np.count_nonzero(mask)
        for row in rows:
            path = row["layer"]
            row["on_path"] = np.count_nonzero(useful[path])
            row["no_way_in"] = np.count_nonzero(~reached[path])
            row["no_way_out"] = np.count_nonzero(~reaching[path])
            row["dead"] = np.count_nonzero(~(reached[path] & reaching[path]))
    network = {"layer": "all", "inputs": rows[0]["inputs"], "unused_inputs": rows[0]["unused_inputs"]}
    return [*rows, network | {name: sum(row[name] for row in rows) for name in SUMS if name in rows[0]}]


def only_varying(masks: Arrays, constant: np.ndarray | None) -> dict[str, np.ndarray]:
    """Leave out the weights that come from inputs that never vary.

    Returns:
        {path: bool array}, the first with fewer inputs; empty where it is not known which vary or where the first layer
        does not have a weight for each.

    >>> only_varying({"a": np.ones((3, 2), bool)}, np.array([True, False, False]))["a"].shape
    (2, 2)
    """
    path, first = next(iter(masks.items()))
    if constant is None or first.ndim != 2 or first.shape[0] != constant.size:
        return {}
    return {**masks, path: first[~constant.ravel()]}


def _counts(layer: np.ndarray) -> dict[str, float]:
    counts = {
        "weights": layer.size,
        "kept": np.count_nonzero(layer),
        "inputs": layer.shape[1],
        "unused_inputs": np.count_nonzero(out_degrees(layer) == 0),
        "units": layer.shape[2],
        "pairs": layer[0].size,
        "kept_pairs": np.count_nonzero(layer.any(axis=0)),
    }
    for direction, degrees, fan in _degrees(layer):
        if direction != "pair":
            counts[f"{direction}_degree_mean"] = degrees.mean()
            counts[f"{direction}_degree_variance"] = degrees.var()
            counts[f"{direction}_degree_variance_chance"] = chance_variance(degrees, fan)
    return counts


def _degrees(layer: np.ndarray) -> Iterator[tuple[str, np.ndarray, int]]:
    """Give direction, degrees and the number of weights, kept or not, behind each degree."""
    positions, inputs, outputs = layer.shape
    yield "in", in_degrees(layer), positions * inputs
    yield "out", out_degrees(layer), positions * outputs
    if positions > 1:
        yield "pair", kept_per_pair(layer).ravel(), positions
