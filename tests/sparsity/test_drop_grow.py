"""Drop and grow on one layer: counts, places, rules, by hand and as laws."""

import numpy as np
import pytest

from ticketlab.sparsity.drop_grow import DROPS, exchange, highest


def layer(density=0.3, seed=0, shape=(20, 15)):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < density
    return np.where(mask, rng.normal(size=shape), 0).astype(np.float32), mask, rng.random(shape)


@pytest.mark.parametrize("regrow", [True, False])
@pytest.mark.parametrize("drop", DROPS)
@pytest.mark.parametrize("density", [0.05, 0.3, 0.9, 1.0])
def test_as_many_are_grown_as_dropped_and_only_where_nothing_was(drop, density, regrow):
    weights, mask, scores = layer(density)
    survivors, new = exchange(mask, weights, scores, drop, 0.3, regrow=regrow)
    assert not (survivors & ~mask).any()
    assert not (new & survivors).any()
    assert np.count_nonzero(survivors | new) == np.count_nonzero(mask)
    assert regrow or not (new & mask).any()
    wanted = {"magnitude": round(0.3 * mask.sum()), "sign": round(0.3 * (weights[mask] >= 0).sum())}
    wanted["sign"] += round(0.3 * (weights[mask] < 0).sum())
    assert np.count_nonzero(mask & ~survivors) == min(wanted[drop], np.count_nonzero(~mask))
    free = ~survivors if regrow else ~mask
    assert new.sum() == 0 or scores[new].min() >= scores[free & ~new].max(initial=0)


def test_magnitude_and_sign_drop_different_weights():
    """Of many positive and few negative weights, the least magnitudes may all be of one sign."""
    weights = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, -1.0, -2.0], np.float32)
    mask = np.ones(8, bool)
    assert np.flatnonzero(~DROPS["magnitude"](weights, mask, 0.5)).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(~DROPS["sign"](weights, mask, 0.5)).tolist() == [0, 1, 2, 6]


def test_weights_that_are_0_though_kept_go_first():
    """They never moved: a pixel that is always black, say."""
    weights, mask = np.array([0.0, 0.3, 0.2, -0.1, -0.4, 0.0], np.float32), np.array([1, 1, 1, 1, 1, 0], bool)
    assert np.flatnonzero(mask & ~DROPS["sign"](weights, mask, 0.4)).tolist() == [0, 3]
    assert np.flatnonzero(mask & ~DROPS["magnitude"](weights, mask, 0.2)).tolist() == [0]


def test_a_layer_without_room_exchanges_its_least_weights_only():
    weights, mask = np.arange(1, 11, dtype=np.float32), np.ones(10, bool)
    survivors, new = exchange(mask, weights, np.zeros(10), "magnitude", 0.5)
    assert survivors.all()
    assert not new.any()
    mask[9] = False
    survivors, new = exchange(mask, weights, np.zeros(10), "magnitude", 0.5, regrow=False)
    assert (np.flatnonzero(~survivors).tolist(), np.flatnonzero(new).tolist()) == ([0, 9], [9])


def test_scores_must_be_numbers():
    _, mask, scores = layer()
    with pytest.raises(ValueError, match=r"scores of empty positions must be numbers. Received: NaN"):
        highest(~mask, np.full_like(scores, np.nan), 1)


def test_equal_scores_are_taken_in_the_order_of_their_places():
    rng = np.random.default_rng(0)
    for count in (0, 1, 7, 60, 100):
        scores = rng.integers(0, 5, 100).astype(float)
        wanted = np.argsort(-scores, kind="stable")[:count]
        assert set(np.flatnonzero(highest(np.ones(100, bool), scores, count))) == set(wanted.tolist())
