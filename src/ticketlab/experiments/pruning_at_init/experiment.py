"""Pruning at initialisation: each round finds a mask of its density from the initial weights, and trains under it.

Rounds are independent, except that all have the same initial weights. The methods' scores stand in saliency.py.
TensorFlow is imported inside functions.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ticketlab.data.dataset import Dataset
from ticketlab.errors import BadInput
from ticketlab.experiments.pruning_at_init.saliency import SALIENCIES, prune_before_training
from ticketlab.experiments.pruning_at_init.spec import PruningAtInitSpec
from ticketlab.experiments.replicate import Replicate, Ticket
from ticketlab.random_streams import stream
from ticketlab.runs.fields import refused
from ticketlab.runs.folder import Run
from ticketlab.sparsity import masks
from ticketlab.sparsity.distributions import Shapes, layer_sizes
from ticketlab.training.context import Source, check_context

if TYPE_CHECKING:
    from ticketlab.training.dense_engine import DenseEngine

MOST_ROUNDS = 10_000


def check(spec: PruningAtInitSpec, dataset: Dataset, source: Source, models_dir: Path, seeds: Sequence[int]) -> None:
    """Refuse a spec that the data does not allow. Raises BadInput."""
    check_context(spec, dataset, source)
    samples = dataset.samples
    if SALIENCIES[spec.method].uses_data and spec.scoring_samples > samples:
        raise BadInput(
            f"`scoring_samples` must be at most the {samples} training samples. Received: {spec.scoring_samples}"
        )
    if shapes := source.mlp_shapes(spec, dataset):  # shapes of other networks are known only once they are built
        agree(spec, shapes, ())


def agree(spec: PruningAtInitSpec, shapes: Shapes, outputs: Collection[str]) -> None:
    """Refuse rounds with fewer weights than layers, before any round is trained. Raises BadInput."""
    last = max(chosen(spec))
    counts = (round(density(spec, each) * sum(layer_sizes(shapes).values())) for each in range(last + 1))
    reached = sum(count >= len(shapes) for count in counts) - 1
    if last > reached:
        name = "only_rounds" if spec.only_rounds else "rounds" if spec.target_density is None else "target_density"
        expected = f"such that each of {len(shapes)} layers keeps a weight, which round {reached} is the last to do"
        raise refused(name, expected, getattr(spec, name))


def rounds(spec: PruningAtInitSpec, dataset: Dataset, run: Run, seed: int) -> Sequence[int]:
    """List the rounds of a finished seed."""
    return chosen(spec)


def compute(replicate: Replicate) -> None:
    """Compute one seed's rounds."""
    replicate.rounds(chosen(replicate.spec), lambda number, _: ticket(replicate, number))


def chosen(spec: PruningAtInitSpec) -> list[int]:
    """List the rounds that a spec asks for: those named, or the dense round and those after it."""
    return list(spec.only_rounds) or list(range(number_of_rounds(spec) + 1))


def ticket(replicate: Replicate, number: int) -> Ticket:
    """Return a round's ticket: initial weights under the mask found from them."""
    spec, context, initial = replicate.spec, replicate.context, replicate.initial_weights()
    mask = masks.all_kept(initial, context.paths)
    if number:
        samples = stream(replicate.seed, "scoring samples").permutation(context.train_indices)[: spec.scoring_samples]
        mask = prune_before_training(
            {path: initial[path] for path in context.paths},
            *cast("DenseEngine", context.named("dense")).functions(initial, samples),
            method=spec.method,
            density=density(spec, number),
            distribution=spec.distribution,
            steps=spec.scoring_steps,
            rng=stream(replicate.seed, "pruning", number),
        )
    return Ticket(masks.apply(initial, mask), mask, 0, spec.learning_rates)


def density(spec: PruningAtInitSpec, round: int) -> float:
    """Return the density of a round: that of as many rounds of iterative pruning at the same rate."""
    return (1 - spec.prune_rate) ** round


def number_of_rounds(spec: PruningAtInitSpec) -> int:
    """Count the rounds after round 0 that a spec asks for, by number or by density. Raises BadInput."""
    if spec.target_density is None:
        return spec.rounds or 0
    there = (round for round in range(MOST_ROUNDS + 1) if density(spec, round) <= spec.target_density)
    last = next(there, None)
    if last is None:
        reached = f"one that {MOST_ROUNDS:,} rounds reach, {density(spec, MOST_ROUNDS):.4g} with this `prune_rate`"
        raise refused("target_density", reached, spec.target_density)
    return last
