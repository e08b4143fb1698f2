"""Means over seeds and their 95 % intervals by Student's t, whatever the numbers mean."""

from collections.abc import Iterable

import numpy as np

FEWEST = 3  # seeds for an interval: that of two would be nine standard deviations wide


def mean_interval(values: Iterable[float]) -> tuple[float, float]:
    """Return the mean and the half-width of its 95 % interval (Student's t, independent values).

    Args:
        values: one value per seed. Fewer than three give no interval (NaN), none gives no mean; a NaN makes both NaN.

    >>> mean, half_width = mean_interval([1.0, 2.0, 3.0])
    >>> mean, round(half_width, 3)
    (2.0, 2.484)
    >>> mean_interval([5.0, 6.0])
    (5.5, nan)
    """
    values = np.fromiter(values, float)
    mean = float(values.mean()) if values.size else float("nan")
    if values.size < FEWEST:
        return mean, float("nan")
    from scipy.special import stdtrit  # takes a tenth of a second to import

    return mean, float(stdtrit(values.size - 1, 0.975) * values.std(ddof=1) / np.sqrt(values.size))
