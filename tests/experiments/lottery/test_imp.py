"""Training and the chain of rounds: what a checkpoint, a file and a rewind hold."""

import dataclasses
import functools
import json

import numpy as np
import pytest

from conftest import contents
from ticketlab.data.dataset import batches
from ticketlab.errors import BadInput, Diverged, TicketlabError
from ticketlab.experiments import replicate
from ticketlab.experiments.events import Evaluated, SetAside
from ticketlab.experiments.lottery import imp
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.replicate import Replicate
from ticketlab.networks import architectures, variables
from ticketlab.runs.folder import Run, write_file
from ticketlab.sparsity import masks
from ticketlab.training.context import Context
from ticketlab.training.loop import Checkpoint, Plan, train

SPEC = ImpSpec(dataset="digits", iterations=60, eval_every=20, rounds=2).resolved


@pytest.fixture
def chain(context_of, tmp_path):
    """Compute one replicate of SPEC with some fields changed, and return its run."""

    def compute(seed=0, folder="run", report=lambda event: None, **changed):
        spec, run = dataclasses.replace(SPEC, **changed), Run(tmp_path / folder)
        run.begin(spec, "digest")
        with run.claim(seed):
            imp.compute(Replicate(context_of(spec), run, seed, report))
        return run

    return compute


def training(engine, stop=60, begin=None, **settings):
    initial = variables.draw(engine.model, 0, "initialisation")
    order = functools.partial(batches, engine.train_indices, 60, 0)
    plan = Plan(stop=stop, order=order, rates=SPEC.learning_rates, eval_every=20, **settings)
    begin = begin or Checkpoint(0, initial, masks.all_kept(initial, engine.paths))
    return train(lambda masks: engine, begin, plan)


def test_history_has_one_value_per_evaluation(chain):
    """Earlier systems multiplied iterations by the interval twice, and padded with zeros."""
    record = chain().round(0, 0)
    history = record.history
    assert history["iteration"].tolist() == [20, 40, 60]
    assert all(values.shape == (3,) and np.isfinite(values).all() for values in history.values())
    best = int(np.argmin(history["validation_loss"]))
    assert record.attributes["early_stop_iteration"] == history["iteration"][best]
    assert record.attributes["early_stop_validation_loss"] == history["validation_loss"][best]


def test_early_stop_is_the_minimum_of_validation_loss_and_not_of_a_running_mean():
    rows = ((100, 0.5, 0.8, 2.0), (200, 0.2, 0.9, 1.0), (300, 0.2, 0.95, 0.5), (400, 0.4, 0.99, 0.1))
    state = Checkpoint(0, {}, {})
    for row in rows:
        state = state.evaluated(row, lambda row=row: {"weights of": np.array(row[0])}, 0.0)
    assert (state.early_stop[0], state.best, state.history) == (200, {"weights of": 200}, rows)


def test_early_stop_accuracy_is_that_of_the_weights_of_that_iteration(engine):
    done = training(engine, stop=400)
    stop = int(done.early_stop[0])
    assert stop < 400, "this seed's minimum lies inside the training"
    again = training(engine, stop=stop)
    for path, value in again.weights.items():
        assert np.array_equal(value, done.best[path])


def test_files_hold_what_the_design_says(chain):
    run = chain()
    assert run.rounds(0) == [0, 1, 2]
    first, last = run.round(0, 0), run.round(0, 2)
    names = {"format", "spec", "seed", "round", "density", "seconds", "versions", "finished", "test_accuracy"}
    names |= {
        "test_loss",
        "chain",
        "task",
        "early_stop_iteration",
        "early_stop_test_accuracy",
        "early_stop_validation_loss",
    }
    costs = {"inference_flops", "dense_inference_flops", "training_flops"}
    assert set(last.attributes) == names | costs | {"untrained_test_accuracy", "engine"}
    operations = 2 * masks.kept(last.masks) + 410  # 410 units
    assert last.attributes["inference_flops"] == operations
    assert last.attributes["training_flops"] == 3 * operations * SPEC.batch_size * SPEC.iterations
    assert last.attributes["spec"] == json.dumps(SPEC.described())
    assert set(json.loads(last.attributes["versions"])) >= {"python", "tensorflow", "keras", "numpy", "processor"}
    assert json.loads(last.attributes["versions"])["processor"]
    assert list(last.masks) == ["dense_1/kernel", "dense_2/kernel", "dense_3/kernel"]
    assert list(last.weights) == [f"dense_{i}/{name}" for i in (1, 2, 3) for name in ("kernel", "bias")]
    assert last.attributes["density"] == masks.density(last.masks)
    assert first.rewind
    assert not last.rewind
    assert not list(run.folder.rglob("*.partial.h5"))


def test_weights_are_zero_exactly_under_the_mask_in_every_file(chain):
    run = chain()
    for round in run.rounds(0):
        record = run.round(0, round)
        for path, mask in record.masks.items():
            assert np.array_equal(record.weights[path] != 0, mask)


