"""Means over pairs of seeds with their uncertainty, and how means are written. Does not know what the numbers mean."""

import numpy as np
from scipy.special import stdtrit


def jackknife_interval(first: np.ndarray, second: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over pairs of seeds and the half-width of its 95 % interval (delete-one-seed jackknife).

    Pairs that share a seed are not independent, so seeds are what is left out, one at a time (Efron & Stein 1981);
    Student's t with seeds − 1 degrees of freedom. Fewer than three seeds have no interval (NaN).

    Args:
        first: the pairs' first seeds, shape (pairs,).
        second: their second seeds.
        values: of each pair, shape (pairs, ...).

    >>> mean, half_width = jackknife_interval(np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([1.0, 2.0, 3.0]))
    >>> float(mean), round(float(half_width), 3)
    (2.0, 4.968)
    """
    seeds = np.union1d(first, second)
    mean = values.mean(axis=0)
    if seeds.size < 3:
        return mean, np.full_like(mean, np.nan)
    without = np.array([values[(first != seed) & (second != seed)].mean(axis=0) for seed in seeds])
    variance = (seeds.size - 1) * without.var(axis=0)
    return mean, stdtrit(seeds.size - 1, 0.975) * np.sqrt(variance)


def quoted(mean: float, half_width: float, digits: int) -> str:
    """Write a mean with its interval, where there is one.

    >>> quoted(2220, 604.47, 0), quoted(0.5, float("nan"), 2)
    ('2,220 ± 604', '0.50')
    """
    text = f"{round(mean, digits) + 0.0:,.{digits}f}".replace("-", "−")  # and no negative zero
    return text + ("" if np.isnan(half_width) else f" ± {half_width:,.{digits}f}")
