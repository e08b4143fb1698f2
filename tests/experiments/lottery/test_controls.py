"""Controls of a ticket: laws over all of them, and what each changes and what it leaves."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest

from ticketlab.experiments.lottery.controls import CONTROLS, Facts, signed_constant
from ticketlab.random_streams import stream
from ticketlab.sparsity import masks
from ticketlab.sparsity.criteria import CRITERIA
from ticketlab.sparsity.pruning import SCOPES, layer_rates, prune

SHAPES = {"conv/kernel": (3, 3, 2, 6), "dense_1/kernel": (30, 20), "dense_2/kernel": (20, 7)}
BIASES = {"conv/bias": (6,), "dense_1/bias": (20,), "dense_2/bias": (7,)}
UNCHANGED_MASKS = ("random_reinit", "shuffled_weights", "signed_constant", "supermask")
ORIGIN_WEIGHTS = ("shuffled_mask", "random_masks", "one_shot", "supermask")


def draw(*names):
    """Weights of a whole network; biases are drawn too, as after some training."""
    return {
        path: stream(0, *names, path).standard_normal(shape).astype(np.float32)
        for path, shape in sorted({**SHAPES, **BIASES}.items())
    }


def chain(scope="layer", criterion="large_final", rounds=4, seed=0) -> list[Facts]:
    """The facts of a chain's rounds, the last one at a density of .41 in most layers."""
    initial, dense = draw("initial"), draw("dense")
    present, found = masks.all_kept(initial, SHAPES), []
    for round in range(1, rounds + 1):
        settings = {"criterion": criterion, "scope": scope, "rates": layer_rates(SHAPES, scope, 0.2)}
        present = prune(present, initial, draw("final", round), **settings, rng=stream(seed, "pruning", round))
        facts = {"origin": draw("origin"), "initial": initial, "dense": dense, "masks": present}
        facts["fresh"] = functools.partial(draw, "fresh", round)
        found.append(Facts(seed=seed, round=round, **facts, criterion=criterion, scope=scope))
    return found


def counts(of):
    return {path: int(mask.sum()) for path, mask in of.items()}


def nested(chained):
    return all((after[path] <= before[path]).all() for before, after in itertools.pairwise(chained) for path in SHAPES)


def equal(first, second):
    assert list(first) == list(second)
    return all(first[path].tobytes() == second[path].tobytes() for path in first)


everything = pytest.mark.parametrize(("name", "scope"), [(name, scope) for name in CONTROLS for scope in SCOPES])


@everything
def test_as_many_weights_are_kept_as_in_the_ticket(name, scope):
    for facts in chain(scope):
        _, mask = CONTROLS[name].make(facts)
        assert masks.kept(mask) == masks.kept(facts.masks)
        if (name, scope) != ("one_shot", "global"):
            assert counts(mask) == counts(facts.masks)


@everything
def test_weights_are_exactly_0_where_masked(name, scope):
    for facts in chain(scope):
        weights, mask = CONTROLS[name].make(facts)
        assert list(weights) == list(facts.origin)
        assert list(mask) == list(SHAPES)
        for path in SHAPES:
            assert (weights[path].dtype, mask[path].dtype) == (np.float32, bool)
            assert weights[path][~mask[path]].tobytes() == bytes(4 * int((~mask[path]).sum()))
            assert (weights[path][mask[path]] != 0).all()


@everything
def test_other_variables_come_with_the_weights(name, scope):
    """Biases: of the fresh draw where all is drawn anew, else of the state that rounds rewind to."""
    facts = chain(scope)[-1]
    weights, _ = CONTROLS[name].make(facts)
    source = facts.fresh() if name == "random_reinit" else facts.origin
    assert all((weights[path] == source[path]).all() for path in BIASES)


