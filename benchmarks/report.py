"""The whole report of 8 seeds × 17 rounds of LeNet-300-100 on one core, and what importing analysis costs.

    python benchmarks/report.py models/imp-mnist-lenet_300_100-…

Takes a finished run and copies its seeds under other numbers until there are 8.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import h5py

from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs
from ticketlab.runs.folder import Run
from ticketlab.runs.hdf5 import write_file

SCRIPT = Path(__file__).parent.parent / "experiment_scripts" / "analyze_masks.py"
GROUPS = ("masks", "weights", "rewind", "history")


def enlarge(run: Run, folder: Path, seeds: int) -> None:
    """Write a run of so many seeds, each a copy of one of the given run's."""
    folder.mkdir()
    shutil.copy(run.folder / "spec.json", folder)
    sources = run.seeds()
    for seed in range(seeds):
        (folder / f"seed_{seed}").mkdir()
        for round in run.rounds(source := sources[seed % len(sources)]):
            record = run.round(source, round)
            attributes = {name: value for name, value in record.attributes.items() if name != "format"}
            groups = {group: arrays for group in GROUPS if (arrays := record.arrays(group))}
            write_file(Run(folder).path(seed, round), {**attributes, "seed": seed}, groups)


def seconds(*command: str | Path) -> float:
    """Time a command on one core."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def parts(folder: Path) -> str:
    """Time reading and measuring in this process, and count how often each round's file is opened."""
    opened, real = Counter(), h5py.File

    def counted(path: Path, *arguments: str, **settings: object) -> h5py.File:
        opened[path] += 1
        return real(path, *arguments, **settings)

    h5py.File = counted
    began = time.perf_counter()
    runs, _ = read_runs([folder])
    read = time.perf_counter()
    measure(runs)
    measured = time.perf_counter()
    most = max(count for path, count in opened.items() if path.name.startswith("round_"))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"comparing checksums {read - began:.1f} s, measuring {measured - read:.1f} s, at most {most} opens per file, "
        f"peak memory {megabytes:.0f} MB"
    )


def main() -> None:
    """Print all times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    flags = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as place:
        enlarge(Run(flags.run), Path(place, "run"), flags.seeds)
        whole = seconds(SCRIPT, Path(place, "run"), "--outputs-dir", Path(place, "outputs"))
        told = parts(Path(place, "run"))
    rounds = len(Run(flags.run).rounds(Run(flags.run).seeds()[0]))
    imports = seconds("-c", "import ticketlab.analysis") - seconds("-c", "pass")
    print(f"{flags.seeds} seeds × {rounds} rounds: {whole:.1f} s; importing ticketlab.analysis: {imports:.2f} s")
    print(told)


if __name__ == "__main__":
    main()
