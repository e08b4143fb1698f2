"""Branches as commands: what each round starts from beside its run, which rounds, resumed, and what is refused."""

import json
import shutil

import numpy as np
import pytest

from conftest import arrays_of, only_run, same, trainings
from ticketlab.execution import launch
from ticketlab.experiments.events import RoundDone
from ticketlab.experiments.lottery.controls import CONTROLS
from ticketlab.runs.folder import Run
from ticketlab.sparsity import masks

TINY = ("--dataset", "digits", "--network", "fcn_8_6", "--iterations", 20, "--eval-every", 10, "--rounds", 3)
CONTROL = TINY[:-2]  # of all rounds that the run has
KINDS = {
    "plain": (),
    "late": ("--rewind-iteration", 5),
    "global": ("--scope", "global"),
    "held": ("--scope", "global", "--output-prune-rate", 0),
}
GLOBAL = ("global", "held")
SAME_MASKS = ("random_reinit", "shuffled_weights", "signed_constant", "supermask")
SAME_WEIGHTS = ("shuffled_mask", "random_masks", "one_shot", "supermask")


@pytest.fixture(scope="module")
def finished(inline, tmp_path_factory):
    """Finished runs of two seeds each, {kind: folder of runs}."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    for kind, folder in folders.items():
        assert inline(folder, *TINY, *KINDS[kind], "--seeds", "3,5").returncode == 0
    return folders


@pytest.fixture
def branch(inline, finished, tmp_path):
    """Compute a branch beside a copy of a run; return the run, the branch, and how the command ended."""

    def compute(name, *flags, kind="plain", **settings):
        shutil.copytree(finished[kind], tmp_path, dirs_exist_ok=True)
        done = inline(tmp_path, *CONTROL, *KINDS[kind], "--branch", name, *flags, **settings)
        run = only_run(finished[kind] / "models")
        return Run(tmp_path / "models" / run.folder.name), Run(tmp_path / "models" / f"{run.folder.name}-{name}"), done

    return compute


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, kind) for name in CONTROLS for kind in KINDS if kind != "held"), ("one_shot", "held")],
)
def test_each_round_starts_from_what_the_control_says(branch, calls, name, kind):
    run, made, done = branch(name, kind=kind)
    assert (done.returncode, done.stderr) == (0, "")
    assert {seed: made.rounds(seed) for seed in made.seeds()} == {3: [1, 2, 3], 5: [1, 2, 3]}, "all seeds of the run"
    begin = 0 if name == "random_reinit" or kind != "late" else 5
    if name == "supermask":
        assert trainings(calls) == []
        check_supermask(run, made, begin)
        return
    started = iter(trainings(calls))
    for seed in (3, 5):
        rewind, final = (getattr(run.round(seed, 0), group) for group in ("rewind", "weights"))
        fresh = []
        for round in (1, 2, 3):
            start, ticket = next(started), run.round(seed, round).masks
            assert len(start.rates) == 20 - begin
            assert start.optimizer is None
            mask = made.round(seed, round).masks
            assert same(start.masks, mask)
            assert masks.kept(mask) == masks.kept(ticket)
            assert same(mask, ticket) == (name in SAME_MASKS or (name, round) == ("one_shot", 1))
            assert mask["dense_3/kernel"].all() == (kind == "held"), "the output layer is held out"
            assert same(start.weights, masks.apply(rewind, mask)) == (name in SAME_WEIGHTS)
            for path, kept in mask.items():
                check(name, kind, rewind[path], final[path], start.weights[path], kept, ticket[path])
            fresh.append(start.weights["dense_1/kernel"])
        both = run.round(seed, 3).masks["dense_1/kernel"]
        if name == "random_reinit":
            assert not (fresh[0] == fresh[1])[both].any(), "each round is drawn anew"


def check(name, kind, rewind, final, start, kept, ticket):
    if not (name == "one_shot" and kind in GLOBAL):
        assert kept.sum() == ticket.sum()
    assert not start[~kept].any()
    if name == "shuffled_weights":
        assert sorted(start[kept].tolist()) == sorted(rewind[kept].tolist())
    elif name == "signed_constant":
        assert start[kept].tobytes() == (np.sign(rewind) * rewind.std())[kept].tobytes()
    elif name == "random_reinit":
        assert not (start == rewind)[kept].any()
        assert abs(start).max() <= 2 * np.sqrt(2 / sum(rewind.shape)) / 0.8796, "truncated at two deviations"
    elif name == "one_shot" and kind not in GLOBAL:
        assert abs(final[kept]).min() >= abs(final[~kept]).max()


def check_supermask(run, made, begin):
    for seed in (3, 5):
        for round in (1, 2, 3):
            ticket, record = run.round(seed, round), made.round(seed, round)
            assert same(record.masks, ticket.masks)
            assert same(record.weights, masks.apply(run.round(seed, 0).rewind, ticket.masks))
            found = record.attributes
            assert found["test_accuracy"] == found["untrained_test_accuracy"] == found["early_stop_test_accuracy"]
            assert found["test_accuracy"] == ticket.attributes["untrained_test_accuracy"]
            assert found["early_stop_iteration"] == begin
            assert record.history["iteration"].tolist() == [begin]
            assert np.isnan(record.history["train_loss"]).all(), "no step, no loss"


@pytest.mark.parametrize("kind", KINDS)
def test_one_shot_pruning_is_the_first_round_of_the_chain(branch, kind):
    run, made, _ = branch("one_shot", "--only-rounds", 1, kind=kind)
    for seed in (3, 5):
        assert made.rounds(seed) == [1]
        assert arrays_of(made, seed, 1) == arrays_of(run, seed, 1)
        assert made.round(seed, 1).attributes["test_accuracy"] == run.round(seed, 1).attributes["test_accuracy"]


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("random_reinit", "fresh"),
        ("signed_constant", "signed_constant"),
        ("shuffled_weights", "shuffled_weights"),
    ],
)
def test_a_control_is_the_first_round_of_a_chain_of_such_tickets(branch, inline, tmp_path, name, origin):
    _, made, _ = branch(name, "--seeds", 3, "--only-rounds", 1)
    line = (*TINY[:-1], 2, "--weights-from", origin, "--seeds", 3, "--models-dir", "chain")
    assert inline(tmp_path, *line).returncode == 0
    chain = only_run(tmp_path / "chain")
    assert arrays_of(made, 3, 1) == arrays_of(chain, 3, 1)
    later, masks_before = chain.round(3, 2), chain.round(3, 1).masks
    assert all((mask <= masks_before[path]).all() for path, mask in later.masks.items())


def test_rounds_are_chosen_resumed_extended_and_not_touched_again(branch, inline, tmp_path, monkeypatch):
    _, made, _ = branch("random_masks", "--only-rounds", "2", "--seeds", "5")
    assert {seed: made.rounds(seed) for seed in made.seeds()} == {5: [2]}
    first = made.path(5, 2).stat().st_mtime_ns
    event = launch.Display.event

    def pressed(self, seed, said):
        event(self, seed, said)
        if seed == 5 and isinstance(said, RoundDone) and said.new:
            raise KeyboardInterrupt

    line = (*CONTROL, "--branch", "random_masks")
    with monkeypatch.context() as patch:
        patch.setattr(launch.Display, "event", pressed)
        assert [inline(tmp_path, *line).returncode for _ in range(3)] == [130, 130, 0]
    assert made.path(5, 2).stat().st_mtime_ns == first
    times = {path: path.stat().st_mtime_ns for path in made.folder.rglob("round_*.h5")}
    again = inline(tmp_path, *line)
    assert (again.returncode, "seed" in again.stdout.split("round", 1)[0]) == (0, False)
    assert {path: path.stat().st_mtime_ns for path in made.folder.rglob("round_*.h5")} == times
    assert len(times) == 6
    assert inline(tmp_path, *line, "--overwrite").returncode == 0
    assert made.path(5, 2).stat().st_mtime_ns > first


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--learning-rate", 0.01], "`branch` must be computed from a finished run. Received: no "),
        (["--seeds", "3,4"], "`branch` must be computed from finished rounds. Received: seed 4, which lacks 0, 1"),
        (["--only-rounds", "2,9"], "`branch` must be computed from finished rounds. Received: seed 3, which lacks 9"),
        (["--weights-from", "final"], "`branch` must be of a run with `weights_from`=rewind"),
        (["--only-rounds", "0"], "`only_rounds` must be greater than 0 and increasing"),
        (["--rounds", 2, "--only-rounds", 1], "`only_rounds` must be given without `rounds`. Received: both"),
        (["--target-density", 0.7, "--only-rounds", 1], "`only_rounds` must be given without `target_density`. "),
        (["--target-density", 0.3], "`target_density` must be one that the run has reached, which is at 0.5323 with "),
    ],
)
def test_branches_of_what_is_not_there_are_refused(branch, tmp_path, flags, message):
    *_, done = branch("one_shot", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(list((tmp_path / "models").iterdir())) == 1, "nothing is written"


@pytest.mark.parametrize(
    ("left_off", "found"),
    [("round_03.partial.h5", "whose round 3 is unfinished"), (None, "with 2 of 3 rounds after round 0")],
)
def test_a_branch_of_an_unfinished_run_is_refused_and_told_how_to_finish_it(
    inline, finished, tmp_path, left_off, found
):
    shutil.copytree(finished["plain"], tmp_path, dirs_exist_ok=True)
    run = only_run(tmp_path / "models")
    kept = run.path(5, 3).rename(tmp_path / "kept.h5")
    if left_off:
        kept.rename(run.path(5, 3).with_name(left_off))
        run.path(3, 3).unlink()  # so that both seeds have equally many
    line = (*CONTROL, "--branch", "random_masks")
    done = inline(tmp_path, *line, "--seeds", "5")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert (
        f"`branch` must be computed from a finished run. Received: seed 5, {found}, which the same flags with"
        in done.stderr
    )
    assert "--seeds 5 and without --branch" in done.stderr
    assert len(list((tmp_path / "models").iterdir())) == 1, "nothing is written"
    assert inline(tmp_path, *line, "--only-rounds", 1).returncode == 0, "rounds that are named are finished"


def test_a_run_of_fewer_rounds_than_the_flags_say_is_finished(branch):
    _, made, done = branch("supermask", "--rounds", 5)
    assert (done.returncode, done.stderr) == (0, "")
    assert made.rounds(3) == made.rounds(5) == [1, 2, 3]


def test_a_branch_goes_as_far_as_the_run_or_as_the_density_that_is_asked_for(inline, finished, branch, tmp_path):
    """Left out, the number of rounds was 16, whatever the run has, and the density was ignored."""
    run, made, _ = branch("supermask", "--target-density", 0.7, "--seeds", 3)
    densities = {round: run.round(3, round).attributes["density"] for round in (1, 2, 3)}
    assert densities[1] > 0.7 >= densities[2]
    assert made.rounds(3) == [1, 2]
    assert inline(tmp_path, *TINY[:-1], 18, "--seeds", 3).returncode == 0
    assert inline(tmp_path, *CONTROL, "--seeds", 3, "--branch", "supermask").returncode == 0
    assert made.rounds(3) == list(range(1, 19))
    planned = inline(tmp_path, *CONTROL, "--seeds", 3, "--branch", "supermask", "--dry-run")
    assert "rounds               -\n" in planned.stdout


def test_what_lies_beyond_the_rounds_of_a_branch_may_be_unfinished(inline, finished, tmp_path):
    shutil.copytree(finished["plain"], tmp_path, dirs_exist_ok=True)
    run = only_run(tmp_path / "models")
    run.path(5, 3).rename(run.partial_path(5, 3))
    line = (*TINY[:-1], 2, "--branch", "supermask")
    assert inline(tmp_path, *line).returncode == 0


def test_a_branch_on_other_data_is_refused(branch, inline, tmp_path):
    run, *_ = branch("supermask", "--only-rounds", 1)
    description = {**run.description, "data_sha256": "other"}
    (run.folder / "spec.json").write_text(json.dumps(description))
    done = inline(tmp_path, *TINY, "--branch", "supermask")
    assert done.returncode == 2
    assert "was computed on other data of the name `digits`" in done.stderr


def test_a_branch_under_another_network_of_that_name_is_refused(inline, tmp_path):
    """Masks of one network would fit another of the same widths, and mean nothing there."""
    code = (
        "from keras import Input, Sequential, layers\n\n\ndef small(shape, outputs):\n"
        "    hidden = layers.Dense(8, 'relu', name='one')\n"
        "    return Sequential([Input(shape), layers.Flatten(), hidden, layers.Dense(outputs, name='two')])\n"
    )
    (tmp_path / "nets.py").write_text(code)
    line = (*TINY, "--network", "nets.py:small", "--seeds", 0)
    assert inline(tmp_path, *line).returncode == 0
    (tmp_path / "nets.py").write_text(code.replace("relu", "tanh"))
    done = inline(tmp_path, *line, "--branch", "random_masks")
    assert done.returncode == 2
    assert "was computed with another network of that name" in done.stderr
    assert len(list((tmp_path / "models").rglob("network.json"))) == 1
