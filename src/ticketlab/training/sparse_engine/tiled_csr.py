"""Chains of dense layers with kept weights only: the ends of each weight, in two compressed orders.

Inputs and units are numbered as rows, from the inputs that have a kept weight to the outputs. Pieces hold the weights
into a unit, unit by unit; strips hold the weights from a row, row by row. A layer may have so many rows that their
numbers would not stay in the processor's first cache. Both are then cut at tiles of neighbouring rows, as long as each
keeps some weights. The module is pure NumPy; kernels.py computes along these orders.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

TILE = 96  # rows of 64 float32: three quarters of a first cache of 32 KB
RUN = 16  # kept weights that a piece or strip should have
SELDOM = 0.5  # below this presence, an input has strips alone, which are skipped where a batch does not have it


class Wiring(NamedTuple):
    """Where kept weights lead. All arrays are uint32, since compilers need not ask whether such an index is negative.

    Attributes:
        first: (layers + 2,) the first row of the inputs, of each layer's units, and the number of all rows.
        row_of: (inputs,) the rows of the inputs; the last one, from which nothing leads, for those without a weight.
        inputs: (rows of inputs − 1,) the inputs of the other rows, those of highest presence first.
        entry: (weights,) where each weight stands in the kernels, raveled one after the other; their order.
        source: (weights,) rows that feed them.
        pieces: (pieces, 3) a unit's row, the first of neighbouring weights that lead to it, and the one after the last.
        pieces_of: (layers + 1,) each layer's first piece, and the number of all.
        place: (weights of the strips,) the numbers of the weights along the strips.
        target: (weights of the strips,) rows of the units that they lead to.
        strips: (strips, 3) a row, the first of neighbouring places that it feeds, and the one after the last.
        strips_of: (layers + 1,) each layer's first strip, and the number of all.
        seldom: the first strip of the inputs that have no pieces.
    """

    first: np.ndarray
    row_of: np.ndarray
    inputs: np.ndarray
    entry: np.ndarray
    source: np.ndarray
    pieces: np.ndarray
    pieces_of: np.ndarray
    place: np.ndarray
    target: np.ndarray
    strips: np.ndarray
    strips_of: np.ndarray
    seldom: int


def wire(masks: Sequence[np.ndarray], presence: np.ndarray, *, everything: bool = False) -> Wiring:
    """Compress the masks of a chain of dense layers.

    Units from which no kept weights lead to an output have neither pieces nor strips: their outputs have no effect, and
    no gradient reaches their weights. With `everything` they have both, because gradients of masked weights depend on
    their outputs.

    Args:
        masks: (inputs, units) bool of each layer, from the inputs to the outputs.
        presence: (inputs,) the share of batches in which an input is not 0 throughout.
        everything: whether units that lead nowhere are computed as well.

    >>> wiring = wire([np.array([[1, 1], [0, 0], [1, 0]], bool), np.array([[1], [0]], bool)], np.array([0.6, 1, 0.9]))
    >>> wiring.inputs.tolist(), wiring.row_of.tolist(), wiring.first.tolist()
    ([2, 0], [1, 2, 0], [0, 3, 5, 6])
    >>> wiring.entry.tolist(), wiring.source.tolist(), wiring.pieces.tolist()  # the second unit leads nowhere
    ([4, 0, 1, 6], [0, 1, 1, 3], [[3, 0, 2], [5, 3, 4]])
    >>> wiring.place.tolist(), wiring.strips.tolist()
    ([0, 1, 3], [[0, 0, 1], [1, 1, 2], [3, 2, 3]])
    """
    used = np.flatnonzero(masks[0].any(axis=1))
    inputs = used[np.argsort(-presence[used], kind="stable")]
    row_of = np.full(len(masks[0]), inputs.size)
    row_of[inputs] = np.arange(inputs.size)
    often = int(np.count_nonzero(presence[inputs] >= SELDOM))
    first = np.cumsum([0, inputs.size + 1, *(mask.shape[1] for mask in masks)])
    offsets = np.cumsum([0, *(mask.size for mask in masks)])
    layers: list[_Layer] = []
    computed = [np.ones(mask.shape[1], bool) for mask in masks] if everything else _useful(masks)
    for number, (mask, useful) in enumerate(zip(masks, computed, strict=True)):
        rows = np.arange(len(mask)) if number else inputs
        layer = _wire_layer(mask[rows], useful, len(mask) if number else often)
        counts = [sum(len(getattr(each, name)) for each in layers) for name in ("source", "place")]
        layers.append(
            _Layer(
                offsets[number] + rows[layer.source] * mask.shape[1] + layer.entry,
                first[number] + layer.source,
                np.add(layer.pieces, (first[number + 1], counts[0], counts[0])),
                counts[0] + layer.place,
                first[number + 1] + layer.target,
                np.add(layer.strips, (first[number], counts[1], counts[1])),
            )
        )
    entry, source, pieces, place, target, strips = (np.concatenate(arrays) for arrays in zip(*layers, strict=True))
    pieces_of, strips_of = ([0, *(len(getattr(each, name)) for each in layers)] for name in ("pieces", "strips"))
    seldom = int(np.count_nonzero(layers[0].strips[:, 0] < often))
    arrays = first, row_of, inputs, entry, source, pieces, np.cumsum(pieces_of), place, target, strips
    numbers = (np.ascontiguousarray(array, np.uint32) for array in (*arrays, np.cumsum(strips_of)))
    return Wiring(*numbers, seldom=seldom)


class _Layer(NamedTuple):
    """The arrays of `Wiring` for one layer, all of them counted from 0 at its own first row, unit, weight and place."""

    entry: np.ndarray
    source: np.ndarray
    pieces: np.ndarray
    place: np.ndarray
    target: np.ndarray
    strips: np.ndarray


def _useful(masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Tell for each layer's units whether kept weights lead from them to an output."""
    useful: list[np.ndarray] = [np.ones(masks[-1].shape[1], bool)]
    for mask in masks[:0:-1]:
        useful.insert(0, np.logical_or.reduce(mask[:, useful[0]], axis=1))
    return useful


def _wire_layer(mask: np.ndarray, useful: np.ndarray, often: int) -> _Layer:
    """Compress one mask (rows, units), of which the rows from `often` on get no pieces; `entry` is the unit alone."""
    row, unit = np.nonzero(mask)
    order = np.lexsort((row, unit, row // _tile(mask), row >= often))
    row, unit = row[order], unit[order]
    begins, ends = _runs(row >= often, row // _tile(mask), unit)
    pieces = np.stack([unit[begins], begins, ends], axis=1)[useful[unit[begins]] & (row[begins] < often)]
    place = np.lexsort((unit, row, unit // _tile(mask.T), row >= often))
    place = place[useful[unit[place]]]
    begins, ends = _runs(row[place] >= often, unit[place] // _tile(mask.T), row[place])
    strips = np.stack([row[place][begins], begins, ends], axis=1)
    return _Layer(unit, row, pieces, place, unit[place], strips)


def _tile(mask: np.ndarray) -> int:
    """Return how many neighbouring rows of a mask (rows, units) make a tile."""
    rows, units = mask.shape
    tiles = max(1, min(-(-rows // TILE), int(np.count_nonzero(mask)) // (RUN * max(1, units))))
    return max(1, -(-rows // tiles))


def _runs(*keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where neighbours with equal keys begin, and where they have ended."""
    changes = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    begins = np.flatnonzero(np.append(keys[0].size > 0, changes))
    return begins, np.append(begins[1:], keys[0].size)[: begins.size]
