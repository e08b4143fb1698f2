"""Pruning before training as commands: exact densities, what scores may depend on, resumed and in parallel."""

import itertools

import numpy as np
import pytest

from conftest import contents, only_run, same, trainings
from ticketlab.data import sources
from ticketlab.data.dataset import split
from ticketlab.execution import launch
from ticketlab.experiments import replicate
from ticketlab.experiments.events import Evaluated
from ticketlab.experiments.pruning_at_init.saliency import DISTRIBUTIONS, SALIENCIES
from ticketlab.sparsity import distributions, masks

SCRIPT = "pruning_before_training.py"
TINY = ("--dataset", "digits", "--network", "fcn_8_6", "--iterations", 20, "--eval-every", 10, "--rounds", 2)
FEW = ("--iterations", 4, "--eval-every", 2, "--batch-size", 16, "--rounds", 1)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("method", SALIENCIES)
def test_every_method_and_distribution_by_count(inline, tmp_path, calls, method, distribution):
    line = (*TINY, "--method", method, "--distribution", distribution, "--prune-rate", 0.6, "--scoring-steps", 3)
    done = inline(tmp_path, *line, script=SCRIPT)
    assert (done.returncode, done.stderr) == (0, "")
    run = only_run(tmp_path / "models")
    initial, started = run.round(0, 0).rewind, trainings(calls)
    for number, start in enumerate(started):
        found = run.round(0, number).masks
        shapes = {path: mask.shape for path, mask in found.items()}
        assert masks.kept(found) == round(0.4**number * masks.total(found))
        assert same(start.weights, masks.apply(initial, found)), "initial weights, the same in every round"
        assert (len(start.rates), start.optimizer) == (20, None)
        if distribution != "global" and number:
            wanted = distributions.DISTRIBUTIONS[distribution](shapes, 0.4**number)
            assert all(abs(mask.sum() - wanted[path] * mask.size) < 1 for path, mask in found.items())
        if method == "magnitude" and distribution == "global" and number:
            values, kept = (np.concatenate([of[path].ravel() for path in found]) for of in (initial, found))
            assert abs(values[kept]).min() >= abs(values[~kept]).max()
    assert len(started) == 3


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    """Digits; with other validation and test samples; and with other training samples."""
    folder, digits = tmp_path_factory.mktemp("variants"), sources.load("digits")
    training, validation = split(300)
    for name, changed in {"given": [], "unseen": validation, "seen": training}.items():
        x, y = digits.x_train[:300] * 15, digits.y_train[:300].copy()
        x[changed], y[changed] = 255 - x[changed], (y[changed] + 1) % 10
        x_test = digits.x_test[:60] * (15 if name == "given" else 7)
        np.savez(folder / f"{name}.npz", x_train=x, y_train=y, x_test=x_test, y_test=digits.y_test[:60])
    return folder


@pytest.mark.parametrize("method", ["snip", "grasp", "synflow"])
def test_scores_see_training_samples_alone_and_synflow_none(inline, variants, tmp_path, method):
    found, attributes = {}, {}
    for name in ("given", "unseen", "seen"):
        line = (*TINY[:-2], "--dataset", name, "--data-dir", variants, "--method", method, "--scoring-steps", 1)
        assert inline(tmp_path, *line, "--models-dir", name, "--only-rounds", 2, script=SCRIPT).returncode == 0
        record = only_run(tmp_path / name).round(0, 2)
        found[name], attributes[name] = record.masks, record.attributes
    assert same(found["given"], found["unseen"])
    assert same(found["given"], found["seen"]) == (method == "synflow")
    assert attributes["given"]["test_loss"] != attributes["unseen"]["test_loss"]


def test_rounds_are_chosen_reached_and_resumed(inline, tmp_path, monkeypatch):
    """A round is the same whether others were computed before it or not, interrupted or not."""
    line = (*TINY[:-2], "--prune-rate", 0.5, "--method", "grasp")
    assert inline(tmp_path, *line, "--only-rounds", "1,3", script=SCRIPT).returncode == 0
    run = only_run(tmp_path / "models")
    assert run.rounds(0) == [1, 3]
    chosen = contents(run)
    monkeypatch.setattr(replicate, "PARTIAL_SECONDS", 0.0)
    evaluations, event = itertools.count(1), launch.Display.event

    def pressed(self, seed, said):
        event(self, seed, said)
        if isinstance(said, Evaluated) and next(evaluations) in (3, 5):
            raise KeyboardInterrupt

    monkeypatch.setattr(launch.Display, "event", pressed)
    reached = (*line, "--target-density", 0.125, "--models-dir", "reached")
    assert [inline(tmp_path, *reached, script=SCRIPT).returncode for _ in range(3)] == [130, 130, 0]
    whole = only_run(tmp_path / "reached")
    assert whole.rounds(0) == [0, 1, 2, 3]
    assert chosen == {place: value for place, value in contents(whole).items() if place[1] in (1, 3)}
    assert all(mask.all() for mask in whole.round(0, 0).masks.values())