@everything
def test_the_same_twice_and_nothing_given_is_changed(name, scope):
    facts, untouched = chain(scope)[-1], chain(scope)[-1]
    first, second = CONTROLS[name].make(facts), CONTROLS[name].make(facts)
    assert equal(first[0], second[0])
    assert equal(first[1], second[1])
    for field in ("origin", "initial", "dense", "masks"):
        assert equal(getattr(facts, field), getattr(untouched, field))


@everything
def test_each_control_changes_what_it_says_and_leaves_the_rest(name, scope):
    facts = chain(scope)[-1]
    ticket = masks.apply(facts.origin, facts.masks)
    weights, mask = CONTROLS[name].make(facts)
    assert equal(mask, facts.masks) == (name in UNCHANGED_MASKS)
    assert equal(weights, ticket) == (name == "supermask")
    assert equal(weights, masks.apply(facts.origin, mask)) == (name in ORIGIN_WEIGHTS)


def test_names_and_how_they_are_trained():
    assert [name for name, control in CONTROLS.items() if not control.trained] == ["supermask"]
    assert [name for name, control in CONTROLS.items() if control.from_beginning] == ["random_reinit"]


def test_shuffled_masks_are_nested_and_seeds_shuffle_differently():
    shuffled = [CONTROLS["shuffled_mask"].make(facts)[1] for facts in chain()]
    assert nested(shuffled)
    other = CONTROLS["shuffled_mask"].make(dataclasses.replace(chain()[-1], seed=1))[1]
    assert not equal(other, shuffled[-1])


def test_random_masks_are_drawn_anew_in_each_round():
    """Nested ones would be one random pruning; these overlap as independent masks do."""
    drawn = [CONTROLS["random_masks"].make(facts)[1] for facts in chain()]
    assert not nested(drawn)
    path = "dense_1/kernel"
    first, second = drawn[0][path].mean(), drawn[1][path].mean()
    assert (drawn[0][path] & drawn[1][path]).mean() == pytest.approx(first * second, abs=0.05)


def test_shuffled_weights_are_the_same_values_in_other_places():
    facts = chain()[-1]
    weights, mask = CONTROLS["shuffled_weights"].make(facts)
    for path in SHAPES:
        before, after = facts.origin[path][mask[path]], weights[path][mask[path]]
        assert sorted(before.tolist()) == sorted(after.tolist())
        assert (before != after).mean() > 0.8


def test_signed_constants_have_the_deviation_of_the_whole_layer():
    facts = chain()[-1]
    weights, mask = CONTROLS["signed_constant"].make(facts)
    for path in SHAPES:
        origin = facts.origin[path]
        expected = np.sign(origin) * origin.std()
        assert weights[path][mask[path]].tobytes() == expected[mask[path]].tobytes()


def test_signed_constant_leaves_biases():
    initial = {"k": np.array([3.0, -1.0]), "b": np.array([3.0, -1.0])}
    assert {path: value.tolist() for path, value in signed_constant(initial, ["k"]).items()} == {
        "k": [2.0, -2.0],
        "b": [3.0, -1.0],
    }


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_one_shot_masks_are_the_chains_criterion_at_once(criterion, scope):
    """Nested along the rounds too; the first is what the chain's own rule makes of the same weights."""
    rounds = chain(scope, criterion)
    found = [CONTROLS["one_shot"].make(facts)[1] for facts in rounds]
    assert nested(found)
    settings = {"criterion": criterion, "scope": scope, "rates": layer_rates(SHAPES, scope, 0.2)}
    first, dense = rounds[0], masks.all_kept(rounds[0].origin, SHAPES)
    by_rule = prune(dense, first.initial, first.dense, **settings, rng=stream(0, "one-shot pruning"))
    assert equal(found[0], by_rule)


def test_one_shot_in_the_global_scope_compares_layers():
    facts = chain("global")[-1]
    scaled = {**facts.dense, "dense_2/kernel": facts.dense["dense_2/kernel"] * np.float32(1000)}
    _, mask = CONTROLS["one_shot"].make(dataclasses.replace(facts, dense=scaled))
    assert mask["dense_2/kernel"].all()
