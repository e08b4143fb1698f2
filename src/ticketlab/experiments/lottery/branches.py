"""Branches: controls computed from the rounds of a finished run, kept beside it in the same layout, resumable.

Knows which rounds of which run a branch needs. What a control puts in a ticket's place stands in controls.py.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from ticketlab.data.dataset import Dataset
from ticketlab.errors import BadInput
from ticketlab.experiments.lottery.controls import CONTROLS, Facts
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.replicate import Replicate, Ticket
from ticketlab.runs.fields import refused
from ticketlab.runs.folder import Record, Run, find_run
from ticketlab.sparsity import pruning
from ticketlab.sparsity.distributions import Shapes
from ticketlab.sparsity.masks import Arrays


def check(spec: ImpSpec, dataset: Dataset, models_dir: Path, seeds: Sequence[int]) -> None:
    """Refuse a branch of rounds that are not there, or of a run that is not finished. Raises BadInput."""
    run = find_run(spec.trunk(), models_dir)
    if not run.seeds():
        raise BadInput(
            f"`branch` must be of a finished run. Received: no {run.folder}, which the same flags without --branch make"
        )
    run.check(spec.trunk(), dataset.digest)
    for seed in seeds:
        there = run.rounds(seed)
        missing = sorted({0, *(spec.only_rounds or there[:2] or [1])} - set(there))
        if missing or len(there) < 2:
            named = ", ".join(map(str, missing or [1]))
            raise BadInput(f"`branch` must be of rounds that are finished. Received: seed {seed}, which lacks {named}")
    if not spec.only_rounds:
        _check_finished(spec, run, seeds)


def _check_finished(spec: ImpSpec, run: Run, seeds: Sequence[int]) -> None:
    """Refuse seeds whose chain was left off: a round of it is begun, or other seeds of the run have more of them."""
    most = max(len(chosen(spec, run, seed)) for seed in run.seeds() if run.rounds(seed))
    for seed in seeds:
        there, count, last = run.rounds(seed), len(chosen(spec, run, seed)), _last(spec, run, seed)
        begun = [round for round in range(last + 1) if round not in there and run.partial_path(seed, round).exists()]
        if begun or count < most:
            found = f"whose round {begun[0]} is unfinished" if begun else f"with {count} of {most} rounds after round 0"
            raise BadInput(
                f"`branch` must be of a finished run. Received: seed {seed}, {found}, which the same flags with "
                f"--seeds {seed} and without --branch finish"
            )
        if spec.target_density is not None and last > max(there):
            reached = run.round(seed, max(there)).attributes["density"]
            expected = f"one that the run has reached, which is at {reached:.4g} with seed {seed}"
            raise refused("target_density", expected, spec.target_density)


def chosen(spec: ImpSpec, run: Run, seed: int) -> list[int]:
    """List the rounds that a branch is computed of: those named, or all that the run has as far as the spec goes."""
    if spec.only_rounds:
        return list(spec.only_rounds)
    last = _last(spec, run, seed)
    return [round for round in run.rounds(seed) if 0 < round <= last]


def _last(spec: ImpSpec, run: Run, seed: int) -> int:
    """Return the last round that a spec asks for, or one that the run lacks where it asks for all or for more."""
    there = run.rounds(seed)
    if spec.target_density is None:
        return max(there) + 1 if spec.rounds is None else spec.rounds
    densities = {round: run.round(seed, round).attributes["density"] for round in there if round}
    return next((round for round, found in densities.items() if found <= spec.target_density), max(there) + 1)


def rounds(spec: ImpSpec, branch: Run, seed: int) -> list[int]:
    """List the rounds that a branch of one seed has once nothing is left to compute."""
    return chosen(spec, find_run(spec.trunk(), branch.folder.parent), seed)


def compute(replicate: Replicate) -> None:
    """Compute a branch of one seed. Raises Damaged where a round of the run cannot be read."""
    spec, seed = replicate.spec, replicate.seed
    run = find_run(spec.trunk(), replicate.run.folder.parent)
    dense = run.round(seed, 0)
    replicate.rounds(chosen(spec, run, seed), lambda number, _: ticket(replicate, dense, run.round(seed, number)))


def ticket(replicate: Replicate, dense: Record, record: Record) -> Ticket:
    """Return what stands in a round's place, given the run's round 0 and the round itself."""
    spec = replicate.spec
    control = CONTROLS[spec.branch]
    weights, masks = control.make(facts(replicate, dense, record.attributes["round"], record.masks))
    if control.from_beginning:
        return Ticket(weights, masks, 0, spec.learning_rates, control.trained)
    return Ticket(weights, masks, spec.rewind_iteration, spec.rewound_learning_rates, control.trained)


def facts(replicate: Replicate, dense: Record, number: int, masks: Arrays) -> Facts:
    """Gather what a control may need to know of a round, given the run's round 0 and the round's masks."""
    from ticketlab.networks import variables

    spec, context, seed = replicate.spec, replicate.context, replicate.seed
    return Facts(
        seed=seed,
        round=number,
        origin=dense.rewind,
        initial=replicate.initial_weights(),
        dense=dense.weights,
        masks=masks,
        fresh=lambda: variables.draw(context.model, seed, f"fresh draw {number}"),
        criterion=spec.criterion,
        scope=spec.scope,
        held=[path for path, rate in rates(spec, context.shapes, context.outputs).items() if not rate],
    )


def rates(spec: ImpSpec, shapes: Shapes, outputs: Collection[str] = ()) -> dict[str, float]:
    """Assign each layer its prune rate; where no output layers are named, the last one is it."""
    further = spec.output_prune_rate, spec.conv_prune_rate, outputs
    return pruning.layer_rates(shapes, spec.scope, spec.prune_rate, *further)
