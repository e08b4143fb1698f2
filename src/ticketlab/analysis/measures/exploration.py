"""How far one seed's masks move: the overlap of every two rounds, and the share of weights that were ever kept.

Knows masks as they were saved; what came and went between two saves is not seen.
"""

import numpy as np
import pandas as pd

from ticketlab.analysis.measures.bitmasks import PackedMasks

OVERLAP_COLUMNS = ["run", "seed", "round_a", "round_b", "density_a", "density_b", "overlap", "jaccard"]
EXPLORATION_COLUMNS = ["run", "seed", "round", "share_ever_kept"]


def overlap_table(similarity: pd.DataFrame) -> pd.DataFrame:
    """Choose, of the measures of all pairs, those of two rounds of one seed, all layers together.

    Args:
        similarity: as `similarity.compare` makes it.

    Returns:
        One row per run × seed × earlier round × later round, with both densities, overlap (|a∧b| / min(|a|, |b|)) and
        jaccard.
    """
    same = (similarity["run_a"] == similarity["run_b"]) & (similarity["seed_a"] == similarity["seed_b"])
    rows = similarity[same & (similarity["layer"] == "all")].rename(columns={"run_a": "run", "seed_a": "seed"})
    swapped = rows["round_a"] > rows["round_b"]
    sides = {"round_a": "round_b", "density_a": "density_b"} | {"round_b": "round_a", "density_b": "density_a"}
    rows = pd.concat([rows[~swapped], rows[swapped].rename(columns=sides)]).sort_index()
    return rows[OVERLAP_COLUMNS].reset_index(drop=True)


def exploration_table(packed: PackedMasks) -> pd.DataFrame:
    """Tabulate the share of all weights that some mask up to a round has kept: R_s of Liu et al. (2021, 2102.02887).

    Of each seed, up to the first round that is missing. A lower bound of the share that training has kept, since masks
    change between saves as well.

    Returns:
        One row per run × seed × round; nothing of seeds whose masks never gain a weight.

    >>> from ticketlab.analysis.measures.bitmasks import MaskKey, pack
    >>> masks = [np.array([[True, False, False, False]]), np.array([[False, True, False, False]])]
    >>> packed = pack((MaskKey("a", 0, number), {"k": mask}) for number, mask in enumerate(masks))
    >>> exploration_table(packed).values.tolist()
    [['a', 0, 0, 0.25], ['a', 0, 1, 0.5]]
    """
    rows: list[tuple[str, int, int, float]] = []
    total = packed.sizes.sum()
    for run, seed in dict.fromkeys((key.run, key.seed) for key in packed.keys):
        own = [number for number, key in enumerate(packed.keys) if (key.run, key.seed) == (run, seed)]
        own.sort(key=lambda number: packed.keys[number].round)
        whole = [number for place, number in enumerate(own) if packed.keys[number].round == place]
        ever = sum(
            (_counts(np.bitwise_or.accumulate(words[whole], axis=0)) for words in packed.words.values() if whole),
            start=np.zeros(len(whole)),
        )
        if len(ever) and ever[-1] > ever[0]:
            rows += [(run, seed, round, share) for round, share in enumerate((ever / total).tolist())]
    return pd.DataFrame(rows, columns=EXPLORATION_COLUMNS)


def _counts(words: np.ndarray) -> np.ndarray:
    return np.bitwise_count(words).sum(axis=1, dtype=float)
