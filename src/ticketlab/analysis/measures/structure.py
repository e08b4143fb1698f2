"""The structure of masks as tidy frames: degrees against chance, dead units, weights on no path.

Knows how rounds on disk become rows; what a degree or a path is stands in degrees.py and paths.py.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from ticketlab.analysis.measures.degrees import (
    chance_variance,
    degree_distribution,
    in_degrees,
    kept_per_pair,
    out_degrees,
)
from ticketlab.analysis.measures.paths import chained, connections, on_path, way_in, way_out
from ticketlab.runs.folder import Record
from ticketlab.sparsity.masks import Arrays

STRUCTURE_COLUMNS = [
    *("seed", "round", "layer", "weights", "kept", "density", "on_path", "effective_density"),
    *("varying_weights", "varying_kept", "varying_density", "varying_on_path", "varying_effective_density"),
    *("inputs", "unused_inputs", "units", "no_way_in", "no_way_out", "dead", "pairs", "kept_pairs"),
    *("in_degree_mean", "in_degree_variance", "in_degree_variance_chance", "in_degree_variance_ratio"),
    *("out_degree_mean", "out_degree_variance", "out_degree_variance_chance", "out_degree_variance_ratio"),
]
VARYING = ["varying_weights", "varying_kept", "varying_on_path"]
SUMS = ["weights", "kept", "on_path", *VARYING, "units", "no_way_in", "no_way_out", "dead", "pairs", "kept_pairs"]
DEGREE_COLUMNS = ["seed", "round", "layer", "direction", "degree", "units", "units_chance"]


def structure_table(records: Iterable[Record], constant: np.ndarray | None = None) -> pd.DataFrame:
    """Tabulate the structure of masks, one row per seed × round × layer, and a row "all" for the whole network.

    The columns:
        kept, on_path: kept weights, and how many of them lie on a path from input to output; `density` and
            `effective_density` are their shares of all `weights`.
        varying_…: the same without the weights from inputs that never vary, which learn nothing but what decay makes of
            them; NaN where these inputs are not known, or where the first layer is a convolution.
        inputs, unused_inputs: units in, and how many have no kept weight in this layer: pixels nobody looks at.
        units, no_way_in, no_way_out, dead: units out; how many no path from the input reaches; from how many no path
            reaches the output; how many lie on no path, for either reason. Outputs are units too.
        pairs, kept_pairs: pairs (unit in, unit out), and how many have a kept weight; of convolutions, whole windows.
        in_degree_…, out_degree_…: mean and variance over units of the kept weights into each unit out and from each
            unit in, the variance of random masks in expectation, and the ratio of the two, NaN where neither varies.

    What rests on paths is NaN where the layers of a network do not chain, by the file's attribute or by their shapes.

    Args:
        records: of the rounds.
        constant: bool, of the shape of one sample: which inputs never vary; None where that is not known.

    Raises:
        Damaged: if a file cannot be read.
    """
    rows = [{**_origin(record), **row} for record in records for row in _layer_rows(record, constant)]
    table = pd.DataFrame(rows, columns=STRUCTURE_COLUMNS)
    for part in ("", "varying_"):
        table[f"{part}density"] = table[f"{part}kept"] / table[f"{part}weights"]
        table[f"{part}effective_density"] = table[f"{part}on_path"] / table[f"{part}weights"]
    for way in ("in", "out"):
        chance = table[f"{way}_degree_variance_chance"]
        table[f"{way}_degree_variance_ratio"] = table[f"{way}_degree_variance"] / chance.where(chance > 0)
    return table


def degree_table(records: Iterable[Record]) -> pd.DataFrame:
    """Tabulate degree distributions: how many units have each degree, and how many in random masks in expectation.

    One row per seed × round × layer × direction × degree. The direction is "in", "out", or, where units are joined by
    more than one weight, "pair": the kept weights of each pair (unit in, unit out), a convolution's windows.

    Raises:
        Damaged: if a file cannot be read.
    """
    rows = [
        (*_origin(record).values(), path, direction, *row)
        for record in records
        for path, layer in connections(record.masks, _chain(record)).items()
        for direction, degrees, fan in _degrees(layer)
        for row in zip(*degree_distribution(degrees, fan), strict=True)
    ]
    return pd.DataFrame(rows, columns=DEGREE_COLUMNS)


def _origin(record: Record) -> dict[str, int]:
    return {"seed": record.attributes["seed"], "round": record.attributes["round"]}


def _chain(record: Record) -> bool:
    return record.attributes.get("chain", True)


def _layer_rows(record: Record, constant: np.ndarray | None) -> list[dict[str, Any]]:
    masks = record.masks
    rows = [{"layer": path, **_counts(layer)} for path, layer in connections(masks, _chain(record)).items()]
    varying = only_varying(masks, constant)
    for row, mask in zip(rows, varying.values(), strict=False):
        row["varying_weights"], row["varying_kept"] = mask.size, np.count_nonzero(mask)
    if _chain(record) and chained(masks):
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
