"""The whole default job on MNIST: wall-clock time, what of it is training, and what saving a round costs.

    python benchmarks/job.py --processes 2 --seeds 0-1

Runs the main script in a temporary folder. Saving is measured on the job's own rounds: each is written again.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ticketlab import storage
from ticketlab.storage import Run

SCRIPT = Path(__file__).parent.parent / "experiment_scripts" / "lenet_300_100_imp.py"
GROUPS = ("masks", "weights", "rewind", "history")


def seconds_to_save(record: storage.Record, folder: Path) -> float:
    """Time one more writing of a round, fsync included."""
    groups = {group: record.arrays(group) for group in GROUPS}
    attributes = {name: value for name, value in record.attributes.items() if name != "format"}
    began = time.perf_counter()
    storage.write_file(folder / "again.h5", attributes, groups)
    return time.perf_counter() - began


def main() -> None:
    """Run the job and print its costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--processes", default=str(len(os.sched_getaffinity(0))))
    parser.add_argument("--seeds", default="0-1")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = (
            "--dataset",
            "mnist",
            "--processes",
            flags.processes,
            "--seeds",
            flags.seeds,
            "--models-dir",
            folder,
        )
        began = time.perf_counter()
        subprocess.run([sys.executable, SCRIPT, *settings], check=True, stdout=subprocess.DEVNULL)
        wall = time.perf_counter() - began
        (run,) = (Run(path) for path in Path(folder).iterdir())
        seeds, records = run.seeds(), list(run.records())
        training = [record.attributes["seconds"] for record in records]
        saving = statistics.median(seconds_to_save(record, Path(folder)) for record in records)
        size = sum(record.path.stat().st_size for record in records) / len(records) / 1e6
    busy = sum(training) / wall / min(int(flags.processes), len(seeds))
    rounds = len(records) // len(seeds)
    print(f"{len(seeds)} seeds × {rounds} rounds, {flags.processes} processes: {wall:.0f} s")
    print(f"a round trains {statistics.median(training):.1f} s (median); {busy:.0%} of the workers' time is training")
    share = saving / statistics.median(training)
    print(f"saving a round: {saving * 1000:.0f} ms (median), {share:.1%} of a round, {size:.2f} MB on average")


if __name__ == "__main__":
    main()
