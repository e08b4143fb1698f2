"""Time per iteration of both engines by density, in one run on one core: LeNet-300-100, MNIST, Adam.

    python benchmarks/sparse.py

Masks are those of one-shot pruning after 1,000 iterations, each layer at the same density. The engines take turns at
each density, and so does a dense step of PyTorch where it is installed, without masks, its batches gathered beforehand.
Shown are medians; ratios are medians of the turns' own ratios, so that what else the machine does meets both sides. An
evaluation is a pass over the 5,000 validation images.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import contenders

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
parser.add_argument("--batch-sizes", type=int, nargs="+", default=[60, 64])
parser.add_argument("--densities", type=float, nargs="+", default=[1, 0.51, 0.21, 0.107, 0.036, 0.012])
parser.add_argument("--turns", type=int, default=15)
parser.add_argument("--iterations", type=int, default=100, help="of one turn")
parser.add_argument("--data-dir", type=Path)
flags = parser.parse_args()
contenders.start(1)

import numpy as np  # noqa: E402

from ticketlab.data import dataset, sources  # noqa: E402
from ticketlab.experiments.lottery.spec import ImpSpec  # noqa: E402
from ticketlab.networks import architectures, variables  # noqa: E402
from ticketlab.networks.mlp import dense_layers  # noqa: E402
from ticketlab.sparsity import masks, pruning  # noqa: E402
from ticketlab.training.dense_engine import DenseEngine  # noqa: E402
from ticketlab.training.engine import EngineSettings  # noqa: E402
from ticketlab.training.sparse_engine.engine import SparseEngine  # noqa: E402

mnist = sources.load("mnist", flags.data_dir)
model = architectures.build("lenet_300_100", mnist.input_shape, mnist.outputs)
initial = variables.draw(model, 0, "initialisation")


def torch_step(batch_size: int) -> contenders.Turn | None:
    """Return the turn of a dense step of PyTorch, if it is installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(1)
    layers = [torch.nn.Linear(784, 300), torch.nn.ReLU(), torch.nn.Linear(300, 100), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(100, 10))
    optimizer, loss_of = torch.optim.Adam(network.parameters(), 1.2e-3), torch.nn.CrossEntropyLoss()
    order = dataset.batches(dataset.split(len(mnist.x_train))[0], batch_size, 0, 0, flags.iterations)
    x = torch.tensor(mnist.x_train.reshape(len(mnist.x_train), -1)[order] / np.float32(255))
    y = torch.tensor(mnist.y_train[order].astype(np.int64))

    def turn() -> None:
        for inputs, labels in zip(x, y, strict=True):
            optimizer.zero_grad()
            loss_of(network(inputs), labels).backward()
            optimizer.step()

    return turn


def seconds(turn: Callable[[], object]) -> float:
    """Time a turn."""
    began = time.perf_counter()
    turn()
    return time.perf_counter() - began


def compare(batch_size: int) -> None:
    """Let the engines take turns at each density, and print a table."""
    spec = ImpSpec(batch_size=batch_size).resolved
    settings = EngineSettings.of(spec)
    dense, sparse, torch = (
        DenseEngine(model, mnist, settings),
        SparseEngine(dense_layers(model), mnist, settings),
        torch_step(batch_size),
    )
    rates = spec.learning_rates(0, flags.iterations)
    everything = masks.all_kept(initial, dense.paths)
    dense.load(initial, everything)
    for start in range(0, 1000, flags.iterations):
        dense.train(dataset.batches(dense.train_indices, batch_size, 0, start, start + flags.iterations), rates)
    trained, rng = dense.weights(), np.random.default_rng(0)
    print(f"batch {batch_size}, medians of {flags.turns} turns of {flags.iterations} iterations, one core")
    print(
        "density    dense ms   sparse ms   sparse / dense   evaluation, sparse / dense",
        "   PyTorch ms" if torch else "",
    )
    for density in flags.densities:
        kept = pruning.prune(
            everything,
            initial,
            trained,
            criterion="large_final",
            scope="layer",
            rates=dict.fromkeys(everything, 1 - density),
            rng=rng,
        )
        for engine in (dense, sparse):
            engine.load(masks.apply(initial, kept), kept)
        taken: dict[str, list[float]] = {name: [] for name in ("dense", "sparse", "dense test", "sparse test", "torch")}
        for turn in range(flags.turns):
            start = turn * flags.iterations
            order = dataset.batches(dense.train_indices, batch_size, 0, start, start + flags.iterations)
            for name, engine in (("dense", dense), ("sparse", sparse)):
                taken[name].append(seconds(lambda engine=engine, order=order: engine.train(order, rates)))
                taken[f"{name} test"].append(seconds(lambda engine=engine: engine.evaluate("validation")))
            taken["torch"].append(seconds(torch) if torch else 0.0)
        per_iteration = {name: statistics.median(times) * 1000 / flags.iterations for name, times in taken.items()}
        ratios = [
            statistics.median(
                ours / theirs for ours, theirs in zip(taken[f"sparse{kind}"], taken[f"dense{kind}"], strict=True)
            )
            for kind in ("", " test")
        ]
        line = f"{masks.density(kept):7.3f}  {per_iteration['dense']:9.3f}  {per_iteration['sparse']:10.3f}"
        line += f"  {ratios[0]:15.2f}  {ratios[1]:27.2f}"
        print(line, f"{per_iteration['torch']:13.3f}" if torch else "", flush=True)


for batch_size in flags.batch_sizes:
    compare(batch_size)
