"""Files: written whole or not at all, every damage found, folders that belong to one run."""

import contextlib
import json
import multiprocessing
import resource
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

from ticketlab.errors import BadInput, TicketlabError, WriteFailed
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.runs import hdf5, lock
from ticketlab.runs.folder import Damaged, Record, Run, write_file

MASK = np.random.default_rng(0).random((40, 30)) < 0.3
GROUPS = {
    "masks": {"dense_2/kernel": MASK, "dense_10/kernel": ~MASK},
    "weights": {"dense_2/kernel": np.where(MASK, np.float32(0.5), np.float32(0)), "count": np.int64(3)},
}
ATTRIBUTES = {"seed": 3, "density": 0.25, "spec": '{"ä": 1}'}


@pytest.fixture
def file(tmp_path):
    write_file(tmp_path / "round_00.h5", ATTRIBUTES, GROUPS)
    return tmp_path / "round_00.h5"


def same(record: Record) -> bool:
    record.verify()
    equal = [
        np.array_equal(record.arrays(group)[path], value) for group in GROUPS for path, value in GROUPS[group].items()
    ]
    return all(equal) and record.attributes == {"format": 1, **ATTRIBUTES}


def test_what_is_written_is_read_in_its_order(file):
    record = Record(file)
    assert same(record)
    assert list(record.masks) == ["dense_2/kernel", "dense_10/kernel"]
    assert record.masks["dense_2/kernel"].dtype == bool
    assert record.rewind == {}


def test_any_hdf5_tool_reads_it(file):
    with h5py.File(file) as h5:
        assert np.array_equal(h5["masks/dense_2/kernel"][:], MASK)
        assert h5["masks/dense_2/kernel"].fletcher32
        assert h5["masks/dense_2/kernel"].compression == "gzip"
        assert h5.attrs["density"] == 0.25


def test_masks_take_a_byte_before_compression_and_no_pickle(file):
    assert file.stat().st_size < 10_000
    assert b"pickle" not in file.read_bytes()


def test_every_flipped_bit_and_every_truncation_is_found(file):
    whole, rng = file.read_bytes(), np.random.default_rng(1)
    assert same(Record(file))
    positions = {*range(0, len(whole), 37), *rng.integers(len(whole), size=100).tolist()}
    for position in sorted(positions):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        with contextlib.suppress(Damaged):
            assert same(Record(file)), f"silently wrong after a flip at byte {position}"
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(Damaged) as caught:
            Record(file).verify()
        assert "\n" not in str(caught.value)


def test_foreign_hdf5_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as h5:
        h5["x"] = 1
    with pytest.raises(Damaged, match="must be a file of format 1"):
        Record(tmp_path / "other.h5")


def test_a_full_disk_leaves_nothing_under_the_final_name(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        message = pool.apply(_write_beyond_a_limit, (tmp_path / "round_00.h5",))
    assert message == f"cannot write {tmp_path / 'round_00.h5'}: File too large"
    assert list(tmp_path.iterdir()) == []


def _write_beyond_a_limit(path):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        write_file(path, ATTRIBUTES, GROUPS)
    except WriteFailed as error:
        return str(error)
    return "written"


def test_damaged_files_are_renamed_and_never_deleted(file):
    first = hdf5.set_aside(file)
    shutil.copy(first, file)
    second = hdf5.set_aside(file)
    assert [first.name, second.name] == ["round_00.h5.damaged-1", "round_00.h5.damaged-2"]
    assert first.exists()
    assert second.exists()
    assert not file.exists()
    first.unlink()
    shutil.copy(second, file)
    assert hdf5.set_aside(file) == first
    assert second.exists()


def test_a_file_that_the_system_refuses_is_not_taken_for_damaged(tmp_path, file):
    code = "import h5py, sys; file = h5py.File(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    line = [sys.executable, "-c", code, str(file)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()  # now another process holds it open for writing
        with pytest.raises(TicketlabError, match="cannot open") as caught:
            Record(file)
        assert not isinstance(caught.value, Damaged)
        writer.stdin.close()
    assert same(Record(file))
    with pytest.raises(TicketlabError, match="No such file or directory") as caught:
        Record(tmp_path / "missing.h5")
    assert not isinstance(caught.value, Damaged)


def test_a_run_is_found_by_its_spec_and_refuses_another(tmp_path):
    spec, run = ImpSpec(), Run(tmp_path / "models" / "here")
    run.begin(spec, "abc")
    run.begin(ImpSpec(rounds=3), "abc")  # more or fewer rounds are the same run
    with pytest.raises(BadInput, match=r"belongs to another spec \(`prune_rate` is 0\.2 there and 0\.5 here\)"):
        Run(run.folder).begin(ImpSpec(prune_rate=0.5), "abc")
    with pytest.raises(BadInput, match="was computed on other data of the name `mnist`"):
        Run(run.folder).begin(spec, "abd")
    with pytest.raises(BadInput, match="a version that divided uint8 tables by 255 as `--input-kind image` does"):
        Run(run.folder).check(spec, "abd")


def test_a_field_newer_than_the_run_has_its_default(tmp_path):
    run = Run(tmp_path)
    run.begin(ImpSpec(), "abc")
    description = json.loads((tmp_path / "spec.json").read_text())
    del description["spec"]["patience"]
    (tmp_path / "spec.json").write_text(json.dumps(description))
    Run(tmp_path).begin(ImpSpec(), "abc")
    description["spec"]["colour"] = "red"
    (tmp_path / "spec.json").write_text(json.dumps(description))
    with pytest.raises(BadInput, match="another version"):
        Run(tmp_path).begin(ImpSpec(), "abc")


def test_rounds_without_a_spec_are_not_taken_over(tmp_path):
    (tmp_path / "seed_0").mkdir()
    with pytest.raises(BadInput, match=r"holds rounds but no spec\.json"):
        Run(tmp_path).begin(ImpSpec(), "abc")


def test_only_final_names_count_as_rounds(tmp_path):
    run = Run(tmp_path)
    (tmp_path / "seed_2").mkdir()
    (tmp_path / "seed_x").mkdir()
    for name in ("round_00.h5", "round_10.h5", "round_01.partial.h5", ".round_02.h5.7.tmp", "round_03.h5.damaged-1"):
        (tmp_path / "seed_2" / name).touch()
    assert run.seeds() == [2]
    assert run.rounds(2) == [0, 10]
    assert run.rounds(5) == []


def test_a_seed_is_computed_by_one_process_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "LOCK_SECONDS", 0.1)
    run = Run(tmp_path)
    (tmp_path / "seed_0").mkdir()
    (tmp_path / "seed_0" / ".round_00.h5.99.tmp").touch()
    with run.claim(0):
        assert not list((tmp_path / "seed_0").glob("*.tmp")), "a killed process's leftovers are removed"
        with pytest.raises(TicketlabError, match="is being computed by another process"), run.claim(0):
            pass
        with run.claim(1):
            pass
