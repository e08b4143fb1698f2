"""What it costs to keep masked weights at zero in Keras's own `fit`, and what other ways do to the weights, in one run.

    python benchmarks/keras_masks.py --threads 1

LeNet-300-100 and Conv-2, MNIST, batch 60, Adam, density 0.2, all from the same weights over the same batches. Beside
plain `fit`, which lets pruned weights grow again: `keep_masks`, whose constraints act inside the compiled step, and a
callback that multiplies the kernels by their masks after every batch that `fit` reports. With `steps_per_execution` it
reports one batch in so many, and between them pruned weights grow. The contenders take turns, several times; shown is
the median of each one's processor time, without what `fit` waits for its data, and its ratio to plain `fit` with the
same settings. After the first turn come the masked weights that are not zero, and the largest difference of a kept
weight from `keep_masks`. Conv-2 does a twentieth of the iterations.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import contenders

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--turns", type=int, default=9)
parser.add_argument("--iterations", type=int, default=300, help="of one turn of LeNet-300-100")
parser.add_argument("--density", type=float, default=0.2)
parser.add_argument("--data-dir", type=Path)
flags = parser.parse_args()
contenders.start(flags.threads)

import keras  # noqa: E402
import numpy as np  # noqa: E402

from ticketlab.data import sources  # noqa: E402
from ticketlab.networks import architectures, keras_masks  # noqa: E402

BATCH = 60
WAYS = ("fit", "keep_masks", "callback")
SETTINGS = {
    "lenet_300_100": [
        {"jit_compile": False},
        {"jit_compile": True},
        {"jit_compile": True, "steps_per_execution": 100},
    ],
    "conv2": [{"jit_compile": False}],  # which XLA on a CPU makes many times slower
}
mnist = sources.load("mnist", flags.data_dir)
chosen = np.arange(flags.iterations * BATCH) % len(mnist.x_train)
x, y = mnist.x_train[chosen] / np.float32(255), mnist.y_train[chosen]


def iterations(network: str) -> int:
    """Return how many iterations a turn of a network has."""
    return flags.iterations if network == "lenet_300_100" else flags.iterations // 20


class Multiply(keras.callbacks.Callback):
    """Multiply the kernels by their masks after every batch that `fit` reports."""

    def __init__(self, model: keras.Model, masks: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.pairs = [(kernel, masks[path].astype(np.float32)) for path, kernel in keras_masks.kernels(model).items()]

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Multiply them."""
        for kernel, mask in self.pairs:
            kernel.assign(kernel * mask)


def contender(network: str, way: str, settings: dict) -> tuple[keras.Model, dict[str, np.ndarray], Callable]:
    """Return a model, its masks, and its turn of training under them."""
    keras.utils.set_random_seed(0)
    model = architectures.build(network, mnist.input_shape, mnist.outputs)
    masks = keras_masks.prune(model, flags.density)
    keras_masks.apply_masks(model, masks)
    if way == "keep_masks":
        keras_masks.keep_masks(model, masks)
    model.compile(keras.optimizers.Adam(0.0012), keras.losses.SparseCategoricalCrossentropy(True), **settings)
    callbacks = [Multiply(model, masks)] if way == "callback" else []
    part = slice(iterations(network) * BATCH)
    fit = {"batch_size": BATCH, "shuffle": False, "verbose": 0, "callbacks": callbacks}
    return model, masks, lambda: model.fit(x[part], y[part], **fit)


def compare(network: str, settings: dict) -> None:
    """Let the ways take turns and print their lines."""
    all_of = {way: contender(network, way, settings) for way in WAYS}
    after = {}
    for way, (model, _, turn) in all_of.items():
        turn()  # compiles
        after[way] = {path: kernel.numpy() for path, kernel in keras_masks.kernels(model).items()}
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(flags.turns):
        for way, (_, _, turn) in all_of.items():
            began = time.process_time()
            turn()
            times[way].append((time.process_time() - began) / iterations(network) * 1000)
    medians = {way: statistics.median(values) for way, values in times.items()}
    print(f"{network}, {', '.join(f'{name}={value}' for name, value in settings.items())}")
    for way, (_, masks, _) in all_of.items():
        grown = sum(np.count_nonzero(after[way][path][~mask]) for path, mask in masks.items())
        apart = max(np.abs(after[way][path] - after["keep_masks"][path])[mask].max() for path, mask in masks.items())
        ratio = medians[way] / medians["fit"]
        print(f"  {way:12}{medians[way]:8.3f} ms {ratio:6.2f} × fit {grown:9} grown again, {apart:.1e} apart")


if __name__ == "__main__":
    print(f"{flags.threads} thread(s), median of {flags.turns} turns of {flags.iterations} iterations")
    for network, each in SETTINGS.items():
        for settings in each:
            compare(network, settings)
