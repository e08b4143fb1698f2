"""How similar the masks of different seeds are at equal round: means over the pairs of seeds, with their intervals.

This module knows which pairs and rounds are compared and how pairs are averaged; mask_similarity.py and
unit_matching.py know the measures.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ticketlab.analysis.confidence import pairs_interval
from ticketlab.analysis.measures.bitmasks import PackedMasks, pairs
from ticketlab.analysis.measures.unit_matching import compare_matched

DRAWS = {"counts": 10, "inputs": 3, "degrees": 3}  # minimum draws; all pairs of a round share those of `counts`
PAIRS_DRAWN = 30  # minimum pairs of random masks for each expectation
NEAR = 1.1  # ratio of the densities at which different runs are still compared
MEASURES = [f"jaccard{part}{chance}" for chance in ("", "_by_layer", "_by_input") for part in ("_chance", "_excess")]
MATCHED = ("matched_jaccard_chance", "matched_jaccard_excess")
KEYS = [*(f"{name}_{side}" for side in "ab" for name in ("run", "seed", "round")), "layer", "density_a", "density_b"]
UNMATCHED = ("jaccard_chance", "jaccard_excess")
COLUMNS = {
    "run": "name of the run's folder",
    "round": "number of the round",
    "density": "kept weights / all weights of the layer",
    "layer": "path of the kernel, or `all` for all prunable layers together",
    "seeds": "number of seeds that have the round",
    "pairs": "number of pairs of these seeds",
    "measure": "a column of `similarity.csv`, or one of `matching.csv` with its null; "
    "`…_by_degrees`: before matching, against the null `degrees`",
    "mean": "mean over the pairs",
    "interval": "interval of the mean",
}


class Excess(NamedTuple):
    """The excess similarity of masks of different seeds over random ones.

    Attributes:
        kept: property that random masks share with them, beyond those of the entry before.
        before: the measure of masks as they stand.
        after: the measure of masks whose hidden units have been matched.
    """

    kept: str
    before: str
    after: str


EXCESSES = (
    Excess("layer densities", "jaccard_excess_by_layer", "matched_jaccard_excess_counts"),
    Excess("and weights from each input", "jaccard_excess_by_input", "matched_jaccard_excess_inputs"),
    Excess("and weights to each unit", "jaccard_excess_by_degrees", "matched_jaccard_excess_degrees"),
)


def all_pairs(packed: PackedMasks, iterations: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Choose the pairs worth a row: seeds at equal round, rounds within a seed, runs where they are alike.

    Runs are compared at equal iterations, if they are one training each. Others are where densities are: each round of
    one with the round of the other whose mean density is nearest in ratio, unless they are further apart than `NEAR`.

    Args:
        packed: the masks.
        iterations: iterations at which each mask was saved, for one training; NaN for others.
    """
    kinds = [pairs(packed.keys, equal=("run", "round")), pairs(packed.keys, equal=("run", "seed"))]
    first, second = pairs(packed.keys, equal=(), differ=("run",))
    saved = np.array(iterations, float)
    alike = (saved[first] == saved[second]) | _near(packed, saved)[first, second]
    kinds.append((first[alike], second[alike]))
    first, second = (np.concatenate(side) for side in zip(*kinds, strict=True))
    return first, second


def _near(packed: PackedMasks, iterations: np.ndarray) -> np.ndarray:
    """Tell which masks are of rounds that are nearest in density, for each round of an earlier run; bool, a square."""
    places = pd.DataFrame(packed.keys).assign(density=packed.kept.sum(axis=1) / packed.sizes.sum())
    means = places[np.isnan(iterations)].groupby(["run", "round"], sort=False)["density"].mean()
    logarithms = means[means > 0].transform(np.log)
    nearest = set()
    for run, own in logarithms.groupby(level="run", sort=False):
        for other, theirs in logarithms.groupby(level="run", sort=False):
            for (_, round), value in own.items() if other != run else ():
                distances = (theirs - value).abs()
                if distances.min() <= np.log(NEAR):
                    nearest.add((run, round, *distances.index[distances.argmin()]))
    numbers = {place: number for number, place in enumerate(means.index)}
    table = np.zeros((len(numbers) + 1,) * 2, bool)
    for run, round, other, theirs in nearest:
        table[numbers[run, round], numbers[other, theirs]] = True
    at = np.array([numbers.get((key.run, key.round), -1) for key in packed.keys])
    return table[np.ix_(at, at)]


