"""Pieces of a stretch: no bit depends on where it is cut, and a signal or the end of a process in it costs little."""

import itertools
import os
import random
import signal

import numpy as np
import pytest

from conftest import contents, only_run
from ticketlab.data.dataset import batches
from ticketlab.experiments import checkpoints, replicate
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.networks import variables
from ticketlab.runs.folder import Record
from ticketlab.sparsity import masks
from ticketlab.training import loop

DIGITS = ("--dataset", "digits", "--network", "fcn_8_6", "--batch-size", 30, "--iterations", 50, "--eval-every", 20)
KINDS = {
    "dense": ("fcn_imp.py", (*DIGITS, "--rounds", 1, "--rewind-iteration", 7, "--engine", "dense")),
    "sparse": ("fcn_imp.py", (*DIGITS, "--rounds", 1, "--engine", "sparse")),
    "rigl": ("sparse_training.py", (*DIGITS, "--method", "rigl", "--update-every", 11, "--save-every", 25)),
}


@pytest.fixture(params=KINDS)
def compute(request, inline, tmp_path):
    """Compute a run in a folder of that name, and return it."""
    script, line = KINDS[request.param]

    def compute(folder):
        done = inline(tmp_path, *line, "--models-dir", folder, script=script)
        assert (done.returncode, done.stderr) == (0, "")
        return only_run(tmp_path / folder)

    return compute


@pytest.fixture
def whole(compute):
    """What comes of stretches that are done at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "piece_length", lambda seconds: 10**9)
        return contents(compute("whole"))


class Killed(BaseException):
    """Stands for the end of a process."""


def test_no_bit_depends_on_where_stretches_are_cut(compute, whole, monkeypatch):
    """Of the history neither, which holds the mean loss over whole stretches."""
    drawn = random.Random(0)
    monkeypatch.setattr(loop, "piece_length", lambda seconds: drawn.randint(1, 9))
    assert contents(compute("cut")) == whole


def test_a_training_killed_in_the_middle_of_a_stretch_goes_on_from_there(compute, whole, monkeypatch):
    monkeypatch.setattr(replicate, "PARTIAL_SECONDS", 0.0)
    monkeypatch.setattr(loop, "piece_length", lambda seconds: 4)
    save, left_off, saves = checkpoints.write_state, [], iter([3, 3, 3, 10**9])
    countdown = next(saves)

    def saved(path, spec, seed, number, state):
        nonlocal countdown
        save(path, spec, seed, number, state)
        countdown -= 1
        if not countdown:
            countdown = next(saves)
            left_off.append(state.iteration)
            raise Killed

    monkeypatch.setattr(checkpoints, "write_state", saved)
    while len(left_off) < 3:
        with pytest.raises(Killed):
            compute("killed")
    assert sum(iteration % 20 > 0 for iteration in left_off) >= 2, "in the middle of stretches"
    run = compute("killed")
    assert contents(run) == whole
    assert not list(run.folder.rglob("*.partial.h5"))


@pytest.mark.parametrize("compute", ["dense"], indirect=True)
def test_a_partial_file_of_an_earlier_version_is_read(compute, whole, monkeypatch):
    """They stand at evaluations, and say nothing of steps since."""
    monkeypatch.setattr(replicate, "PARTIAL_SECONDS", 0.0)
    monkeypatch.setattr(loop, "piece_length", lambda seconds: 10**9)
    save, write = checkpoints.write_state, checkpoints.write_file

    def written(path, attributes, groups):
        newer = ("steps", "losses", "running")
        assert [attributes[name] for name in newer] == [0, 0.0, 0.0]
        write(path, {name: value for name, value in attributes.items() if name not in newer}, groups)

    def saved(path, spec, seed, number, state):
        if state.iteration != 20:
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(checkpoints, "write_file", written)
            save(path, spec, seed, number, state)
        assert "steps" not in Record(path).attributes
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "write_state", saved)
        with pytest.raises(Killed):
            compute("older")
    assert contents(compute("older")) == whole


def test_an_engine_takes_any_number_of_rows_and_evaluates_in_parts(context, monkeypatch):
    """The stretches that it is compiled for are 20 iterations long; its evaluations of digits have several chunks."""
    from ticketlab.training.sparse_engine import engine as sparse

    initial = variables.draw(context.model, 0, "initialisation")
    mask = masks.all_kept(initial, context.paths)
    order, rates = batches(context.train_indices, 60, 0, 0, 50), ImpSpec().learning_rates(0, 50)
    for engine in (context.named("dense"), context.named("sparse")):
        found = []
        for cuts in ((0, 50), (0, 1, 20, 33, 50)):
            engine.load(initial, mask)
            total = 0.0
            for begin, end in itertools.pairwise(cuts):
                total = engine.train(order[begin:end], rates[begin:end], total)
            found.append((total, engine.weights()["dense_1/kernel"].tobytes()))
        assert found[0] == found[1]
        evaluated = set()
        for chunks in (1, 2, 10**6):
            monkeypatch.setattr(context.named("dense"), "_evaluation_chunks", chunks)
            monkeypatch.setattr(sparse, "EVALUATED", 64 * chunks)
            evaluated.add((engine.evaluate("validation"), engine.evaluate("test")))
        assert len(evaluated) == 1


def test_pieces_take_about_a_second_and_the_first_is_short():
    assert [loop.piece_length(seconds) for seconds in (np.inf, 0.5, 0.02, 7.0)] == [1, 2, 50, 1]


def test_a_signal_is_served_where_nothing_is_evaluated_before_the_end(inline, tmp_path, monkeypatch):
    """It used to wait for the whole stretch, which here is the whole training."""
    from ticketlab.training.dense_engine import DenseEngine

    monkeypatch.setattr(loop, "piece_length", lambda seconds: 10)
    train, done = DenseEngine.train, []

    def spied(self, order, rates, total=0.0):
        total = train(self, order, rates, total)
        done.extend(order)
        if done:
            os.kill(os.getpid(), signal.SIGTERM)
        return total

    monkeypatch.setattr(DenseEngine, "train", spied)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the command does
    try:
        ended = inline(tmp_path, *DIGITS, "--eval-every", 5000, "--rounds", 0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.returncode == 130
    assert ended.stderr == "interrupted: finished rounds are on disk; the same command goes on from there\n"
    assert len(done) == 10
