"""Pruning at initialisation: scores of initial weights, and the masks that they give at an overall density.

A method is a function ``(weights, loss, flow, rng) -> {path: scores}`` on TensorFlow tensors; the highest scores are
kept. `loss` and `flow` are differentiable scalar functions of the prunable kernels, so any network and any data fit. To
add a method, write the function and add its entry to `SALIENCIES`. Frankle et al. 2021 (arXiv 2009.08576) compare the
methods. This module does not know networks, data or training. TensorFlow is imported inside functions, so the names are
known without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ticketlab.errors import BadInput, TicketlabError
from ticketlab.sparsity import distributions, masks, pruning
from ticketlab.sparsity.masks import Arrays
from ticketlab.training.engine import Scalar, Tensors

if TYPE_CHECKING:
    import tensorflow as tf

Method = Callable[[Tensors, Scalar, Scalar, np.random.Generator], Arrays]


@dataclass(frozen=True)
class Saliency:
    """A method of scoring.

    Attributes:
        scores: function that scores the weights.
        steps: number of steps in which the published method prunes.
        uses_data: whether it differentiates the loss of training samples.
        fixed: whether its scores are the same under any masks, and so in any number of steps.
    """

    scores: Method
    steps: int = 1
    uses_data: bool = False
    fixed: bool = False


def random(weights: Tensors, loss: Scalar, flow: Scalar, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Score at random, whatever the weights."""
    return {path: rng.random(np.asarray(value).shape) for path, value in weights.items()}


