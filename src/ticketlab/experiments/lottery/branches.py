"""Branches: controls computed from the rounds of a finished run, kept beside it in the same layout, resumable.

This module knows which rounds of which run a branch needs. controls.py makes the tickets of the controls.
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
    """Refuse a branch whose rounds are missing, or whose run is not finished. Raises BadInput."""
    run = find_run(spec.trunk(), models_dir)
    if not run.seeds():
        raise BadInput(
            f"`branch` must be computed from a finished run. Received: no {run.folder}, "
            "which the same flags without --branch make"
        )
    run.check(spec.trunk(), dataset.digest)
    for seed in seeds:
        there = run.rounds(seed)
        missing = sorted({0, *(spec.only_rounds or there[:2] or [1])} - set(there))
        if missing or len(there) < 2:
            named = ", ".join(map(str, missing or [1]))
            raise BadInput(
                f"`branch` must be computed from finished rounds. Received: seed {seed}, which lacks {named}"
            )
    if not spec.only_rounds:
        _check_finished(spec, run, seeds)


def _check_finished(spec: ImpSpec, run: Run, seeds: Sequence[int]) -> None:
    """Refuse seeds with an unfinished chain: one of its rounds is begun, or other seeds have more rounds."""
    most = max(len(chosen(spec, run, seed)) for seed in run.seeds() if run.rounds(seed))
    for seed in seeds:
        there, count, last = run.rounds(seed), len(chosen(spec, run, seed)), _last(spec, run, seed)
        begun = [round for round in range(last + 1) if round not in there and run.partial_path(seed, round).exists()]
        if begun or count < most:
            found = f"whose round {begun[0]} is unfinished" if begun else f"with {count} of {most} rounds after round 0"
            raise BadInput(
                f"`branch` must be computed from a finished run. Received: seed {seed}, {found}, "
                f"which the same flags with --seeds {seed} and without --branch finish"
            )
        if spec.target_density is not None and last > max(there):
            reached = run.round(seed, max(there)).attributes["density"]
            expected = f"one that the run has reached, which is at {reached:.4g} with seed {seed}"
            raise refused("target_density", expected, spec.target_density)


def chosen(spec: ImpSpec, run: Run, seed: int) -> list[int]:
    """List the rounds of a run that a branch repeats: those named, or all up to the spec's last round."""
    if spec.only_rounds:
        return list(spec.only_rounds)
    last = _last(spec, run, seed)
    return [round for round in run.rounds(seed) if 0 < round <= last]


def _last(spec: ImpSpec, run: Run, seed: int) -> int:
    """Return the last round that a spec asks for; a round beyond the run's last where it asks for all or for more."""
    there = run.rounds(seed)
    if spec.target_density is None:
        return max(there) + 1 if spec.rounds is None else spec.rounds
    densities = {round: run.round(seed, round).attributes["density"] for round in there if round}
    return next((round for round, found in densities.items() if found <= spec.target_density), max(there) + 1)


def rounds(spec: ImpSpec, branch: Run, seed: int) -> list[int]:
    """List the rounds of a branch's finished seed."""
    return chosen(spec, find_run(spec.trunk(), branch.folder.parent), seed)


def compute(replicate: Replicate) -> None:
    """Compute a branch of one seed. Raises Damaged if a round of the run cannot be read."""
    spec, seed = replicate.spec, replicate.seed
    run = find_run(spec.trunk(), replicate.run.folder.parent)
    dense = run.round(seed, 0)
    replicate.rounds(chosen(spec, run, seed), lambda number, _: ticket(replicate, dense, run.round(seed, number)))


def ticket(replicate: Replicate, dense: Record, record: Record) -> Ticket:
    """Return the control's ticket for a round, given the run's round 0 and the round itself."""
    spec = replicate.spec
    control = CONTROLS[spec.branch]
    weights, masks = control.make(facts(replicate, dense, record.attributes["round"], record.masks))
    if control.from_beginning:
        return Ticket(weights, masks, 0, spec.learning_rates, control.trained)
    return Ticket(weights, masks, spec.rewind_iteration, spec.rewound_learning_rates, control.trained)


def facts(replicate: Replicate, dense: Record, number: int, masks: Arrays) -> Facts:
    """Gather the facts of a round that controls use, given the run's round 0 and the round's masks."""
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
    """Assign each layer its prune rate; where no output layers are named, the last layer counts as one."""
    further = spec.output_prune_rate, spec.conv_prune_rate, outputs
    return pruning.layer_rates(shapes, spec.scope, spec.prune_rate, *further)