@pytest.mark.parametrize("flags", [("--target-density", 0.001), ("--only-rounds", "1,31")])
def test_a_density_that_is_out_of_reach_is_refused_before_any_training(inline, tmp_path, flags):
    """Where shapes are known by the network alone, a worker finds it, before its first step."""
    (tmp_path / "nets.py").write_text(
        "from keras import Input, Sequential, layers\n\n\ndef small(shape, outputs):\n"
        "    return Sequential([Input(shape), layers.Flatten(), layers.Dense(8), layers.Dense(outputs)])\n"
    )
    for network, dry in (("fcn_8", ("--dry-run",)), ("nets.py:small", ())):
        line = ("--dataset", "digits", "--iterations", 20, "--network", network, *flags, *dry)
        refused = inline(tmp_path, *line, script=SCRIPT)
        assert refused.returncode == 2
        assert all(line.startswith("digits: ") for line in refused.stdout.splitlines())  # what a run says of its data
        assert "such that each of 2 layers keeps a weight, which round 26 is the last to do" in refused.stderr
    assert not list((tmp_path / "models").rglob("round_*.h5"))


def test_a_density_that_takes_for_ever_is_refused(inline, tmp_path):
    line = ("--dataset", "digits", "--network", "fcn_8", "--prune-rate", 1e-17, "--target-density", 0.5, "--dry-run")
    refused = inline(tmp_path, *line, script=SCRIPT)
    assert refused.returncode == 2
    assert "`target_density` must be one that 10,000 rounds reach, 1 with this `prune_rate`" in refused.stderr


def test_synflow_in_its_hundred_steps_in_two_processes(inline, tmp_path):
    line = (*TINY[:-1], 1, "--method", "synflow", "--prune-rate", 0.9)
    for processes, seeds in ((0, "1"), (2, "0,1")):
        flags = ("--models-dir", f"with_{processes}", "--seeds", seeds)
        done = inline(tmp_path, *line, *flags, processes=processes, script=SCRIPT)
        assert (done.returncode, done.stderr) == (0, "")
    one, two = (only_run(tmp_path / f"with_{processes}") for processes in (0, 2))
    assert contents(one) == {place: value for place, value in contents(two).items() if place[0] == 1}
    assert all(mask.any() for mask in two.round(1, 1).masks.values()), "no layer collapses"
    assert not same(two.round(0, 1).masks, two.round(1, 1).masks)


@pytest.mark.parametrize("method", ["synflow", "grasp"])
def test_networks_with_normalisation_are_scored(inline, images, tmp_path, method):
    line = ("--dataset", "small", "--data-dir", images, "--network", "resnet20", *FEW, "--scoring-steps", 2)
    done = inline(tmp_path, *line, "--method", method, "--scoring-samples", 30, script=SCRIPT)
    assert (done.returncode, done.stderr) == (0, "")
    record = only_run(tmp_path / "models").round(0, 1)
    assert masks.kept(record.masks) == round(0.8 * masks.total(record.masks))
    assert not any("norm" in path for path in record.masks)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--scoring-samples", 1374], "`scoring_samples` must be at most the 1373 training samples. Received: 1374"),
        (["--method", "best"], "argument --method: invalid choice: 'best'"),
        (["--distribution", "er_k"], "argument --distribution: invalid choice"),
        (["--only-rounds", "1"], "`only_rounds` must be given without `rounds`. Received: both"),
        (
            ["--rounds", 30],
            "`rounds` must be such that each of 3 layers keeps a weight, which round 24 is the last to do",
        ),
        (
            ["--rounds", 30, "--dry-run"],
            "`rounds` must be such that each of 3 layers keeps a weight, which round 24 is",
        ),
        (["--branch", "one_shot"], "unrecognized arguments: --branch one_shot"),
        (["--preset", "frankle-carbin-2019-conv2"], "`preset` must be one for this experiment and network."),
        (["--network", "conv6", "--dataset", "mine"], "`network` must be one for the data: conv6 takes images"),
    ],
)
def test_bad_combinations_are_refused(inline, table_file, tmp_path, flags, message):
    line = (*TINY, "--data-dir", table_file(), "--batch-size", 20, *flags)
    refused = inline(tmp_path, *line, script=SCRIPT)
    assert (refused.returncode, refused.stdout) == (2, "")
    (said,) = refused.stderr.splitlines()
    assert message in said
    assert not (tmp_path / "models").exists()