def magnitude(weights: Tensors, loss: Scalar, flow: Scalar, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Score by |w|, the untrained weight."""
    return {path: np.abs(value.numpy()) for path, value in weights.items()}


def snip(weights: Tensors, loss: Scalar, flow: Scalar, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Score by |g · w|, g = ∂loss/∂w: the loss's sensitivity to a weight (Lee et al. 2019, arXiv 1810.02340, eq. 6)."""
    gradient = _gradient(loss, weights)
    return {path: np.abs((gradient[path] * value).numpy()) for path, value in weights.items()}


def grasp(weights: Tensors, loss: Scalar, flow: Scalar, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Score by w · Hg, g and H the loss's gradient and Hessian (Wang et al. 2020, arXiv 2002.07376, equation 8).

    The paper removes the weights of highest −w · Hg, whose removal reduces the gradient flow gᵀg least or raises it
    most; hence the highest w · Hg stay. Hg is exact: the gradient of g · stop_gradient(g). The authors divide the
    logits by 200 before the loss, which is left to the caller's `loss`.
    """
    import tensorflow as tf

    def flatness(at: Tensors) -> "tf.Tensor":
        gradient = _gradient(loss, at)
        return tf.add_n([tf.reduce_sum(each * tf.stop_gradient(each)) for each in gradient.values()])

    product = _gradient(flatness, weights)
    return {path: (value * product[path]).numpy() for path, value in weights.items()}


def synflow(weights: Tensors, loss: Scalar, flow: Scalar, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Score by |w| · ∂R/∂|w|, R the flow through |w|: the sum of |products| over all paths through a weight.

    This is equation 3 of Tanaka et al. 2020 (arXiv 2006.05467, algorithm 1, 100 steps). No data is used. The scores
    into a unit add up to those out of it as long as all biases are 0, as initially; negative biases would break this.
    """
    import tensorflow as tf

    magnitudes = {path: tf.abs(value) for path, value in weights.items()}
    gradient = _gradient(flow, magnitudes)
    return {path: (gradient[path] * value).numpy() for path, value in magnitudes.items()}


SALIENCIES: dict[str, Saliency] = {
    "random": Saliency(random),
    "magnitude": Saliency(magnitude, fixed=True),
    "snip": Saliency(snip, uses_data=True),
    "grasp": Saliency(grasp, uses_data=True),
    "synflow": Saliency(synflow, steps=100),
}
DISTRIBUTIONS = ("global", *distributions.DISTRIBUTIONS)


def saliency_scores(
    method: str, weights: Arrays, present: Arrays, loss: Scalar, flow: Scalar, rng: np.random.Generator
) -> Arrays:
    """Score the weights of a network under masks.

    Masked weights enter `loss` and `flow` as constant zeros: gradient and Hessian concern the kept weights alone.

    Args:
        method: a name of `SALIENCIES`.
        weights: the prunable kernels, {path: array}; scores have their precision.
        present: the masks so far, {path: bool array}.
        loss: mean training loss on some samples, a differentiable function of {path: tensor}.
        flow: sum of the logits for an all-ones input, a differentiable function of {path: tensor}.
        rng: random stream for methods that draw.

    Returns:
        {path: scores of the kernel's shape}; scores of masked positions are undefined.

    Raises:
        TicketlabError: where a score is not a finite number.
    """
    import tensorflow as tf

    kept = {path: tf.constant(mask) for path, mask in present.items()}
    tensors = {path: tf.constant(value) for path, value in masks.apply(weights, present).items()}

    def under_masks(function: Scalar) -> Scalar:
        return lambda at: function({path: tf.where(kept[path], at[path], tf.zeros_like(at[path])) for path in kept})

    scores = SALIENCIES[method].scores(tensors, under_masks(loss), under_masks(flow), rng)
    for path, values in scores.items():
        if not np.isfinite(values).all():
            bad = values[~np.isfinite(values)][0]
            raise TicketlabError(f"scores of the method {method} must be finite numbers. Received: {bad} in {path}")
    return scores


def prune_before_training(
    weights: Arrays,
    loss: Scalar,
    flow: Scalar,
    *,
    method: str,
    density: float,
    distribution: str = "global",
    steps: int | None = None,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Find the masks of an overall density from the initial weights.

    After step k of n, the share d^(k/n) of the weights is kept, where d is the density of all layers together
    ("global") or of each layer. Each step computes scores anew under the masks so far (Tanaka et al. 2020, algorithm
    1). Ties are broken by index.

    Args:
        weights: the prunable kernels, {path: array}.
        loss: mean training loss on some samples, a differentiable function of {path: tensor}.
        flow: sum of the logits for an all-ones input, a differentiable function of {path: tensor}.
        method: a name of `SALIENCIES`.
        density: kept / total over all layers; exactly ``round(density × total)`` weights are kept.
        distribution: "global" compares scores over all layers; a name of `DISTRIBUTIONS` fixes each layer's
            density and compares scores within layers.
        steps: number of times to score and prune; the method's own number if left out.
        rng: random stream for methods that draw.

    Returns:
        {path: bool array}

    Raises:
        BadInput: if a name is unknown, the density lies outside (0, 1] or leaves layers without a weight, or there is
            no step.
        TicketlabError: where a score is not a finite number.
    """
    _check(method, distribution, steps)
    shapes = {path: value.shape for path, value in weights.items()}
    counts: Mapping[str, int] | int = distributions.kept_count(shapes, density)
    if distribution != "global":
        counts = distributions.layer_counts(shapes, distributions.DISTRIBUTIONS[distribution](shapes, density), counts)
    steps = steps or SALIENCIES[method].steps
    present = masks.all_kept(weights, weights)
    for step in range(1, steps + 1):
        scores = saliency_scores(method, weights, present, loss, flow, rng)
        present = pruning.keep(present, scores, _counts_after(step / steps, counts, weights))
    return present


def _counts_after(share: float, counts: Mapping[str, int] | int, weights: Arrays) -> dict[str, int] | int:
    """Count the kept weights after a share of the steps: total × (final / total) ** share; the last count is exact."""
    if isinstance(counts, Mapping):
        return {path: _count_after(share, count, weights[path].size) for path, count in counts.items()}
    return _count_after(share, counts, masks.total(weights))


def _count_after(share: float, final: int, total: int) -> int:
    return round(total * (final / total) ** share)


def _gradient(function: Scalar, at: Tensors) -> dict[str, "tf.Tensor"]:
    """Differentiate a scalar function; a tensor that it does not depend on has the gradient 0."""
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(at)
        value = function(at)
    gradients: Any = tape.gradient(value, dict(at), unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return gradients


def _check(method: str, distribution: str, steps: int | None) -> None:
    for name, value, known in (("method", method, SALIENCIES), ("distribution", distribution, DISTRIBUTIONS)):
        if value not in known:
            raise BadInput(f"`{name}` must be one of {', '.join(known)}. Received: {name}={value}")
    if steps is not None and steps < 1:
        raise BadInput(f"`steps` must be greater than 0. Received: steps={steps}")
