"""How alike the masks of different seeds are at equal round: means over the pairs of seeds, with their intervals.

Knows which pairs and rounds are compared and how pairs become means; similarity.py and matching.py know the measures.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ticketlab.analysis.intervals import jackknife_interval
from ticketlab.analysis.matching import compare_matched
from ticketlab.analysis.packed import PackedMasks, pairs

MATCHED_DENSITIES = (0.51, 0.21, 0.1, 0.036)
DRAWS = {"counts": 10, "degrees": 3}  # of the first, all pairs of a round share the draws
CHANCES = ("", "_by_layer", "_by_input")
MEASURES = [f"jaccard{part}{chance}" for chance in CHANCES for part in ("_chance", "_excess")]
MATCHED = ("matched_jaccard", "matched_jaccard_chance", "matched_jaccard_excess")


def all_pairs(packed: PackedMasks, places: Sequence[tuple[str, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Choose the pairs worth a row: seeds at equal round, rounds within a seed, runs at equal place.

    Args:
        packed: the masks.
        places: of each mask, ("round", number), or, in one training, ("iteration", number).
    """
    kinds = [pairs(packed.labels, equal=("run", "round")), pairs(packed.labels, equal=("run", "seed"))]
    first, second = pairs(packed.labels, equal=(), differ=("run",))
    numbers = {place: number for number, place in enumerate(dict.fromkeys(places))}
    at = np.array([numbers[place] for place in places])
    same = at[first] == at[second]
    kinds.append((first[same], second[same]))
    first, second = (np.concatenate(side) for side in zip(*kinds, strict=True))
    return first, second


def match_seeds(packed: PackedMasks, rounds: Sequence[int]) -> pd.DataFrame:
    """Compare the seeds of one run after matching, at the given rounds, against both kinds of random masks.

    Returns:
        As `matching.compare_matched`, one row per pair, layer and null.

    Raises:
        BadInput: if the layers do not chain.
    """
    first, second = pairs(packed.labels, equal=("run", "round"))
    chosen = np.isin([label.round for label in packed.labels], rounds)[first]
    tables = [
        compare_matched(packed, first[chosen], second[chosen], null=null, draws=draws) for null, draws in DRAWS.items()
    ]
    return pd.concat(tables, ignore_index=True)


def seeds_table(similarity: pd.DataFrame, matched: pd.DataFrame) -> pd.DataFrame:
    """Average over the pairs of different seeds of one run at equal round, with 95 % intervals (jackknife over seeds).

    Args:
        similarity: as `similarity.compare` makes it.
        matched: as `match_seeds` makes it; may be empty.

    Returns:
        One row per run × round × layer × measure, with density, pairs, mean and interval (its half-width). Measures of
        matched masks against chance end with the name of their null.
    """
    same = (similarity["run_a"] == similarity["run_b"]) & (similarity["round_a"] == similarity["round_b"])
    tables = [_means(similarity[same], ["jaccard", *MEASURES])]
    for null, table in matched.groupby("null"):
        named = {name: f"{name}_{null}" for name in MATCHED[1:]}
        before = [MATCHED[0]] if null == next(iter(DRAWS)) else []
        tables.append(_means(table.rename(columns=named), [*before, *named.values()]))
    return pd.concat(tables, ignore_index=True)


def _means(table: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    rows = []
    for (run, round, layer), group in table.groupby(["run_a", "round_a", "layer"], sort=False):
        seeds = group["seed_a"].to_numpy(), group["seed_b"].to_numpy()
        means, intervals = jackknife_interval(*seeds, group[measures].to_numpy())
        density = group[["density_a", "density_b"]].to_numpy().mean()
        origin = (run, round, density, layer, len(group))
        rows += [(*origin, *row) for row in zip(measures, means, intervals, strict=True)]
    return pd.DataFrame(rows, columns=["run", "round", "density", "layer", "pairs", "measure", "mean", "interval"])
