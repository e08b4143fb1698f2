"""--overwrite: nothing is lost to what is refused, nothing computed is deleted twice, and a run may begin anew."""

import numpy as np
import pytest

from conftest import contents, only_run
from ticketlab.analysis.runs import read_runs
from ticketlab.errors import TicketlabError
from ticketlab.execution import launch, local_pool
from ticketlab.experiments.events import RoundDone
from ticketlab.runs import hdf5, overwriting
from ticketlab.runs.folder import Run
from ticketlab.runs.overwriting import NOTHING, Overwritten

CODE = (
    "from keras import Input, Sequential, layers\n\n\ndef net(shape, outputs):\n"
    "    hidden = layers.Dense(8, 'relu', name='one')\n"
    "    return Sequential([Input(shape), layers.Flatten(), hidden, layers.Dense(outputs, name='two')])\n"
)
SHORT = ("--iterations", 20, "--eval-every", 10, "--rounds", 1)
LINE = ("--dataset", "digits", "--network", "nets.py:net", *SHORT)


@pytest.fixture
def compute(inline, tmp_path):
    """Compute with the network's activation, and return how the command ended."""

    def compute(activation, *flags, **settings):
        (tmp_path / "nets.py").write_text(CODE.replace("relu", activation))
        return inline(tmp_path, *LINE, *flags, **settings)

    return compute


def test_a_changed_network_is_refused_before_anything_is_lost(compute, tmp_path):
    assert compute("relu", "--seeds", "0,1").returncode == 0
    run = only_run(tmp_path / "models")
    before, network = contents(run), run.network
    for flags in (("--seeds", 0), ("--seeds", 0, "--overwrite")):  # seed 1 would stay, of the other network
        done = compute("tanh", *flags)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "was computed with another network of that name" in done.stderr
        assert (contents(run), run.network) == (before, network)


@pytest.mark.parametrize("processes", [0, 2])
def test_a_run_that_is_overwritten_whole_may_have_another_network(compute, tmp_path, processes):
    assert compute("relu", "--seeds", "0,1").returncode == 0
    run = only_run(tmp_path / "models")
    first = contents(run)
    done = compute("tanh", "--seeds", "0,1", "--overwrite", processes=processes)
    assert (done.returncode, done.stderr) == (0, "")
    assert {place[:2] for place in contents(run)} == {place[:2] for place in first}
    assert contents(run) != first
    assert "tanh" in str(run.network)
    assert compute("tanh", "--seeds", "0,1").returncode == 0
    assert "was computed with another network" in compute("relu", "--seeds", "0,1").stderr


def test_what_a_refused_command_leaves_binds_nobody(inline, table_file, tmp_path):
    line = ("--dataset", "mine", "--data-dir", tmp_path, "--network", "nets.py:net", "--batch-size", 20, *SHORT)
    table_file()
    (tmp_path / "nets.py").write_text(CODE.replace("(outputs, name", "(outputs, 'softmax', name"))
    assert "must end in logits" in inline(tmp_path, *line, "--seeds", 0).stderr
    (tmp_path / "nets.py").write_text(CODE)
    table_file(y_test=(np.arange(30) + 1) % 3)  # other data by now
    done = inline(tmp_path, *line, "--seeds", 0)
    assert (done.returncode, done.stderr) == (0, "")
    run = only_run(tmp_path / "models")
    assert run.data.sha256 == run.description["data_sha256"]


def test_a_control_of_the_network_before_is_left_out_of_the_analysis(compute, inline, tmp_path):
    assert compute("relu", "--seeds", "0,1").returncode == 0
    run = only_run(tmp_path / "models")
    (tmp_path / "nets.py").write_text(CODE)
    branch = inline(tmp_path, *LINE[:-2], "--seeds", "0,1", "--branch", "one_shot")
    assert (branch.returncode, branch.stderr) == (0, "")
    assert compute("tanh", "--seeds", "0,1", "--overwrite").returncode == 0
    (found,), problems = read_runs([run.folder])
    assert found.branches == []
    assert any("which has another network by now" in line for line in problems)


