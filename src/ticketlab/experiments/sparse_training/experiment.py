"""Sparse training: one training whose connectivity changes, saved in rounds (methods.py, connectivity.py).

A round is a stretch between two saves; round 0 is the network before its first step. TensorFlow is imported inside
functions.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ticketlab.data.dataset import Dataset
from ticketlab.experiments.checkpoints import complete, find_partial, find_round, save_partial
from ticketlab.experiments.rounds import Report, carry_on, write_round
from ticketlab.experiments.sparse_training import budgets, mask_updates
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.runs.fields import refused
from ticketlab.runs.folder import Record, Run
from ticketlab.runs.overwriting import Overwritten
from ticketlab.sparsity import masks
from ticketlab.sparsity.distributions import Shapes
from ticketlab.training.context import Context, Source, check_context, prepare_context

if TYPE_CHECKING:
    from ticketlab.training.loop import Checkpoint


def check(spec: SparseTrainingSpec, dataset: Dataset, source: Source, models_dir: Path, seeds: list[int]) -> None:
    """Refuse what spec and data forbid together, as far as can be told without TensorFlow. Raises BadInput."""
    check_context(spec, dataset, source)
    if spec.update_every == 0 and not spec.updates(dataset.samples):
        expected = f"more than an epoch, {dataset.samples / spec.batch_size:.4g} iterations, for an update after each"
        raise refused("update_until", expected, spec.update_until)
    if shapes := source.mlp_shapes(spec, dataset):  # of other networks, `prepare` knows
        budgets.final_counts(spec, shapes)


def prepare(spec_json: str, run_folder: str, source: Source, overwritten: Overwritten) -> Callable[[int, Report], None]:
    """Load data and network once; return a function of seed and report that computes one replicate."""
    spec, run = SparseTrainingSpec.from_json(spec_json), Run(run_folder)
    context = prepare_context(spec, run, source, overwritten=overwritten, agree=partial(check_layers, spec))
    return lambda seed, report: replicate(spec, context, run, seed, report)


def check_layers(spec: SparseTrainingSpec, shapes: Shapes, outputs: Collection[str]) -> None:
    """Refuse layers that cannot hold what is asked for. Raises BadInput."""
    if spec.dense_output and len(outputs) > 1:
        raise refused("dense_output", f"left out with the {len(outputs)} output layers {', '.join(outputs)}", True)
    budgets.final_counts(spec, shapes)


def finished(spec: SparseTrainingSpec, dataset: Dataset, run: Run, seed: int) -> bool:
    """Tell whether nothing is left to compute of one seed."""
    return complete(spec, run, seed, range(len(spec.stretches(dataset.samples))))


def replicate(spec: SparseTrainingSpec, context: Context, run: Run, seed: int, report: Report) -> None:
    """Compute one seed's training, but for what is on disk already.

    It goes on from the beginning of the first round that is missing. Where that state is lost as well, it begins anew:
    it comes to the same bits, and rounds that are there stay as they are.
    """
    from ticketlab.training.loop import Updates

    samples = context.train_indices.size
    stretches = spec.stretches(samples)
    updates = Updates(spec.updates(samples), mask_updates.Rules(spec, context.model, context.shapes, seed).change)
    report("begin", {"rounds": len(stretches) - 1})
    with run.claim(seed):
        records = [find_round(spec, run, seed, round, report) for round in range(len(stretches))]
        missing = [round for round, record in enumerate(records) if record is None]
        begun = find_partial(spec, run, seed, missing[0], report) if missing else None
        state = begun or beginning(spec, context, seed)
        to_do = range(missing[0] if begun else 0, missing[-1] + 1) if missing else ()
        for round, record in enumerate(records):
            if round in to_do:
                stretch = stretches[round]
                ended = carry_on(
                    spec, context, run, seed, round, stretch, state, report, spec.learning_rates, updates=updates
                )
                state = replace(ended, history=(), seconds=0.0)
                if round + 1 in to_do:  # before the round's own file, lest there be nothing to go on from
                    save_partial(spec, run, seed, round + 1, state)
                if record is None:
                    record = write(spec, context, run, seed, round, stretch, ended)
                run.partial_path(seed, round).unlink(missing_ok=True)
            report("round", {"new": round in missing, **record.attributes})


def beginning(spec: SparseTrainingSpec, context: Context, seed: int) -> "Checkpoint":
    """Return the state before the first step: initial weights under the first masks."""
    from ticketlab.networks import variables
    from ticketlab.training.loop import Checkpoint

    mask = budgets.first_masks(spec, context.shapes, seed)
    return Checkpoint(0, masks.apply(variables.draw(context.model, seed, "initialisation"), mask), mask)


def write(
    spec: SparseTrainingSpec,
    context: Context,
    run: Run,
    seed: int,
    round: int,
    stretch: tuple[int, int],
    state: "Checkpoint",
) -> Record:
    """Write a round's file: the state at the stretch's end, and what the stretch cost."""
    from ticketlab.networks import variables

    samples = context.train_indices.size
    known, (begin, end) = (spec, context.costs, context.shapes, samples), stretch
    paper = budgets.paper_flops(*known, end - begin)
    found = {
        "iteration": state.iteration,
        "training_flops": budgets.training_flops(*known, begin, end),
        **({} if paper is None else {"training_flops_paper": paper}),
    }
    rewind = {"rewind": variables.draw(context.model, seed, "initialisation")} if round == 0 else {}
    return write_round(spec, context, run, seed, round, state, found, rewind)
