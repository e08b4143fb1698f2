"""What a pruned round starts from and how it trains: rates, batches, penalties, each by hand, from whole commands."""

import numpy as np
import pytest

from conftest import only_run, same, trainings
from ticketlab.sparsity import masks

TINY = ("--dataset", "digits", "--network", "fcn_8_6", "--iterations", 20, "--eval-every", 10, "--rounds", 2)
SGD = ("--optimizer", "sgd", "--learning-rate", 0.1)
STEP = ("--schedule", "step", "--schedule-steps", "10,15", "--schedule-factor", 0.5, "--warmup", 4)
CONSTANT_RATES = [0.1] * 20
STEP_RATES = [0.025, 0.05, 0.075, *[0.1] * 7, *[0.05] * 5, *[0.025] * 5]
COSINE_RATES = [0.05, *[0.1 * (1 + np.cos(np.pi * (i - 2) / 18)) / 2 for i in range(1, 20)]]
COSINE_RATES[1] = 0.1 * (1 + np.cos(np.pi * -0)) / 2
SCHEDULES = {
    "constant": ((), CONSTANT_RATES),
    "step": (STEP, STEP_RATES),
    "cosine": (("--schedule", "cosine", "--warmup", 2), COSINE_RATES),
}


@pytest.mark.parametrize(
    ("schedule", "schedule_from"),
    [("constant", "rewind"), ("step", "rewind"), ("step", "final"), ("cosine", "rewind")],
)
@pytest.mark.parametrize(
    ("weights_from", "rewound"),
    [("rewind", 0), ("rewind", 6), ("final", 0), ("final", 6), ("fresh", 0), ("signed_constant", 6)],
)
def test_weights_rates_and_batches_of_each_round(
    inline, tmp_path, calls, schedule, schedule_from, weights_from, rewound
):
    """The axes of Renda et al. 2020: where weights come from, and where the schedule begins, are two choices."""
    flags, rates = SCHEDULES[schedule]
    line = (*TINY, *SGD, *flags, "--schedule-from", schedule_from, "--weights-from", weights_from)
    assert inline(tmp_path, *line, "--rewind-iteration", rewound).returncode == 0
    run = only_run(tmp_path / "models")
    dense, *pruned = trainings(calls)
    np.testing.assert_allclose(dense.rates, rates, rtol=1e-6)
    assert len(pruned) == 2
    for round, start in enumerate(pruned, 1):
        expected = rates[rewound:] if schedule_from == "rewind" else [rates[-1]] * (20 - rewound)
        np.testing.assert_allclose(start.rates, expected, rtol=1e-6)
        assert np.array_equal(start.order, dense.order[rewound:]), "the batches that followed"
        assert start.optimizer is None, "a fresh optimizer"
        origin, mask = run.round(0, 0).rewind, run.round(0, round).masks
        if weights_from == "final":
            origin = run.round(0, round - 1).weights
        if weights_from in ("rewind", "final"):
            assert same(start.weights, masks.apply(origin, mask))
        elif weights_from == "signed_constant":
            for path, kept in mask.items():
                assert np.array_equal(start.weights[path][kept], (np.sign(origin[path]) * origin[path].std())[kept])
    if weights_from == "fresh":
        kept = run.round(0, 2).masks["dense_1/kernel"]
        assert not (pruned[0].weights["dense_1/kernel"] == pruned[1].weights["dense_1/kernel"])[kept].any()
    assert run.round(0, 1).history["iteration"].tolist() == [10, 20]


SCORES = {
    "movement": lambda begin, end: abs(end - begin),
    "large_initial": lambda begin, end: abs(begin),
    "small_initial": lambda begin, end: -abs(begin),
    "large_initial_and_final": lambda begin, end: np.minimum(abs(begin), abs(end)),
    "small_initial_and_final": lambda begin, end: -np.maximum(abs(begin), abs(end)),
    "magnitude_increase": lambda begin, end: abs(end) - abs(begin),
}


