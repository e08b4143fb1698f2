"""One replicate: a seed of a run, computed round by round; rounds on disk are not computed again.

This module knows how a round is found, trained, resumed, tested and written. It does not know where tickets come from,
in which the kinds of experiment differ.
"""

import contextlib
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

from ticketlab.data.dataset import batches
from ticketlab.experiments import checkpoints
from ticketlab.experiments.events import Begun, Evaluated, Noted, Report, RoundDone
from ticketlab.runs.folder import Record, Run
from ticketlab.runs.hdf5 import write_file
from ticketlab.sparsity import flops, masks
from ticketlab.sparsity.distributions import layer_sizes
from ticketlab.sparsity.masks import Arrays
from ticketlab.training.context import Context

if TYPE_CHECKING:
    from ticketlab.training.loop import Checkpoint

PARTIAL_SECONDS = 60.0  # a killed process loses at most about this much work
PACKAGES = ("ticketlab", "tensorflow", "keras", "numpy", "h5py")


@dataclass(frozen=True)
class Ticket:
    """What a round starts from, and how it trains.

    Attributes:
        weights: initial weights of the round, {path: array}, zero where masked.
        masks: masks of the round, {path: bool array}.
        iteration: iteration at which the round begins, counted from the beginning of round 0.
        learning_rates: a function ``(start, stop)`` that gives the learning rates of these iterations.
        trained: whether the ticket is trained at all; if not, the round records its untrained accuracy.
    """

    weights: Arrays
    masks: Arrays
    iteration: int
    learning_rates: Callable[[int, int], np.ndarray]
    trained: bool = True


@dataclass(frozen=True)
class Replicate:
    """One seed of a run in one process.

    Attributes:
        context: spec, network, data and engines, shared by all replicates of the process.
        run: the run in which rounds are found and written.
        seed: the seed from which every draw comes.
        report: function called with each event.
    """

    context: Context
    run: Run
    seed: int
    report: Report

    @property
    def spec(self) -> Any:
        """The experiment."""
        return self.context.spec

    def initial_weights(self) -> dict[str, np.ndarray]:
        """Draw all variables in their state before the first step, {path: array}."""
        from ticketlab.networks import variables

        return variables.draw(self.context.model, self.seed, "initialisation")

    def rounds(
        self, numbers: Sequence[int], start: Callable[[int, Record | None], Ticket], *, keep_at: int = 0
    ) -> None:
        """Go through rounds in this order, and compute those that are not on disk.

        Args:
            numbers: numbers of the rounds.
            start: function that makes a round's ticket from its number and the previous round, None for the first.
            keep_at: iteration of round 0 whose weights are kept, for later rounds to rewind to.
        """
        self.report(Begun(tuple(numbers)))
        record = None
        for number in numbers:
            previous, record = record, self.find(number)
            new = record is None
            if record is None:
                record = self.train(number, start(number, previous), keep_at=keep_at if number == 0 else None)
            self.report(RoundDone(number, new, record.attributes))

    def find(self, number: int) -> Record | None:
        """Return a complete round if it is on disk; set a damaged one aside."""
        return checkpoints.find(self.run.path(self.seed, number), self.spec, self.seed, number, self.report)

    def train(self, number: int, ticket: Ticket, *, keep_at: int | None = None) -> Record:
        """Train a ticket from its start or from an unfinished round's state, and write the round's file."""
        from ticketlab.training.loop import Checkpoint

        engine = self.context.engine(ticket.masks)
        engine.load(ticket.weights, ticket.masks)
        _, untrained_accuracy = engine.evaluate("test")
        stretch = (ticket.iteration, self.spec.iterations if ticket.trained else ticket.iteration)
        begin = self.unfinished(number) or Checkpoint(ticket.iteration, ticket.weights, ticket.masks)
        done = self.carry_on(
            number, stretch, begin, ticket.learning_rates, patience=self.spec.patience, keep_at=keep_at
        )
        operations = flops.inference(self.context.costs, masks.counts(ticket.masks))
        found = {
            "untrained_test_accuracy": untrained_accuracy,
            "training_flops": flops.plain(operations) * self.spec.batch_size * (done.iteration - ticket.iteration),
        }
        record = self.write(number, done, found, {"rewind": done.kept or ticket.weights} if number == 0 else {})
        self.forget_unfinished(number)
        return record

    def unfinished(self, number: int) -> "Checkpoint | None":
        """Return the state that a killed process left of a round, if any."""
        path = self.run.partial_path(self.seed, number)
        record = checkpoints.find(path, self.spec, self.seed, number, self.report)
        return record and checkpoints.read_state(record)

    def keep_unfinished(self, number: int, state: "Checkpoint") -> None:
        """Write the state of an unfinished round, in place of any earlier state."""
        checkpoints.write_state(self.run.partial_path(self.seed, number), self.spec, self.seed, number, state)

    def forget_unfinished(self, number: int) -> None:
        """Delete the state of a finished round."""
        self.run.partial_path(self.seed, number).unlink(missing_ok=True)

    def carry_on(
        self,
        number: int,
        stretch: tuple[int, int],
        begin: "Checkpoint",
        rates: Callable[[int, int], np.ndarray],
        **further: Any,
    ) -> "Checkpoint":
        """Train from a state within a round's stretch of iterations to the stretch's end, reporting and saving.

        Args:
            number: number of the round.
            stretch: iterations at which the round begins and ends.
            begin: state from which training goes on.
            rates: a function ``(start, stop)`` that gives the learning rates of these iterations.
            **further: other fields of `loop.Plan`.
        """
        from ticketlab.training.loop import Observer, Plan, train

        if message := self.context.notice(begin.masks):
            self.report(Noted(message))
        plan = Plan(
            stop=stretch[1],
            order=partial(batches, self.context.train_indices, self.spec.batch_size, self.seed),
            rates=rates,
            eval_every=self.spec.eval_every,
            **further,
        )
        observer = Observer(
            report=lambda state: self.report(self._evaluated(number, stretch, state)),
            save=partial(self.keep_unfinished, number),
            save_every=PARTIAL_SECONDS,
        )
        return train(self.context.engine, begin, plan, observer)

    def write(self, number: int, done: "Checkpoint", found: Mapping[str, Any], groups: Mapping[str, Arrays]) -> Record:
        """Test a round's final and best weights and write its file, with further attributes and groups."""
        from ticketlab.training.loop import as_columns

        context, engine = self.context, self.context.engine(done.masks)
        engine.load(done.weights, done.masks)
        test_loss, test_accuracy = engine.evaluate("test")
        # the best weights may belong to earlier masks
        best = {path: mask | (done.best[path] != 0) for path, mask in done.masks.items()}
        engine.load(done.best, best)
        _, early_stop_test_accuracy = engine.evaluate("test")
        early_stop_iteration, early_stop_validation_loss = done.early_stop[:2]
        attributes = {
            "spec": json.dumps(self.spec.described()),
            "seed": self.seed,
            "round": number,
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
        write_file(self.run.path(self.seed, number), attributes, parts)
        return self.run.round(self.seed, number)

    def _evaluated(self, number: int, stretch: tuple[int, int], state: "Checkpoint") -> Evaluated:
        iteration, loss, score, _ = state.history[-1]
        begin, end = stretch
        share = (iteration - begin) / max(1, end - begin)
        return Evaluated(
            number, int(iteration), share, masks.density(state.masks), loss, score, self.context.dataset.task
        )


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages on which the numbers depend, and the processor's name."""
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **packages, "processor": _processor()}


def _processor() -> str:
    """Name the processor as Linux does, whose own programs know no more than its architecture."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
