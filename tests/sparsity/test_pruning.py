"""Masks and pruning: hand-checkable cases, and laws over all criteria and scopes."""

import itertools

import numpy as np
import pytest

from ticketlab import schedules
from ticketlab.sparsity import density_schedules, masks
from ticketlab.sparsity.criteria import CRITERIA
from ticketlab.sparsity.pruning import SCOPES, drop_lowest, keep, layer_rates, prune, prune_count

SHAPES = {"dense_1/kernel": (30, 20), "conv/kernel": (3, 3, 4, 5), "dense_2/kernel": (20, 7)}
RATES = {"layer": layer_rates(SHAPES, "layer", 0.2), "global": layer_rates(SHAPES, "global", 0.2)}


def chain(criterion: str, scope: str, rounds: int, weights) -> list[dict]:
    """Prune `rounds` times, with weights from a function of the round; those of round −1 are the initial ones."""
    initial = weights(-1)
    chained = [masks.all_kept(weights(0), SHAPES)]
    for round in range(rounds):
        final = masks.apply(weights(round), chained[-1])
        rng = np.random.default_rng(round)
        settings = {"criterion": criterion, "scope": scope, "rates": RATES[scope], "rng": rng}
        chained.append(prune(chained[-1], initial, final, **settings))
    return chained


def gaussian(round: int) -> dict:
    rng = np.random.default_rng(100 + round)
    return {path: rng.standard_normal(shape).astype(np.float32) for path, shape in SHAPES.items()}


def ties(round: int) -> dict:
    return {path: np.ones(shape, np.float32) for path, shape in SHAPES.items()}


everything = pytest.mark.parametrize(
    ("criterion", "scope", "weights"),
    [(criterion, scope, weights) for criterion in CRITERIA for scope in SCOPES for weights in (gaussian, ties)],
)


@everything
def test_counts_are_exact(criterion, scope, weights):
    """Thresholds of earlier systems were off by one, or took everything on ties."""
    expected = {path: int(np.prod(shape)) for path, shape in SHAPES.items()}
    for round_masks in chain(criterion, scope, 8, weights):
        if scope == "layer":
            assert {path: mask.sum() for path, mask in round_masks.items()} == expected
        assert masks.kept(round_masks) == sum(expected.values())
        expected = density_schedules.next_counts(expected, RATES[scope], scope)


@everything
def test_masks_are_nested(criterion, scope, weights):
    chained = chain(criterion, scope, 8, weights)
    for larger, smaller in itertools.pairwise(chained):
        assert all((smaller[path] <= larger[path]).all() for path in SHAPES)
        assert masks.kept(masks.intersect(larger, smaller)) == masks.kept(smaller)


@everything
def test_nothing_given_is_changed(criterion, scope, weights):
    mask, initial, final = masks.all_kept(weights(0), SHAPES), weights(-1), weights(0)
    prune(mask, initial, final, criterion=criterion, scope=scope, rates=RATES[scope], rng=np.random.default_rng(0))
    assert masks.density(mask) == 1
    assert all((initial[path] == weights(-1)[path]).all() for path in SHAPES)
    assert all((final[path] == weights(0)[path]).all() for path in SHAPES)


@pytest.mark.parametrize(
    ("criterion", "scores"),
    [
        ("large_final", [3.0, 0.5, 2.0, 0.1]),
        ("small_final", [-3.0, -0.5, -2.0, -0.1]),
        ("large_initial", [1.0, 1.0, 2.5, 0.2]),
        ("small_initial", [-1.0, -1.0, -2.5, -0.2]),
        ("large_initial_and_final", [1.0, 0.5, 2.0, 0.1]),
        ("magnitude_increase", [2.0, -0.5, -0.5, -0.1]),
        ("movement", [4.0, 0.5, 0.5, 0.3]),
    ],
)
def test_criteria_are_those_of_zhou_et_al(criterion, scores):
    """arXiv 1905.01067, table 1, by hand; the first and the last weight change their sign in training."""
    initial, final = np.array([1.0, 1.0, -2.5, 0.2]), np.array([-3.0, 0.5, -2.0, -0.1])
    np.testing.assert_allclose(CRITERIA[criterion](initial, final, np.random.default_rng(0)), scores)


