"""The whole default job on MNIST: wall-clock time, what of it is training, and what saving a round costs.

    python benchmarks/job.py --processes 2 --seeds 0-1
    python benchmarks/job.py --processes 2 --seeds 0-7 --engines auto dense
    python benchmarks/job.py --processes 1 --seeds 0 --rounds 20

Runs the main script in a temporary folder, once with each engine. A chain's cost is told in trainings of its first
round, which is dense: the mean over the seeds. Saving is measured on the job's own rounds: each is written again.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ticketlab.runs.folder import Run
from ticketlab.runs.hdf5 import Record, write_file

SCRIPT = Path(__file__).parent.parent / "experiment_scripts" / "lenet_300_100_imp.py"
GROUPS = ("masks", "weights", "rewind", "history")


def seconds_to_save(record: Record, folder: Path) -> float:
    """Time one more writing of a round, fsync included."""
    groups = {group: record.arrays(group) for group in GROUPS}
    attributes = {name: value for name, value in record.attributes.items() if name != "format"}
    began = time.perf_counter()
    write_file(folder / "again.h5", attributes, groups)
    return time.perf_counter() - began


def job(engine: str, processes: int, seeds: str, rounds: int) -> float:
    """Run the job with an engine, print its costs, and return its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"dataset": "mnist", "processes": processes, "seeds": seeds, "rounds": rounds, "engine": engine}
        line = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
        began = time.perf_counter()
        subprocess.run([sys.executable, SCRIPT, *line, "--models-dir", folder], check=True, stdout=subprocess.DEVNULL)
        wall = time.perf_counter() - began
        (run,) = (Run(path) for path in Path(folder).iterdir())
        records = {seed: [run.round(seed, round) for round in run.rounds(seed)] for seed in run.seeds()}
        training = {seed: [record.attributes["seconds"] for record in chain] for seed, chain in records.items()}
        everything = [record for chain in records.values() for record in chain]
        saving = statistics.median(seconds_to_save(record, Path(folder)) for record in everything)
        size = sum(record.path.stat().st_size for record in everything) / len(everything) / 1e6
    seconds = [each for chain in training.values() for each in chain]
    busy = sum(seconds) / wall / min(processes, len(training))
    chains = statistics.mean(sum(chain) / chain[0] for chain in training.values())
    print(f"engine {engine}, {len(training)} seeds × {rounds + 1} rounds, {processes} processes: {wall:.0f} s")
    print(f"  a round trains {statistics.median(seconds):.1f} s (median); {busy:.0%} of the workers' time is training")
    print(f"  a chain of {rounds} rounds after the first trains {chains:.1f} times as long as its first round")
    share = saving / statistics.median(seconds)
    print(f"  saving a round: {saving * 1000:.0f} ms (median), {share:.1%} of a round, {size:.2f} MB on average")
    return wall


def main() -> None:
    """Run the job with each engine and print what it costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seeds", default="0-1")
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--engines", nargs="+", default=["auto"], choices=["auto", "dense", "sparse"])
    flags = parser.parse_args()
    walls = {engine: job(engine, flags.processes, flags.seeds, flags.rounds) for engine in flags.engines}
    first, *others = walls
    for other in others:
        print(f"{first} takes {walls[first] / walls[other]:.2f} of the time of {other}")


if __name__ == "__main__":
    main()
