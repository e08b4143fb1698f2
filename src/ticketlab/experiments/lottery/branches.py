"""Branches: controls computed from the rounds of a finished run, kept beside it in the same layout, resumable.

Knows which rounds of which run a branch needs. What a control puts in a ticket's place stands in controls.py.
"""

from collections.abc import Collection
from pathlib import Path

from ticketlab.data.dataset import Dataset
from ticketlab.errors import BadInput
from ticketlab.experiments.checkpoints import complete
from ticketlab.experiments.lottery.controls import CONTROLS, Facts
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.rounds import Report, Ticket, independent_rounds
from ticketlab.runs.fields import refused
from ticketlab.runs.folder import Record, Run
from ticketlab.runs.spec import Spec
from ticketlab.sparsity import pruning
from ticketlab.sparsity.distributions import Shapes
from ticketlab.sparsity.masks import Arrays
from ticketlab.training.context import Context


def find(spec: Spec, models_dir: Path) -> Run:
    """Open the run of a spec, which need not be there; a branch's lies beside its run.

    Where there is no folder of the spec's own name, that of the name which an earlier version gave it is the run.
    """
    names = spec.trunk().folder_names()
    name = next((each for each in names if (models_dir / each).exists()), names[0])
    return Run(models_dir / (f"{name}-{spec.branch}" if spec.branch else name))


def trunk(spec: ImpSpec, models_dir: Path) -> Run:
    """Open the run that a branch belongs to."""
    return find(spec.trunk(), models_dir)


def check(spec: ImpSpec, dataset: Dataset, models_dir: Path, seeds: list[int]) -> None:
    """Refuse a branch of rounds that are not there, or of a run that is not finished. Raises BadInput."""
    run = trunk(spec, models_dir)
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


def _check_finished(spec: ImpSpec, run: Run, seeds: list[int]) -> None:
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


def finished(spec: ImpSpec, branch: Run, seed: int) -> bool:
    """Tell whether nothing is left to compute of a branch of one seed."""
    return complete(spec, branch, seed, chosen(spec, trunk(spec, branch.folder.parent), seed))


def replicate(spec: ImpSpec, context: Context, branch: Run, seed: int, report: Report) -> None:
    """Compute a branch of one seed, but for the rounds that are on disk already.

    Args:
        spec: the branch's.
        context: network, data and engines of this spec.
        branch: where the branch's rounds are found and written.
        seed: of the replicate.
        report: called with the name of an event and its facts.

    Raises:
        Damaged: where a round of the run cannot be read.
    """
    run = trunk(spec, branch.folder.parent)
    dense, rounds = run.round(seed, 0), chosen(spec, run, seed)

    def start(round: int) -> Ticket:
        return ticket(spec, context, dense, run.round(seed, round))

    with branch.claim(seed):
        independent_rounds(spec, context, branch, seed, rounds, start, report)


def ticket(spec: ImpSpec, context: Context, dense: Record, record: Record) -> Ticket:
    """Return what stands in a round's place, given the run's round 0 and the round itself."""
    control, round = CONTROLS[spec.branch], record.attributes["round"]
    weights, masks = control.make(facts(spec, context, dense, round, record.masks))
    if control.from_beginning:
        return Ticket(weights, masks, 0, spec.learning_rates, control.trained)
    return Ticket(weights, masks, spec.rewind_iteration, spec.rewound_learning_rates, control.trained)


def facts(spec: ImpSpec, context: Context, dense: Record, round: int, masks: Arrays) -> Facts:
    """Gather what a control may need to know of a round, given the run's round 0 and the round's masks."""
    from ticketlab.networks import variables

    seed = dense.attributes["seed"]
    return Facts(
        seed=seed,
        round=round,
        origin=dense.rewind,
        initial=variables.draw(context.model, seed, "initialisation"),
        dense=dense.weights,
        masks=masks,
        fresh=lambda: variables.draw(context.model, seed, f"fresh draw {round}"),
        criterion=spec.criterion,
        scope=spec.scope,
        held=[path for path, rate in rates(spec, context.shapes, context.outputs).items() if not rate],
    )


def rates(spec: ImpSpec, shapes: Shapes, outputs: Collection[str] = ()) -> dict[str, float]:
    """Assign each layer its prune rate; where no output layers are named, the last one is it."""
    further = spec.output_prune_rate, spec.conv_prune_rate, outputs
    return pruning.layer_rates(shapes, spec.scope, spec.prune_rate, *further)
