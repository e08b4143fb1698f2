"""Runs are called by what a reader needs to tell them apart, and by no more."""

import pytest

from ticketlab.analysis.names import family, run_names
from ticketlab.analysis.runs import FinishedRun


def run(name, kind="imp", branches=(), **spec):
    return FinishedRun(name, {"kind": kind, "spec": spec}, [], branches)


def test_runs_are_labelled_by_what_differs():
    runs = [run("a", weights_from="rewind", x=1), run("b", weights_from="fresh", x=1)]
    assert run_names(runs) == {"a": "weights from rewind", "b": "weights from fresh"}
    assert run_names(runs[:1]) == {"a": "ticket"}, "no hash in a legend"
    assert run_names([run("a", x=1), run("b", x=1)]) == {"a": "a", "b": "b"}, "nothing differs"


def test_what_a_spec_lacks_is_not_mentioned():
    runs = [
        run("a", criterion="large_final"),
        run("b", "before_training", method="snip"),
        run("c", "before_training", method="grasp", new=0),
    ]
    assert list(run_names(runs).values()) == [
        *("IMP", "pruning before training, method snip", "pruning before training, method grasp")
    ]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"patience": None}, {"patience": 5}, ["no patience", "patience 5"]),
        ({"nesterov": False}, {"nesterov": True}, ["no nesterov", "nesterov"]),
        ({"branch": None}, {"branch": "random_reinit"}, ["ticket", "random reinitialisation"]),
        ({}, {"branch": "random_reinit"}, ["ticket", "random reinitialisation"]),
    ],
)
def test_values_are_said_in_words(one, other, expected):
    assert list(run_names([run("a", **one), run("b", **other)]).values()) == expected


def test_long_labels_name_the_fewest_fields_that_tell_all_apart():
    common = {"learning_rate": 0.1, "iterations": 8000, "batch_size": 60}
    others = {"learning_rate": 0.2, "iterations": 9000, "batch_size": 50}
    runs = [run("a", **common, momentum=0.5), run("b", **others, momentum=0.5), run("c", **others, momentum=0.9)]
    assert list(run_names(runs).values()) == [
        "learning rate 0.1, momentum 0.5",
        "learning rate 0.2, momentum 0.5",
        "learning rate 0.2, momentum 0.9",
    ]


def test_a_run_and_its_controls_have_the_papers_words():
    branches = [run("a-shuffled_mask", branch="shuffled_mask", x=1), run("a-supermask", branch="supermask", x=1)]
    trunk = run("a", branches=branches, x=1)
    words = {"a": "ticket", "a-shuffled_mask": "mask shuffled", "a-supermask": "supermask (untrained)"}
    assert family(trunk) == run_names([trunk]) == run_names([*branches, trunk]) == words
    assert run_names([trunk, run("b", x=2)]) == {
        "a": "x 1",
        "b": "x 2",
        "a-shuffled_mask": "x 1, mask shuffled",
        "a-supermask": "x 1, supermask (untrained)",
    }
    assert family(run("b", branches=branches, method="snip"))["b"] == "snip"


def sparse(name, method, density=0.1, **spec):
    return run(name, "sparse_training", method=method, density=density, **spec)


def test_methods_of_sparse_training_have_the_papers_words_and_their_density():
    runs = [
        sparse("a", "rigl", drop="magnitude", update_every=100),
        sparse("b", "set", None, epsilon=20.0, drop="sign", update_every=0),
        sparse("c", "gradual", 0.05, update_every=100),
        run("d", "sparse_training", method="dense"),
    ]
    words = ["RigL, density 0.1", "SET, epsilon 20", "gradual pruning, density 0.05", "dense"]
    assert list(run_names(runs).values()) == words, "options are the methods' own"
    assert run_names(runs[:1]) == {"a": "RigL, density 0.1"}
    assert list(run_names([run("t", criterion="large_final"), runs[0]]).values()) == ["IMP", "RigL, density 0.1"]


def test_an_option_is_named_where_runs_of_one_method_differ_in_it():
    runs = [
        sparse("a", "rigl", drop_fraction=0.3, iterations=10),
        sparse("b", "rigl", drop_fraction=0.5, iterations=10),
        sparse("c", "static", drop_fraction=None, iterations=10),
    ]
    assert list(run_names(runs).values()) == [
        "RigL, density 0.1, drop fraction 0.3",
        "RigL, density 0.1, drop fraction 0.5",
        "static, density 0.1",
    ]
    assert list(run_names(runs[:2]).values()) == list(run_names(runs).values())[:2]
    longer = [*runs, sparse("d", "static", drop_fraction=None, iterations=20)]
    assert run_names(longer)["d"] == "static, density 0.1, iterations 20"
