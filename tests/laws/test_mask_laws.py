"""Laws of masks, for whatever hypothesis thinks of: exact counts, nesting, ties, degrees."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ticketlab.analysis.measures.nulls import same_degrees, same_out_degrees
from ticketlab.sparsity import masks
from ticketlab.sparsity.distributions import DISTRIBUTIONS, layer_counts
from ticketlab.sparsity.drop_grow import DROPS, exchange
from ticketlab.sparsity.pruning import keep

SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, max_side=6)
SCORES = st.integers(-3, 3).map(float) | st.just(-math.inf)  # few values, so that there are ties
FRACTIONS = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 2**32)


@st.composite
def layers(draw, shape=SHAPES):
    """Draw {path: mask} and {path: scores} of one to four layers."""
    shapes = {f"layer_{number}": draw(shape) for number in range(draw(st.integers(1, 4)))}
    drawn = {path: draw(arrays.arrays(bool, shape)) for path, shape in shapes.items()}
    return drawn, {path: draw(arrays.arrays(float, shape, elements=SCORES)) for path, shape in shapes.items()}


@st.composite
def one_layer(draw):
    """Draw a mask, weights that are 0 where it is not set, and scores."""
    shape = draw(SHAPES)
    mask = draw(arrays.arrays(bool, shape))
    weights, scores = (draw(arrays.arrays(float, shape, elements=st.integers(-3, 3).map(float))) for _ in range(2))
    return mask, np.where(mask, weights, 0.0), scores


@given(layers(), st.data())
def test_keep_keeps_the_best_of_what_was_kept_and_exactly_so_many(drawn, data):
    before, scores = drawn
    counts = {path: data.draw(st.integers(0, count)) for path, count in masks.counts(before).items()}
    after = keep(before, scores, counts)
    assert masks.counts(after) == counts
    for path, mask in after.items():
        ranks = [(score, place) for place, score in enumerate(scores[path].ravel())]
        kept, gone = (sorted(ranks[place] for place in np.flatnonzero(of)) for of in (mask, before[path] & ~mask))
        assert not (mask & ~before[path]).any()
        assert not kept or not gone or gone[-1] < kept[0], "among equals the higher index stays"


@given(layers(), st.data())
def test_keep_over_all_layers_is_keep_of_one_layer_that_holds_them_all(drawn, data):
    before, scores = drawn
    count = data.draw(st.integers(0, masks.kept(before)))
    together = keep(before, scores, count)
    joined, joined_scores = ({"all": np.concatenate([of[path].ravel() for path in before])} for of in (before, scores))
    one = keep(joined, joined_scores, {"all": count})
    assert np.array_equal(np.concatenate([mask.ravel() for mask in together.values()]), one["all"])
    assert masks.kept(together) == count


@given(layers(), st.data())
def test_what_is_kept_of_fewer_is_kept_of_more(drawn, data):
    """Chains of masks are nested however long their steps are."""
    before, scores = drawn
    more = data.draw(st.integers(0, masks.kept(before)))
    fewer = data.draw(st.integers(0, more))
    at_once, in_two = keep(before, scores, fewer), keep(keep(before, scores, more), scores, fewer)
    assert all(np.array_equal(at_once[path], in_two[path]) for path in before)


@given(layers())
def test_more_than_there_is_cannot_be_kept(drawn):
    before, scores = drawn
    with pytest.raises(ValueError, match="`counts` must be at most the kept weights"):
        keep(before, scores, masks.kept(before) + 1)


KERNELS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=5)
NAMED = KERNELS.map(lambda shapes: {f"layer_{number}": shape for number, shape in enumerate(shapes)})


@given(NAMED, st.sampled_from(sorted(DISTRIBUTIONS)), st.floats(0.001, 1))
def test_layer_counts_add_up_and_leave_no_layer_empty(shapes, distribution, density):
    sizes = {path: math.prod(shape) for path, shape in shapes.items()}
    kept = max(len(shapes), round(density * sum(sizes.values())))
    wanted = DISTRIBUTIONS[distribution](shapes, density)
    found = layer_counts(shapes, wanted, kept)
    quotas = {path: wanted[path] * size for path, size in sizes.items()}
    assert sum(found.values()) == kept
    assert all(1 <= found[path] <= size for path, size in sizes.items())
    assert sum(quotas.values()) == pytest.approx(density * sum(sizes.values()))
    if min(quotas.values()) >= 1:
        assert all(abs(found[path] - quota) < 1 + 1e-9 for path, quota in quotas.items())


@given(one_layer(), st.sampled_from(sorted(DROPS)), FRACTIONS, st.booleans())
def test_an_exchange_changes_places_and_not_their_number(drawn, drop, fraction, regrow):
    mask, weights, scores = drawn
    survivors, new = exchange(mask, weights, scores, drop, fraction, regrow=regrow)
    dropped = mask & ~survivors
    assert not (survivors & ~mask).any()
    assert not (survivors & new).any()
    assert regrow or not (mask & new).any()
    assert np.count_nonzero(new) == np.count_nonzero(dropped) <= np.count_nonzero(~mask)
    free = (~survivors if regrow else ~mask) & ~new
    assert not new.any() or not free.any() or scores[new].min() >= scores[free].max()
    for of_sign in (weights >= 0, weights < 0) if drop == "sign" else (np.ones_like(mask),):
        least, largest = abs(weights[survivors & of_sign]), abs(weights[dropped & of_sign])
        assert not least.size or not largest.size or largest.max() <= least.min()


@given(layers(), SEEDS)
def test_random_masks_keep_the_count_of_every_layer(drawn, seed):
    like, _ = drawn
    found = masks.random_masks(like, np.random.default_rng(seed))
    assert {path: mask.shape for path, mask in found.items()} == {path: mask.shape for path, mask in like.items()}
    assert masks.counts(found) == masks.counts(like)
    again = masks.random_masks(like, np.random.default_rng(seed))
    assert all(np.array_equal(found[path], again[path]) for path in like)


@given(layers(arrays.array_shapes(min_dims=2, max_dims=4, max_side=7)), SEEDS, st.integers(1, 5))
def test_curveball_keeps_every_degree(drawn, seed, trades):
    like, _ = drawn
    inputs = same_out_degrees(like, np.random.default_rng(seed))
    found = same_degrees(like, np.random.default_rng(seed), trades)
    for path, mask in like.items():
        rows, others = (each.reshape(-1, mask.shape[-1]) for each in (mask, found[path]))
        assert np.array_equal(rows.sum(axis=0), others.sum(axis=0))
        assert np.array_equal(rows.sum(axis=1), others.sum(axis=1))
        assert np.array_equal(inputs[path].sum(axis=-1), mask.sum(axis=-1))
