"""Iterative magnitude pruning: rounds of train → prune → rewind (Frankle & Carbin 2019, arXiv 1803.03635).

Reads like the paper: `replicate` is its section 1. TensorFlow is imported inside functions, so a process that only
checks flags never loads it.
"""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import numpy as np

from ticketlab.data.dataset import Dataset
from ticketlab.errors import BadInput
from ticketlab.experiments.checkpoints import complete, find_round
from ticketlab.experiments.lottery import branches
from ticketlab.experiments.lottery.controls import CONTROLS
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.rounds import Report, Ticket, train_round
from ticketlab.random_streams import stream
from ticketlab.runs.folder import Record, Run
from ticketlab.runs.overwriting import Overwritten
from ticketlab.sparsity import density_schedules, masks, pruning
from ticketlab.sparsity.distributions import Shapes, layer_sizes
from ticketlab.sparsity.masks import Arrays
from ticketlab.training.context import Context, Source, check_context, prepare_context

# the weights of these controls in every round of a chain
CONTROL_OF = {"fresh": "random_reinit", "signed_constant": "signed_constant", "shuffled_weights": "shuffled_weights"}


def check(spec: ImpSpec, dataset: Dataset, source: Source, models_dir: Path, seeds: list[int]) -> None:
    """Refuse what spec, data and finished rounds forbid together. Raises BadInput."""
    check_context(spec, dataset, source)
    if spec.branch:
        branches.check(spec, dataset, models_dir, seeds)
    elif shapes := source.mlp_shapes(spec, dataset):  # of other networks, `prepare` knows
        number_of_rounds(spec, shapes)


def prepare(spec_json: str, run_folder: str, source: Source, overwritten: Overwritten) -> Callable[[int, Report], None]:
    """Load data and network once for all the replicates that this process will compute.

    Returns:
        A function of seed and report that computes one replicate.
    """
    spec, run = ImpSpec.from_json(spec_json), Run(run_folder)
    trunk = branches.trunk(spec, run.folder.parent) if spec.branch else None
    context = prepare_context(spec, run, source, trunk, overwritten=overwritten, agree=partial(number_of_rounds, spec))
    if spec.branch:
        return lambda seed, report: branches.replicate(spec, context, run, seed, report)
    return lambda seed, report: replicate(spec, context, run, seed, report)


def replicate(spec: ImpSpec, context: Context, run: Run, seed: int, report: Report) -> None:
    """Compute one seed's whole chain, but for the rounds that are on disk already.

    Args:
        spec: the experiment.
        context: network, data and engines of this spec.
        run: where rounds are found and written.
        seed: of the replicate.
        report: called with the name of an event and its facts.
    """
    rounds = number_of_rounds(spec, context.shapes, context.outputs)
    report("begin", {"rounds": rounds})
    with run.claim(seed):
        previous = None
        for round in range(rounds + 1):
            record = find_round(spec, run, seed, round, report)
            new = record is None
            if record is None:
                start = ticket(spec, context, run, seed, previous)
                record = train_round(spec, context, run, seed, round, start, report, keep_at=spec.rewind_iteration)
            report("round", {"new": new, **record.attributes})
            previous = record


def ticket(spec: ImpSpec, context: Context, run: Run, seed: int, previous: Record | None) -> Ticket:
    """Return what the round after `previous` starts from."""
    from ticketlab.networks import variables

    initial = variables.draw(context.model, seed, "initialisation")
    if previous is None:
        return Ticket(initial, masks.all_kept(initial, context.paths), 0, spec.learning_rates)
    round = previous.attributes["round"] + 1
    dense = run.round(seed, 0)
    if spec.begins_elsewhere and round > 1:
        initial, _ = begun_elsewhere(spec, context, dense, round - 1, previous.masks)
    mask = pruning.prune(
        previous.masks,
        initial,
        previous.weights,
        criterion=spec.criterion,
        scope=spec.scope,
        rates=branches.rates(spec, context.shapes, context.outputs),
        rng=stream(seed, "pruning", round),
    )
    if spec.begins_elsewhere:
        weights, mask = begun_elsewhere(spec, context, dense, round, mask)
    else:
        weights = dense.rewind if spec.weights_from == "rewind" else previous.weights
    return Ticket(masks.apply(weights, mask), mask, spec.rewind_iteration, spec.rewound_learning_rates)


def begun_elsewhere(
    spec: ImpSpec, context: Context, dense: Record, round: int, mask: Arrays
) -> tuple[dict[str, np.ndarray], Arrays]:
    """Return weights and mask from which a round starts whose weights no training has led to, given its mask.

    They come from the round's own streams: the same whenever they are asked for.
    """
    control = CONTROLS[CONTROL_OF[spec.weights_from]]
    return control.make(branches.facts(spec, context, dense, round, mask))


def finished(spec: ImpSpec, dataset: Dataset, run: Run, seed: int) -> bool:
    """Tell whether nothing is left to compute of one seed."""
    if spec.branch:
        return branches.finished(spec, run, seed)
    if not complete(spec, run, seed, [0]):
        return False
    shapes = {path: mask.shape for path, mask in run.round(seed, 0).masks.items()}
    return complete(spec, run, seed, range(number_of_rounds(spec, shapes) + 1))


def number_of_rounds(spec: ImpSpec, shapes: Shapes, outputs: Collection[str] = ()) -> int:
    """Count the rounds after round 0 that a spec asks for, by number or by density. Raises BadInput."""
    if spec.target_density is None:
        return spec.rounds
    sizes = layer_sizes(shapes)
    try:
        found = branches.rates(spec, shapes, outputs)
        return density_schedules.rounds_to_density(sizes, found, spec.scope, spec.target_density)
    except ValueError as error:
        raise BadInput(str(error)) from error
