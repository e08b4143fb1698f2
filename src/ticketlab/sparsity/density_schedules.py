"""Which share of the weights is kept or replaced at an iteration or after a round: numbers alone, no masks."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ticketlab.sparsity.pruning import prune_count


def update_iterations(every: int, until: int, samples: int, batch_size: int) -> list[int]:
    """List the iterations before which connectivity changes: multiples of `every`, above 0 and below `until`.

    Args:
        every: number of iterations between updates; 0 updates after each epoch, at the first iteration without its
            samples.
        until: iteration from which connectivity stays, T_end of Evci et al. 2020 (arXiv 1911.11134, section 3).
        samples: number of samples in an epoch, which need not be a whole number of iterations.
        batch_size: number of samples in an iteration.

    >>> update_iterations(100, 400, 5, 2), update_iterations(0, 10, 5, 2), update_iterations(0, 8, 5, 2)
    ([100, 200, 300], [3, 5, 8], [3, 5])
    """
    if every:
        return list(range(every, until, every))
    ends = (-(-epoch * samples // batch_size) for epoch in range(1, until * batch_size // samples + 1))
    return [end for end in ends if end < until]


def constant_fraction(fraction: float, iteration: int, until: int) -> float:
    """Drop and regrow the same fraction of the kept weights in every update."""
    return fraction


def cosine_fraction(fraction: float, iteration: int, until: int) -> float:
    """Let the fraction fall along half a cosine: f(t) of Evci et al. 2020 (arXiv 1911.11134, equation 1).

    >>> round(cosine_fraction(0.3, 50, 100), 6)
    0.15
    """
    return fraction / 2 * (1 + math.cos(math.pi * iteration / until))


FRACTION_SCHEDULES: dict[str, Callable[[float, int, int], float]] = {
    "constant": constant_fraction,
    "cosine": cosine_fraction,
}


@dataclass(frozen=True)
class DensitySchedule:
    """How a training comes to its final density.

    Attributes:
        density: a function ``(final, iteration, until, end) -> density``. Masks stay from the iteration `until`, and
            the training ends at the iteration `end`.
        reached: a function ``(until, end) -> iteration`` that tells which update reaches the final density; None where
            masks have that density from the beginning.
    """

    density: Callable[[float, int, Any, int], float]
    reached: Callable[[Any, int], int] | None = None


def constant(final: float, iteration: int, until: int | None, end: int) -> float:
    """Keep the final density from the beginning."""
    return final


def gradual(final: float, iteration: int, until: int, end: int) -> float:
    """Prune gradually, from dense at iteration 0 (Zhu & Gupta 2017, arXiv 1710.01878, equation 1).

    The sparsity is s_f · (1 − (1 − t/T)³).

    >>> [round(gradual(0.1, iteration, 100, 200), 6) for iteration in (0, 50, 100, 150)]
    [1.0, 0.2125, 0.1, 0.1]
    """
    return final + (1 - final) * (1 - min(1, iteration / until)) ** 3


def cut(final: float, iteration: int, until: int | None, end: int) -> float:
    """Stay dense until the end, and prune at once."""
    return final if iteration >= end else 1.0


DENSITY_SCHEDULES: dict[str, DensitySchedule] = {
    "constant": DensitySchedule(constant),
    "gradual": DensitySchedule(gradual, reached=lambda until, end: until),
    "cut": DensitySchedule(cut, reached=lambda until, end: end),
}


def next_counts(counts: Mapping[str, int], rates: Mapping[str, float], scope: str) -> dict[str, int]:
    """Count the weights kept after one more round.

    In the global scope one count stands under the name "all"; layers that are held out keep their own.

    >>> next_counts({"a": 10, "b": 10}, {"a": 0.2, "b": 0.1}, "layer")
    {'a': 8, 'b': 9}
    >>> next_counts({"a": 6, "b": 4, "c": 5}, {"a": 0.2, "b": 0.2, "c": 0.0}, "global")
    {'c': 5, 'all': 8}
    """
    if scope == "global":
        held = {path: count for path, count in counts.items() if rates.get(path) == 0}
        counts = {**held, "all": sum(counts.values()) - sum(held.values())}
        rates = {**rates, "all": max(rates.values())}
    return {path: kept - prune_count(rates[path], kept) for path, kept in counts.items()}


def rounds_to_density(sizes: Mapping[str, int], rates: Mapping[str, float], scope: str, target: float) -> int:
    """Return the first round whose overall density is at most `target`.

    Raises:
        ValueError: if rounding stops the pruning above the target.

    >>> rounds_to_density({"kernel": 1000}, {"kernel": 0.2}, "layer", 0.5)
    4
    """
    counts, total, rounds = dict(sizes), sum(sizes.values()), 0
    while sum(counts.values()) / total > target:
        fewer = next_counts(counts, rates, scope)
        if sum(fewer.values()) == sum(counts.values()):
            reached = sum(counts.values()) / total
            raise ValueError(
                f"`target_density` must be one that pruning reaches, {reached:.4g} here. Received: {target}"
            )
        counts, rounds = fewer, rounds + 1
    return rounds
