"""Iterative magnitude pruning: rounds of train → prune → rewind (Frankle & Carbin 2019, arXiv 1803.03635).

`compute` follows section 1 of the paper. TensorFlow is imported inside functions, so a process that only checks flags
never loads it.
"""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ticketlab.data.dataset import Dataset
from ticketlab.errors import BadInput
from ticketlab.experiments.checkpoints import complete
from ticketlab.experiments.lottery import branches
from ticketlab.experiments.lottery.controls import WEIGHTS_FROM
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.replicate import Replicate, Ticket
from ticketlab.random_streams import stream
from ticketlab.runs.folder import Record, Run
from ticketlab.sparsity import density_schedules, masks, pruning
from ticketlab.sparsity.distributions import Shapes, layer_sizes
from ticketlab.sparsity.masks import Arrays
from ticketlab.training.context import Source, check_context


def check(spec: ImpSpec, dataset: Dataset, source: Source, models_dir: Path, seeds: Sequence[int]) -> None:
    """Refuse a spec that data or finished rounds do not allow. Raises BadInput."""
    check_context(spec, dataset, source)
    if spec.branch:
        branches.check(spec, dataset, models_dir, seeds)
    elif shapes := source.mlp_shapes(spec, dataset):  # shapes of other networks are known only once they are built
        agree(spec, shapes, ())


def agree(spec: ImpSpec, shapes: Shapes, outputs: Collection[str]) -> None:
    """Refuse a density that no number of rounds reaches. Raises BadInput."""
    last_round(spec, shapes, outputs)


def rounds(spec: ImpSpec, dataset: Dataset, run: Run, seed: int) -> Sequence[int]:
    """List the rounds of a finished seed."""
    if spec.branch:
        return branches.rounds(spec, run, seed)
    if spec.target_density is None:
        return range((spec.rounds or 0) + 1)
    if not complete(spec, run, seed, [0]):
        return [0]  # its masks have the shapes of the layers
    shapes = {path: mask.shape for path, mask in run.round(seed, 0).masks.items()}
    return range(last_round(spec, shapes) + 1)


def compute(replicate: Replicate) -> None:
    """Compute one seed's whole chain, or a branch of it."""
    if replicate.spec.branch:
        branches.compute(replicate)
        return
    last = last_round(replicate.spec, replicate.context.shapes, replicate.context.outputs)
    replicate.rounds(range(last + 1), partial(ticket, replicate), keep_at=replicate.spec.rewind_iteration)


def ticket(replicate: Replicate, number: int, previous: Record | None) -> Ticket:
    """Return a round's ticket, given the round before."""
    spec, context, initial = replicate.spec, replicate.context, replicate.initial_weights()
    if previous is None:
        return Ticket(initial, masks.all_kept(initial, context.paths), 0, spec.learning_rates)
    dense = replicate.run.round(replicate.seed, 0)
    if spec.begins_elsewhere and number > 1:
        initial, _ = begun_elsewhere(replicate, dense, number - 1, previous.masks)
    mask = pruning.prune(
        previous.masks,
        initial,
        previous.weights,
        criterion=spec.criterion,
        scope=spec.scope,
        rates=branches.rates(spec, context.shapes, context.outputs),
        rng=stream(replicate.seed, "pruning", number),
    )
    if spec.begins_elsewhere:
        weights, mask = begun_elsewhere(replicate, dense, number, mask)
    else:
        weights = dense.rewind if spec.weights_from == "rewind" else previous.weights
    return Ticket(masks.apply(weights, mask), mask, spec.rewind_iteration, spec.rewound_learning_rates)


def begun_elsewhere(
    replicate: Replicate, dense: Record, number: int, mask: Arrays
) -> tuple[dict[str, np.ndarray], Arrays]:
    """Return initial weights and mask of a round that draws its own weights, given the mask found.

    The draws come from the round's own streams, so every call gives the same.
    """
    control = WEIGHTS_FROM[replicate.spec.weights_from]
    return control.make(branches.facts(replicate, dense, number, mask))


def last_round(spec: ImpSpec, shapes: Shapes, outputs: Collection[str] = ()) -> int:
    """Return the last round that a spec asks for, by number or by density. Raises BadInput."""
    if spec.target_density is None:
        return spec.rounds or 0
    sizes, rates = layer_sizes(shapes), branches.rates(spec, shapes, outputs)
    try:
        return density_schedules.rounds_to_density(sizes, rates, spec.scope, spec.target_density)
    except ValueError as error:
        raise BadInput(str(error)) from error
