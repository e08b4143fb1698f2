"""Null models: random masks that preserve some properties of the found masks.

Degrees belong to one layer: the out-degree of an input unit is the number of kept weights from it, the in-degree of a
unit the number into it. In a convolution each channel at each position of the kernel counts as an input unit.
"""

from collections.abc import Callable

import numpy as np

from ticketlab.sparsity.masks import Arrays, random_masks

TRADES = (
    30  # rounds of trades, in each of which every unit takes part; after 20 no more of the mask is left than after 60
)


def same_out_degrees(like: Arrays, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw masks uniformly among those in which every input unit keeps as many weights as in `like`.

    The kept counts of output units are free.

    >>> masks = {"a": np.array([[True, True, False], [False, False, False]])}
    >>> same_out_degrees(masks, np.random.default_rng(0))["a"].sum(axis=1)
    array([2, 0])
    """
    return {path: rng.permuted(mask, axis=-1) for path, mask in like.items()}


def same_degrees(like: Arrays, rng: np.random.Generator, trades: int = TRADES) -> dict[str, np.ndarray]:
    """Draw masks nearly uniformly among those in which each input unit and each unit keeps as many weights as here.

    Curveball (Strona et al. 2014, doi 10.1038/ncomms5114) in rounds of trades (Carstens et al. 2018, arXiv 1804.08487):
    units are paired at random; the inputs that only one of the two keeps are put together and dealt out anew, as many
    to each as it had. In the long run all masks of these degrees are equally likely.

    Args:
        like: {path: bool array}.
        rng: random stream of all draws.
        trades: rounds of trades.

    >>> masks = {"a": np.array([[True, True, False], [True, False, False]])}
    >>> drawn = same_degrees(masks, np.random.default_rng(0))["a"]
    >>> drawn.sum(axis=0), drawn.sum(axis=1)
    (array([2, 1, 0]), array([2, 1]))
    """
    drawn = {}
    for path, mask in like.items():
        matrix = mask.reshape(-1, mask.shape[-1])
        wide = matrix.shape[0] > matrix.shape[1]  # fewer rows mix as fast, and trade more at once
        rows = np.array(matrix.T if wide else matrix, order="C")
        for _ in range(trades if rows.any() and not rows.all() else 0):
            _trade(rows, rng)
        drawn[path] = (rows.T if wide else rows).reshape(mask.shape)
    return drawn


NULLS: dict[str, Callable[[Arrays, np.random.Generator], dict[str, np.ndarray]]] = {
    "counts": random_masks,
    "inputs": same_out_degrees,
    "degrees": same_degrees,
}


def _trade(rows: np.ndarray, rng: np.random.Generator) -> None:
    """Let each row trade with another, in place; of an odd number, one is left out."""
    half, columns = rows.shape[0] // 2, rows.shape[1]
    order = rng.permutation(rows.shape[0])
    first, second = order[:half], order[half : 2 * half]
    a, b = rows[first], rows[second]
    differ, both = a ^ b, a & b
    bits = np.uint64(columns.bit_length())  # of the column's number, lest two keys of a row be equal
    keys = rng.integers(0, 1 << 64, a.shape, np.uint64) >> (bits + np.uint64(1)) << bits
    keys = np.where(differ, keys | np.arange(columns, dtype=np.uint64), np.uint64(2**64 - 1))
    owned = np.count_nonzero(a & differ, axis=1)
    limits = np.sort(keys, axis=1)[np.arange(half), np.minimum(owned, columns - 1)]
    limits[owned == columns] = np.uint64(2**64 - 1)
    taken = differ & (keys < limits[:, None])
    rows[first], rows[second] = both | taken, both | (differ & ~taken)
