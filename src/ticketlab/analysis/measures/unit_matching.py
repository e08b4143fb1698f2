"""How alike masks of two networks are once the hidden units of one are put in the order that fits the other.

Hidden units are exchangeable between replicates; inputs and classes are not. Knows layers that chain: dense kernels
(in, out) and convolution kernels (…, in, out), whose units are channels, with or without a flattening between them.
Shortcuts do not show in masks, so residual networks must not be matched. Matching finds likeness in noise too, so every
figure stands beside the same figure of random masks.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
import pandas as pd

from ticketlab.analysis.measures.bitmasks import PackedMasks, require_same_network
from ticketlab.analysis.measures.mask_similarity import PAIR_COLUMNS, jaccard, table
from ticketlab.analysis.measures.nulls import NULLS
from ticketlab.errors import BadInput
from ticketlab.random_streams import stream
from ticketlab.sparsity.masks import Arrays

COLUMNS = {
    **PAIR_COLUMNS,
    "null": "what random masks preserve. `counts`: kept weights of each layer; `inputs`: also weights from each input "
    "unit; `degrees`: also weights into each unit",
    "draws": "number of pairs of random masks",
    "jaccard": "Jaccard similarity of the masks before matching",
    "jaccard_chance": "Jaccard similarity of the random masks before matching",
    "jaccard_excess": "difference of the two",
    "matched_jaccard": "Jaccard similarity of the masks after matching",
    "matched_jaccard_chance": "mean Jaccard similarity of the random masks after matching",
    "matched_jaccard_chance_sd": "standard deviation of the random masks' similarity",
    "matched_jaccard_excess": "`matched_jaccard` minus that mean",
    "matched_z": "the same difference in standard deviations",
}
Orders = dict[str, np.ndarray]
Pairs = Sequence[tuple[int, int]]


def match_units(a: Arrays, b: Arrays) -> Orders:
    """Find the order of b's hidden units that fits a, from the first hidden layer to the last.

    In each layer the assignment has the greatest possible sum of |column of a ∧ column of b|, b's inputs being in the
    order found for the layer before (Hungarian method; Kuhn 1955). Where assignments tie, units go together that have
    the same surroundings in the whole network, so that a permuted copy is recognised even where units have equal
    incoming masks (dead ones, say), unless symmetries of the rest leave a choice, as they do near density .001.

    Args:
        a: masks in the network's order, {path: bool array}.
        b: masks of the same network.

    Returns:
        {path: order} for every layer but the last: unit ``order[j]`` of b goes to place j.

    Raises:
        BadInput: if the networks differ or the layers do not chain.

    >>> a = {"1": np.array([[True, False, True], [False, True, True]]), "2": np.array([[True], [False], [False]])}
    >>> match_units(a, reorder_units(a, {"1": np.array([1, 2, 0])}))
    {'1': array([2, 0, 1])}
    """
    from scipy.optimize import linear_sum_assignment  # half a second to import

    require_same_network(_shapes(a), _shapes(b), "a", "b")
    layers_a, layers_b = _chain(a), _chain(b)
    hidden = zip(list(a)[:-1], layers_a, layers_b, _surroundings(layers_a), _surroundings(layers_b), strict=False)
    orders: Orders = {}
    order: np.ndarray | slice = slice(None)
    for path, layer_a, layer_b, surroundings_a, surroundings_b in hidden:
        units = layer_a.shape[-1]
        incoming_a, incoming_b = (m.reshape(-1, units).astype(np.float32) for m in (layer_a, layer_b[:, order]))
        shared = (incoming_a.T @ incoming_b).astype(float)  # exact: counts are below 2^24
        alike = surroundings_a[:, None] == surroundings_b[None, :]
        order = linear_sum_assignment(shared * (units + 1) + alike, maximize=True)[1]
        orders[path] = order
    return orders


def reorder_units(masks: Arrays, orders: Orders) -> dict[str, np.ndarray]:
    """Put hidden units in the given orders, in the layer they come from and in the one they go to.

    Args:
        masks: in the network's order, {path: bool array}.
        orders: {path: order}, as `match_units` returns it; a layer without an entry stays as it is.
    """
    reordered = {}
    inputs: np.ndarray | slice = slice(None)
    for (path, mask), layer in zip(masks.items(), _chain(masks), strict=True):
        units = orders.get(path, slice(None))
        reordered[path] = layer[:, inputs][..., units].reshape(mask.shape)
        inputs = units
    return reordered


def compare_matched(
    packed: PackedMasks, first: np.ndarray, second: np.ndarray, *, null: str = "counts", draws: int = 20
) -> pd.DataFrame:
    """Tabulate the Jaccard similarity of the given pairs after matching, against random masks matched alike.

    The random masks of a draw replace both masks of a pair. What they keep of the layers says the null:

        counts: the numbers of kept weights. Pairs of equal counts share their draws, and so their expectation's error.
        inputs: how many weights leave each input unit (as the columns ``…_by_input`` of `similarity.csv` do), so
            that what exceeds them is not owed to border pixels that no mask uses.
        degrees: besides, how many reach each unit, so that it is not owed either to heavy units that matching pairs
            with heavy ones. What exceeds these is which unit is connected with which.

    Of the last two, each mask has draws of its own, which all of its pairs share: their error is one of the mask, as
    what its seed adds is.

    Args:
        packed: the masks.
        first: indices of the pairs' first masks, "a".
        second: indices of their second masks, "b", whose units are put in order.
        null: a name of `nulls.NULLS`.
        draws: random pairs for each expectation, at least 2.

    Returns:
        One row per pair and layer, laid out as by `mask_similarity.compare`; `COLUMNS` says which columns. `matched_z`
        is NaN where the draws are all alike.

    Raises:
        BadInput: if the layers do not chain.
    """
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    found = np.array([_before_and_after(packed.masks(i), packed.masks(j)) for i, j in pairs])
    found = found.reshape(len(pairs), 2, 1 + len(packed.shapes))
    draw = _shared_draws if null == "counts" else _own_draws
    drawn = np.array([draw(packed, pairs, null, number) for number in range(draws)]).reshape(draws, *found.shape)
    (before, after), (chance_before, chance) = (each.swapaxes(0, 1) for each in (found, drawn.mean(axis=0)))
    deviation = drawn[:, :, 1].std(axis=0, ddof=1)
    values = {
        "null": np.full(before.shape, null),
        "draws": np.full(before.shape, draws),
        "jaccard": before,
        "jaccard_chance": chance_before,
        "jaccard_excess": before - chance_before,
        "matched_jaccard": after,
        "matched_jaccard_chance": chance,
        "matched_jaccard_chance_sd": deviation,
        "matched_jaccard_excess": after - chance,
        "matched_z": (after - chance) / np.where(deviation > 0, deviation, np.nan),
    }
    return table(packed, first, second, values)


def _shared_draws(packed: PackedMasks, pairs: Pairs, null: str, number: int) -> list[np.ndarray]:
    """Draw a pair of masks for all pairs of equal counts; similarities as `_before_and_after` gives them."""
    kept = packed.kept
    known: dict[tuple[int, ...], np.ndarray] = {}
    for i, j in pairs:
        key = (*kept[i], *kept[j])
        if key not in known:
            rng = stream(number, "matching", null)
            known[key] = _before_and_after(*(NULLS[null](packed.masks(each), rng) for each in (i, j)))
    return [known[(*kept[i], *kept[j])] for i, j in pairs]


def _own_draws(packed: PackedMasks, pairs: Pairs, null: str, number: int) -> list[np.ndarray]:
    """Draw a mask for each that some pair has; similarities as `_before_and_after` gives them."""
    drawn = {
        each: NULLS[null](packed.masks(each), stream(number, "matching", null, *packed.keys[each]))
        for each in sorted({index for pair in pairs for index in pair})
    }
    return [_before_and_after(drawn[i], drawn[j]) for i, j in pairs]


def _before_and_after(a: Arrays, b: Arrays) -> np.ndarray:
    """Return Jaccard similarities as they stand and after matching, shape (2, 1 + layers), the overall one first."""
    return np.stack([_jaccards(a, b), _jaccards(a, reorder_units(b, match_units(a, b)))])


def _jaccards(a: Arrays, b: Arrays) -> np.ndarray:
    """Return Jaccard similarities of shape (1 + layers,), the overall one first."""
    counts = np.array([[np.count_nonzero(mask) for mask in (a[path] & b[path], a[path], b[path])] for path in a])
    return np.asarray(jaccard(*np.vstack([counts.sum(axis=0), counts]).T))


def _chain(masks: Arrays) -> list[np.ndarray]:
    """View every layer as (positions, in, out), with the units of the layer before as its inputs. Raises BadInput."""
    layers: list[np.ndarray] = []
    space: tuple[int, ...] = ()
    for path, mask in masks.items():
        before = space
        space, (inputs, units) = mask.shape[:-2], mask.shape[-2:]
        positions = prod(space)
        if layers and inputs != layers[-1].shape[-1]:
            channels = layers[-1].shape[-1]
            if space or not before or inputs % channels:
                raise BadInput(
                    f"layers must chain for their units to be matched: {path} must take the {channels} units of the "
                    f"layer before. Received: shape {mask.shape}"
                )
            positions, inputs = inputs // channels, channels  # flattened, channels running fastest
        layers.append(mask.reshape(positions, inputs, units))
    return layers


def _surroundings(layers: list[np.ndarray]) -> list[np.ndarray]:
    """Give each layer's units numbers that are equal where their surroundings are, in any masks of one network.

    Colour refinement (Weisfeiler & Leman 1968): inputs and outputs have fixed numbers, that of a hidden unit is a hash
    of the numbers it is connected to, renewed forth and back through the layers as often as there are layers.
    """
    places = [_hashed(np.arange(len(layer)) + 1) for layer in layers]
    sizes = [layers[0].shape[1], *(layer.shape[2] for layer in layers)]
    numbers = [_hashed(np.arange(size) + 1) for size in sizes]
    numbers[1:-1] = [np.ones(size, np.uint64) for size in sizes[1:-1]]
    hidden = range(1, len(layers))
    links = [layer.astype(np.uint64) for layer in layers]
    for k in (*hidden, *reversed(hidden)) * len(layers):
        incoming = np.einsum("pio,pi->o", links[k - 1], np.multiply.outer(places[k - 1], numbers[k - 1]))
        outgoing = np.einsum("pio,po->i", links[k], np.multiply.outer(places[k], numbers[k + 1]))
        numbers[k] = _hashed(_hashed(incoming) + outgoing)
    return numbers[1:]


def _hashed(numbers: np.ndarray) -> np.ndarray:
    return pd.util.hash_array(numbers.astype(np.uint64))


def _shapes(masks: Arrays) -> dict[str, tuple[int, ...]]:
    return {path: mask.shape for path, mask in masks.items()}
