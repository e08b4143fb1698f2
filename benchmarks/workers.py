"""Start-up and memory of workers: the pool's fork server beside plain `spawn`, in one run.

    python benchmarks/workers.py --processes 8

A worker is ready when it has run a first XLA-compiled function. Memory is read while all workers of the pool hold
MNIST and have trained: private (USS) and proportional (PSS) megabytes per worker, and the private ones beyond the data.
"""

import argparse
import os
import time
from pathlib import Path

import multiprocess
import psutil

from ticketlab import tensorflow_setup
from ticketlab.data import dataset, sources
from ticketlab.execution import local_pool
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.networks import variables


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
    from ticketlab.training.dense_engine import Engine

    spec = ImpSpec()
    mnist = sources.load("mnist", data_dir)
    engine = Engine(architectures.build("lenet_300_100", mnist.input_shape, 10), mnist, spec)
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
        report("memory", {"private": memory.uss / 1e6, "proportional": memory.pss / 1e6, "data": size / 1e6})

    return replicate


def time_spawn(processes: int) -> float:
    """Return the seconds until all spawned workers are ready."""
    context = multiprocess.get_context("spawn")
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


def main() -> None:
    """Print start-up times, their ratio, and memory per worker."""
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--data-dir", type=Path)
    flags = parser.parse_args()
    ours, plain = time_pool(flags.processes), time_spawn(flags.processes)
    print(
        f"{flags.processes} workers ready after {ours:.1f} s, spawned {plain:.1f} s: {plain / ours:.1f} times as long"
    )
    facts = []
    with tempfile.TemporaryDirectory() as meeting:
        job = local_pool.Job(prepare_training, (flags.data_dir, flags.processes, meeting))
        collect = lambda seed, name, each: facts.append(each) if name == "memory" else None  # noqa: E731
        local_pool.run(job, range(flags.processes), flags.processes, collect)
    mean = {name: sum(each[name] for each in facts) / len(facts) for name in ("private", "proportional", "data")}
    print(
        f"per worker: {mean['private']:.0f} MB private, of which {mean['data']:.0f} MB data, "
        f"so {mean['private'] - mean['data']:.0f} MB beyond the data; {mean['proportional']:.0f} MB proportional"
    )


if __name__ == "__main__":
    main()
