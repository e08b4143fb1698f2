"""How alike masks are, and how alike they would be by chance.

Knows measures of similarity as functions of counts, and tables of them; facts about two masks a and b enter as
``both`` = |a∧b|, ``a`` = |a|, ``b`` = |b| and ``total`` = N, numbers or arrays of 64 bits. What is 0/0 is NaN: every
ratio to an empty mask, κ of two masks that are both empty or both full, and z where chance leaves no choice (a mask
that is empty or full). Does not know files, nor that hidden units are exchangeable (unit_matching.py).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from ticketlab.analysis.measures.bitmasks import MaskKey, PackedMasks

Counts = int | np.ndarray
Numbers = float | np.ndarray


def hamming(both: Counts, a: Counts, b: Counts, total: Counts) -> Numbers:
    """Return the share of positions where the masks differ."""
    return _ratio(a + b - 2 * both, total)


def jaccard(both: Numbers, a: Counts, b: Counts) -> Numbers:
    """Return |a∧b| / |a∨b| (Paganini & Forde 2020, arXiv 2007.04091).

    >>> float(jaccard(2, 3, 4))
    0.4
    """
    return _ratio(both, a + b - both)


def jaccard_chance(a: Counts, b: Counts, total: Counts) -> Numbers:
    """Return the Jaccard similarity at the expected intersection of independent masks with these kept counts.

    With p = a/N and q = b/N this is pq / (p + q − pq). Jaccard is convex in the intersection, so its true mean lies
    above this by a term of order 1/N.

    >>> round(float(jaccard_chance(50, 50, 100)), 6)
    0.333333
    """
    return jaccard(independent(a, b, total)[0], a, b)


def jaccard_excess(both: Counts, a: Counts, b: Counts, total: Counts) -> Numbers:
    """Return the Jaccard similarity above chance."""
    return jaccard(both, a, b) - jaccard_chance(a, b, total)


def overlap(both: Counts, a: Counts, b: Counts) -> Numbers:
    """Return |a∧b| / min(|a|, |b|): 1 where one mask contains the other."""
    return _ratio(both, np.minimum(a, b))


def dice(both: Counts, a: Counts, b: Counts) -> Numbers:
    """Return 2|a∧b| / (|a| + |b|)."""
    return _ratio(2 * both, a + b)


def cosine(both: Counts, a: Counts, b: Counts) -> Numbers:
    """Return |a∧b| / √(|a||b|)."""
    return _ratio(both, np.sqrt(a) * np.sqrt(b))


def kappa(both: Counts, a: Counts, b: Counts, total: Counts) -> Numbers:
    """Return Cohen's κ, the agreement (kept or not) above that of independent masks, in units of what is left above it.

    κ = (p_o − p_e) / (1 − p_e), written in counts.

    >>> float(kappa(1, 2, 2, 4))
    0.0
    """
    return _ratio(2 * (total * both - a * b), total * (a + b) - 2 * a * b)


def persistence(both: Counts, a: Counts) -> Numbers:
    """Return the share of a that b keeps; for rounds of one seed, a is the earlier one."""
    return _ratio(both, a)


def independent(a: Counts, b: Counts, total: Counts) -> tuple[Numbers, Numbers]:
    """Return mean and variance of |a∧b| for independent masks with these kept counts: hypergeometric.

    >>> mean, variance = independent(2, 2, 4)
    >>> float(mean), round(float(variance), 6)
    (1.0, 0.333333)
    """
    mean = _ratio(np.multiply(a, b), total)
    return mean, mean * _ratio(np.subtract(total, a), total) * _ratio(np.subtract(total, b), np.maximum(total - 1, 1))


def z_score(both: Counts, mean: Numbers, variance: Numbers) -> Numbers:
    """Return how many standard deviations the intersection lies above its mean; NaN where it cannot vary."""
    return _ratio(both - mean, np.sqrt(np.where(variance > 0, variance, np.nan)))


class Similarity(NamedTuple):
    """A measure of two masks.

    Attributes:
        function: of |a∧b|, |a|, |b| and the number of positions, numbers or arrays of one shape.
        meaning: what outputs/README.md says of its column.
    """

    function: Callable[[Counts, Counts, Counts, Counts], Numbers]
    meaning: str


# To add a similarity: a function, and an entry here.
SIMILARITIES: dict[str, Similarity] = {
    "hamming": Similarity(hamming, "share of weights that one mask keeps and the other does not"),
    "jaccard": Similarity(lambda both, a, b, total: jaccard(both, a, b), "a ∧ b / a ∨ b"),
    "jaccard_chance": Similarity(
        lambda both, a, b, total: jaccard_chance(a, b, total), "expected Jaccard similarity of random masks"
    ),
    "jaccard_excess": Similarity(jaccard_excess, "Jaccard similarity minus that of random masks"),
    "overlap": Similarity(lambda both, a, b, total: overlap(both, a, b), "a ∧ b / kept weights of the smaller mask"),
    "dice": Similarity(
        lambda both, a, b, total: dice(both, a, b), "a ∧ b / the arithmetic mean of both masks' kept weights"
    ),
    "cosine": Similarity(
        lambda both, a, b, total: cosine(both, a, b), "a ∧ b / the geometric mean of both masks' kept weights"
    ),
    "kappa": Similarity(kappa, "Cohen's kappa: agreement above chance / the greatest possible"),
    "z": Similarity(
        lambda both, a, b, total: z_score(both, *independent(a, b, total)),
        "a ∧ b above chance, in standard deviations of chance",
    ),
    "persistence": Similarity(lambda both, a, b, total: persistence(both, a), "a ∧ b / kept weights of the first mask"),
}
NULLS = {
    "layer": "against random masks with each layer's density",
    "input": "against random masks that also keep as many weights from each input unit",
}
PAIR_COLUMNS = {
    "run_a": "run of the first mask",
    "seed_a": "seed of the first mask",
    "round_a": "round of the first mask",
    "run_b": "run of the second mask",
    "seed_b": "seed of the second mask",
    "round_b": "round of the second mask",
    "layer": "path of the kernel, or `all` for all prunable layers together",
    "density_a": "kept weights / all weights of the layer, first mask",
    "density_b": "kept weights / all weights of the layer, second mask",
}
COLUMNS = {
    **PAIR_COLUMNS,
    **{name: each.meaning for name, each in SIMILARITIES.items()},
    **{
        f"{name}_by_{null}": f"{meaning}, {against}"
        for null, against in NULLS.items()
        for name, meaning in (
            ("jaccard_chance", "`jaccard_chance`"),
            ("jaccard_excess", "`jaccard_excess`"),
            ("z", "`z`"),
        )
    },
}


def similarities(both: Counts, a: Counts, b: Counts, total: Counts) -> dict[str, Numbers]:
    """Return every measure of `SIMILARITIES` by its name.

    Args:
        both: positions that both masks keep.
        a: positions that the first mask keeps.
        b: positions that the second mask keeps.
        total: positions, kept or not.

    >>> {name: float(value) for name, value in similarities(2, 3, 4, 8).items() if name in ("jaccard", "overlap")}
    {'jaccard': 0.4, 'overlap': 0.6666666666666666}
    """
    return {name: each.function(both, a, b, total) for name, each in SIMILARITIES.items()}


def compare(packed: PackedMasks, first: np.ndarray, second: np.ndarray) -> pd.DataFrame:
    """Tabulate every measure for the given pairs, overall (layer "all") and for each layer.

    Chance has three meanings. The columns of `SIMILARITIES` throw a mask's kept weights over all positions of the row's
    layer, or for "all" of the whole network. Layers differ in density by design, which alone makes whole networks more
    alike than that: the columns ``…_by_layer`` throw each layer's kept weights over that layer. Units differ as well,
    as border pixels that no mask uses: the columns ``…_by_input`` throw the kept weights that leave each input unit
    over the units they can go to. In both, |a∧b| has the sum of the hypergeometric means and variances.

    Args:
        packed: the masks.
        first: indices of the pairs' first masks, "a".
        second: indices of their second masks, "b".

    Returns:
        One row per pair and layer, pair by pair, "all" first; `COLUMNS` says which columns.
    """
    both, a, b = packed.both(first, second), packed.kept[first], packed.kept[second]
    nulls = {"layer": independent(a, b, packed.sizes), "input": _independent_inputs(packed, first, second)}
    both, a, b, total = map(_with_sum, (both, a, b, packed.sizes))
    values = similarities(both, a, b, total)
    for null, moments in nulls.items():
        mean, variance = map(_with_sum, moments)
        values[f"jaccard_chance_by_{null}"] = jaccard(mean, a, b)
        values[f"jaccard_excess_by_{null}"] = jaccard(both, a, b) - jaccard(mean, a, b)
        values[f"z_by_{null}"] = z_score(both, mean, variance)
    return table(packed, first, second, values)


def table(packed: PackedMasks, first: np.ndarray, second: np.ndarray, values: dict[str, np.ndarray]) -> pd.DataFrame:
    """Lay out values of shape (pairs, 1 + layers), "all" first, under the pairs' keys and densities."""
    layers = ["all", *packed.shapes]
    densities = _with_sum(packed.kept) / _with_sum(packed.sizes)
    columns = {}
    for side, chosen in (("a", first), ("b", second)):
        for name, entries in zip(MaskKey._fields, zip(*packed.keys, strict=True), strict=True):
            columns[f"{name}_{side}"] = np.repeat(np.array(entries)[chosen], len(layers))
    columns["layer"] = np.tile(layers, len(first))
    values = {"density_a": densities[first], "density_b": densities[second], **values}
    return pd.DataFrame(columns | {name: value.ravel() for name, value in values.items()})


def _independent_inputs(packed: PackedMasks, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum the rows' means and variances of |a∧b|, shape (pairs, layers); as products of matrices, for speed."""
    means, variances = [], []
    for path, shape in packed.shapes.items():
        units, degrees = shape[-1], packed.degrees[path].astype(float)
        spread = degrees * (units - degrees)
        means.append((degrees @ degrees.T)[first, second] / units)
        variances.append((spread @ spread.T)[first, second] / (units**2 * max(units - 1, 1)))
    return np.stack(means, axis=1), np.stack(variances, axis=1)


def _with_sum(layers: np.ndarray) -> np.ndarray:
    return np.concatenate([layers.sum(axis=-1, keepdims=True), layers], axis=-1)


def _ratio(numerator: Numbers, denominator: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(numerator, denominator)
