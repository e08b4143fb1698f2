"""Means over seeds with their uncertainty. Knows Student's t; does not know what the numbers mean."""

from collections.abc import Iterable

import numpy as np
from scipy.special import stdtrit


def mean_interval(values: Iterable[float]) -> tuple[float, float]:
    """Return the mean and the half-width of its 95 % interval (Student's t, independent values).

    Args:
        values: one per seed. A single value has no interval (NaN), no value no mean; a NaN among them makes both NaN.

    >>> mean, half_width = mean_interval([1.0, 2.0, 3.0])
    >>> mean, round(half_width, 3)
    (2.0, 2.484)
    >>> mean_interval([5.0])
    (5.0, nan)
    """
    values = np.fromiter(values, float)
    if values.size == 0:
        return float("nan"), float("nan")
    if values.size == 1:
        return float(values[0]), float("nan")
    standard_error = values.std(ddof=1) / np.sqrt(values.size)
    return float(values.mean()), float(stdtrit(values.size - 1, 0.975) * standard_error)