@pytest.mark.parametrize(
    ("criterion", "kept"), [("large_final", [True, False, True, False]), ("small_final", [False, True, False, True])]
)
def test_magnitude_counts_and_not_the_sign(criterion, kept):
    final = {"k": np.array([-3.0, 0.5, 2.0, -0.1])}
    mask = {"k": np.ones(4, bool)}
    settings = {"scope": "layer", "rates": {"k": 0.5}, "rng": np.random.default_rng(0)}
    assert prune(mask, final, final, criterion=criterion, **settings)["k"].tolist() == kept


def test_masked_weights_are_not_counted_again():
    """A threshold over all weights would find the masked zeros lowest and prune nothing."""
    mask, final = np.array([False, False, True, True]), np.array([0.0, 0.0, 1.0, 2.0])
    assert drop_lowest(mask, final, 1).tolist() == [False, False, False, True]


def test_ties_are_broken_by_index():
    assert drop_lowest(np.ones(4, bool), np.ones(4), 2).tolist() == [False, False, True, True]


def test_layers_and_all_of_them_keep_the_highest_scores():
    mask = {"a": np.array([True, True, False]), "b": np.array([[True, True]])}
    scores = {"a": np.array([1.0, 4.0, 9.0]), "b": np.array([[2.0, 3.0]])}
    within = keep(mask, scores, {"a": 1, "b": 1})
    assert (within["a"].tolist(), within["b"].tolist()) == ([False, True, False], [[False, True]])
    together = keep(mask, scores, 3)
    assert (together["a"].tolist(), together["b"].tolist()) == ([False, True, False], [[True, True]])


@pytest.mark.parametrize("counts", [4, -1, {"a": 4}])
def test_more_than_there_is_cannot_be_kept(counts):
    with pytest.raises(ValueError, match="0 to 3 here"):
        keep({"a": np.array([True, True, False, True])}, {"a": np.ones(4)}, counts)


def test_nan_scores_are_refused():
    with pytest.raises(ValueError, match="Received: NaN"):
        drop_lowest(np.ones(2, bool), np.array([1.0, np.nan]), 1)


@pytest.mark.parametrize("conv_prune_rate", [None, 0.0])
def test_layers_held_out_of_the_global_scope_stay_whole_and_the_rest_is_compared(conv_prune_rate):
    """By hand: a fifth of what is not held out goes, the lowest scores of all these layers together."""
    rates = layer_rates(SHAPES, "global", 0.2, 0.0, conv_prune_rate)
    held = ["dense_2/kernel", *(["conv/kernel"] if conv_prune_rate == 0 else [])]
    assert rates == {path: 0.0 if path in held else 0.2 for path in SHAPES}
    weights, mask = gaussian(0), masks.all_kept(gaussian(0), SHAPES)
    counts = {path: value.size for path, value in mask.items()}
    for _ in range(3):
        settings = {"criterion": "large_final", "scope": "global", "rates": rates, "rng": np.random.default_rng(0)}
        mask = prune(mask, weights, masks.apply(weights, mask), **settings)
        counts = density_schedules.next_counts(counts, rates, "global")
        assert list(mask) == list(SHAPES)
        assert all(mask[path].all() for path in held)
        assert masks.kept(mask) == sum(counts.values())
        pruned = [path for path in SHAPES if path not in held]
        kept, gone = (
            np.concatenate([abs(weights[path])[mask[path] == which] for path in pruned]) for which in (True, False)
        )
        assert kept.min() >= gone.max()
    sizes = {path: value.size for path, value in mask.items()}
    assert density_schedules.rounds_to_density(sizes, rates, "global", masks.density(mask)) == 3
    with pytest.raises(ValueError, match="must be one that pruning reaches"):
        density_schedules.rounds_to_density(
            sizes, rates, "global", 0.9 * sum(sizes[path] for path in held) / sum(sizes.values())
        )


