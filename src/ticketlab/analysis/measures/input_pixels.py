"""Where a network looks: kept weights per input pixel as a map, its trend curve and its centre–margin scalar.

These are the diagnostics of SET's topology (Mocanu et al. 2018, arXiv 1707.04780), for the input layer of runs on
square images. Masks do not say whether inputs are images: the caller knows. Where their shape is unknown, n² or 3n²
inputs of a first dense layer, with n at least 4, are taken for a square.
"""

from collections.abc import Iterable
from math import isqrt, prod

import numpy as np

from ticketlab.analysis.measures.loaded import LoadedRound
from ticketlab.data.dataset import DataFacts
from ticketlab.runs.folder import Record
from ticketlab.sparsity.masks import Arrays


def heat_map(masks: Arrays, shape: tuple[int, ...] | None = None) -> np.ndarray | None:
    """Count the kept weights of each input pixel, its colour channels together.

    Args:
        masks: {path: bool array} in the network's order, of a network whose inputs are images.
        shape: shape of an image; None where it is unknown.

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


def map_of(loaded: LoadedRound) -> np.ndarray | None:
    """Return a round's map; None where the inputs are no square image."""
    data = loaded.run.data
    return heat_map(loaded.masks, shape_of(data)) if data.input_kind == "image" else None


def pixels(loaded: LoadedRound) -> list[dict[str, float]]:
    """Give the scalars of a round's map; nothing without one."""
    if (counts := loaded.once(map_of)) is None:
        return []
    unused = np.count_nonzero(counts == 0)
    facts = {"connections": counts.sum(), "pixels": counts.size, "unused_pixels": unused}
    return [facts | {"centre_margin": centre_margin(counts)}]


def trend(loaded: LoadedRound) -> list[dict[str, float]]:
    """Give the trend curve of a round's map, one row per side of the centred square; nothing without a map."""
    if (counts := loaded.once(map_of)) is None:
        return []
    return [{"side": side, "connections_per_pixel": mean} for side, mean in zip(*trend_curve(counts), strict=True)]


def _half(heat_map: np.ndarray) -> np.ndarray:
    return _centre(heat_map, len(heat_map) - 2 * (len(heat_map) // 4))


def _centre(heat_map: np.ndarray, side: int) -> np.ndarray:
    margin = (len(heat_map) - side) // 2
    return heat_map[margin : margin + side, margin : margin + side]
