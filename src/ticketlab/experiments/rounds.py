"""One round: taken from disk if it is there, else trained from a ticket, resumable, and written.

Knows what a round's file says and when it may be used. Does not know where tickets come from (lottery.py).
"""

import importlib.metadata
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ticketlab.experiments.checkpoints import Report, find_partial, find_round, save_partial
from ticketlab.runs.folder import Record, Run
from ticketlab.runs.hdf5 import write_file
from ticketlab.runs.spec import Spec
from ticketlab.sparsity import flops, masks
from ticketlab.sparsity.distributions import layer_sizes
from ticketlab.sparsity.masks import Arrays
from ticketlab.training.context import Context

if TYPE_CHECKING:
    from ticketlab.training.loop import Checkpoint

PARTIAL_SECONDS = 60.0  # a killed process loses at most about so much work
PACKAGES = ("ticketlab", "tensorflow", "keras", "numpy", "h5py")


@dataclass(frozen=True)
class Ticket:
    """What a round starts from, and how it trains.

    Attributes:
        weights: {path: array}, zero where masked.
        masks: {path: bool array}.
        iteration: at which it begins, counted from the beginning of round 0.
        learning_rates: of the iterations from its first argument to its second.
        trained: whether it is trained at all; if not, the round tells what the weights are worth as they are.
    """

    weights: Arrays
    masks: Arrays
    iteration: int
    learning_rates: Callable[[int, int], np.ndarray]
    trained: bool = True


def train_round(
    spec: Spec,
    context: Context,
    run: Run,
    seed: int,
    round: int,
    start: Ticket,
    report: Report,
    keep_at: int = 0,
) -> Record:
    """Train a ticket from its start, or from where a killed process had come to, and write the round's file.

    In round 0, the weights at the iteration `keep_at` are kept as those that later rounds rewind to.
    """
    from ticketlab.training.loop import Checkpoint

    weights, mask = start.weights, start.masks
    engine = context.engine(mask)
    engine.load(weights, mask)
    _, untrained_accuracy = engine.evaluate("test")
    stretch = (start.iteration, spec.iterations if start.trained else start.iteration)
    begin = find_partial(spec, run, seed, round, report) or Checkpoint(start.iteration, weights, mask)
    further = {"patience": spec.patience, "keep_at": keep_at if round == 0 else None}
    done = carry_on(spec, context, run, seed, round, stretch, begin, report, start.learning_rates, **further)
    operations = flops.inference(context.costs, masks.counts(mask))
    found = {
        "untrained_test_accuracy": untrained_accuracy,
        "training_flops": flops.plain(operations) * spec.batch_size * (done.iteration - start.iteration),
    }
    rewind = {"rewind": done.kept or weights} if round == 0 else {}
    record = write_round(spec, context, run, seed, round, done, found, rewind)
    run.partial_path(seed, round).unlink(missing_ok=True)
    return record


def carry_on(
    spec: Spec,
    context: Context,
    run: Run,
    seed: int,
    round: int,
    stretch: tuple[int, int],
    begin: "Checkpoint",
    report: Report,
    rates: Callable[[int, int], np.ndarray],
    **further: Any,
) -> "Checkpoint":
    """Train from a state, which lies in the round's stretch of iterations, to the stretch's end, telling and saving.

    Args:
        spec: the experiment.
        context: network, data and engines of this spec.
        run: where partial files are written.
        seed: of the replicate.
        round: its number.
        stretch: the iterations at which the round begins and ends.
        begin: the state.
        report: called with the name of an event and its facts.
        rates: learning rates of the iterations from its first argument to its second.
        **further: arguments of `training.train`.
    """
    from ticketlab.training.loop import train

    context.tell(begin.masks, report)
    return train(
        context.engine,
        begin,
        seed=seed,
        stop=stretch[1],
        batch_size=spec.batch_size,
        eval_every=spec.eval_every,
        rates=rates,
        report=lambda state: report("evaluation", _evaluation_facts(round, stretch, state)),
        save=lambda state: save_partial(spec, run, seed, round, state),
        save_every=PARTIAL_SECONDS,
        **further,
    )


def write_round(
    spec: Spec,
    context: Context,
    run: Run,
    seed: int,
    round: int,
    done: "Checkpoint",
    found: dict[str, Any],
    groups: Mapping[str, Arrays],
) -> Record:
    """Test what a round came to and write its file; with further attributes and groups."""
    from ticketlab.training.loop import as_columns

    engine = context.engine(done.masks)
    engine.load(done.weights, done.masks)
    test_loss, test_accuracy = engine.evaluate("test")
    best = {path: mask | (done.best[path] != 0) for path, mask in done.masks.items()}  # they may be of earlier masks
    engine.load(done.best, best)
    _, early_stop_test_accuracy = engine.evaluate("test")
    early_stop_iteration, early_stop_validation_loss = done.early_stop[:2]
    attributes = {
        "spec": json.dumps(spec.described()),
        "seed": seed,
        "round": round,
        "density": masks.density(done.masks),
        "chain": context.chained,
        "task": engine.task,
        "engine": context.choose(done.masks),
        "seconds": done.seconds,
        "versions": json.dumps(versions()),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "test_accuracy": test_accuracy,
        "test_loss": test_loss,
        "early_stop_iteration": int(early_stop_iteration),
        "early_stop_test_accuracy": early_stop_test_accuracy,
        "early_stop_validation_loss": early_stop_validation_loss,
        "inference_flops": flops.inference(context.costs, masks.counts(done.masks)),
        "dense_inference_flops": flops.inference(context.costs, layer_sizes(context.shapes)),
        **found,
    }
    parts = {"masks": done.masks, "weights": done.weights, "history": as_columns(done.history), **groups}
    write_file(run.path(seed, round), attributes, parts)
    return run.round(seed, round)


def independent_rounds(
    spec: Spec,
    context: Context,
    run: Run,
    seed: int,
    rounds: Sequence[int],
    start: Callable[[int], Ticket],
    report: Report,
) -> None:
    """Compute rounds that do not rest on each other, but for those that are on disk already.

    Args:
        spec: the experiment.
        context: network, data and engines of this spec.
        run: where rounds are found and written.
        seed: of the replicate.
        rounds: their numbers.
        start: makes a round's ticket.
        report: called with the name of an event and its facts, among them the round's `position` in `rounds`.
    """
    report("begin", {"rounds": len(rounds) - 1})
    for position, round in enumerate(rounds):

        def told(name: str, facts: dict[str, Any], position: int = position) -> None:
            report(name, {**facts, "position": position})

        record = find_round(spec, run, seed, round, told)
        new = record is None
        if record is None:
            record = train_round(spec, context, run, seed, round, start(round), told)
        told("round", {"new": new, **record.attributes})


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the numbers depend on."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in PACKAGES}}


def _evaluation_facts(round: int, stretch: tuple[int, int], state: "Checkpoint") -> dict[str, Any]:
    """Tell what a person at the terminal may want to know of an evaluation in a round from one iteration to another."""
    iteration, loss, accuracy, _ = state.history[-1]
    begin, end = stretch
    return {
        "round": round,
        "iteration": iteration,
        "share": (iteration - begin) / max(1, end - begin),
        "density": masks.density(state.masks),
        "validation_loss": loss,
        "validation_accuracy": accuracy,
    }