def test_rounds_prune_the_weights_that_training_left_smallest(chain):
    run = chain()
    before, after = run.round(0, 0), run.round(0, 1)
    for path, mask in after.masks.items():
        magnitude = np.abs(before.weights[path])
        assert magnitude[mask].min() >= magnitude[~mask].max()
        rate = 0.1 if path == "dense_3/kernel" else 0.2
        assert (~mask).sum() == round(rate * mask.size)


def test_kept_weights_go_back_to_their_initial_values(chain, engine, calls):
    """The chain starts every round from the stored initial values, not from values drawn anew."""
    run = chain()
    starts = [(weights, mask) for name, weights, mask, _ in calls if name == "load"]
    initial = variables.draw(engine.model, 0, "initialisation")
    origin = run.round(0, 0).rewind
    assert all(np.array_equal(origin[path], initial[path]) for path in initial)
    for round in (1, 2):
        mask = run.round(0, round).masks
        expected = masks.apply(origin, mask)
        assert any(
            all(np.array_equal(given[path], expected[path]) for path in expected)
            for given, given_mask in starts
            if all(np.array_equal(given_mask[path], mask[path]) for path in mask)
        )


def test_rewinding_to_iteration_k(chain, engine):
    run = chain(rewind_iteration=30)
    origin = run.round(0, 0).rewind
    at_30 = training(engine, stop=30).weights
    assert all(np.array_equal(origin[path], at_30[path]) for path in at_30)
    assert run.round(0, 0).history["iteration"].tolist() == [20, 40, 60]
    assert run.round(0, 1).history["iteration"].tolist() == [40, 60]
    plain = chain(folder="plain")
    assert np.array_equal(plain.round(0, 0).weights["dense_1/kernel"], run.round(0, 0).weights["dense_1/kernel"])


@pytest.mark.parametrize("weights_from", ["fresh", "final", "signed_constant", "shuffled_weights"])
def test_other_origins_of_the_kept_weights(context_of, tmp_path, weights_from):
    spec, run = dataclasses.replace(SPEC, weights_from=weights_from), Run(tmp_path)
    run.begin(spec, "digest")
    with run.claim(0):
        imp.compute(Replicate(context_of(dataclasses.replace(spec, rounds=0)), run, 0, lambda event: None))
    dense = run.round(0, 0)
    start = imp.ticket(Replicate(context_of(spec), run, 0, lambda event: None), 1, dense)
    weights, mask = start.weights, start.masks
    kernel, kept = weights["dense_1/kernel"], mask["dense_1/kernel"]
    origin, final = dense.rewind["dense_1/kernel"], dense.weights["dense_1/kernel"]
    assert not kernel[~kept].any()
    if weights_from == "final":
        assert np.array_equal(kernel[kept], final[kept])
        assert np.array_equal(weights["dense_1/bias"], dense.weights["dense_1/bias"])
    elif weights_from == "signed_constant":
        assert np.array_equal(np.sign(kernel[kept]), np.sign(origin[kept]))
        np.testing.assert_allclose(np.abs(kernel[kept]), origin.std(), rtol=1e-6)
    elif weights_from == "shuffled_weights":
        assert np.array_equal(np.sort(kernel[kept]), np.sort(origin[kept]))
        assert (kernel[kept] != origin[kept]).mean() > 0.99
    else:
        assert not (kernel[kept] == origin[kept]).any()
        assert kernel[kept].std() == pytest.approx(origin.std(), rel=0.05)


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("criterion", ["large_final", "small_final", "random"])
def test_every_criterion_and_scope_runs(chain, criterion, scope):
    run = chain(criterion=criterion, scope=scope, iterations=20, rounds=1)
    assert run.round(0, 1).attributes["density"] == pytest.approx(0.8, abs=0.003)


def test_target_density_ends_the_chain(chain):
    run = chain(target_density=0.52, iterations=20)
    assert run.rounds(0) == [0, 1, 2, 3]
    with pytest.raises(BadInput, match="`target_density` must be one that pruning reaches"):
        chain(target_density=1e-5, iterations=20)


@pytest.mark.parametrize("network", ["fcn_8", "nets.py:small"])
def test_a_density_that_rounding_keeps_out_of_reach_is_refused_before_any_training(inline, tmp_path, network):
    (tmp_path / "nets.py").write_text(
        "from keras import Input, Sequential, layers\n\n\ndef small(shape, outputs):\n"
        "    return Sequential([Input(shape), layers.Flatten(), layers.Dense(8), layers.Dense(outputs)])\n"
    )
    dry = () if ".py" in network else ("--dry-run",)
    line = ("--dataset", "digits", "--iterations", 20, "--network", network, "--target-density", 1e-5)
    refused = inline(tmp_path, *line, *dry)
    assert refused.returncode == 2
    assert all(line.startswith("digits: ") for line in refused.stdout.splitlines())  # what a run says of its data
    assert "`target_density` must be one that pruning reaches, " in refused.stderr
    assert not list((tmp_path / "models").rglob("round_*.h5"))


