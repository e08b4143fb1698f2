"""Keys and defaults: what names a run, what does not, and that both doors decide the rest alike."""

import dataclasses
import itertools
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from conftest import contents, only_run
from ticketlab.cli import train
from ticketlab.errors import BadInput
from ticketlab.execution import launch
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.pruning_at_init.saliency import SALIENCIES
from ticketlab.experiments.pruning_at_init.spec import PruningAtInitSpec
from ticketlab.experiments.sparse_training.methods import METHODS
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.networks import architectures
from ticketlab.runs.defaults import DATASET_DEFAULTS, NETWORK_DEFAULTS, is_mlp
from ticketlab.runs.folder import differences, find_run

SPECS = (ImpSpec, PruningAtInitSpec, SparseTrainingSpec)
NAMES = (*architectures.NETWORKS, "fcn_30_20")
CONV = {"network": "lenet5"}
CHOICES = ({}, {"scope": "global"}, {"optimizer": "sgd"}, {"optimizer": "adam"}, {"batch_size": 7})


@pytest.mark.parametrize("name", NAMES)
def test_names_tell_which_networks_are_chains_of_is_mlp(name):
    assert is_mlp(name) == (architectures.known(name).widths is not None)
    assert is_mlp(f"nets/{name}.py:{name}") is None


@pytest.mark.parametrize("spec_class", SPECS)
def test_both_doors_make_the_same_spec(spec_class):
    fields = {each.name for each in dataclasses.fields(spec_class)}
    for name, chosen in itertools.product(NAMES, CHOICES):
        if set(chosen) <= fields:
            given = {"network": name, "dataset": "digits", **chosen}
            assert train.resolve(spec_class, given, {}, None, None) == spec_class(**given).resolved, given
    spec = spec_class(network="conv2", dataset="digits").resolved
    for defaults in (NETWORK_DEFAULTS["conv2"], DATASET_DEFAULTS["digits"]):
        assert all(getattr(spec, field) == value for field, value in defaults.items() if field in fields)


def test_what_was_left_out_is_decided_anew_and_what_was_given_is_kept():
    spec = ImpSpec(network="conv2", iterations=30)
    assert replace(spec, network="resnet20") == ImpSpec(network="resnet20", iterations=30)
    assert replace(spec, dataset="digits").resolved.iterations == 30
    assert replace(ImpSpec(learning_rate=1.2e-3), network="conv4").resolved.learning_rate == 1.2e-3
    assert replace(spec.resolved, network="conv4").resolved.learning_rate == 2e-4, "given, once it is decided"
    assert ImpSpec(branch="one_shot").resolved.rounds is None, "as many as the run has"
    assert ImpSpec(rounds=3, target_density=0.5).resolved.rounds is None, "as many as it takes"
    sparse = SparseTrainingSpec(iterations=1000, drop_fraction=0.2)
    assert replace(sparse, method="set", iterations=500).resolved.update_until == 500
    with pytest.raises(BadInput, match="`drop_fraction` must be left out with the method gradual"):
        replace(sparse, method="gradual")
    assert ImpSpec(branch="one_shot").trunk() == ImpSpec(rounds=4, branch="one_shot").trunk() == ImpSpec()
    with pytest.raises(BadInput, match="`rounds` must be a whole number where nothing else says which rounds"):
        ImpSpec(rounds=None)


def test_specs_stay_plain_values():
    spec = ImpSpec(network="conv2", rounds=3)
    for same in (pickle.loads(pickle.dumps(spec)), replace(spec), eval(repr(spec))):
        assert (same, hash(same), repr(same), same.key()) == (spec, hash(spec), repr(spec), spec.key())
    whole = spec.resolved
    assert whole.resolved is whole
    for same in (pickle.loads(pickle.dumps(whole)), ImpSpec.from_json(spec.to_json()), eval(repr(whole))):
        assert (same, hash(same), repr(same), same.key()) == (whole, hash(whole), repr(whole), spec.key())
    assert replace(pickle.loads(pickle.dumps(spec)), network="lenet5").resolved.learning_rate == 1.2e-3
    assert json.loads(spec.to_json())["learning_rate"] == 2e-4
    branch = ImpSpec(branch="one_shot", network="conv2")
    assert ImpSpec.from_json(branch.to_json()).trunk().key() == branch.trunk().key()


