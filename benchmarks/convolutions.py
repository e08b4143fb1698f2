"""Time per iteration of the engine on convolutions beside the plain alternatives, in one run: Conv-2 and ResNet-20.

    python benchmarks/convolutions.py --threads 1
    python benchmarks/convolutions.py --network conv2 --engine-alone

Batch and optimizer are those that fit the network; the images are CIFAR-10's or, without cifar10_subset.npz, random.
The contenders take turns, several times; shown is the median of each and its ratio to the best of the plain ones. All
have as many cores and threads, and TensorFlow's settings are its defaults, in their favour; only the engine has masks,
and none evaluates. A contender that takes over 5 times the engine's time has one turn. The loop compiled by XLA does
one iteration a turn, since it may take a minute.

Alone, the engine also evaluates: shown are an iteration, a pass over the validation images, and the peak memory (RSS)
of loading TensorFlow and the images, and of the whole.
"""

import argparse
import resource
import statistics
from functools import partial
from pathlib import Path

import contenders
from contenders import Turn

ITERATIONS = {"conv2": 10, "resnet20": 3}  # of one turn: short, so that what else the machine does meets all alike
FAR_BEHIND = 5

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
parser.add_argument("--network", choices=tuple(ITERATIONS), help="both if left out")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--turns", type=int, default=9)
parser.add_argument("--engine-alone", action="store_true", help="evaluation and memory; give --network, too")
parser.add_argument("--data-dir", type=Path)
flags = parser.parse_args()
contenders.start(flags.threads)

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from ticketlab.data import dataset, sources  # noqa: E402
from ticketlab.experiments.lottery.spec import ImpSpec  # noqa: E402
from ticketlab.networks import architectures, variables  # noqa: E402
from ticketlab.sparsity import masks  # noqa: E402
from ticketlab.training.dense_engine import DenseEngine  # noqa: E402
from ticketlab.training.engine import EngineSettings  # noqa: E402


def images() -> dataset.Dataset:
    """Return CIFAR-10's images or, where there are none, random ones of their shape."""
    if sources.find("cifar10_subset", flags.data_dir):
        return sources.load("cifar10_subset", flags.data_dir)
    rng = np.random.default_rng(0)
    x_train, x_test = (rng.integers(256, size=(n, 32, 32, 3), dtype=np.uint8) for n in (10_000, 2_000))
    return dataset.from_arrays("random images", x_train, np.arange(10_000) % 10, x_test, np.arange(2_000) % 10)


