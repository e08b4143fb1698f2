"""Initial and final weights, of the kept and of the pruned, round by round, as tidy frames.

*Initial* is the state that the run's rounds rewind to. *Final* is the end of the last training that a weight took part
in: this round's for kept weights; for pruned ones that of the last round whose mask had them. What the files do not
hold is NaN: a run may come without weights, or with a round missing. Does not know why weights were pruned.

Rounds of one sparse training do not rewind, and its masks are not nested: weights are dropped, and others grown. Final
is then the round's end. Only weights that began with them have initial values: of the kept, those that every mask since
the first has; of the others, "pruned" for short, those that the first mask had. What was dropped and grown again
between two rounds is not seen.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ticketlab.analysis.measures.loaded import LoadedRound
from ticketlab.sparsity.masks import Arrays

BIN_WIDTH, BINS = 0.005, 400


class Layer(NamedTuple):
    """One layer, or all of them joined, in one round: flat arrays, one element per prunable weight."""

    kept: np.ndarray
    pruned_next: np.ndarray  # empty where the next round is not at hand
    initial: np.ndarray
    final: np.ndarray


class Course(NamedTuple):
    """What became of a seed's weights up to a round; all are {path: array}."""

    initial: Arrays
    first: Arrays  # the first mask
    stayed: Arrays  # what every mask up to the round has kept
    final: Arrays


def weights(loaded: LoadedRound) -> list[dict[str, Any]]:
    """Tell what became of a round's weights, one row per layer, and a row "all" for all layers joined.

    Over all layers joined there is no `magnitude_correlation`, since layers of unequal scale correlate by that alone.
    """
    rows: list[dict[str, Any]] = [{"layer": name, **_statistics(*each)} for name, each in loaded.once(_layers).items()]
    return [row | ({"magnitude_correlation": np.nan} if row["layer"] == "all" else {}) for row in rows]


