"""Sparse training: one training whose masks change, saved in rounds (methods.py, mask_updates.py).

A round is a stretch between two saves; round 0 is the network before its first step. TensorFlow is imported inside
functions.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ticketlab.data.dataset import Dataset
from ticketlab.experiments.events import Begun, RoundDone
from ticketlab.experiments.replicate import Replicate
from ticketlab.experiments.sparse_training import budgets, mask_updates
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.runs.fields import refused
from ticketlab.runs.folder import Record, Run
from ticketlab.sparsity import masks
from ticketlab.sparsity.distributions import Shapes
from ticketlab.training.context import Source, check_context

if TYPE_CHECKING:
    from ticketlab.training.loop import Checkpoint


def check(spec: SparseTrainingSpec, dataset: Dataset, source: Source, models_dir: Path, seeds: Sequence[int]) -> None:
    """Refuse a spec that the data does not allow, as far as can be told without TensorFlow. Raises BadInput."""
    check_context(spec, dataset, source)
    if spec.update_every == 0 and not spec.updates(dataset.samples):
        expected = f"more than an epoch, {dataset.samples / spec.batch_size:.4g} iterations, for an update after each"
        raise refused("update_until", expected, spec.update_until)
    if shapes := source.mlp_shapes(spec, dataset):  # shapes of other networks are known only once they are built
        budgets.final_counts(spec, shapes)


def agree(spec: SparseTrainingSpec, shapes: Shapes, outputs: Collection[str]) -> None:
    """Refuse a spec whose densities the layers do not allow. Raises BadInput."""
    if spec.dense_output and len(outputs) > 1:
        raise refused("dense_output", f"left out with the {len(outputs)} output layers {', '.join(outputs)}", True)
    budgets.final_counts(spec, shapes)


def rounds(spec: SparseTrainingSpec, dataset: Dataset, run: Run, seed: int) -> Sequence[int]:
    """List the rounds of a finished seed."""
    return range(len(spec.stretches(dataset.samples)))


def compute(replicate: Replicate) -> None:
    """Compute one seed's training.

    The training goes on from the beginning of the first missing round. Where that state is lost as well, it begins
    anew and comes to the same bits; finished rounds stay as they are.
    """
    from ticketlab.training.loop import Updates

    spec, context = replicate.spec, replicate.context
    samples = context.train_indices.size
    stretches = spec.stretches(samples)
    rules = mask_updates.Rules(spec, context.model, context.shapes, replicate.seed)
    updates = Updates(spec.updates(samples), rules.change)
    replicate.report(Begun(tuple(range(len(stretches)))))
    records = [replicate.find(number) for number in range(len(stretches))]
    missing = [number for number, record in enumerate(records) if record is None]
    begun = replicate.unfinished(missing[0]) if missing else None
    state = begun or beginning(replicate)
    to_do = range(missing[0] if begun else 0, missing[-1] + 1) if missing else ()
    for number, record in enumerate(records):
        if number in to_do:
            ended = replicate.carry_on(number, stretches[number], state, spec.learning_rates, updates=updates)
            state = replace(ended, history=(), seconds=0.0)
            if number + 1 in to_do:  # before the round's own file, so that a state is always left
                replicate.keep_unfinished(number + 1, state)
            if record is None:
                record = write(replicate, number, stretches[number], ended)
            replicate.forget_unfinished(number)
        replicate.report(RoundDone(number, number in missing, record.attributes))


def beginning(replicate: Replicate) -> "Checkpoint":
    """Return the state before the first step: initial weights under the first masks."""
    from ticketlab.training.loop import Checkpoint

    mask = budgets.first_masks(replicate.spec, replicate.context.shapes, replicate.seed)
    return Checkpoint(0, masks.apply(replicate.initial_weights(), mask), mask)


def write(replicate: Replicate, number: int, stretch: tuple[int, int], state: "Checkpoint") -> Record:
    """Write a round's file: the state at the stretch's end, and what the stretch cost."""
    context, (begin, end) = replicate.context, stretch
    known = (replicate.spec, context.costs, context.shapes, context.train_indices.size)
    paper = budgets.paper_flops(*known, end - begin)
    found = {
        "iteration": state.iteration,
        "training_flops": budgets.training_flops(*known, begin, end),
        **({} if paper is None else {"training_flops_paper": paper}),
    }
    return replicate.write(number, state, found, {"rewind": replicate.initial_weights()} if number == 0 else {})
