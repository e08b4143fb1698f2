"""Start-up and memory of workers: the pool's fork server beside plain `spawn`; and whole tiny commands.

    python benchmarks/workers.py --processes 8
    python benchmarks/workers.py --against path/of/another/checkout

A worker is ready when it has run a first XLA-compiled function. Memory is read while all workers of the pool hold
MNIST and have trained: private (USS) and proportional (PSS) megabytes per worker, and the private ones beyond the data.

With `--against`, whole commands are timed instead, in turns with the other checkout's: those which do little beside
starting, and the first one that the README names, where MNIST is neither there nor to be had. Each turn has a new
folder for its runs; caches of compiled code are as the turn before left them, and the first turn is not counted. Shown
are medians of the seconds that passed, and of those that all processes together computed.
"""

import argparse
import contextlib
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from multiprocess.context import SpawnContext

from ticketlab import tensorflow_setup
from ticketlab.data import dataset, sources
from ticketlab.execution import local_pool
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.networks import variables

HERE = Path(__file__).parent.parent
SCRIPT = Path("experiment_scripts") / "lenet_300_100_imp.py"
TINY = ("--dataset", "mnist", "--rounds", "1", "--iterations", "200")
COMMANDS = {
    "2 rounds of 200 iterations, in one process": (*TINY, "--processes", "0"),
    "the same, 8 seeds in 8 workers": (*TINY, "--processes", "8", "--seeds", "0-7"),
    "the README's first command, without MNIST": (),
}
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Memory:
    """A worker's megabytes: its own, its share of all, and the data's."""

    private: float
    proportional: float
    data: float


def first_function() -> None:
    """Compile and run something small."""
    import tensorflow as tf

    tf.function(lambda x: tf.reduce_sum(x @ x), jit_compile=True)(tf.ones((8, 8)))


def prepare_first_function():
    """Make the job of a worker that is only to be ready."""
    return lambda seed, report: first_function()


def spawned(pipe) -> None:
    """Be a plain spawned worker."""
    tensorflow_setup.start(1)
    first_function()
    pipe.send("ready")


def prepare_training(data_dir: Path | None, processes: int, meeting: str):
    """Make the job of a worker that trains a little and tells its memory when all others have come as far."""
    from ticketlab.networks import architectures
    from ticketlab.sparsity import masks
    from ticketlab.training.dense_engine import DenseEngine
    from ticketlab.training.engine import EngineSettings

    spec = ImpSpec().resolved
    mnist = sources.load("mnist", data_dir)
    engine = DenseEngine(architectures.build("lenet_300_100", mnist.input_shape, 10), mnist, EngineSettings.of(spec))
    size = sum(array.nbytes for array in (mnist.x_train, mnist.y_train, mnist.x_test, mnist.y_test))
    del mnist

    def replicate(seed, report) -> None:
        weights = variables.draw(engine.model, seed, "initialisation")
        engine.load(weights, masks.all_kept(weights, engine.paths))
        order = dataset.batches(engine.train_indices, spec.batch_size, seed, 0, 100)
        engine.train(order, spec.learning_rates(0, 100))
        engine.evaluate("validation")
        Path(meeting, str(seed)).touch()
        while len(os.listdir(meeting)) < processes:
            time.sleep(0.1)
        memory = psutil.Process().memory_full_info()
        report(Memory(memory.uss / 1e6, memory.pss / 1e6, size / 1e6))

    return replicate


def time_spawn(processes: int) -> float:
    """Return the seconds until all spawned workers are ready."""
    context = SpawnContext()
    began, pipes = time.perf_counter(), []
    for _ in range(processes):
        here, there = context.Pipe()
        context.Process(target=spawned, args=(there,), daemon=True).start()
        pipes.append(here)
    for pipe in pipes:
        pipe.recv()
    return time.perf_counter() - began


def time_pool(processes: int) -> float:
    """Return the seconds until all workers of the pool are ready."""
    began, ready = time.perf_counter(), []
    local_pool.run(
        local_pool.Job(prepare_first_function, ()),
        range(processes),
        processes,
        lambda *_: ready.append(time.perf_counter()),
    )
    return ready[-1] - began


def time_command(checkout: Path, flags: tuple[str, ...]) -> tuple[float, float]:
    """Return the seconds that a command takes, and those that its processes compute, workers' as well."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
        if "mnist" not in flags:  # neither there nor, by way of a proxy that is none, to be had
            environment |= {"KERAS_HOME": folder, **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")}
            environment.pop("TICKETLAB_DATA", None)
        line = [sys.executable, str(checkout / SCRIPT), *flags, "--models-dir", folder]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(line, cwd=folder, env=environment, check=True, capture_output=True)
        passed = time.perf_counter() - began
        with contextlib.suppress(ChildProcessError):  # the fork server ends after the command, and is ours then
            while True:
                os.wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return passed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(other: Path, turns: int, names: list[str]) -> None:
    """Let both checkouts take turns with each command, and print what they took."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    print(f"medians of {turns} turns; seconds that passed, and that all processes computed")
    for name in names:
        taken: dict[Path, list[tuple[float, float]]] = {other.absolute(): [], HERE: []}
        for _ in range(turns + 1):
            for checkout, times in taken.items():
                times.append(time_command(checkout, COMMANDS[name]))
        (before, computed_before), (after, computed) = (
            (statistics.median(each) for each in zip(*times[1:], strict=True)) for times in taken.values()
        )
        print(
            f"{name}: {before:.1f} → {after:.1f} s, {after / before:.2f}; "
            f"computed {computed_before:.1f} → {computed:.1f} s, {computed / computed_before:.2f}",
            flush=True,
        )


def main() -> None:
    """Print start-up times, their ratio, and memory per worker; or what whole commands take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--against", type=Path, help="another checkout, whose commands are timed in turns with ours")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--commands", type=int, nargs="+", default=[1, 2, 3], help="which of the commands, from 1")
    flags = parser.parse_args()
    if flags.against:
        return compare(flags.against, flags.turns, [list(COMMANDS)[number - 1] for number in flags.commands])
    ours, plain = time_pool(flags.processes), time_spawn(flags.processes)
    print(
        f"{flags.processes} workers ready after {ours:.1f} s, spawned {plain:.1f} s: {plain / ours:.1f} times as long"
    )
    facts = []
    with tempfile.TemporaryDirectory() as meeting:
        job = local_pool.Job(prepare_training, (flags.data_dir, flags.processes, meeting))
        collect = lambda seed, event: facts.append(event) if isinstance(event, Memory) else None  # noqa: E731
        failures = local_pool.run(job, range(flags.processes), flags.processes, collect)
    if failures:
        raise SystemExit(f"workers failed: {failures}")
    mean = {name: statistics.mean(getattr(each, name) for each in facts) for name in Memory.__annotations__}
    print(
        f"per worker: {mean['private']:.0f} MB private, of which {mean['data']:.0f} MB data, "
        f"so {mean['private'] - mean['data']:.0f} MB beyond the data; {mean['proportional']:.0f} MB proportional"
    )


if __name__ == "__main__":
    main()
