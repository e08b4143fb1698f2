"""Which share of the weights is kept or exchanged at an iteration or after a round: numbers alone, no masks."""

import math
from collections.abc import Mapping

from ticketlab.sparsity.pruning import prune_count


def update_iterations(every: int, until: int, samples: int, batch_size: int) -> list[int]:
    """List the iterations before which connectivity changes: multiples of `every`, above 0 and below `until`.

    Args:
        every: iterations; 0 for the end of every epoch, at the first iteration that has none of its samples.
        until: T_end of Evci et al. 2020 (arXiv 1911.11134, section 3).
        samples: of an epoch, which need not be a whole number of iterations.
        batch_size: samples of an iteration.

    >>> update_iterations(100, 400, 5, 2), update_iterations(0, 10, 5, 2), update_iterations(0, 8, 5, 2)
    ([100, 200, 300], [3, 5, 8], [3, 5])
    """
    if every:
        return list(range(every, until, every))
    ends = (-(-epoch * samples // batch_size) for epoch in range(1, until * batch_size // samples + 1))
    return [end for end in ends if end < until]


def drop_fraction(schedule: str, fraction: float, iteration: int, until: int) -> float:
    """Return the fraction of the kept weights that an update exchanges, f(t) of Evci et al. 2020 (equation 1).

    Constant, or ``fraction / 2 · (1 + cos(π · iteration / until))``.

    >>> drop_fraction("constant", 0.3, 50, 100), round(drop_fraction("cosine", 0.3, 50, 100), 6)
    (0.3, 0.15)
    """
    return fraction if schedule == "constant" else fraction / 2 * (1 + math.cos(math.pi * iteration / until))


FRACTION_SCHEDULES = ("constant", "cosine")


def gradual_density(final: float, iteration: int, until: int) -> float:
    """Return the density of gradual pruning from dense at iteration 0 (Zhu & Gupta 2017, arXiv 1710.01878, equation 1).

    The sparsity is s_f · (1 − (1 − t/T)³).

    >>> [round(gradual_density(0.1, iteration, 100), 6) for iteration in (0, 50, 100, 150)]
    [1.0, 0.2125, 0.1, 0.1]
    """
    return final + (1 - final) * (1 - min(1, iteration / until)) ** 3


def next_counts(counts: Mapping[str, int], rates: Mapping[str, float], scope: str) -> dict[str, int]:
    """Count the weights kept after one more round; in the global scope under the name "all", but for layers held out.

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