def test_a_stored_spec_is_read_as_exactly_what_it_says():
    """Runs from Python had no published defaults: a rate that is null is no rate of its own."""
    stored = {**ImpSpec(network="conv2").described(), "learning_rate": 1.2e-3, "conv_prune_rate": None}
    read = ImpSpec.from_json(json.dumps(stored))
    assert (read.learning_rate, read.conv_prune_rate) == (1.2e-3, None)
    again = ImpSpec.from_json(read.to_json())
    assert again == read == replace(replace(read, rounds=3), rounds=16)
    assert read.key() == ImpSpec(network="conv2", learning_rate=1.2e-3, conv_prune_rate=0.2).key()


IDLE = [
    (ImpSpec, {}, {"conv_prune_rate": 0.1}),
    (ImpSpec, {}, {"conv_prune_rate": 0.2}),
    (ImpSpec, {"network": "fcn_8_6", "scope": "global"}, {"conv_prune_rate": 0.0}),
    (ImpSpec, CONV, {"conv_prune_rate": 0.2}),
    (ImpSpec, {}, {"output_prune_rate": 0.1}),
    (ImpSpec, {"prune_rate": 0.5}, {"output_prune_rate": 0.25}),
    (ImpSpec, CONV, {"engine": "dense"}),
    (ImpSpec, CONV, {"break_even_density": 0.3}),
    (ImpSpec, {}, {"schedule_from": "final"}),
    (ImpSpec, {"warmup": 10, "rewind_iteration": 9}, {"schedule_from": "final"}),
    (ImpSpec, {"schedule": "step", "schedule_steps": (30,), "rewind_iteration": 30}, {"schedule_from": "final"}),
    (ImpSpec, {"engine": "sparse"}, {"threads": 2}),
    (SparseTrainingSpec, {"engine": "sparse"}, {"threads": 2}),
    (SparseTrainingSpec, {"method": "snfs"}, {"engine": "dense"}),
    (SparseTrainingSpec, {"method": "dense"}, {"engine": "dense"}),
    (SparseTrainingSpec, {"method": "dense"}, {"break_even_density": 0.3}),
    *((PruningAtInitSpec, {"method": method}, {"scoring_samples": 7}) for method in ("random", "magnitude", "synflow")),
    *((PruningAtInitSpec, {"method": method}, {"scoring_steps": SALIENCIES[method].steps}) for method in SALIENCIES),
    (PruningAtInitSpec, {"method": "magnitude"}, {"scoring_steps": 4}),
]
COUNTING = [
    (ImpSpec, CONV, {"conv_prune_rate": 0.1}),
    (ImpSpec, {"network": "nets.py:net"}, {"conv_prune_rate": 0.1}),
    (ImpSpec, {"network": "nets.py:net"}, {"engine": "dense"}),
    (ImpSpec, {}, {"engine": "dense"}),
    (ImpSpec, {}, {"break_even_density": 0.3}),
    (ImpSpec, {}, {"output_prune_rate": 0.2}),
    (ImpSpec, {**CONV, "scope": "global"}, {"conv_prune_rate": 0.0}),
    (ImpSpec, {"scope": "global"}, {"output_prune_rate": 0.0}),
    (ImpSpec, {"warmup": 11, "rewind_iteration": 9}, {"schedule_from": "final"}),
    (ImpSpec, {"schedule": "step", "schedule_steps": (30,), "rewind_iteration": 29}, {"schedule_from": "final"}),
    (ImpSpec, {}, {"threads": 2}),
    (PruningAtInitSpec, {"engine": "sparse"}, {"threads": 2}),
    (SparseTrainingSpec, {"method": "dense"}, {"engine": "sparse"}),
    (SparseTrainingSpec, {"method": "cut"}, {"engine": "dense"}),
    *((PruningAtInitSpec, {"method": method}, {"scoring_samples": 7}) for method in ("snip", "grasp")),
    (PruningAtInitSpec, {"method": "random"}, {"scoring_steps": 4}),
]


@pytest.mark.parametrize(("spec_class", "fields", "changed"), IDLE)
def test_fields_that_change_no_number_do_not_change_the_key(spec_class, fields, changed):
    spec, other = spec_class(**fields), spec_class(**fields, **changed)
    assert spec.key() == other.key()
    assert differences(spec.described(), other) == differences(other.described(), spec) == ""
    assert other.described() != spec.described() or "scoring_samples" not in changed, "files say what was asked for"


@pytest.mark.parametrize(("spec_class", "fields", "changed"), COUNTING)
def test_the_same_fields_change_the_key_where_they_count(spec_class, fields, changed):
    spec, other = spec_class(**fields), spec_class(**fields, **changed)
    assert spec.key() != other.key()
    assert differences(spec.described(), other)


