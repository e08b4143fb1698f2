"""To add X, touch Y: one of each is added from outside, by a function and an entry, and runs.

docs/extending.md says what is touched. Nothing here changes a file of the package; entries are taken out again.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import ticketlab
from conftest import environment, only_run
from ticketlab.analysis.measures import MEASURES, Column, Curves, Measure
from ticketlab.cli import analyze
from ticketlab.experiments.lottery.controls import CONTROLS, Control
from ticketlab.experiments.pruning_at_init.saliency import SALIENCIES, Saliency
from ticketlab.experiments.registry import EXPERIMENTS, Experiment
from ticketlab.experiments.replicate import Replicate, Ticket
from ticketlab.experiments.sparse_training.methods import METHODS, Method
from ticketlab.networks.architectures import NETWORKS, Network
from ticketlab.runs.fields import POSITIVE, option
from ticketlab.runs.kinds import Kind
from ticketlab.runs.spec import Spec
from ticketlab.schedules import SCHEDULES
from ticketlab.sparsity import masks
from ticketlab.sparsity.criteria import CRITERIA
from ticketlab.sparsity.density_schedules import DensitySchedule
from ticketlab.sparsity.drop_grow import DROPS, GROWS, Grow
from ticketlab.training.context import check_context

TINY = {"dataset": "digits", "network": "fcn_8_6", "iterations": 20, "eval_every": 10}
FLAGS = [part for name, value in TINY.items() for part in (f"--{name.replace('_', '-')}", value)]


@pytest.fixture
def run(tmp_path, tensorflow):
    """Run a spec in this process and return its run."""

    def ran(spec, seeds=(0,)):
        done, failures = ticketlab.run(spec, seeds, processes=0, models_dir=tmp_path / "models")
        assert failures == {}
        return done

    return ran


def test_a_criterion(run, monkeypatch):
    """One that keeps the first weights of each layer, whatever they are."""

    def first(initial, final, rng):
        return -np.arange(final.size, dtype=float).reshape(final.shape)

    monkeypatch.setitem(CRITERIA, "first", first)
    pruned = run(ticketlab.ImpSpec(**TINY, rounds=1, criterion="first")).round(0, 1).masks
    assert all(mask.ravel()[: np.count_nonzero(mask)].all() for mask in pruned.values())


def test_a_saliency(run, monkeypatch):
    def alternating(weights, loss, flow, rng):
        return {path: np.arange(value.numpy().size).reshape(value.shape) % 2.0 for path, value in weights.items()}

    monkeypatch.setitem(SALIENCIES, "alternating", Saliency(alternating))
    spec = ticketlab.PruningAtInitSpec(**TINY, method="alternating", only_rounds=(1,), prune_rate=0.5)
    kept = run(spec).round(0, 1).masks["dense_1/kernel"].ravel()
    assert kept[1::2].all()
    assert not kept[::2].any()


def test_a_network(run, monkeypatch):
    def narrow(input_shape, outputs, activation, initialiser):
        from keras import Input, Sequential, layers

        first = [Input(input_shape), layers.Flatten(), layers.Dense(4, activation, kernel_initializer=initialiser)]
        return Sequential([*first, layers.Dense(outputs, kernel_initializer=initialiser, name="logits")])

    monkeypatch.setitem(NETWORKS, "narrow", Network(narrow))
    spec = ticketlab.ImpSpec(**{**TINY, "network": "narrow"}, rounds=0)
    assert run(spec).round(0, 0).masks["logits/kernel"].shape == (4, 10)


def test_a_learning_rate_schedule(monkeypatch):
    def halved(iterations, settings):
        return 0.5 ** (iterations // 10)

    monkeypatch.setitem(SCHEDULES, "halved", halved)
    spec = ticketlab.ImpSpec(**TINY, schedule="halved", learning_rate=0.1)
    np.testing.assert_allclose(spec.learning_rates(8, 12), [0.1, 0.1, 0.05, 0.05], rtol=1e-6)


def test_a_control(run, monkeypatch):
    def halves(facts):
        return {path: value / 2 for path, value in facts.origin.items()}, facts.masks

    monkeypatch.setitem(CONTROLS, "halves", Control("half the weights", halves, trained=False))
    chain = run(ticketlab.ImpSpec(**TINY, rounds=1))
    branch = run(ticketlab.ImpSpec(**TINY, branch="halves"))
    path, mask = "dense_1/kernel", chain.round(0, 1).masks["dense_1/kernel"]
    np.testing.assert_array_equal(branch.round(0, 1).weights[path], chain.round(0, 0).rewind[path] / 2 * mask)


def test_a_drop_rule_a_grow_rule_and_a_method(run, monkeypatch):
    """Its updates drop the last kept weights of a layer and grow the first empty positions, so all move forward."""

    def last(weights, mask, fraction):
        kept = np.flatnonzero(mask)
        survivors = np.zeros(mask.size, bool)
        survivors[kept[: len(kept) - round(fraction * len(kept))]] = True
        return survivors.reshape(mask.shape)

    def foremost(weights, gradients, rng):
        return -np.arange(weights.size, dtype=float).reshape(weights.shape)

    monkeypatch.setitem(DROPS, "last", last)
    monkeypatch.setitem(GROWS, "foremost", Grow(foremost))
    options = {**METHODS["rigl"].options, "drop": "last", "update_every": 5}
    monkeypatch.setitem(METHODS, "forward", Method("forward", options, GROWS["foremost"]))
    spec = ticketlab.SparseTrainingSpec(**TINY, method="forward", density=0.3, drop_fraction=0.5)
    made = run(spec)
    begun, ended = (made.round(0, number).masks["dense_1/kernel"].ravel() for number in (0, made.rounds(0)[-1]))
    assert np.count_nonzero(begun) == np.count_nonzero(ended)
    assert np.flatnonzero(ended).mean() < 0.7 * np.flatnonzero(begun).mean()
    assert ended[: np.count_nonzero(ended) // 2].all()


def test_a_density_schedule(run, monkeypatch):
    """The density falls linearly, from dense at first to the final one where updates end."""

    def linear(final, iteration, until, end):
        return 1 - (1 - final) * min(1, iteration / until)

    schedule = DensitySchedule(linear, reached=lambda until, end: until)
    method = Method("linear pruning", METHODS["gradual"].options, schedule=schedule)
    monkeypatch.setitem(METHODS, "linear", method)
    spec = ticketlab.SparseTrainingSpec(
        **TINY, method="linear", density=0.2, update_every=5, update_until=10, save_every=5
    )
    made = run(spec)
    found = [made.round(0, number).attributes["density"] for number in made.rounds(0)]
    assert found == pytest.approx([1, 1, 0.6, 0.2, 0.2], abs=0.01)


def test_a_measure_with_its_column_and_figure(run, tmp_path, monkeypatch):
    def largest(loaded):
        return {"largest": max(float(np.abs(value).max()) for value in loaded.weights.values())}

    column = Column("largest magnitude of any weight", "largest |weight|", digits=3, listed="Masks")
    measure = Measure(largest, "extremes", {"largest": column}, figures=[Curves("extremes", ["largest"], "A caption.")])
    monkeypatch.setitem(MEASURES, "extremes", measure)
    chain = run(ticketlab.ImpSpec(**TINY, rounds=2))
    assert analyze.main("", [str(chain.folder), "--outputs-dir", str(tmp_path / "outputs")]) == 0
    (table,) = (tmp_path / "outputs").glob("*/extremes.csv")
    rows = [line.split(",") for line in table.read_text().splitlines()]
    found = float(rows[1][rows[0].index("largest")])
    assert found == pytest.approx(max(np.abs(value).max() for value in chain.round(0, 0).weights.values()))
    assert {path.suffix for path in (tmp_path / "outputs").rglob("figures/extremes.*")} == {".csv", ".png", ".svg"}
    (page,) = (tmp_path / "outputs").rglob("report.html")
    assert "largest |weight|" in page.read_text()


@dataclass(frozen=True, kw_only=True)
class LearningCurveSpec(Spec):
    """A kind of experiment: the dense network, trained for longer and longer."""

    kind: ClassVar[Kind] = Kind("learning_curve", "independent")

    lengths: int = option(3, "training", "trainings, each twice as long as the one before", valid=POSITIVE)


def lengths(spec, dataset, run, seed) -> Sequence[int]:
    return range(spec.lengths)


def train_all(replicate: Replicate) -> None:
    def start(number, previous) -> Ticket:
        initial = replicate.initial_weights()
        kept = masks.all_kept(initial, replicate.context.paths)
        begin = replicate.spec.iterations - replicate.spec.iterations // 2 ** (replicate.spec.lengths - 1 - number)
        return Ticket(initial, kept, begin, replicate.spec.learning_rates)

    replicate.rounds(range(replicate.spec.lengths), start)


def check(spec, dataset, source, models_dir, seeds) -> None:
    check_context(spec, dataset, source)


LEARNING_CURVE = Experiment(LearningCurveSpec, check, lambda spec, shapes, outputs: None, lengths, train_all)


def test_a_kind_of_experiment(run, tmp_path, monkeypatch):
    """One entry: it is computed, resumed, found by its key, and analysed."""
    monkeypatch.setitem(EXPERIMENTS, "learning_curve", LEARNING_CURVE)
    spec = LearningCurveSpec(**TINY)
    made = run(spec, (0, 1))
    assert {seed: made.rounds(seed) for seed in made.seeds()} == {0: [0, 1, 2], 1: [0, 1, 2]}
    assert made.kind == Kind("learning_curve", "independent")
    assert made.folder.name == f"learning_curve-digits-fcn_8_6-{spec.key()}"
    times = {path: path.stat().st_mtime_ns for path in made.folder.rglob("round_*.h5")}
    made.path(1, 2).unlink()
    run(spec, (0, 1))
    assert sum(path.stat().st_mtime_ns != time for path, time in times.items()) == 1, "one round was computed again"
    assert analyze.main("", [str(made.folder), "--outputs-dir", str(tmp_path / "outputs")]) == 0
    assert list((tmp_path / "outputs").rglob("report.html"))


@pytest.mark.slow
def test_entries_of_a_script_are_known_to_its_workers(tmp_path):
    """A script adds them where it is imported, so that worker processes, which import it, have them as well."""
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nimport ticketlab\nfrom ticketlab.sparsity.criteria import CRITERIA\n\n\n"
        "def last(initial, final, rng):\n    return np.arange(final.size, dtype=float).reshape(final.shape)\n\n\n"
        'CRITERIA["last"] = last\n'
        'if __name__ == "__main__":\n'
        f"    spec = ticketlab.ImpSpec(**{TINY}, rounds=1, criterion='last')\n"
        "    run, failures = ticketlab.run(spec, range(2), processes=2)\n    assert not failures, failures\n"
    )
    line = [sys.executable, "mine.py"]
    done = subprocess.run(line, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert not only_run(tmp_path / "models").round(1, 1).masks["dense_1/kernel"].ravel()[0]
