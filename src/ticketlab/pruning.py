"""From trained weights to the next masks: scores × scope × rate, as pure functions of NumPy arrays.

A criterion is a function ``(initial, final, rng) -> scores`` on one layer's arrays; the lowest scores are pruned.
To add one: write the function, add its entry to `CRITERIA`. Does not know rounds or rewinding (lottery.py).
"""

from collections.abc import Callable, Mapping

import numpy as np

from ticketlab.masks import Arrays

Criterion = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def large_final(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score by |final|: magnitude pruning (Frankle & Carbin 2019, arXiv 1803.03635, section 1)."""
    return np.abs(final)


def small_final(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score by −|final|: the largest weights go (Zhou et al. 2019, arXiv 1905.01067, table 1)."""
    return -np.abs(final)


def random(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score at random, whatever the weights."""
    return rng.random(final.shape)


CRITERIA: dict[str, Criterion] = {"large_final": large_final, "small_final": small_final, "random": random}
SCOPES = ("layer", "global")


def layer_rates(
    paths: list[str], scope: str, prune_rate: float, output_prune_rate: float | None = None
) -> dict[str, float]:
    """Assign each layer its rate.

    In the scope "layer" the last layer (the output) prunes at half the rate of the others unless told otherwise
    (Frankle & Carbin 2019, figure 2); in the scope "global" there is one rate.

    >>> layer_rates(["dense_1/kernel", "dense_2/kernel"], "layer", 0.2)
    {'dense_1/kernel': 0.2, 'dense_2/kernel': 0.1}
    """
    rates = dict.fromkeys(paths, prune_rate)
    if scope == "layer":
        rates[paths[-1]] = prune_rate / 2 if output_prune_rate is None else output_prune_rate
    return rates


def prune_count(rate: float, kept: int) -> int:
    """Count the weights that go: ``round(rate × kept)``, halves to even as Python rounds.

    >>> [prune_count(0.2, kept) for kept in (266200, 12, 2)]
    [53240, 2, 0]
    """
    return round(rate * kept)


def drop_lowest(mask: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """Unset the `count` kept positions of lowest score; among equals the lower index goes first.

    Args:
        mask: booleans of any shape.
        scores: floats of the same shape; those of masked positions are ignored.
        count: how many kept positions go.

    Raises:
        ValueError: where a kept position's score is NaN.

    >>> drop_lowest(np.array([True, True, False, True]), np.array([2.0, 1.0, 0.0, 1.0]), 1)
    array([ True, False, False,  True])
    """
    positions = np.flatnonzero(mask)
    values = scores.ravel()[positions]
    if np.isnan(values).any():
        raise ValueError("scores of kept weights must be numbers. Received: NaN")
    lowest = positions[np.argsort(values, kind="stable")[:count]]
    smaller = mask.copy()
    smaller.ravel()[lowest] = False
    return smaller


def prune(
    masks: Arrays,
    initial: Arrays,
    final: Arrays,
    *,
    criterion: str,
    scope: str,
    rates: Mapping[str, float],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Find the next masks: nested in `masks`, with an exact number of weights fewer.

    Args:
        masks: the present masks, {path: bool array}; the layers that are pruned, in the network's order.
        initial: weights before training, {path: array}.
        final: weights after training, {path: array}.
        criterion: a name of `CRITERIA`.
        scope: "layer" removes ``round(rate × kept)`` weights of every layer; "global" compares all layers' scores and
            removes ``round(rate × kept)`` of all kept weights together.
        rates: {path: share of the kept weights that goes}; in the global scope all are the same.
        rng: the stream of this round, for criteria that draw.
    """
    scores = {path: CRITERIA[criterion](initial[path], final[path], rng) for path in masks}
    if scope == "layer":
        counts = {path: prune_count(rates[path], int(np.count_nonzero(mask))) for path, mask in masks.items()}
        return {path: drop_lowest(mask, scores[path], counts[path]) for path, mask in masks.items()}
    (rate,) = set(rates.values())
    joined = np.concatenate([mask.ravel() for mask in masks.values()])
    joined_scores = np.concatenate([scores[path].ravel() for path in masks])
    joined = drop_lowest(joined, joined_scores, prune_count(rate, int(np.count_nonzero(joined))))
    parts = np.split(joined, np.cumsum([mask.size for mask in masks.values()])[:-1])
    return {path: part.reshape(mask.shape) for (path, mask), part in zip(masks.items(), parts, strict=True)}
