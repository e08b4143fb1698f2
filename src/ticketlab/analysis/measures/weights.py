"""Initial and final weights, of the kept and of the pruned, round by round, as tidy frames.

*Initial* is the state that the run's rounds rewind to. *Final* is the end of the last training that a weight took part
in: this round's for kept weights; for pruned ones that of the last round whose mask had them. What the files do not
hold is NaN: a run may come without weights, or with a round missing. Does not know why weights were pruned.

Rounds of one sparse training do not rewind, and its masks are not nested: weights are dropped, and others grown. Final
is then the round's end. Only weights that began with them have initial values: of the kept, those that every mask since
the first has; of the others, "pruned" for short, those that the first mask had. What was dropped and grown again
between two rounds is not seen.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pandas as pd

from ticketlab.runs.folder import Record

WEIGHT_COLUMNS = [
    *("seed", "round", "layer", "weights", "kept"),
    *("initial_kept_magnitude", "initial_kept_positive", "initial_pruned_magnitude", "initial_pruned_positive"),
    *("final_kept_magnitude", "final_kept_positive", "final_pruned_magnitude", "final_pruned_positive"),
    *("sign_changes", "magnitude_correlation"),
    *("pruned_next", "prune_fraction", "small_initially", "initial_percentile"),
]
HISTOGRAM_COLUMNS = ["round", "layer", "moment", "part", "left", "right", "count"]
BIN_WIDTH, BINS = 0.005, 400


class Layer(NamedTuple):
    """One layer, or all of them joined, in one round: flat arrays, one element per prunable weight."""

    kept: np.ndarray
    pruned_next: np.ndarray  # empty where the next round is not at hand
    initial: np.ndarray
    final: np.ndarray


def weight_tables(records: Iterable[Record]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tabulate what became of the weights, reading every file once and holding one seed's masks at a time.

    Returns:
        The statistics, one row per seed × round × layer, and a row "all" for all layers joined:
            <moment>_<part>_magnitude, …_positive: mean magnitude and share of positive values, initial and final, of
                the weights this round's mask keeps and of those pruned before.
            sign_changes, magnitude_correlation: between initial and final values of the kept; no correlation over all
                layers joined, since layers of unequal scale correlate by that alone.
            pruned_next, prune_fraction: how many of the kept the next round's mask lacks, and their share.
            small_initially, initial_percentile: how small these were initially among the kept, see `small_initially`.
        The histograms, all seeds together, one row per round × layer × moment × part × bin that is not empty. The bins
        are the same throughout, .005 wide from −1 to 1; the outermost also hold what lies beyond.

    Raises:
        Damaged: if a file cannot be read.
    """
    rows, histograms = [], {}
    for seed, chain in groupby(sorted(records, key=_seed_and_round), key=lambda record: record.attributes["seed"]):
        for round, layers in _rounds(list(chain)):
            for name, layer in layers.items():
                parts = _parts(layer)
                rows.append({"seed": seed, "round": round, "layer": name, **_statistics(layer, parts)})
                for part, values in parts.items():
                    key = (round, name, *part)
                    histograms[key] = histograms.get(key, 0) + _histogram(values)
    table = pd.DataFrame(rows, columns=WEIGHT_COLUMNS)
    table.loc[table["layer"] == "all", "magnitude_correlation"] = np.nan
    return table, _histogram_table(histograms)


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
        all, the pruned fraction by chance. And the mean percentile of their |initial|, 0 for the smallest, .5 by
        chance. Equals share their places evenly; NaN where nothing was pruned.

    >>> small_initially(np.array([0.1, -0.2, 0.3, -0.4]), np.array([True, False, True, False]))
    (0.5, 0.375)
    """
    ordered, chosen = np.sort(np.abs(initial)), np.abs(initial[pruned])
    smaller, not_larger = (np.searchsorted(ordered, chosen, side) for side in ("left", "right"))
    among_smallest = np.clip((chosen.size - smaller) / (not_larger - smaller), 0, 1)
    return _mean(among_smallest), _mean((smaller + not_larger) / 2 / ordered.size)


def _rounds(chain: list[Record]) -> Iterator[tuple[int, dict[str, Layer]]]:
    """Walk through one seed's rounds in their order, carrying the final values of what was pruned along."""
    masks = {record.attributes["round"]: record.masks for record in chain}
    initial, final = chain[0].rewind, {}
    first = stayed = masks[chain[0].attributes["round"]]
    for record in chain:
        round, weights = record.attributes["round"], record.weights
        before, after = final if round - 1 in masks else {}, masks.get(round + 1)
        final = {
            path: np.where(mask, weights.get(path, np.nan), before.get(path, np.nan))
            for path, mask in masks[round].items()
        }
        stayed = {path: mask & stayed[path] for path, mask in masks[round].items()}
        layers = {}
        for path, mask in masks[round].items():
            pruned_next = np.empty(0, bool) if after is None else mask & ~after[path]
            start = np.broadcast_to(initial.get(path, np.nan), mask.shape)
            if "iteration" in record.attributes:  # one training: what has grown since began otherwise
                start = np.where(stayed[path] | (first[path] & ~mask), start, np.nan)
            layers[path] = Layer(mask.ravel(), pruned_next.ravel(), start.ravel(), final[path].ravel())
        layers["all"] = Layer(*(np.concatenate(arrays) for arrays in zip(*layers.values(), strict=True)))
        yield round, layers


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


def _histogram_table(histograms: dict[tuple[int, str, str, str], np.ndarray]) -> pd.DataFrame:
    edges = np.linspace(-BINS // 2, BINS // 2, BINS + 1) * BIN_WIDTH
    rows = [
        (*key, edges[bin], edges[bin + 1], counts[bin])
        for key, counts in histograms.items()
        for bin in np.flatnonzero(counts)
    ]
    return pd.DataFrame(rows, columns=HISTOGRAM_COLUMNS)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=float)) if values.size else float("nan")


def _seed_and_round(record: Record) -> tuple[int, int]:
    return record.attributes["seed"], record.attributes["round"]
