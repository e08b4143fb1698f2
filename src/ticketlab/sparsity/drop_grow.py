"""How connectivity changes during training: which kept weights go and where as many new ones come, layer by layer.

Pure functions of one layer's NumPy arrays. A drop rule is a function ``(weights, mask, fraction) -> the mask of those
that survive``; to add one, write it and add its entry to `DROPS`. A grow rule is a function ``(weights, gradients, rng)
-> scores``; new weights come where scores are highest. To add one, write it and add its entry to `GROWS`, which says
what gradients it needs. Does not know when that happens (density_schedules.py), nor where gradients come from
(mask_updates.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ticketlab.sparsity.pruning import drop_lowest, prune_count

Drop = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
Needed = Literal["none", "batch", "averages"]


@dataclass(frozen=True)
class Grow:
    """A grow rule.

    Attributes:
        scores: the function; its gradients are None where it needs none.
        needs: gradients of all weights, kept or not: "none", those of the iteration's "batch", or running "averages" of
            those of all iterations so far.
    """

    scores: Callable[[np.ndarray, np.ndarray | None, np.random.Generator], np.ndarray]
    needs: Needed = "none"


def magnitude(weights: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    """Drop ``round(fraction × kept)`` weights of least magnitude; among equals the lower index goes first.

    The rule of RigL (Evci et al. 2020, arXiv 1911.11134, section 3), and a common simplification of SET's.

    >>> weights, mask = np.array([0.5, -0.1, 0.2, 0.0]), np.array([True, True, True, False])
    >>> magnitude(weights, mask, 0.3)
    array([ True, False,  True, False])
    """
    return drop_lowest(mask, np.abs(weights), prune_count(fraction, int(np.count_nonzero(mask))))


def sign(weights: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    """Drop that fraction of the smallest positive weights, and as large a one of the largest negative weights.

    The rule of SET (Mocanu et al. 2018, arXiv 1707.04780, algorithm 1): ζ of each sign, rounded each for itself.
    Kept weights that are exactly 0 are counted with the positive ones, of which they are the smallest.

    >>> weights, mask = np.array([0.5, -0.1, 0.2, 0.3, -0.2, 0.0]), np.ones(6, bool)
    >>> sign(weights, mask, 0.5)
    array([ True, False, False,  True,  True, False])
    """
    survivors = np.zeros_like(mask)
    for part in (mask & (weights >= 0), mask & (weights < 0)):
        survivors |= magnitude(weights, part, fraction)
    return survivors


DROPS: dict[str, Drop] = {"magnitude": magnitude, "sign": sign}


def at_random(weights: np.ndarray, gradients: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Grow anywhere (Mocanu et al. 2018, arXiv 1707.04780, algorithm 1)."""
    return rng.random(weights.shape)


def by_gradient(weights: np.ndarray, gradients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grow where the gradient is largest (Evci et al. 2020, arXiv 1911.11134, section 3)."""
    return np.abs(gradients)


GROWS: dict[str, Grow] = {
    "random": Grow(at_random),
    "gradient": Grow(by_gradient, needs="batch"),
    "averaged_gradient": Grow(by_gradient, needs="averages"),
}


def exchange(
    mask: np.ndarray, weights: np.ndarray, scores: np.ndarray, drop: str, fraction: float, *, regrow: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Drop a fraction of a layer's weights and grow as many elsewhere.

    No more are exchanged than there are empty positions: in a dense layer nothing is.

    Args:
        mask: bool array of any shape.
        weights: floats of the same shape.
        scores: floats of the same shape; new weights come where they are highest, among equals at the lowest index.
        drop: a name of `DROPS`.
        fraction: of the kept weights.
        regrow: whether positions that have just been dropped may be grown again at once.

    Returns:
        The weights that survive and those that are new, as masks; together they are the next mask.

    >>> mask, scores = np.array([True, True, False, False]), np.array([9.0, 0.0, 1.0, 2.0])
    >>> survivors, new = exchange(mask, np.array([3.0, 1.0, 0.0, 0.0]), scores, "magnitude", 0.5)
    >>> survivors, new
    (array([ True, False, False, False]), array([False, False, False,  True]))
    """
    dropped = mask & ~DROPS[drop](weights, mask, fraction)
    excess = np.count_nonzero(dropped) - np.count_nonzero(~mask)
    dropped = drop_lowest(dropped, -np.abs(weights), max(0, int(excess)))  # so that the largest of them stay
    survivors = mask & ~dropped
    return survivors, highest(~survivors if regrow else ~mask, scores, int(np.count_nonzero(dropped)))


def highest(positions: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """Choose the `count` positions of highest score, among equals those of lowest index.

    Raises:
        ValueError: where a position's score is NaN.

    >>> highest(np.array([True, False, True, True]), np.array([1.0, 9.0, 1.0, 0.0]), 1)
    array([ True, False, False, False])
    """
    places = np.flatnonzero(positions)
    values = scores.ravel()[places]
    if np.isnan(values).any():
        raise ValueError("scores of empty positions must be numbers. Received: NaN")
    chosen = np.zeros(positions.shape, bool)
    if count:
        least = np.partition(values, values.size - count)[values.size - count]  # many times as fast as to sort them
        above, equal = places[values > least], places[values == least]
        chosen.ravel()[above] = chosen.ravel()[equal[: count - above.size]] = True
    return chosen