def match_seeds(packed: PackedMasks, rounds: Sequence[int]) -> pd.DataFrame:
    """Compare the seeds of one run after matching, at the given rounds, against all kinds of random masks.

    Where there are few pairs, there are more draws.

    Returns:
        As `unit_matching.compare_matched`, one row per pair, layer and null.

    Raises:
        BadInput: if the layers do not chain.
    """
    first, second = pairs(packed.keys, equal=("run", "round"))
    numbers = np.array([key.round for key in packed.keys])[first]
    tables = []
    for null, least in DRAWS.items():
        for round in rounds or [-1]:
            chosen = numbers == round
            draws = max(least, -(-PAIRS_DRAWN // max(1, np.count_nonzero(chosen))))
            tables.append(compare_matched(packed, first[chosen], second[chosen], null=null, draws=draws))
    return pd.concat(tables, ignore_index=True)


def seeds_table(similarity: pd.DataFrame, matched: pd.DataFrame) -> pd.DataFrame:
    """Average over the pairs of different seeds of one run at equal round, with 95 % intervals (`pairs_interval`).

    Args:
        similarity: table that `mask_similarity.compare` made.
        matched: table that `match_seeds` made; may be empty.

    Returns:
        One row per run × round × layer × measure, with density, seeds, pairs, mean and interval (its half-width).
        Measures of matched masks against chance end with the name of their null; ``…_by_degrees`` are those of masks as
        they stand against the null "degrees". Where pairs share their draws, their error is part of the interval.
    """
    same = (similarity["run_a"] == similarity["run_b"]) & (similarity["round_a"] == similarity["round_b"])
    tables = [_means(similarity[same], ["jaccard", *MEASURES])]
    for null, table in matched.groupby("null", sort=False):
        named = {name: f"{name}_{null}" for name in MATCHED}
        if null == "counts":
            named |= {"matched_jaccard": "matched_jaccard"}
        if null == "degrees":
            named |= {name: f"{name}_by_degrees" for name in UNMATCHED}
        table = table[[*KEYS, "draws", "matched_jaccard_chance_sd", *named]].rename(columns=named)
        tables.append(_means(table, list(named.values()), shared=MATCHED if null == "counts" else ()))
    return pd.concat(tables, ignore_index=True)


def _means(table: pd.DataFrame, measures: list[str], shared: Sequence[str] = ()) -> pd.DataFrame:
    rows = []
    drawn = [measure.startswith(tuple(shared)) for measure in measures]
    for (run, round, layer), group in table.groupby(["run_a", "round_a", "layer"], sort=False):
        seeds = group["seed_a"].to_numpy(), group["seed_b"].to_numpy()
        means, intervals = pairs_interval(*seeds, group[measures].to_numpy())
        if any(drawn):
            intervals = np.where(drawn, np.hypot(intervals, _error(group)), intervals)
        density = group[["density_a", "density_b"]].to_numpy().mean()
        origin = (run, round, density, layer, np.union1d(*seeds).size, len(group))
        rows += [(*origin, *row) for row in zip(measures, means, intervals, strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _error(group: pd.DataFrame) -> float:
    """Return the half-width of the 95 % interval of an expectation whose draws all pairs share."""
    draws = int(group["draws"].iloc[0])
    return stdtrit(draws - 1, 0.975) * group["matched_jaccard_chance_sd"].mean() / np.sqrt(draws)
