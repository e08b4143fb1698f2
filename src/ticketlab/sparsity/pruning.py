"""From scores to the next masks: how many weights each layer keeps, and which.

This module knows how scores are compared (`SCOPES`), how many weights are pruned (`layer_rates`) and how ties are
broken. The scores themselves stand in criteria.py. It does not know rounds or rewinding.
"""

from collections.abc import Collection, Mapping

import numpy as np

from ticketlab.sparsity.criteria import score
from ticketlab.sparsity.masks import Arrays, counts, kept

SCOPES = ("layer", "global")


def layer_rates(
    shapes: Mapping[str, tuple[int, ...]],
    scope: str,
    prune_rate: float,
    output_prune_rate: float | None = None,
    conv_prune_rate: float | None = None,
    outputs: Collection[str] = (),
) -> dict[str, float]:
    """Assign each layer its prune rate.

    In the scope "layer", convolutions are pruned at `conv_prune_rate` where it is given. Output layers are pruned at
    half of `prune_rate` unless `output_prune_rate` is given (Frankle & Carbin 2019, figure 2). In the scope "global",
    all layers share `prune_rate`, except that layers whose own rate is 0 are held out.

    Args:
        shapes: {path: shape of the kernel}, in the network's order; a kernel of more than two axes is a convolution's.
        scope: a name of `SCOPES`.
        prune_rate: share of the kept weights that a round prunes.
        output_prune_rate: that share for output layers.
        conv_prune_rate: that share for convolutions.
        outputs: paths of the output layers; the last one alone if left out.

    >>> shapes = {"conv/kernel": (3, 3, 1, 64), "dense_1/kernel": (784, 300), "dense_2/kernel": (300, 10)}
    >>> layer_rates(shapes, "layer", 0.2, conv_prune_rate=0.15)
    {'conv/kernel': 0.15, 'dense_1/kernel': 0.2, 'dense_2/kernel': 0.1}
    >>> layer_rates(shapes, "global", 0.2, output_prune_rate=0.0)
    {'conv/kernel': 0.2, 'dense_1/kernel': 0.2, 'dense_2/kernel': 0.0}
    """
    of_output = prune_rate / 2 if output_prune_rate is None else output_prune_rate
    if scope == "global":
        conv_prune_rate, of_output = (0.0 if rate == 0 else prune_rate for rate in (conv_prune_rate, of_output))
    rates = dict.fromkeys(shapes, prune_rate)
    if conv_prune_rate is not None:
        rates |= {path: conv_prune_rate for path, shape in shapes.items() if len(shape) > 2}
    return rates | dict.fromkeys(outputs or list(shapes)[-1:], of_output)


def prune_count(rate: float, kept: int) -> int:
    """Count the weights to prune: ``round(rate × kept)``, halves rounded to even as in Python.

    >>> [prune_count(0.2, kept) for kept in (266200, 12, 2)]
    [53240, 2, 0]
    """
    return round(rate * kept)


def drop_lowest(mask: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """Unset the `count` kept positions of lowest score; among equals the lower index goes first.

    Args:
        mask: booleans of any shape.
        scores: floats of the same shape; those of masked positions are ignored.
        count: number of kept positions to unset.

    Raises:
        ValueError: if a kept position's score is NaN.

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


def keep(masks: Arrays, scores: Arrays, counts: Mapping[str, int] | int) -> dict[str, np.ndarray]:
    """Keep the highest scores among the kept weights; among equals the higher index stays.

    Args:
        masks: the present masks, {path: bool array}; the result is nested in them.
        scores: {path: floats of the same shape}; those of masked positions are ignored.
        counts: {path: number of weights that the layer keeps}, where scores are compared within layers; or the number
            that all layers keep together, where scores are compared over all of them.

    Raises:
        ValueError: if a count exceeds the kept weights, or a kept position's score is NaN.

    >>> masks = {"a": np.array([True, True]), "b": np.array([True, False])}
    >>> scores = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 9.0])}
    >>> keep(masks, scores, 2)
    {'a': array([False,  True]), 'b': array([ True, False])}
    >>> keep(masks, scores, {"a": 1, "b": 0})
    {'a': array([False,  True]), 'b': array([False, False])}
    """
    if isinstance(counts, Mapping):
        return {path: _keep_highest(mask, scores[path], counts[path]) for path, mask in masks.items()}
    joined = np.concatenate([mask.ravel() for mask in masks.values()])
    joined = _keep_highest(joined, np.concatenate([scores[path].ravel() for path in masks]), counts)
    parts = np.split(joined, np.cumsum([mask.size for mask in masks.values()])[:-1])
    return {path: part.reshape(mask.shape) for (path, mask), part in zip(masks.items(), parts, strict=True)}


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
        masks: the present masks of the layers to prune, {path: bool array}, in the network's order.
        initial: weights from which the training began, {path: array}.
        final: weights after training, {path: array}.
        criterion: a name of `CRITERIA`.
        scope: "layer" removes ``round(rate × kept)`` weights of every layer; "global" compares all layers' scores and
            removes ``round(rate × kept)`` of all kept weights together, except in layers of rate 0.
        rates: {path: share of the kept weights to prune}; in the global scope the same for all, or 0.
        rng: random stream of this round, for criteria that draw.
    """
    scores = score(criterion, masks, initial, final, rng)
    if scope == "layer":
        present = counts(masks)
        return keep(masks, scores, {path: count - prune_count(rates[path], count) for path, count in present.items()})
    present = {path: mask for path, mask in masks.items() if rates[path]}
    if not present:
        return dict(masks)
    (rate,) = {rates[path] for path in present}
    return {**masks, **keep(present, scores, kept(present) - prune_count(rate, kept(present)))}


def _keep_highest(mask: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    present = int(np.count_nonzero(mask))
    if not 0 <= count <= present:
        raise ValueError(f"`counts` must be at most the kept weights, 0 to {present} here. Received: {count}")
    return drop_lowest(mask, scores, present - count)