def histograms(loaded: LoadedRound) -> dict[str, np.ndarray]:
    """Count weights in bins, one row per layer × moment × part × bin that is not empty.

    The bins are the same throughout, 0.005 wide from −1 to 1; the outermost also hold what lies beyond.
    """
    counted = {
        (name, *part): _histogram(values)
        for name, (_, parts) in loaded.once(_layers).items()
        for part, values in parts.items()
    }
    filled = [np.flatnonzero(counts) for counts in counted.values()]
    order = np.repeat(np.arange(len(counted)), [each.size for each in filled])
    keys, places = np.array(list(counted))[order].T, np.concatenate(filled)
    edges = np.linspace(-BINS // 2, BINS // 2, BINS + 1) * BIN_WIDTH
    numbers = {
        "left": edges[places],
        "right": edges[places + 1],
        "count": np.array(list(counted.values()))[order, places],
    }
    return {"order": order} | dict(zip(("layer", "moment", "part"), keys, strict=True)) | numbers


def over_seeds(histograms: pd.DataFrame) -> pd.DataFrame:
    """Add up the histograms of all seeds, which have the same bins."""
    first_seen = histograms.groupby("round", sort=False).ngroup()
    keys = ["first_seen", "order", "round", "layer", "moment", "part", "left", "right"]
    return histograms.assign(first_seen=first_seen).groupby(keys, as_index=False)[["count"]].sum()


def sign_changes(initial: np.ndarray, final: np.ndarray) -> float:
    """Return the share of weights that end with another sign; NaN if there are none.

    >>> sign_changes(np.array([1.0, -1.0, 2.0, 0.5]), np.array([3.0, 1.0, 1.0, 0.1]))
    0.25
    """
    return _mean(np.sign(initial) != np.sign(final))


def magnitude_correlation(initial: np.ndarray, final: np.ndarray) -> float:
    """Return Pearson's correlation of |initial| and |final|; NaN where either does not vary.

    >>> round(magnitude_correlation(np.array([1.0, -2.0, 3.0]), np.array([-3.0, 2.0, 1.0])), 6)
    -1.0
    """
    magnitudes = np.abs([initial, final])
    if initial.size == 0 or not np.ptp(magnitudes, axis=1).all():
        return float("nan")
    return float(np.corrcoef(magnitudes)[0, 1])


def small_initially(initial: np.ndarray, pruned: np.ndarray) -> tuple[float, float]:
    """Tell how small pruned weights were initially, among all that could be pruned.

    Args:
        initial: values of all weights that could be pruned.
        pruned: bool array of the same length.

    Returns:
        How many of the n pruned are among the n smallest |initial|, as a share: 1 if initial magnitude foretold it
        all, the pruned fraction by chance. And the mean percentile of their |initial|, 0 for the smallest, 0.5 by
        chance. Equals share their places evenly; NaN where nothing was pruned.

    >>> small_initially(np.array([0.1, -0.2, 0.3, -0.4]), np.array([True, False, True, False]))
    (0.5, 0.375)
    """
    ordered, chosen = np.sort(np.abs(initial)), np.abs(initial[pruned])
    smaller, not_larger = (np.searchsorted(ordered, chosen, side) for side in ("left", "right"))
    among_smallest = np.clip((chosen.size - smaller) / (not_larger - smaller), 0, 1)
    return _mean(among_smallest), _mean((smaller + not_larger) / 2 / ordered.size)


def _course(loaded: LoadedRound) -> Course:
    """Carry the final values of what was pruned along a seed's rounds."""
    before = loaded.before and loaded.before.once(_course)
    follows = loaded.before is not None and loaded.before.number == loaded.number - 1
    known = before.final if before and follows else {}
    final = {
        path: np.where(mask, loaded.weights.get(path, np.nan), known.get(path, np.nan))
        for path, mask in loaded.masks.items()
    }
    if before is None:
        return Course(loaded.rewind, loaded.masks, loaded.masks, final)
    stayed = {path: mask & before.stayed[path] for path, mask in loaded.masks.items()}
    return Course(before.initial, before.first, stayed, final)


def _layers(loaded: LoadedRound) -> dict[str, tuple[Layer, dict[tuple[str, str], np.ndarray]]]:
    """Lay out each layer's weights, and their known values by moment and part; those of all layers joined last."""
    course, after = loaded.once(_course), loaded.after
    layers = {}
    for path, mask in loaded.masks.items():
        pruned_next = np.empty(0, bool)
        if after is not None and after.number == loaded.number + 1:
            pruned_next = mask & ~after.masks[path]
        start = np.broadcast_to(course.initial.get(path, np.nan), mask.shape)
        if loaded.run.one_training:  # what has grown since began otherwise
            start = np.where(course.stayed[path] | (course.first[path] & ~mask), start, np.nan)
        layers[path] = Layer(mask.ravel(), pruned_next.ravel(), start.ravel(), course.final[path].ravel())
    layers["all"] = Layer(*(np.concatenate(arrays) for arrays in zip(*layers.values(), strict=True)))
    return {path: (layer, _parts(layer)) for path, layer in layers.items()}


def _parts(layer: Layer) -> dict[tuple[str, str], np.ndarray]:
    """Split the known values by moment and part."""
    return {
        (moment, part): values[where & ~np.isnan(values)]
        for moment, values in (("initial", layer.initial), ("final", layer.final))
        for part, where in (("kept", layer.kept), ("pruned", ~layer.kept))
    }


def _statistics(layer: Layer, parts: dict[tuple[str, str], np.ndarray]) -> dict[str, float]:
    row = {"weights": layer.kept.size, "kept": np.count_nonzero(layer.kept)}
    for (moment, part), values in parts.items():
        row[f"{moment}_{part}_magnitude"] = _mean(np.abs(values))
        row[f"{moment}_{part}_positive"] = _mean(values > 0)
    known = layer.kept & ~np.isnan(layer.initial) & ~np.isnan(layer.final)
    row["sign_changes"] = sign_changes(layer.initial[known], layer.final[known])
    row["magnitude_correlation"] = magnitude_correlation(layer.initial[known], layer.final[known])
    if layer.pruned_next.size:
        row["pruned_next"] = np.count_nonzero(layer.pruned_next)
        row["prune_fraction"] = row["pruned_next"] / max(row["kept"], 1)
        candidates = layer.kept & ~np.isnan(layer.initial)
        row["small_initially"], row["initial_percentile"] = small_initially(
            layer.initial[candidates], layer.pruned_next[candidates]
        )
    return row


def _histogram(values: np.ndarray) -> np.ndarray:
    bins = np.floor(values / BIN_WIDTH) + BINS // 2
    return np.bincount(np.clip(bins, 0, BINS - 1).astype(int), minlength=BINS)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=float)) if values.size else float("nan")