@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_fills_in_stays_in_its_key(method):
    fields = {"engine": "dense"} if method not in ("dense", "snfs") else {"eval_every": 50}
    assert SparseTrainingSpec(method=method).key() != SparseTrainingSpec(method=method, **fields).key()


TINY = ("--iterations", 20, "--eval-every", 10, "--batch-size", 16, "--rounds", 1)
DIGITS = ("--dataset", "digits", "--network", "fcn_8_6", *TINY)


@pytest.mark.parametrize(
    ("script", "line", "idle"),
    [
        ("fcn_imp.py", DIGITS, ("--conv-prune-rate", 0.1, "--output-prune-rate", 0.1, "--schedule-from", "final")),
        ("pruning_before_training.py", (*DIGITS, "--method", "magnitude"), ("--scoring-steps", 3)),
        ("pruning_before_training.py", (*DIGITS, "--method", "synflow"), ("--scoring-samples", 3)),
        ("cnn_imp.py", ("--dataset", "wide", "--network", "lenet5", *TINY), ("--engine", "dense")),
    ],
)
def test_such_fields_change_no_bit(inline, images, tmp_path, script, line, idle):
    """The numbers, not the rule, are what the key is to follow."""
    found = []
    for folder, flags in (("without", ()), ("with", idle)):
        done = inline(tmp_path, *line, "--data-dir", images, *flags, "--models-dir", folder, script=script)
        assert (done.returncode, done.stderr) == (0, "")
        run = only_run(tmp_path / folder)
        numbers = {
            place: {name: each for name, each in value.items() if name != "spec"} if len(place) == 2 else value
            for place, value in contents(run).items()
        }
        found.append((run.folder.name, numbers))
    assert found[0] == found[1]


def test_runs_under_the_names_of_earlier_versions_are_found(inline, tmp_path):
    """And so are their branches, whose trunk has an earlier name."""
    flags = ("--conv-prune-rate", 0.1)
    assert inline(tmp_path, *DIGITS, *flags, "--seeds", 0).returncode == 0
    run = only_run(tmp_path / "models")
    spec = ImpSpec.from_json(json.dumps(run.description["spec"]))
    new, earlier = spec.folder_names()
    assert (run.folder.name, earlier) == (new, "imp-digits-fcn_8_6-" + earlier[-10:])
    older = run.folder.rename(run.folder.with_name(earlier))
    times = {path: path.stat().st_mtime_ns for path in older.rglob("*.h5")}
    assert inline(tmp_path, *DIGITS, *flags, "--seeds", 0).returncode == 0
    assert inline(tmp_path, *DIGITS[:-2], *flags, "--branch", "supermask").returncode == 0
    names = {path.name for path in (tmp_path / "models").iterdir()}
    assert names == {earlier, f"{earlier}-supermask"}
    assert {path: path.stat().st_mtime_ns for path in older.rglob("*.h5")} == times
    assert find_run(spec, tmp_path / "models").folder == older
    older.rename(older.with_name(new))
    assert find_run(spec, tmp_path / "models").folder.name == new


def test_numbers_that_were_wrong_are_not_taken_for_right_ones(tmp_path):
    """Scores of such chains were against weights that their rounds never had."""
    spec = ImpSpec(weights_from="fresh", criterion="movement", conv_prune_rate=0.1)
    text = {name: value for name, value in spec.described().items() if name not in ("conv_prune_rate",)}
    assert spec.folder_names() == [spec.folder_name()]
    assert spec.key() == ImpSpec.from_json(json.dumps(text)).key() != ImpSpec(criterion="movement").key()
    assert ImpSpec(weights_from="fresh").corrected() == ImpSpec(weights_from="final", criterion="movement").corrected()


@pytest.mark.parametrize("fields", [{"conv_prune_rate": 0.1}, {"network": "conv2", "engine": "dense"}])
def test_a_function_under_a_networks_name_is_not_taken_for_that_network(tmp_path, fields):
    """Its key would lack what counts for the function's network."""
    arrays = (*(np.zeros((24, 5)), np.arange(24) % 2) * 2,)
    spec, name = ImpSpec(dataset="mine", batch_size=5, **fields), list(fields)[-1]
    expected = f"`network` must be a name of your own beside a function that builds it and `{name}`"
    with pytest.raises(BadInput, match=expected):
        launch.run(spec, [0], processes=0, models_dir=tmp_path, build=lambda shape, outputs: None, arrays=arrays)
    assert not list(tmp_path.iterdir())
