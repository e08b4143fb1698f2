"""Time per iteration of the engine beside the plain alternatives, in one run: LeNet-300-100, MNIST, batch 60, Adam.

    python benchmarks/training.py --threads 2

The contenders take turns, several times; shown is the median of each and its ratio to the engine. All of them have as
many cores and threads, and TensorFlow's settings are its defaults, in their favour. The bare matrix products are those
of one iteration (forward and backward) in NumPy's BLAS: a limit for any dense training. "With evaluation" adds a pass
over the 5,000 validation images after every 100 iterations.
"""

import argparse
import statistics
from pathlib import Path

import contenders

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--turns", type=int, default=9)
parser.add_argument("--iterations", type=int, default=300, help="of one turn, a multiple of 100")
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

SPEC = ImpSpec().resolved
mnist = sources.load("mnist", flags.data_dir)
train, validation = dataset.split(len(mnist.x_train))
x_float = mnist.x_train.astype(np.float32) / 255
order = dataset.batches(train, SPEC.batch_size, 0, 0, flags.iterations)


def network() -> keras.Model:
    """Build the network that all contenders train."""
    return architectures.build("lenet_300_100", mnist.input_shape, 10)


def engine(evaluate: bool):
    """Return the turn of ticketlab's engine."""
    ours = DenseEngine(network(), mnist, EngineSettings.of(SPEC))
    weights = variables.draw(ours.model, 0, "initialisation")
    ours.load(weights, masks.all_kept(weights, ours.paths))

    def turn() -> None:
        for start in range(0, flags.iterations, SPEC.eval_every):
            ours.train(order[start : start + SPEC.eval_every], SPEC.learning_rates(start, start + SPEC.eval_every))
            if evaluate:
                ours.evaluate("validation")

    return turn


def plain_loop(evaluate: bool):
    """Return the turn of a loop as tutorials write it: one tf.function per step, masks multiplied after it."""
    model, optimizer = network(), keras.optimizers.Adam(SPEC.learning_rate)
    kernels = [layer.kernel for layer in model.layers if hasattr(layer, "kernel")]
    ones = [tf.ones_like(kernel) for kernel in kernels]
    update = contenders.plain_step(model, optimizer)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses, hits = keras.metrics.Mean(), keras.metrics.SparseCategoricalAccuracy()
    batches = tf.data.Dataset.from_tensor_slices((x_float[order.ravel()], mnist.y_train[order.ravel()]))
    held_out = tf.data.Dataset.from_tensor_slices((x_float[validation], mnist.y_train[validation]))
    batches, held_out = batches.batch(SPEC.batch_size).cache(), held_out.batch(SPEC.batch_size).cache()

    @tf.function
    def step(x, y):
        loss = update(x, y)
        for kernel, mask in zip(kernels, ones, strict=True):
            kernel.assign(kernel * mask)
        losses.update_state(loss)

    @tf.function
    def test(x, y):
        logits = model(x, training=False)
        losses.update_state(loss_of(y, logits))
        hits.update_state(y, logits)

    def turn() -> None:
        for iteration, (x, y) in enumerate(batches, 1):
            step(x, y)
            if evaluate and iteration % SPEC.eval_every == 0:
                for x_held_out, y_held_out in held_out:
                    test(x_held_out, y_held_out)

    return turn


def fit(**compile_settings):
    """Return the turn of `model.fit` without masks or evaluation."""
    x, y = x_float[order.ravel()], mnist.y_train[order.ravel()]
    optimizer = keras.optimizers.Adam(SPEC.learning_rate)
    return contenders.fit(network(), optimizer, x, y, SPEC.batch_size, **compile_settings)


def blas():
    """Return the turn of the matrix products alone."""
    rng = np.random.default_rng(0)
    kernels = [rng.standard_normal(shape, np.float32) for shape in ((784, 300), (300, 100), (100, 10))]
    x = rng.standard_normal((SPEC.batch_size, 784), np.float32)

    def turn() -> None:
        for _ in range(flags.iterations):
            activations = [x]
            for kernel in kernels:
                activations.append(activations[-1] @ kernel)
            gradient = activations.pop()
            for kernel in reversed(kernels):
                below = activations.pop()
                _ = below.T @ gradient
                if activations:
                    gradient = gradient @ kernel.T

    return turn


def main() -> None:
    """Let the contenders take turns and print a table."""
    turns = {
        "bare BLAS products": (blas(), None),
        "engine": (engine(evaluate=False), None),
        "model.fit": (fit(), "engine"),
        "model.fit, jit_compile, 100 steps per execution": (fit(jit_compile=True, steps_per_execution=100), "engine"),
        "per-step tf.function": (plain_loop(evaluate=False), "engine"),
        "engine with evaluation": (engine(evaluate=True), None),
        "per-step tf.function with evaluation": (plain_loop(evaluate=True), "engine with evaluation"),
    }
    for turn, _ in turns.values():
        turn()  # compiles
    times: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(flags.turns):
        for name, (turn, _) in turns.items():
            turn()  # not measured: caches are warm then, and the threads of the one before have stopped spinning
            times[name].append(contenders.milliseconds(turn, flags.iterations))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{flags.threads} thread(s), median of {flags.turns} turns of {flags.iterations} iterations")
    for name, milliseconds in medians.items():
        beside = turns[name][1] or ("bare BLAS products" if name == "engine" else None)
        ratio = milliseconds / medians[beside] if beside else float("nan")
        told = f"{ratio:5.2f} × {beside}" if beside else ""
        print(f"{name:50} {milliseconds:6.3f} ms  {1000 / milliseconds:6.0f} per s  {told}")


if __name__ == "__main__":
    main()