@pytest.mark.parametrize(
    ("criterion", "weights_from"),
    [
        *(("movement", origin) for origin in ("rewind", "final", "fresh", "signed_constant")),
        *((criterion, "shuffled_weights") for criterion in SCORES),
    ],
)
def test_scores_use_what_the_training_began_from(inline, tmp_path, calls, criterion, weights_from):
    """What the engine was given is what counts, but for weights that go on from iteration 0 or come back to it."""
    line = (*TINY, "--rounds", 3, "--criterion", criterion, "--weights-from", weights_from)
    assert inline(tmp_path, *line).returncode == 0
    run, started = only_run(tmp_path / "models"), trainings(calls)
    for round in (0, 1, 2):
        began = started[0 if weights_from in ("rewind", "final") else round].weights
        ended, following = run.round(0, round), run.round(0, round + 1).masks
        for path, mask in ended.masks.items():
            kept = np.flatnonzero(mask)
            scores = SCORES[criterion](began[path].ravel()[kept], ended.weights[path].ravel()[kept])
            gone = int(np.rint((0.1 if path == "dense_3/kernel" else 0.2) * kept.size))
            expected = np.zeros(mask.size, bool)
            expected[kept[np.argsort(scores, kind="stable")[gone:]]] = True
            assert np.array_equal(following[path].ravel(), expected), (round, path)


def test_the_last_stretch_may_be_short_and_losses_are_means_per_step(inline, tmp_path, calls):
    line = (*TINY, "--iterations", 25, "--rewind-iteration", 7)
    assert inline(tmp_path, *line).returncode == 0
    run = only_run(tmp_path / "models")
    dense, *pruned = trainings(calls)
    first, second, third, last = dense.losses  # up to 7, 10, 20, 25
    history = run.round(0, 0).history
    assert history["iteration"].tolist() == [10, 20, 25]
    np.testing.assert_allclose(history["train_loss"], [(first + second) / 10, third / 10, last / 5])
    for round, start in enumerate(pruned, 1):
        history = run.round(0, round).history
        assert history["iteration"].tolist() == [10, 20, 25]
        np.testing.assert_allclose(history["train_loss"], np.divide(start.losses, [3, 10, 5]))


def test_adam_counts_its_steps_from_the_rewind(inline, tmp_path, monkeypatch, tensorflow, uncut):
    """A counter that went on would leave out the correction of the moments, which begin at 0 again."""
    from ticketlab.training.dense_engine import DenseEngine
    from ticketlab.training.sparse_engine.engine import SparseEngine

    counted = []

    def spied(train, self, order, rates, total=0.0):
        total = train(self, order, rates, total)
        counted.append((len(order), int(self.optimizer_state()["steps"])))
        return total

    for engine in (DenseEngine, SparseEngine):
        monkeypatch.setattr(engine, "train", lambda *told, train=engine.train: spied(train, *told))
    assert inline(tmp_path, *TINY, "--rewind-iteration", 6).returncode == 0
    assert [each for each in counted if each[0]] == [(6, 6), (4, 10), (10, 20), *[(4, 4), (10, 14)] * 2]


def test_penalties_reach_the_gradient_of_kernels_only(inline, tmp_path):
    """One step of SGD with penalties differs from one without by the rate times the penalties' own gradient."""
    once = (*TINY, *SGD, "--iterations", 1, "--rounds", 1)
    for name, flags in {"without": (), "with": ("--weight-decay", 0.5, "--l1-penalty", 0.25)}.items():
        assert inline(tmp_path, *once, *flags, "--models-dir", name).returncode == 0
    plain, penalised = (only_run(tmp_path / name).round(0, 0) for name in ("without", "with"))
    initial, before, after = plain.rewind, plain.weights, penalised.weights
    for path, value in initial.items():
        expected = 0.1 * (0.5 * value + 0.25 * np.sign(value)) if path.endswith("kernel") else 0
        np.testing.assert_allclose(before[path] - after[path], expected + 0 * value, atol=1e-6)
    losses = [record.history["train_loss"] for record in (plain, penalised)]
    assert losses[0] == losses[1], "the loss that is told has no penalties"
    pruned = only_run(tmp_path / "with").round(0, 1)
    weights = pruned.weights
    assert not any(weights[path][~mask].any() for path, mask in pruned.masks.items())


def test_patience_waits_for_the_iteration_that_rounds_rewind_to(inline, tmp_path):
    line = (*TINY, *SGD, "--learning-rate", 1e-12, "--patience", 1, "--iterations", 80, "--rewind-iteration", 35)
    assert inline(tmp_path, *line).returncode == 0
    run = only_run(tmp_path / "models")
    ends = [run.round(0, round).history["iteration"][-1] for round in range(3)]
    assert 40 <= ends[0] < 80
    assert all(40 <= end <= 80 for end in ends[1:])
    assert (run.round(0, 0).rewind["dense_1/kernel"] != 0).all()
