"""The two compressed orders: each kept weight that matters once in either, at the place that the mask says."""

import itertools

import numpy as np
import pytest

from ticketlab.training.sparse_engine.tiled_csr import SELDOM, wire

WIDTHS = {"small": (7, 5, 4, 3), "tiled": (400, 130, 30, 10)}


def useful_weights(masks):
    """Return the kept weights from which a path leads to an output, (layer, input, unit), found one by one."""
    useful, found = np.ones(masks[-1].shape[1], bool), set()
    for layer in range(len(masks) - 1, -1, -1):
        found |= {(layer, i, j) for i, j in zip(*np.nonzero(masks[layer]), strict=True) if useful[j]}
        useful = np.array([any(masks[layer][i] & useful) for i in range(len(masks[layer]))])
    return found


def read(wiring, masks):
    """Return the weights that pieces, strips of seldom inputs, and all strips lead through, as lists."""
    sizes, offsets = [mask.size for mask in masks], np.cumsum([0, *(mask.size for mask in masks)])
    units = [mask.shape[1] for mask in masks]

    def place(weight):
        layer = int(np.searchsorted(offsets, wiring.entry[weight], side="right")) - 1
        assert offsets[layer] <= wiring.entry[weight] < offsets[layer] + sizes[layer]
        return layer, *divmod(int(wiring.entry[weight]) - offsets[layer], units[layer])

    def row(layer, source):
        return wiring.row_of[source] if layer == 0 else wiring.first[layer] + source

    in_pieces, in_strips, seldom = [], [], []
    for number, (unit, begin, end) in enumerate(wiring.pieces.tolist()):
        for weight in range(begin, end):
            layer, source, target = place(weight)
            assert wiring.pieces_of[layer] <= number < wiring.pieces_of[layer + 1]
            assert (wiring.source[weight], unit) == (row(layer, source), wiring.first[layer + 1] + target)
            in_pieces.append((layer, source, target))
    for number, (source_row, begin, end) in enumerate(wiring.strips.tolist()):
        for k in range(begin, end):
            layer, source, target = place(wiring.place[k])
            assert wiring.strips_of[layer] <= number < wiring.strips_of[layer + 1]
            assert (source_row, wiring.target[k]) == (row(layer, source), wiring.first[layer + 1] + target)
            in_strips.append((layer, source, target))
            if layer == 0 and number >= wiring.seldom:
                seldom.append((layer, source, target))
    return in_pieces, seldom, in_strips


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("density", [1, 0.3, 0.03, 0])
@pytest.mark.parametrize("seldom", [False, True], ids=["often", "seldom"])
def test_each_useful_weight_stands_once_in_either_order(widths, density, seldom):
    rng, sizes = np.random.default_rng(0), WIDTHS[widths]
    masks = [rng.random(pair) < density for pair in itertools.pairwise(sizes)]
    presence = rng.random(sizes[0]) if seldom else np.ones(sizes[0])
    wiring = wire(masks, presence)
    kept = sorted(np.flatnonzero(np.concatenate([mask.ravel() for mask in masks])))
    assert sorted(wiring.entry.tolist()) == kept
    pieces, strips_of_seldom, strips = read(wiring, masks)
    useful = sorted(useful_weights(masks))
    assert sorted(strips) == useful
    assert sorted(pieces + strips_of_seldom) == useful
    assert {source for _, source, _ in strips_of_seldom} <= set(np.flatnonzero(presence < SELDOM))


def test_inputs_without_a_weight_have_the_last_row_of_the_inputs():
    masks = [np.array([[0, 0], [1, 0], [0, 0]], bool), np.ones((2, 1), bool)]
    wiring = wire(masks, np.ones(3))
    assert wiring.inputs.tolist() == [1]
    assert wiring.row_of.tolist() == [1, 0, 1]
    assert wiring.first.tolist() == [0, 2, 4, 5]


def test_inputs_of_highest_presence_come_first():
    masks = [np.ones((4, 2), bool), np.ones((2, 1), bool)]
    assert wire(masks, np.array([0.2, 0.9, 0.2, 1])).inputs.tolist() == [3, 1, 0, 2]
