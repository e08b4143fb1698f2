"""Sparse training with both engines, updates included, in one run on one core: LeNet-300-100, MNIST, Adam, batch 60.

    python benchmarks/sparse_training.py

A turn is a training of so many iterations with its updates and one evaluation at its end. The engines take turns; shown
are medians, and ratios are medians of the turns' own ratios. The last column compares the sparse engine with a dense
network's training by the dense engine in the same turn.
"""

import argparse
import functools
import statistics
import time
from dataclasses import replace
from pathlib import Path

import contenders

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
parser.add_argument("--methods", nargs="+", default=["static", "set", "rigl", "gradual"])
parser.add_argument("--densities", type=float, nargs="+", default=[0.1, 0.05, 0.02])
parser.add_argument("--turns", type=int, default=5)
parser.add_argument("--iterations", type=int, default=2000, help="of one turn")
parser.add_argument("--data-dir", type=Path)
flags = parser.parse_args()
contenders.start(1)

from ticketlab.data import dataset, sources  # noqa: E402
from ticketlab.experiments.replicate import Replicate  # noqa: E402
from ticketlab.experiments.sparse_training.experiment import beginning  # noqa: E402
from ticketlab.experiments.sparse_training.mask_updates import Rules  # noqa: E402
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec  # noqa: E402
from ticketlab.networks import architectures  # noqa: E402
from ticketlab.runs.folder import Run  # noqa: E402
from ticketlab.training.context import Context  # noqa: E402
from ticketlab.training.loop import Plan, Updates, train  # noqa: E402

mnist = sources.load("mnist", flags.data_dir)
model = architectures.build("lenet_300_100", mnist.input_shape, mnist.outputs)
DENSE = SparseTrainingSpec(method="dense", iterations=flags.iterations, eval_every=flags.iterations)
context = Context(DENSE, model, mnist)
for name in ("dense", "sparse"):
    context.named(name)  # compiled before anything is timed


def seconds(spec: SparseTrainingSpec) -> float:
    """Time a whole training by the engine that the spec names."""
    spec = context.spec = spec.resolved
    rules, start = Rules(spec, model, context.shapes, 0), beginning(Replicate(context, Run("unused"), 0, print))
    plan = Plan(
        stop=spec.iterations,
        order=functools.partial(dataset.batches, context.train_indices, spec.batch_size, 0),
        rates=spec.learning_rates,
        eval_every=spec.eval_every,
        updates=Updates(spec.updates(context.train_indices.size), rules.change),
    )
    began = time.perf_counter()
    train(context.engine, start, plan)
    return time.perf_counter() - began


print(f"medians of {flags.turns} turns of {flags.iterations} iterations, one core; milliseconds per iteration")
print("method     density     dense    sparse   sparse / dense   sparse / dense network")
for method in flags.methods:
    for density in flags.densities:
        spec = replace(DENSE, method=method, density=density)
        specs = {"plain": replace(DENSE, engine="dense")}
        specs |= {engine: replace(spec, engine=engine) for engine in ("dense", "sparse")}
        for each in specs.values():
            seconds(each)
        turns = [{name: seconds(each) for name, each in specs.items()} for _ in range(flags.turns)]
        dense, sparse = (
            statistics.median(turn[name] for turn in turns) / flags.iterations for name in specs if name != "plain"
        )
        ratios = [statistics.median(turn["sparse"] / turn[other] for turn in turns) for other in ("dense", "plain")]
        print(
            f"{method:9} {density:8} {dense * 1000:9.3f} {sparse * 1000:9.3f} {ratios[0]:16.2f} {ratios[1]:24.2f}",
            flush=True,
        )
