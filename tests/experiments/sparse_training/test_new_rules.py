"""Rules that are added to the tables from outside: each is a function and an entry, and runs."""

import numpy as np
import pytest

from conftest import only_run
from ticketlab.experiments.sparse_training.methods import METHODS, Method
from ticketlab.sparsity.density_schedules import DensitySchedule
from ticketlab.sparsity.drop_grow import DROPS, GROWS, Grow

TINY = ("--dataset", "digits", "--network", "fcn_12_10", "--iterations", 20, "--eval-every", 10, "--batch-size", 30)


@pytest.fixture
def trained(inline, tmp_path, monkeypatch):
    """Train by a method that is added for it, and return its rounds."""

    def run(method, *flags):
        monkeypatch.setitem(METHODS, "mine", method)
        line = (*TINY, "--save-every", 5, "--method", "mine", *flags)
        done = inline(tmp_path, *line, script="sparse_training.py")
        assert (done.returncode, done.stderr) == (0, "")
        return list(only_run(tmp_path / "models").records())

    return run


def test_drop_and_grow_rules(trained, monkeypatch):
    """Weights go from the last positions of a layer and come at the first ones."""

    def last(weights, mask, fraction):
        kept = np.flatnonzero(mask)
        survivors = np.zeros_like(mask)
        survivors.ravel()[kept[: len(kept) - round(fraction * len(kept))]] = True
        return survivors

    monkeypatch.setitem(DROPS, "last", last)
    first = Grow(lambda weights, gradients, rng: -np.arange(weights.size, dtype=float).reshape(weights.shape))
    monkeypatch.setitem(GROWS, "first", first)
    options = {**METHODS["rigl"].options, "update_every": 5, "drop": "last", "density": 0.3}
    records = trained(Method("moving to the front", options, GROWS["first"]))
    places = [np.flatnonzero(each.masks["dense_1/kernel"]).mean() for each in records]
    assert places[0] > places[2] > places[3], "after the updates before iterations 5 and 10"
    counts = [[mask.sum() for mask in each.masks.values()] for each in records]
    assert all(each == counts[0] for each in counts)
    assert "training_flops_paper" not in records[-1].attributes, "no gradients are asked for"


def test_what_a_grow_rule_needs_is_what_it_is_given_and_what_is_counted(trained):
    """The same rule by a batch's gradients and by averages: the counts of operations follow."""
    seen, counted = [], {}

    def least(weights, gradients, rng):
        seen.append(gradients.shape == weights.shape)
        return -np.abs(gradients)

    options = {**METHODS["rigl"].options, "update_every": 5, "density": 0.3}
    for needs in ("batch", "averages"):
        last = trained(Method("least gradient", options, Grow(least, needs)), "--overwrite")[-1].attributes
        counted[needs] = last["training_flops"], "training_flops_paper" in last
    assert seen
    assert all(seen)
    assert counted["averages"][0] > counted["batch"][0]
    assert (counted["batch"][1], counted["averages"][1]) == (True, False)


def test_a_density_schedule(trained):
    """Halfway to the final density at once, the rest at an update of its own."""

    def half(final, iteration, until, end):
        return (1 + final) / 2 if iteration < end // 2 else final

    schedule = DensitySchedule(half, reached=lambda until, end: end // 2)
    records = trained(Method("in two steps", METHODS["static"].options, schedule=schedule), "--density", 0.2)
    densities = [each.attributes["density"] for each in records]
    assert densities == pytest.approx([0.6, 0.6, 0.6, 0.2, 0.2], abs=5e-3), "round 2 ends before the update"