class Race:
    """What all contenders for one network share: the images in their order, the network and the optimizer."""

    def __init__(self, name: str, pictures: dataset.Dataset) -> None:
        self.name, self.pictures, self.iterations = name, pictures, ITERATIONS[name]
        self.spec = ImpSpec(network=name).resolved
        train, _ = dataset.split(len(pictures.x_train))
        self.order = dataset.batches(train, self.spec.batch_size, 0, 0, self.iterations)
        self.x, self.y = pictures.x_train.astype(np.float32) * np.float32(pictures.scale), pictures.y_train

    def network(self) -> keras.Model:
        """Build the network that all contenders train."""
        return architectures.build(self.name, self.pictures.input_shape, self.pictures.outputs)

    def optimizer(self) -> keras.Optimizer:
        """Return Keras's optimizer with the engine's settings."""
        if self.spec.optimizer == "adam":
            return keras.optimizers.Adam(self.spec.learning_rate)
        return keras.optimizers.SGD(self.spec.learning_rate, self.spec.momentum)

    def engine(self) -> tuple[Turn, Turn]:
        """Return the turn of ticketlab's engine, and its pass over the validation images."""
        ours = DenseEngine(self.network(), self.pictures, EngineSettings.of(self.spec))
        weights = variables.draw(ours.model, 0, "initialisation")
        ours.load(weights, masks.all_kept(weights, ours.paths))
        rates = self.spec.learning_rates(0, self.iterations)
        return partial(ours.train, self.order, rates), partial(ours.evaluate, "validation")

    def fit(self, xla: bool) -> Turn:
        """Return the turn of `model.fit`."""
        x, y = self.x[self.order.ravel()], self.y[self.order.ravel()]
        return contenders.fit(self.network(), self.optimizer(), x, y, self.spec.batch_size, jit_compile=xla)

    def per_step(self, xla: bool) -> Turn:
        """Return the turn of a loop over one tf.function per step, to which the batches come as tensors."""
        step = tf.function(contenders.plain_step(self.network(), self.optimizer()), jit_compile=xla)
        batches = [(tf.constant(self.x[batch]), tf.constant(self.y[batch])) for batch in self.order]
        return lambda: [step(x, y).numpy() for x, y in batches]

    def loop(self, xla: bool) -> Turn:
        """Return the turn of one tf.function over the epoch, which gathers its batches from the images."""
        step = contenders.plain_step(self.network(), self.optimizer())
        x, y = tf.constant(self.x), tf.constant(self.y)

        @tf.function(jit_compile=xla)
        def epoch(order: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
            number, total = tf.constant(0), tf.constant(0.0)
            while number < steps:
                total += step(tf.gather(x, order[number]), tf.gather(y, order[number]))
                number += 1
            return total

        epoch(order := tf.constant(self.order), tf.constant(0))  # compiles, without an iteration of a minute
        return lambda: float(epoch(order, tf.constant(1 if xla else self.iterations)))

    def run(self) -> None:
        """Let the contenders take turns and print a table."""
        turns: dict[str, tuple[Turn, int]] = {"engine": (self.engine()[0], self.iterations)}
        for name, way in {
            "model.fit": self.fit,
            "per-step tf.function": self.per_step,
            "one tf.function over the epoch": self.loop,
        }.items():
            turns[name] = (way(xla=False), self.iterations)
            turns[f"{name}, jit_compile"] = (way(xla=True), 1 if way == self.loop else self.iterations)
        for turn, iterations in turns.values():
            if iterations > 1:
                turn()  # compiles
        times = {name: [contenders.milliseconds(*turn)] for name, turn in turns.items()}
        slow = {name for name in turns if times[name][0] > FAR_BEHIND * times["engine"][0]}
        for _ in range(flags.turns - 1):
            for name in [name for name in turns if name not in slow]:
                times[name].append(contenders.milliseconds(*turns[name]))
        medians = {name: statistics.median(values) for name, values in times.items()}
        best = min(value for name, value in medians.items() if name != "engine")
        print(f"{self.heading()}, medians of {flags.turns} turns of {self.iterations} iterations")
        for name, value in medians.items():
            told = "  (one turn)" if name in slow else ""
            print(f"{name:44} {value:8.0f} ms  {value / best:6.2f} × the best of the plain ones{told}", flush=True)

    def run_engine_alone(self) -> None:
        """Print what evaluation costs, and the memory."""
        before = peak_memory()
        train, evaluate = self.engine()
        times: list[tuple[float, float]] = []
        for _ in range(flags.turns):
            times.append((contenders.milliseconds(train, self.iterations), contenders.milliseconds(evaluate, 1)))
        iteration, evaluation = map(statistics.median, zip(*times, strict=True))
        validation = len(dataset.split(len(self.x))[1])
        print(f"{self.heading()}, medians of {flags.turns} turns, the engine alone: {iteration:.0f} ms per iteration")
        print(f"{validation} validation images: {evaluation:.0f} ms, {evaluation / iteration:.1f} iterations")
        print(f"peak memory: {before:.0f} MB before, {peak_memory():.0f} MB in the end")

    def heading(self) -> str:
        """Tell what is measured."""
        return f"{self.name}, {self.pictures.name}, batch {self.spec.batch_size}, {flags.threads} thread(s)"


def peak_memory() -> float:
    """Return the largest resident set of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    """Run what was asked for."""
    pictures = images()
    for name in [flags.network] if flags.network else ITERATIONS:
        race = Race(name, pictures)
        race.run_engine_alone() if flags.engine_alone else race.run()


if __name__ == "__main__":
    main()
