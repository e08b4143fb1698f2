"""Degrees of units (kept weights in and out), and those expected in random masks with as many kept weights.

A unit's degree in a random mask is hypergeometric: `fan` draws from the layer's weights, of which `kept` are marked.
All functions take kernels (..., in, out), or layers as `paths.connections` views them.
"""

import numpy as np


def in_degrees(layer: np.ndarray) -> np.ndarray:
    """Count the kept incoming weights of each unit out; of a channel, over all positions of the window.

    >>> in_degrees(np.array([[True, False], [True, True]]))
    array([2, 1])
    """
    return np.count_nonzero(layer.reshape(-1, layer.shape[-1]), axis=0)


def out_degrees(layer: np.ndarray) -> np.ndarray:
    """Count the kept outgoing weights of each unit in; of a channel, over all positions.

    >>> out_degrees(np.array([[True, False], [True, True]]))
    array([1, 2])
    """
    return np.count_nonzero(layer.reshape(-1, *layer.shape[-2:]), axis=(0, 2))


def kept_per_pair(layer: np.ndarray) -> np.ndarray:
    """Count the kept weights between each unit in and unit out: of a convolution, how much is left of each window.

    Returns:
        int array (in, out)

    >>> kept_per_pair(np.array([[[True, False]], [[True, True]]]))
    array([[2, 1]])
    """
    return np.count_nonzero(layer.reshape(-1, *layer.shape[-2:]), axis=0)


def chance_variance(degrees: np.ndarray, fan: int) -> float:
    """Return the variance over units that a random mask with as many kept weights has in expectation.

    The mean degree is the same in all such masks, so this is the hypergeometric variance itself, to be compared with
    ``degrees.var()``.

    Args:
        degrees: kept weights of each unit.
        fan: weights of each unit, kept or not.

    >>> chance_variance(np.array([1, 1]), fan=2)
    0.3333333333333333
    """
    weights, kept = fan * degrees.size, int(degrees.sum())
    share = kept / weights
    return fan * share * (1 - share) * (weights - fan) / max(weights - 1, 1)


def degree_distribution(degrees: np.ndarray, fan: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the units of each degree, here and, in expectation, in a random mask with as many kept weights.

    Args:
        degrees: kept weights of each unit.
        fan: weights of each unit, kept or not.

    Returns:
        Successive degrees, from the least to the greatest that occurs or lies within five deviations of chance; how
        many units have them; how many would by chance.

    >>> degree_distribution(np.array([0, 2]), fan=2)
    (array([0, 1, 2]), array([1, 0, 1]), array([0.33333333, 1.33333333, 0.33333333]))
    """
    from scipy.stats import hypergeom  # costs a second, which only those who ask for distributions should pay

    mean, spread = degrees.mean(), 5 * np.sqrt(chance_variance(degrees, fan))
    least = int(max(min(degrees.min(), mean - spread), 0))
    greatest = int(min(max(degrees.max(), mean + spread), fan))
    shown = np.arange(least, greatest + 1)
    units = np.bincount(degrees - least, minlength=shown.size)
    return shown, units, degrees.size * hypergeom.pmf(shown, fan * degrees.size, int(degrees.sum()), fan)
