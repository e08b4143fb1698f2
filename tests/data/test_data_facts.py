"""What a run keeps of its data set: written once, found by analysis, copied with the run."""

import h5py
import numpy as np
import pytest

from rounds_on_disk import write_run
from ticketlab.analysis.runs import read_runs
from ticketlab.data.dataset import from_arrays, split
from ticketlab.evaluation import export
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.runs.folder import Run

LABELS = np.arange(60) % 3 * 5


@pytest.fixture
def table():
    """A table whose second number never varies, and whose first does so in one validation sample alone."""
    x = np.random.default_rng(0).random((60, 4)).astype(np.float32)
    x[:, :2] = 7
    x[split(60)[1][0], 0] = 8
    return from_arrays("mine", x, LABELS, x[:20], LABELS[:20])


def test_inputs_that_never_vary_in_training_are_constant(table, digits):
    assert table.constant.tolist() == [True, True, False, False]
    training = digits.x_train[split(len(digits.x_train))[0]]
    assert digits.constant.shape == (8, 8)
    assert np.array_equal(digits.constant, training.min(axis=0) == training.max(axis=0))
    assert digits.constant.any()


def test_samples_of_one_axis_make_a_table_and_others_images(table, digits):
    assert (table.input_kind, digits.input_kind) == ("table", "image")


def test_a_run_keeps_them_and_any_hdf5_tool_reads_them(tmp_path, table):
    run = Run(tmp_path / "run")
    run.begin(ImpSpec(dataset="mine"), table.digest)
    assert run.data is None
    run.keep_data(table)
    kept = Run(run.folder).data
    assert (kept.name, kept.sha256, kept.task, kept.input_kind) == ("mine", table.digest, "classification", "table")
    assert (kept.classes.tolist(), kept.outputs, kept.scale, kept.offset) == ([0, 5, 10], 3, 1.0, 0.0)
    assert kept.constant.tolist() == [True, True, False, False]
    with h5py.File(run.folder / "data.h5") as file:
        assert file["arrays/constant"].dtype == bool
        assert file.attrs["input_kind"].decode() == "table"
    written = (run.folder / "data.h5").stat()
    run.keep_data(table)
    assert (run.folder / "data.h5").stat().st_ino == written.st_ino


def test_a_damaged_file_is_set_aside_and_written_again(tmp_path, table):
    run = Run(tmp_path)
    run.keep_data(table)
    whole = (tmp_path / "data.h5").read_bytes()
    (tmp_path / "data.h5").write_bytes(whole[:-50])
    run.keep_data(table)
    assert run.data.sha256 == table.digest
    assert (tmp_path / "data.h5.damaged-1").exists()


def test_analysis_finds_them_or_says_what_an_older_run_tells(tmp_path, table):
    new, old, mine = (write_run(tmp_path / name, 1, 1) for name in ("new", "old", "mine"))
    Run(new).keep_data(table)
    write_run(tmp_path / "counts", 1, 1, dataset="counts", change=lambda _: {"task": "regression"})
    (first, second, third), problems = read_runs([new, old, tmp_path / "counts"])
    assert first.data.constant.tolist() == [True, True, False, False]
    assert (second.data.name, second.data.task, second.data.input_kind) == ("digits", "classification", "image")
    assert second.data.constant is None
    assert (third.data.task, third.data.input_kind) == ("regression", "table")
    Run(mine).keep_data(table)
    (mine / "data.h5").write_bytes(b"no file")
    (found,), problems = read_runs([mine])
    assert found.data.constant is None
    assert "data.h5 cannot be read" in problems[0]


def test_a_slim_copy_has_them(tmp_path, table):
    run = Run(write_run(tmp_path / "mine", 1, 1))
    run.keep_data(table)
    export.slim_copy(run, tmp_path / "slim")
    assert Run(tmp_path / "slim").data.sha256 == table.digest
