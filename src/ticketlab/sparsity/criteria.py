"""Scores by which weights are kept, of weights before and after a training.

A criterion is a function ``(initial, final, rng) -> scores`` of one layer's arrays; the lowest scores are pruned.
`initial` holds the weights from which the training began: those of iteration 0, even where rounds rewind to a later
one. Where each round starts from its own weights (reinitialised, shuffled), `initial` holds those. The criteria are
those of Zhou et al. 2019 (arXiv 1905.01067, table 1). To add one, write the function and add its entry to `CRITERIA`.
Scores that need a gradient stand in experiments/pruning_at_init/saliency.py.
"""

from collections.abc import Callable, Iterable

import numpy as np

from ticketlab.sparsity.masks import Arrays

Criterion = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def large_final(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score by |final|: magnitude pruning (Frankle & Carbin 2019, arXiv 1803.03635, section 1)."""
    return np.abs(final)


def small_final(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score by −|final|: the largest weights go (Zhou et al. 2019, arXiv 1905.01067, table 1)."""
    return -np.abs(final)


def large_initial(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score by |initial|: training has no influence."""
    return np.abs(initial)


def small_initial(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score by −|initial|: the weights of largest initial magnitude go."""
    return -np.abs(initial)


def large_initial_and_final(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score by min(α|final|, |initial|) with α = 1: only weights large before and after training stay."""
    return np.minimum(np.abs(final), np.abs(initial))


def small_initial_and_final(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score by −max(α|final|, |initial|) with α = 1 (Zhou et al. 2019, table 1)."""
    return -np.maximum(np.abs(final), np.abs(initial))


def magnitude_increase(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score by |final| − |initial|: how far training moved a weight away from zero."""
    return np.abs(final) - np.abs(initial)


def movement(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score by |final − initial|: how far training moved a weight, in either direction."""
    return np.abs(final - initial)


def random(initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Score at random, whatever the weights."""
    return rng.random(final.shape)


CRITERIA: dict[str, Criterion] = {
    "large_final": large_final,
    "small_final": small_final,
    "large_initial": large_initial,
    "small_initial": small_initial,
    "large_initial_and_final": large_initial_and_final,
    "small_initial_and_final": small_initial_and_final,
    "magnitude_increase": magnitude_increase,
    "movement": movement,
    "random": random,
}


def score(
    criterion: str, paths: Iterable[str], initial: Arrays, final: Arrays, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Score the weights of the layers named by `paths`, in this order.

    >>> score("movement", ["k"], {"k": np.array([1.0, -1.0])}, {"k": np.array([1.5, 1.0])}, np.random.default_rng(0))
    {'k': array([0.5, 2. ])}
    """
    return {path: CRITERIA[criterion](initial[path], final[path], rng) for path in paths}