def test_the_test_set_selects_nothing(engine, digits, chain, tensorflow):
    """With other test labels, everything but the test accuracies stays the same to the bit."""
    reversed_labels = dataclasses.replace(digits, y_test=digits.y_test[::-1].copy())
    other = Context(SPEC, architectures.build("lenet_300_100", digits.input_shape, 10), reversed_labels)
    run = Run(chain().folder.with_name("other"))
    run.begin(SPEC, "digest")
    with run.claim(0):
        imp.compute(Replicate(other, run, 0, lambda event: None))
    ours, theirs = (contents(each) for each in (chain(), run))
    for place, value in ours.items():
        if len(place) == 2:
            differing = {name for name in value if value[name] != theirs[place][name]}
            tests = {"test_accuracy", "test_loss", "early_stop_test_accuracy"}
            assert tests - {"early_stop_test_accuracy"} <= differing <= tests | {"untrained_test_accuracy"}
        else:
            assert value == theirs[place]


def test_patience_ends_a_training(engine):
    whole = training(engine, stop=600)
    stopped = training(engine, stop=600, patience=3)
    assert stopped.iteration < 600
    assert stopped.iteration == stopped.early_stop[0] + 3 * 20
    assert stopped.history == whole.history[: len(stopped.history)]
    assert training(engine, stop=600, patience=1, keep_at=500).kept, "a training does not end before it can be rewound"


def test_divergence_is_said(engine):
    broken = variables.draw(engine.model, 0, "initialisation")
    broken["dense_1/kernel"] = np.full_like(broken["dense_1/kernel"], np.nan)
    with pytest.raises(Diverged, match="training diverged: the validation loss is nan at iteration 20"):
        training(engine, begin=Checkpoint(0, broken, masks.all_kept(broken, engine.paths)))


class Killed(Exception):
    """Stands for the end of a process in the middle of a training."""


def test_a_long_round_goes_on_from_its_partial_file(chain, tmp_path, monkeypatch):
    """Rewind state, optimizer, early stop and history survive: the files are the same to the bit."""
    whole = contents(chain(folder="whole", rewind_iteration=10))
    monkeypatch.setattr(replicate, "PARTIAL_SECONDS", 0.0)
    seen = []

    def killer(event):
        if isinstance(event, Evaluated):
            seen.append((event.number, event.iteration))
            if len(seen) in (2, 6):
                raise Killed

    for _ in range(2):
        with pytest.raises(Killed):
            chain(folder="killed", rewind_iteration=10, report=killer)
        assert len(list(tmp_path.rglob("*.partial.h5"))) == 1
    run = chain(folder="killed", rewind_iteration=10, report=killer)
    assert seen == [(0, 20), (0, 40), (0, 40), (0, 60), (1, 20), (1, 40), (1, 40), (1, 60), (2, 20), (2, 40), (2, 60)]
    assert contents(run) == whole
    assert not list(run.folder.rglob("*.partial.h5"))


def test_a_training_saved_at_its_very_end_needs_no_step_more(engine):
    done = training(engine)
    resumed = training(engine, begin=dataclasses.replace(done, optimizer=engine.optimizer_state()))
    assert resumed.history == done.history
    assert all(np.array_equal(resumed.weights[path], value) for path, value in done.weights.items())


def test_damaged_files_are_set_aside_reported_and_computed_again(chain):
    run = chain()
    whole, events = contents(run), []
    for round in (0, 1):
        path = run.path(0, round)
        path.write_bytes(path.read_bytes()[:-1000])
    run.partial_path(0, 1).write_bytes(b"rubbish")
    chain(report=events.append)
    assert contents(run) == whole
    told = [event.message for event in events if isinstance(event, SetAside)]
    assert len(told) == 3
    assert all("cannot be read" in each and "kept as" in each and "\n" not in each for each in told)
    assert len(list(run.folder.rglob("*.damaged-1"))) == 3


def test_a_file_of_another_run_is_not_used(chain):
    run = chain()
    run.path(0, 2).replace(run.path(0, 1))
    with pytest.raises(TicketlabError, match="belongs elsewhere"):
        chain()


def test_a_files_spec_must_be_the_runs(chain):
    run = chain()
    record = run.round(0, 2)
    groups = {group: record.arrays(group) for group in ("masks", "weights", "history")}
    other = {**record.attributes, "spec": json.dumps(dataclasses.replace(SPEC, prune_rate=0.3).described())}
    write_file(run.path(0, 2), {name: value for name, value in other.items() if name != "format"}, groups)
    with pytest.raises(TicketlabError, match=r"`prune_rate` is 0\.3 there and 0\.2 here"):
        chain()
