"""Whole commands as a person types them: runs, resuming, killing, bad input."""

import os
import re
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from conftest import SCRIPTS, TINY, contents, environment, only_run
from ticketlab.data import sources
from ticketlab.runs.folder import Run


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Three seeds of the tiny run, computed by three processes: what every other way must reproduce."""
    folder = tmp_path_factory.mktemp("reference")
    line = [sys.executable, SCRIPTS / "lenet_300_100_imp.py", *TINY, "--processes", "3", "--seeds", "0-2"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    return done, only_run(folder / "models")


MAIN = "lenet_300_100_imp.py"


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.py")))
def test_help_and_a_typo_of_every_script(command, inline, tmp_path, script):
    shown = command("--help", script=script)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "usage:" in shown.stdout
    assert ("with --branch, all of the run" in " ".join(shown.stdout.split())) == script.endswith("imp.py")
    refused = inline(tmp_path, "--modls-dir", "x", script=script)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


def test_a_run_writes_files_and_prints_a_table(reference):
    done, run = reference
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^ +2 +0\.6\d{3} +3 +\d+ ± \d+", done.stdout, re.MULTILINE)
    assert "models/imp-digits-lenet_300_100-" in done.stdout.splitlines()[-1]
    assert run.seeds() == [0, 1, 2]
    assert all(run.rounds(seed) == [0, 1, 2] for seed in (0, 1, 2))
    left = {path.name for path in run.folder.rglob("*") if path.is_file()} - {f"round_0{i}.h5" for i in range(3)}
    assert left == {"spec.json", "network.json", "data.h5", ".lock"}


def test_replicates_differ(reference):
    _, run = reference
    kernels = [run.round(seed, 0).weights["dense_1/kernel"] for seed in (0, 1, 2)]
    assert not np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[1], kernels[2])


def test_the_number_of_processes_changes_no_bit_and_more_seeds_and_rounds_extend_a_run(inline, tmp_path, reference):
    """Three workers computed the reference; one does a round here, and this process all that is missing."""
    assert inline(tmp_path, *TINY[:-1], "0", "--seeds", "1", processes=1, script=MAIN).returncode == 0
    run = only_run(tmp_path / "models")
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("round_*.h5")}
    assert len(before) == 1
    again = inline(tmp_path, *TINY, "--seeds", "0-2", script=MAIN)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before, "finished rounds are not touched"
    assert contents(run) == contents(reference[1])


@pytest.mark.slow
def test_resume_after_the_whole_run_was_killed(started, command, tmp_path, reference):
    flags = (*TINY, "--processes", "2", "--seeds", "0-2")
    process = started(*flags)
    wait_for(lambda: list((tmp_path / "models").rglob("round_01.h5")))
    process.kill()
    process.wait()
    run = only_run(tmp_path / "models")
    assert sum(len(run.rounds(seed)) for seed in run.seeds()) < 9
    assert command(*flags).returncode == 0
    assert contents(run) == contents(reference[1])


@pytest.mark.slow
def test_a_killed_worker_costs_one_more_try(started, tmp_path, reference):
    process = started(*TINY, "--processes", "2", "--seeds", "0-2")
    wait_for(lambda: list((tmp_path / "models").rglob("round_00.h5")))
    workers = [each for each in psutil.Process(process.pid).children(recursive=True) if not each.children()]
    computing = max(workers, key=lambda each: sum(each.cpu_times()[:2]))
    computing.send_signal(signal.SIGKILL)
    _, problems = process.communicate(timeout=300)
    assert process.returncode == 0, problems
    assert re.fullmatch(r"seed \d: its worker was killed by SIGKILL \(out of memory\?\); trying once more\n", problems)
    assert contents(only_run(tmp_path / "models")) == contents(reference[1])


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "processes"), [(signal.SIGINT, 2), (signal.SIGTERM, 0)])
def test_an_interrupt_is_calm(started, tmp_path, signum, processes):
    process = started("--dataset", "digits", "--iterations", "100000", "--processes", processes)
    wait_for(lambda: list((tmp_path / "models").rglob(".lock")))
    process.send_signal(signum)
    _, problems = process.communicate(timeout=120)  # and not the hours that the run would take
    assert process.returncode == 130
    assert problems == "interrupted: finished rounds are on disk; the same command goes on from there\n"
    assert not list((tmp_path / "models").rglob("*.tmp"))
    assert not [each for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == str(tmp_path)]


def test_overwrite_and_dry_run(inline, tmp_path):
    flags = (tmp_path, *TINY[:-1], "0")
    planned = inline(*flags, "--dry-run", script=MAIN)
    assert planned.returncode == 0
    assert "nothing done" in planned.stdout
    assert not (tmp_path / "models").exists()
    assert inline(*flags, script=MAIN).returncode == 0
    path = only_run(tmp_path / "models").path(0, 0)
    first = path.stat().st_mtime_ns
    assert "1 round done: 0; nothing left to do" in inline(*flags, "--dry-run", script=MAIN).stdout
    assert inline(*flags, "--overwrite", script=MAIN).returncode == 0
    assert path.stat().st_mtime_ns > first


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """A home without data sets and without a way to the network."""
    for name in set(os.environ) - set(environment(tmp_path)):
        monkeypatch.delenv(name)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)


def test_without_mnist_the_embedded_data_is_used_loudly(inline, offline, tmp_path):
    done = inline(tmp_path, "--iterations", "20", "--rounds", "0", script=MAIN)
    assert done.returncode == 0
    assert "USING THE SMALL EMBEDDED DATA SET `digits` INSTEAD" in done.stderr
    assert only_run(tmp_path / "models").folder.name.startswith("imp-digits-")


def test_mnist_asked_for_and_not_found_is_an_error(inline, offline, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_download", lambda name, path: "no answer")
    done = inline(tmp_path, "--dataset", "mnist", script=MAIN)
    assert (done.returncode, done.stdout) == (2, "")
    assert "data set `mnist` needs mnist.npz, which is in none of: " in done.stderr


@pytest.mark.parametrize("flags", [(), ("--preset", "frankle-carbin-2019"), ("--dataset", "mnist")])
def test_a_dry_run_downloads_nothing_and_says_what_it_did_not_check(inline, offline, tmp_path, monkeypatch, flags):
    monkeypatch.setattr(sources, "_download", lambda name, path: pytest.fail("a download"))
    done = inline(tmp_path, *flags, "--seeds", 0, "--dry-run", script=MAIN)
    assert (done.returncode, done.stderr) == (0, "")
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert shown["dataset"] == "mnist"
    assert shown["data"].startswith("mnist is not here, and would be downloaded")
    assert "Not checked: what depends on samples, layers, finished rounds" in done.stdout
    refused = inline(tmp_path, *flags, "--dry-run", "--data-dir", "nowhere", script=MAIN)
    assert refused.returncode == 2
    assert "`data_dir` must be a folder. Received: data_dir=nowhere" in refused.stderr


def test_own_data_set(inline, table_file, tmp_path):
    flags = ("--dataset", "mine", "--data-dir", table_file(), "--iterations", "20", "--rounds", "1")
    done = inline(tmp_path, *flags, script=MAIN)
    assert done.returncode == 0, done.stderr
    assert only_run(tmp_path / "models").round(0, 1).masks["dense_1/kernel"].shape == (5, 300)
    table_file(y_test=np.zeros(30, int))
    changed = inline(tmp_path, *flags, script=MAIN)
    assert changed.returncode == 2
    assert "was computed on other data of the name `mine`" in changed.stderr


def test_real_mnist(inline, mnist_dir, tmp_path):
    flags = ("--iterations", "600", "--rounds", "2", "--eval-every", "100")
    done = inline(tmp_path, "--dataset", "mnist", "--data-dir", mnist_dir, *flags, script=MAIN)
    assert done.returncode == 0, done.stderr
    records = [record.attributes for record in only_run(tmp_path / "models").records()]
    assert [record["density"] for record in records] == pytest.approx([1, 0.8004, 0.6406], abs=1e-4)
    assert all(0.945 < record["test_accuracy"] < 0.985 for record in records)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--learning-rat", "1"], "unrecognized arguments: --learning-rat 1 (did you mean --learning-rate?)"),
        (["--learning", "1"], "unrecognized arguments: --learning 1 (did you mean --learning-rate?)"),
        (["--network", "conv2"], "unrecognized arguments: --network conv2"),
        (["--rounds", "many"], "argument --rounds: invalid int value: 'many'"),
        (["--nesterov", "False"], "unrecognized arguments: False"),
        (["--prune-rate", "20"], "`prune_rate` must be in (0, 1). Received: prune_rate=20.0"),
        (["--seeds", "5-2"], "argument --seeds: must begin with the lesser number, 2-5. Received: 5-2"),
        (["--seeds", "1,1"], "argument --seeds: must name each number once. Received: 1,1"),
        (["--processes", "-1"], "argument --processes: must be a whole number from 0 to 9999. Received: -1"),
        (["--preset", "nobody"], "argument --preset: invalid choice: 'nobody'"),
        (["--rounds", "3", "--target-density", ".1"], "`target_density` must be given without `rounds`"),
        (["--dataset", "digits", "--batch-size", "2000"], "`batch_size` must be at most the 1373 training samples"),
        (["--dataset", "nothing"], "data set `nothing` needs nothing.npz, which is in none of: "),
        (["--data-dir", "nowhere"], "`data_dir` must be a folder. Received: data_dir=nowhere"),
        (["--dataset", "digits", "--models-dir", "/dev/null/x"], "cannot write into /dev/null/x"),
    ],
)
def test_bad_input_gets_one_line_and_exit_status_2(inline, tmp_path, flags, message):
    refused = inline(tmp_path, *flags, script=MAIN)
    assert refused.returncode == 2
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert line.startswith("lenet_300_100_imp.py: error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_an_output_folder_of_another_spec_is_refused(inline, tmp_path, reference):
    _, run = reference
    there = tmp_path / "models" / run.folder.name
    there.mkdir(parents=True)
    text = (run.folder / "spec.json").read_text()
    (there / "spec.json").write_text(text.replace('"batch_size": 60', '"batch_size": 64'))
    refused = inline(tmp_path, *TINY, script=MAIN)
    assert refused.returncode == 2
    assert "belongs to another spec (`batch_size` is 64 there and 60 here)" in refused.stderr
    assert [path.name for path in there.iterdir()] == ["spec.json"]


def test_a_full_disk_ends_the_run_with_one_line(inline, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        done = inline(tmp_path, *TINY, "--seeds", "0,1", script=MAIN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.returncode == 1
    assert re.fullmatch(r"lenet_300_100_imp.py: .*cannot write \S+round_00\.h5: File too large\n", done.stderr)
    run = only_run(tmp_path / "models")
    assert all(run.rounds(seed) == [] for seed in run.seeds())
    assert not list(tmp_path.rglob("*.tmp"))


def test_failed_replicates_are_told(inline, tmp_path):
    done = inline(tmp_path, *TINY, "--learning-rate", "1e30", "--seeds", "0,1", script=MAIN)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[-1] == "2 of 2 replicates failed: seeds 0, 1"
    assert all(": training diverged: the validation loss is " in line for line in lines[:-1])
    assert "Traceback" not in done.stderr + done.stdout


def test_a_finished_run_opens_in_two_lines(reference):
    run = Run(reference[1].folder)
    assert run.round(0, 2).masks["dense_1/kernel"].dtype == bool
    assert os.path.exists(run.folder / "spec.json")
