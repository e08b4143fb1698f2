"""How far one seed's masks move: the overlap of every two rounds, and the share of weights that were ever kept.

Knows masks as they were saved; what came and went between two saves is not seen.
"""

import numpy as np
import pandas as pd

from ticketlab.analysis.measures.loaded import LoadedRound
from ticketlab.sparsity.masks import Arrays

OVERLAP_COLUMNS = {
    "run": "name of the run's folder",
    "seed": "seed of the replicate",
    "round_a": "the earlier round",
    "round_b": "the later round",
    "density_a": "density of the earlier mask",
    "density_b": "density of the later mask",
    "overlap": "overlap as in `similarity.csv`",
    "jaccard": "Jaccard similarity as in `similarity.csv`",
}


def overlap_table(similarity: pd.DataFrame) -> pd.DataFrame:
    """Choose, of the measures of all pairs, those of two rounds of one seed, all layers together.

    Args:
        similarity: as `mask_similarity.compare` makes it.

    Returns:
        One row per run × seed × earlier round × later round, with both densities, overlap (|a∧b| / min(|a|, |b|)) and
        jaccard.
    """
    same = (similarity["run_a"] == similarity["run_b"]) & (similarity["seed_a"] == similarity["seed_b"])
    rows = similarity[same & (similarity["layer"] == "all")].rename(columns={"run_a": "run", "seed_a": "seed"})
    swapped = rows["round_a"] > rows["round_b"]
    sides = {"round_a": "round_b", "density_a": "density_b"} | {"round_b": "round_a", "density_b": "density_a"}
    rows = pd.concat([rows[~swapped], rows[swapped].rename(columns=sides)]).sort_index()
    return rows[list(OVERLAP_COLUMNS)].reset_index(drop=True)


def explored(loaded: LoadedRound) -> list[dict[str, float]]:
    """Tell the share of all weights that some mask up to a round has kept: R_s of Liu et al. (2021, 2102.02887).

    Up to the first round of a seed that is missing. A lower bound of the share that training has kept, since masks
    change between saves as well.
    """
    if (ever := loaded.once(_ever_kept)) is None:
        return []
    kept, weights = (sum(map(of, ever.values())) for of in (np.count_nonzero, np.size))
    return [{"share_ever_kept": kept / weights}]


def of_moving_masks(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out seeds whose masks never gain a weight."""
    shares = rows.groupby("seed")["share_ever_kept"]
    return rows[shares.transform("last") > shares.transform("first")]


def _ever_kept(loaded: LoadedRound) -> Arrays | None:
    """Return what some mask up to a round has kept; None where a round is missing before it."""
    if loaded.number == 0:
        return loaded.masks
    before = loaded.before
    if before is None or before.number != loaded.number - 1 or (ever := before.once(_ever_kept)) is None:
        return None
    return {path: mask | ever[path] for path, mask in loaded.masks.items()}
