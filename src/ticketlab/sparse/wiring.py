"""Chains of dense layers with kept weights only: which weight leads from where to where, in two compressed orders.

Inputs and units are numbered as rows, from the inputs that have a kept weight to the outputs. Unit by unit, the weights
that lead to it stand together in pieces; row by row, those that it leads to in strips. Where a layer has so many rows
that their numbers would not stay in the processor's first cache, both are cut at tiles of neighbouring rows, as long as
they keep some weights in each. Pure NumPy; what is done along these orders is the affair of kernels.py.
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


def wire(masks: Sequence[np.ndarray], presence: np.ndarray) -> Wiring:
    """Compress the masks of a chain of dense layers.

    Units from which no kept weights lead to an output have neither pieces nor strips: what they compute has no effect,
    and no gradient reaches their weights.

    Args:
        masks: (inputs, units) bool of each layer, from the inputs to the outputs.
        presence: (inputs,) the share of batches in which an input is not 0 throughout.

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
    first = np.cumsum([0, inputs.size + 1, *(mask.shape[1] for mask in masks)])
    useful = [np.ones(masks[-1].shape[1], bool)]
    for mask in masks[:0:-1]:
        useful.insert(0, mask[:, useful[0]].any(axis=1))
    often = int(np.count_nonzero(presence[inputs] >= SELDOM))
    weights, places, layers = 0, 0, []
    for layer, mask in enumerate(masks):
        mask = mask[inputs] if layer == 0 else mask
        row, unit = np.nonzero(mask)
        order = np.lexsort((row, unit, row // _tile(mask), _seldom(layer, row, often)))
        row, unit = row[order], unit[order]
        seldom, live = _seldom(layer, row, often), useful[layer][unit]
        entry = sum(each.size for each in masks[:layer]) + (inputs[row] if layer == 0 else row) * mask.shape[1] + unit
        begins, ends = _runs(seldom, row // _tile(mask), unit)
        wanted = live[begins] & ~seldom[begins]
        pieces = _table(first[layer + 1] + unit[begins], begins + weights, ends + weights)[wanted]
        place = np.lexsort((unit, row, unit // _tile(mask.T), seldom))
        place = place[live[place]]
        begins, ends = _runs(seldom[place], unit[place] // _tile(mask.T), row[place])
        strips = _table(first[layer] + row[place][begins], begins + places, ends + places)
        target = first[layer + 1] + unit[place]
        layers.append((entry, first[layer] + row, pieces, weights + place, target, strips))
        weights, places = weights + row.size, places + place.size
    entry, source, pieces, place, target, strips = zip(*layers, strict=True)
    return Wiring(
        first=_unsigned(first),
        row_of=_unsigned(row_of),
        inputs=_unsigned(inputs),
        entry=_unsigned(np.concatenate(entry)),
        source=_unsigned(np.concatenate(source)),
        pieces=np.concatenate(pieces),
        pieces_of=_unsigned(np.cumsum([0, *map(len, pieces)])),
        place=_unsigned(np.concatenate(place)),
        target=_unsigned(np.concatenate(target)),
        strips=np.concatenate(strips),
        strips_of=_unsigned(np.cumsum([0, *map(len, strips)])),
        seldom=int(np.count_nonzero(strips[0][:, 0] < often)),
    )


def _seldom(layer: int, row: np.ndarray, often: int) -> np.ndarray:
    return (row >= often) & (layer == 0)


def _tile(mask: np.ndarray) -> int:
    """Return how many neighbouring rows of a mask (rows, units) are gone through together."""
    rows, units = mask.shape
    tiles = max(1, min(-(-rows // TILE), int(np.count_nonzero(mask)) // (RUN * max(1, units))))
    return max(1, -(-rows // tiles))


def _runs(*keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where neighbours with equal keys begin, and where they have ended."""
    changes = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    begins = np.flatnonzero(np.append(keys[0].size > 0, changes))
    return begins, np.append(begins[1:], keys[0].size)[: begins.size]


def _table(*columns: np.ndarray) -> np.ndarray:
    return _unsigned(np.stack(columns, axis=1))


def _unsigned(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.uint32)
