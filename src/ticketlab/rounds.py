"""One round: taken from disk if it is there, else trained from a ticket, resumable, and written.

Knows what a round's file says and when it may be used. Does not know where tickets come from (lottery.py).
"""

import importlib.metadata
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ticketlab import flops, masks, storage
from ticketlab.dataset import batches
from ticketlab.densities import layer_sizes
from ticketlab.errors import TicketlabError
from ticketlab.masks import Arrays
from ticketlab.spec import Spec
from ticketlab.storage import Record, Run
from ticketlab.workbench import Workbench

if TYPE_CHECKING:
    from ticketlab.training import Checkpoint

Report = Callable[[str, dict[str, Any]], None]
PARTIAL_SECONDS = 60.0  # a killed process loses at most about so much work
PROGRESS = ("iteration", "seconds", "steps", "losses", "running")  # in partial files; older ones have the first two
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
    bench: Workbench,
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
    from ticketlab.training import Checkpoint

    weights, mask = start.weights, start.masks
    engine = bench.engine(mask)
    engine.load(weights, mask)
    _, untrained_accuracy = engine.evaluate("test")
    stretch = (start.iteration, spec.iterations if start.trained else start.iteration)
    begin = find_partial(spec, run, seed, round, report) or Checkpoint(start.iteration, weights, mask)
    further = {"patience": spec.patience, "keep_at": keep_at if round == 0 else None}
    done = carry_on(spec, bench, run, seed, round, stretch, begin, report, start.learning_rates, **further)
    operations = flops.inference(bench.costs, masks.counts(mask))
    found = {
        "untrained_test_accuracy": untrained_accuracy,
        "training_flops": flops.plain(operations) * spec.batch_size * (done.iteration - start.iteration),
    }
    rewind = {"rewind": done.kept or weights} if round == 0 else {}
    record = write_round(spec, bench, run, seed, round, done, found, rewind)
    run.partial_path(seed, round).unlink(missing_ok=True)
    return record


def carry_on(
    spec: Spec,
    bench: Workbench,
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
        bench: network, data and engines of this spec.
        run: where partial files are written.
        seed: of the replicate.
        round: its number.
        stretch: the iterations at which the round begins and ends.
        begin: the state.
        report: called with the name of an event and its facts.
        rates: learning rates of the iterations from its first argument to its second.
        **further: further fields of `training.Plan`.
    """
    from ticketlab.training import Observer, Plan, train

    if message := bench.notice(begin.masks):
        report("note", {"message": message})
    order = partial(batches, bench.train_indices, spec.batch_size, seed)
    observer = Observer(
        report=lambda state: report("evaluation", _evaluation_facts(round, stretch, state)),
        save=lambda state: save_partial(spec, run, seed, round, state),
        save_every=PARTIAL_SECONDS,
    )
    plan = Plan(stop=stretch[1], order=order, rates=rates, eval_every=spec.eval_every, **further)
    return train(bench.engine, begin, plan, observer)


def write_round(
    spec: Spec,
    bench: Workbench,
    run: Run,
    seed: int,
    round: int,
    done: "Checkpoint",
    found: dict[str, Any],
    groups: Mapping[str, Arrays],
) -> Record:
    """Test what a round came to and write its file; with further attributes and groups."""
    from ticketlab.training import as_columns

    engine = bench.engine(done.masks)
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
        "chain": bench.chained,
        "task": engine.task,
        "engine": bench.choose(done.masks),
        "seconds": done.seconds,
        "versions": json.dumps(versions()),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "test_accuracy": test_accuracy,
        "test_loss": test_loss,
        "early_stop_iteration": int(early_stop_iteration),
        "early_stop_test_accuracy": early_stop_test_accuracy,
        "early_stop_validation_loss": early_stop_validation_loss,
        "inference_flops": flops.inference(bench.costs, masks.counts(done.masks)),
        "dense_inference_flops": flops.inference(bench.costs, layer_sizes(bench.shapes)),
        **found,
    }
    parts = {"masks": done.masks, "weights": done.weights, "history": as_columns(done.history), **groups}
    storage.write_file(run.path(seed, round), attributes, parts)
    return run.round(seed, round)


def independent_rounds(
    spec: Spec,
    bench: Workbench,
    run: Run,
    seed: int,
    rounds: Sequence[int],
    start: Callable[[int], Ticket],
    report: Report,
) -> None:
    """Compute rounds that do not rest on each other, but for those that are on disk already.

    Args:
        spec: the experiment.
        bench: network, data and engines of this spec.
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
            record = train_round(spec, bench, run, seed, round, start(round), told)
        told("round", {"new": new, **record.attributes})


def find_round(spec: Spec, run: Run, seed: int, round: int, report: Report) -> Record | None:
    """Return a complete round of this spec if it is on disk; set a damaged one aside and report it."""
    if record := _readable(run.path(seed, round), report):
        _belongs(record, spec, seed, round)
    return record


def complete(spec: Spec, run: Run, seed: int, rounds: Sequence[int]) -> bool:
    """Tell whether these rounds are on disk, sound, and of this spec."""
    if not set(rounds) <= set(run.rounds(seed)):
        return False
    try:
        for round in rounds:
            record = run.round(seed, round)
            record.verify()
            _belongs(record, spec, seed, round)
    except TicketlabError:
        return False
    return True


def find_partial(spec: Spec, run: Run, seed: int, round: int, report: Report) -> "Checkpoint | None":
    """Return where a killed process had come to, if it left anything."""
    from ticketlab.training import Checkpoint, as_rows

    path = run.partial_path(seed, round)
    record = _readable(path, report)
    if record is None:
        return None
    _belongs(record, spec, seed, round)
    groups = {name: record.arrays(name) for name in ("weights", "masks", "optimizer", "best", "kept")}
    if not groups["masks"]:  # of an earlier version: the round begins again
        return None
    history, (early_stop,) = as_rows(record.arrays("history")), as_rows(record.arrays("early_stop")) or ((),)
    found = {name: record.attributes[name] for name in PROGRESS if name in record.attributes}
    return Checkpoint(history=history, early_stop=early_stop, **found, **groups)


def save_partial(spec: Spec, run: Run, seed: int, round: int, state: "Checkpoint") -> None:
    """Write a training's state so that it can go on from there to the same bits."""
    from ticketlab.training import as_columns

    attributes = {name: getattr(state, name) for name in PROGRESS}
    attributes |= {"spec": json.dumps(spec.described()), "seed": seed, "round": round}
    groups = {name: getattr(state, name) for name in ("weights", "masks", "optimizer", "best", "kept")}
    rows = {"history": state.history, "early_stop": [state.early_stop] if state.early_stop else []}
    groups |= {name: as_columns(each) for name, each in rows.items()}
    storage.write_file(run.partial_path(seed, round), attributes, groups)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the numbers depend on."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in PACKAGES}}


def _readable(path: Path, report: Report) -> Record | None:
    if not path.exists():
        return None
    try:
        record = Record(path)
        record.verify()
        return record
    except storage.Damaged as error:
        aside = storage.set_aside(path)
        report("damaged", {"message": f"{error}; kept as {aside.name}, computing it again"})
        return None


def _belongs(record: Record, spec: Spec, seed: int, round: int) -> None:
    """Make sure that a file is what its name says. Raises TicketlabError."""
    found = record.attributes
    differing = storage.differences(json.loads(found["spec"]), spec)
    if differing or (found["seed"], found["round"]) != (seed, round):
        raise TicketlabError(f"{record.path} belongs elsewhere ({differing or 'another seed or round'}): move it away")


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