def test_global_scope_compares_layers():
    final = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([10.0, 20.0])}
    mask = masks.all_kept(final, final)
    settings = {"scope": "global", "rates": {"a": 0.4, "b": 0.4}, "rng": np.random.default_rng(0)}
    pruned = prune(mask, final, final, criterion="large_final", **settings)
    assert pruned["a"].tolist() == [False, False, True]
    assert pruned["b"].tolist() == [True, True]


def test_output_layer_has_half_the_rate_unless_told():
    shapes = {"first": (784, 300), "last": (300, 10)}
    assert layer_rates(shapes, "layer", 0.2) == {"first": 0.2, "last": 0.1}
    assert layer_rates(shapes, "layer", 0.2, 0.0) == {"first": 0.2, "last": 0.0}
    assert layer_rates(shapes, "global", 0.2) == {"first": 0.2, "last": 0.2}


def test_convolutions_have_their_own_rate_where_told():
    """Frankle & Carbin 2019, figure 2: Conv-2 prunes convolutions by 10 %, dense layers by 20 %, the output by 10 %."""
    shapes = {"conv": (3, 3, 3, 64), "line": (5, 3, 8), "dense": (256, 256), "output": (256, 10)}
    expected = {"conv": 0.1, "line": 0.1, "dense": 0.2, "output": 0.1}
    assert layer_rates(shapes, "layer", 0.2, conv_prune_rate=0.1) == expected
    assert layer_rates(shapes, "layer", 0.2, 0.0, 0.0) == {"conv": 0.0, "line": 0.0, "dense": 0.2, "output": 0.0}
    assert layer_rates({"conv": (3, 3, 1, 8)}, "layer", 0.2, conv_prune_rate=0.15) == {"conv": 0.1}
    assert set(layer_rates(shapes, "global", 0.2, conv_prune_rate=0.1).values()) == {0.2}


def test_densities_of_lenet_300_100():
    """Frankle & Carbin 2019: 266,200 weights; densities .51, .21, .036 after 3, 7, 15 rounds."""
    sizes = {"a": 784 * 300, "b": 300 * 100, "c": 1000}
    rates, counts, densities = {"a": 0.2, "b": 0.2, "c": 0.1}, dict(sizes), []
    for _ in range(16):
        densities.append(round(sum(counts.values()) / 266_200, 4))
        counts = density_schedules.next_counts(counts, rates, "layer")
    assert [densities[round] for round in (0, 1, 3, 7, 15)] == [1.0, 0.8004, 0.5128, 0.2107, 0.0358]
    assert density_schedules.rounds_to_density(sizes, rates, "layer", 0.036) == 15


def test_a_density_that_rounding_never_reaches_is_refused():
    assert prune_count(0.2, 2) == 0
    with pytest.raises(ValueError, match=r"must be one that pruning reaches, 0\.2 here"):
        density_schedules.rounds_to_density({"a": 10}, {"a": 0.2}, "layer", 0.01)


def test_random_masks_keep_each_layers_count():
    like = chain("large_final", "global", 3, gaussian)[-1]
    drawn = masks.random_masks(like, np.random.default_rng(0))
    assert {path: mask.sum() for path, mask in drawn.items()} == {path: mask.sum() for path, mask in like.items()}
    assert any((drawn[path] != like[path]).any() for path in like)


def test_masks_of_other_shapes_do_not_intersect():
    with pytest.raises(ValueError, match="equal paths and shapes"):
        masks.intersect({"a": np.ones(2, bool)}, {"a": np.ones(3, bool)})


def test_evaluations_end_with_the_last_iteration():
    assert schedules.evaluation_iterations(0, 300, 100) == [100, 200, 300]
    assert schedules.evaluation_iterations(0, 50, 100) == [50]
    assert schedules.evaluation_iterations(250, 420, 100) == [300, 400, 420]
