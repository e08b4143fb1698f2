"""Where a network looks: kept weights per input pixel as a map, its trend curve and its centre–margin scalar.

The diagnostics of SET's topology (Mocanu et al. 2018, arXiv 1707.04780), for the input layer of runs on square images.
Masks do not say what the inputs are: whoever asks knows that they are images. Where their shape is not known, n² or 3n²
inputs of a first dense layer, n at least 4, are taken for a square.
"""

from collections.abc import Iterable, Mapping
from math import isqrt, prod

import numpy as np
import pandas as pd

from ticketlab.data.dataset import DataFacts
from ticketlab.runs.folder import Record
from ticketlab.sparsity.masks import Arrays

PIXEL_COLUMNS = ["seed", "round", "connections", "pixels", "unused_pixels", "centre_margin"]
TREND_COLUMNS = ["seed", "round", "side", "connections_per_pixel"]


def heat_map(masks: Arrays, shape: tuple[int, ...] | None = None) -> np.ndarray | None:
    """Count the kept weights of each input pixel, its colour channels together.

    Args:
        masks: {path: bool array} in the network's order, of a network whose inputs are images.
        shape: of an image; None where that is not known.

    Returns:
        int array (side, side), or None where the first layer is a convolution or its inputs make no square image.

    >>> heat_map({"dense_1/kernel": np.ones((16, 5), bool)})[0]
    array([5, 5, 5, 5])
    """
    first = next(iter(masks.values()))
    inputs = first.shape[0]
    shapes = [shape] if shape else [(isqrt(inputs // channels),) * 2 + (channels,) for channels in (1, 3)]
    for side, *others in shapes:
        if first.ndim == 2 and side >= 4 and others[:1] == [side] and side * prod(others) == inputs:
            return np.count_nonzero(first.reshape(side, side, -1), axis=2)
    return None


def shape_of(facts: DataFacts) -> tuple[int, ...] | None:
    """Return the shape of a sample; None where it is not known."""
    return None if facts.constant is None else facts.constant.shape


def trend_curve(heat_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average a map over the centred squares of side 2, 4, … (1, 3, … in a map of odd side) up to the whole map.

    Args:
        heat_map: (side, side); a pixel without connections counts 0.

    Returns:
        The sides and the means; the last mean is that of the whole map.

    >>> trend_curve(np.pad(np.full((2, 2), 8), 1))
    (array([2, 4]), array([8., 2.]))
    """
    whole = len(heat_map)
    sides = np.arange(2 - whole % 2, whole + 1, 2)
    return sides, np.array([_centre(heat_map, side).mean() for side in sides])


def centre_margin(heat_map: np.ndarray) -> float:
    """Return (mean inside the centre − mean outside) / mean of the whole map; NaN for a map of zeros.

    The centre leaves a margin of a quarter of the side, rounded down: 14×14 of 28×28.

    >>> centre_margin(np.ones((4, 4))), centre_margin(np.pad(np.full((2, 2), 8), 1))
    (0.0, 4.0)
    """
    inside, everything = _half(heat_map), heat_map.sum()
    if not everything:
        return float("nan")
    outside = (everything - inside.sum()) / (heat_map.size - inside.size)
    return float((inside.mean() - outside) / heat_map.mean())


def heat_maps(records: Iterable[Record], shape: tuple[int, ...] | None = None) -> dict[tuple[int, int], np.ndarray]:
    """Read the maps of many rounds on images, {(seed, round): map}; rounds whose input is no square have none.

    Raises:
        Damaged: if a file cannot be read.
    """
    maps = {(each.attributes["seed"], each.attributes["round"]): heat_map(each.masks, shape) for each in records}
    return {key: counts for key, counts in maps.items() if counts is not None}


def pixel_table(heat_maps: Mapping[tuple[int, int], np.ndarray]) -> pd.DataFrame:
    """Tabulate the maps' scalars, one row per seed × round; `unused_pixels` have no kept weight.

    >>> pixel_table({(0, 1): np.pad(np.full((2, 2), 8), 1)}).iloc[0].to_dict()  # doctest: +NORMALIZE_WHITESPACE
    {'seed': 0.0, 'round': 1.0, 'connections': 32.0, 'pixels': 16.0, 'unused_pixels': 12.0, 'centre_margin': 4.0}
    """
    rows = [
        (*key, counts.sum(), counts.size, np.count_nonzero(counts == 0), centre_margin(counts))
        for key, counts in heat_maps.items()
    ]
    return pd.DataFrame(rows, columns=PIXEL_COLUMNS)


def trend_table(heat_maps: Mapping[tuple[int, int], np.ndarray]) -> pd.DataFrame:
    """Tabulate the maps' trend curves, one row per seed × round × side of the centred square."""
    rows = [
        (*key, side, mean) for key, counts in heat_maps.items() for side, mean in zip(*trend_curve(counts), strict=True)
    ]
    return pd.DataFrame(rows, columns=TREND_COLUMNS)


def _half(heat_map: np.ndarray) -> np.ndarray:
    return _centre(heat_map, len(heat_map) - 2 * (len(heat_map) // 4))


def _centre(heat_map: np.ndarray, side: int) -> np.ndarray:
    margin = (len(heat_map) - side) // 2
    return heat_map[margin : margin + side, margin : margin + side]