def test_data_follow_the_same_rule(inline, table_file, tmp_path):
    line = ("--dataset", "mine", "--data-dir", tmp_path, "--network", "fcn_6", "--batch-size", 20, *SHORT)
    table_file()
    assert inline(tmp_path, *line, "--seeds", "0,1").returncode == 0
    run = only_run(tmp_path / "models")
    first = contents(run)
    table_file(x_train=np.random.default_rng(5).random((120, 5)))
    for flags in (("--seeds", 1), ("--seeds", 1, "--overwrite"), ("--seeds", 1, "--overwrite", "--dry-run")):
        refused = inline(tmp_path, *line, *flags)
        assert (refused.returncode, contents(run)) == (2, first)
        assert "was computed on other data of the name `mine`" in refused.stderr
    planned = inline(tmp_path, *line, "--seeds", "0,1", "--overwrite", "--dry-run")
    assert (planned.returncode, contents(run)) == (0, first)
    assert inline(tmp_path, *line, "--seeds", "0,1", "--overwrite").returncode == 0
    assert contents(run) != first
    assert inline(tmp_path, *line, "--seeds", "0,1").returncode == 0, "the run is one of the new data"


def test_interrupted_it_goes_on_without_the_flag_and_ends_at_the_same_bits(compute, tmp_path, monkeypatch):
    """After an interrupt nothing old is left, of seeds that were not begun neither."""
    assert compute("relu", "--seeds", "0,1").returncode == 0
    run = only_run(tmp_path / "models")
    first, event = contents(run), launch.Display.event
    times = {path: path.stat().st_mtime_ns for path in run.folder.rglob("round_*.h5")}

    def pressed(self, seed, said):
        event(self, seed, said)
        if isinstance(said, RoundDone):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(launch.Display, "event", pressed)
        assert compute("relu", "--seeds", "0,1", "--overwrite").returncode == 130
    assert {seed: run.rounds(seed) for seed in run.seeds()} == {0: [0], 1: []}
    assert compute("relu", "--seeds", "0,1").returncode == 0
    assert contents(run) == first
    assert all(path.stat().st_mtime_ns > time for path, time in times.items())


def test_a_second_try_deletes_nothing_of_the_first(compute, tmp_path, monkeypatch):
    assert compute("relu", "--seeds", 0).returncode == 0
    run, attempt, tried = only_run(tmp_path / "models"), local_pool._Attempt.__call__, []
    before, written = contents(run), []

    def crashes_once(self, seed, report):
        def told(event):
            report(event)
            if isinstance(event, RoundDone):
                written.append((event.number, event.new))
                if not tried:
                    tried.append(seed)
                    raise ZeroDivisionError

        return attempt(self, seed, told)

    monkeypatch.setattr(local_pool._Attempt, "__call__", crashes_once)
    done = compute("relu", "--seeds", 0, "--overwrite")
    assert done.returncode == 0
    assert "trying once more" in done.stderr
    assert written == [(0, True), (0, False), (1, True)]
    assert contents(run) == before


def test_seeds_that_another_process_computes_are_left_alone_and_so_are_the_others(tmp_path, monkeypatch):
    run = Run(tmp_path)
    for seed in (0, 1):
        (tmp_path / f"seed_{seed}").mkdir()
        hdf5.write_bytes(run.path(seed, 0), b"old")
    overwritten = Overwritten.of(run, [0, 1])
    monkeypatch.setattr("ticketlab.runs.lock.LOCK_SECONDS", 0.0)
    with run.claim(1), pytest.raises(TicketlabError, match=r"seed 1 of .* is being computed by another process"):
        overwritten.delete(run)
    assert (run.rounds(0), run.rounds(1)) == ([0], [0])
    hdf5.write_bytes(run.path(1, 0), b"new")
    hdf5.write_bytes(run.path(1, 1), b"new")
    assert not overwritten.everything(run)
    overwritten.delete(run)
    assert (run.rounds(0), run.rounds(1)) == ([], [0, 1])
    assert not NOTHING.everything(Run(tmp_path / "nowhere")), "only what is asked for"
    assert overwriting.Overwritten.of(Run(tmp_path / "nowhere"), [0]).everything(Run(tmp_path / "nowhere"))
