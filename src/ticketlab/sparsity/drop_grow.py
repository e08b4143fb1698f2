"""How connectivity changes during training: which kept weights are dropped and where as many grow, layer by layer.

The functions are pure, on one layer's NumPy arrays. A drop rule is a function ``(weights, mask, fraction) -> mask of
the surviving weights``; to add one, write it and add its entry to `DROPS`. A grow rule is a function ``(weights,
gradients, rng) -> scores``; weights grow where scores are highest. To add one, write it and add its entry to `GROWS`,
which says which gradients it needs. This module does not know when masks change (density_schedules.py), nor where
gradients come from (mask_updates.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ticketlab.sparsity.pruning import drop_lowest, prune_count

Drop = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
Needed = Literal["none", "batch", "averages"]


@dataclass(frozen=True)
class Grow:
    """A grow rule.

    Attributes:
        scores: the function; its gradients are None where it needs none.
        needs: which gradients of all weights, kept or not, the rule takes: "none", those of the iteration's "batch", or
            running "averages" over all iterations so far.
    """

    scores: Callable[[np.ndarray, Any, np.random.Generator], np.ndarray]
    needs: Needed = "none"


def magnitude(weights: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    """Drop ``round(fraction × kept)`` weights of least magnitude; among equals the lower index goes first.

    This is the rule of RigL (Evci et al. 2020, arXiv 1911.11134, section 3), and a common simplification of SET's.

    >>> weights, mask = np.array([0.5, -0.1, 0.2, 0.0]), np.array([True, True, True, False])
    >>> magnitude(weights, mask, 0.3)
    array([ True, False,  True, False])
    """
    return drop_lowest(mask, np.abs(weights), prune_count(fraction, int(np.count_nonzero(mask))))


def sign(weights: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    """Drop the fraction of the positive weights nearest 0, and the same fraction of the negative weights nearest 0.

    This is the rule of SET (Mocanu et al. 2018, arXiv 1707.04780, algorithm 1): ζ of each sign, each count rounded on
    its own. Kept weights of exactly 0 count as positive.

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

    At most as many weights are dropped as there are empty positions, hence none in a dense layer.

    Args:
        mask: bool array of any shape.
        weights: floats of the same shape.
        scores: floats of the same shape; weights grow where scores are highest, among equals at the lowest index.
        drop: a name of `DROPS`.
        fraction: share of the kept weights to drop.
        regrow: whether positions that were just dropped may grow again in the same update.

    Returns:
        The masks of surviving and of grown weights; their union is the next mask.

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
    """Choose the `count` positions of highest score; among equals the lower index comes first.

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
        least = np.partition(values, values.size - count)[values.size - count]  # many times faster than sorting
        above, equal = places[values > least], places[values == least]
        chosen.ravel()[above] = chosen.ravel()[equal[: count - above.size]] = True
    return chosen
