"""One training from a ticket to its end, as a timeline: update masks, step, keep, evaluate, save; resumable anywhere.

Stretches are divided into pieces of about a second, between which signals are served and states saved; no bit depends
on the division. This module knows when to evaluate and what to remember. It does not know how a step is computed
(engine.py), nor where states are kept (checkpoints.py), nor what follows a training.
"""

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from ticketlab.errors import Diverged
from ticketlab.schedules import evaluation_iterations
from ticketlab.sparsity.masks import Arrays, kept
from ticketlab.training.engine import Engine

PIECE_SECONDS = 1.0
SAVE_SECONDS = 60.0
HISTORY = ("iteration", "validation_loss", "validation_accuracy", "train_loss")


@dataclass(frozen=True)
class Checkpoint:
    """A training at one of its evaluations, before its first step, or between two evaluations.

    Attributes:
        iteration: number of steps done, counted from the beginning of round 0.
        weights: weights {path: array}, zero where masked.
        masks: masks {path: bool array}.
        optimizer: state of the optimizer, {path: array}; None for a fresh optimizer.
        history: one row (iteration, validation loss, validation accuracy, train loss) per evaluation; the train loss is
            the mean over the steps since the previous evaluation, NaN without steps.
        early_stop: the first row of minimum validation loss; empty before the first evaluation. It may be older than
            the history, from masks with as many weights.
        best: weights at the iteration of `early_stop`.
        kept: weights at the iteration `keep_at`, once it is reached.
        seconds: time spent on training and evaluation so far.
        steps: number of steps since the last evaluation.
        losses: sum of these steps' losses over the finished stretches.
        running: sum of these steps' losses in the unfinished stretch, as the engine adds them up.
    """

    iteration: int
    weights: Arrays
    masks: Arrays
    optimizer: Arrays | None = None
    history: tuple[tuple[float, ...], ...] = ()
    early_stop: tuple[float, ...] = ()
    best: Arrays = field(default_factory=dict)
    kept: Arrays = field(default_factory=dict)
    seconds: float = 0.0
    steps: int = 0
    losses: float = 0.0
    running: float = 0.0

    def evaluated(self, row: tuple[float, ...], weights: Callable[[], Arrays], seconds: float) -> Self:
        """Return the checkpoint after one more evaluation; `weights` is called only if it is the best so far."""
        improved = not self.early_stop or row[1] < self.early_stop[1]
        return replace(
            self,
            iteration=int(row[0]),
            history=(*self.history, row),
            early_stop=row if improved else self.early_stop,
            best=weights() if improved else self.best,
            seconds=seconds,
            steps=0,
            losses=0.0,
        )


@dataclass(frozen=True)
class Change:
    """The result of an update of the masks.

    Attributes:
        weights: weights {path: array}, zero where masked.
        masks: masks {path: bool array}.
        optimizer: state of the optimizer, {path: array}.
        losses: losses of the iterations whose place the update took.
    """

    weights: Arrays
    masks: Arrays
    optimizer: Arrays
    losses: tuple[float, ...] = ()


def unchanged(engine: Engine, masks: Arrays, iteration: int) -> Change:
    """Change nothing."""
    return Change(engine.weights(), masks, engine.optimizer_state())


@dataclass(frozen=True)
class Updates:
    """When and how masks change during a training.

    Attributes:
        iterations: iterations before which masks change, except the training's last one; in a training without
            iterations, masks change before its evaluation.
        change: function of the engine, the present masks and the iteration that makes the change.
    """

    iterations: Collection[int] = ()
    change: Callable[[Engine, Arrays, int], Change] = unchanged


@dataclass(frozen=True)
class Plan:
    """The plan of a training, wherever it begins.

    Attributes:
        stop: the last iteration; a training that begins there only evaluates its weights.
        order: function ``(start, stop)`` that gives the samples of these iterations, (iterations, batch size) int32.
        rates: function ``(start, stop)`` that gives the learning rates of these iterations.
        eval_every: number of iterations between two evaluations.
        updates: updates of the masks.
        keep_at: iteration whose weights are remembered as `kept`.
        patience: number of evaluations without a new minimum of the validation loss after which training ends.
    """

    stop: int
    order: Callable[[int, int], np.ndarray]
    rates: Callable[[int, int], np.ndarray]
    eval_every: int
    updates: Updates = Updates()
    keep_at: int | None = None
    patience: int | None = None


@dataclass(frozen=True)
class Observer:
    """The functions that a training reports to.

    Attributes:
        report: function called after every evaluation, with a checkpoint without new weights.
        save: function called with a whole checkpoint every `save_every` seconds, wherever the training is.
        save_every: number of seconds between two saves.
    """

    report: Callable[[Checkpoint], object] = lambda checkpoint: None
    save: Callable[[Checkpoint], object] = lambda checkpoint: None
    save_every: float = SAVE_SECONDS


def train(
    engines: Callable[[Arrays], Engine], begin: Checkpoint, plan: Plan, observer: Observer = Observer()
) -> Checkpoint:
    """Carry a training on from a checkpoint to its end.

    The early-stop iteration is the evaluated iteration of minimum validation loss (Frankle & Carbin 2019, section 1).

    Args:
        engines: function that gives the engine for some masks.
        begin: checkpoint from which to go on.
        plan: plan of the training.
        observer: functions to report to.

    Raises:
        Diverged: if the validation loss is no longer finite.
    """
    training = _Training(engines, begin, plan, observer)
    for pause in training.pauses:
        if training.state.iteration in training.updates:
            training.update_masks()
        training.step_to(pause)
        if pause == plan.keep_at:
            training.keep()
        if pause in training.evaluations:
            training.evaluate()
            if training.out_of_patience:
                break
            training.save()
    return training.whole()


class _Training:
    """A training at some iteration.

    Attributes:
        state: state of the training; the engine holds newer weights and a newer optimizer state.
        evaluations: iterations at which the training is evaluated.
        updates: iterations before which masks change.
        pauses: iterations at which something other than steps happens.
    """

    def __init__(self, engines: Callable[[Arrays], Engine], begin: Checkpoint, plan: Plan, observer: Observer) -> None:
        self.state = begin
        self._engines, self._plan, self._observer = engines, plan, observer
        self._load(begin.weights, begin.masks, begin.optimizer)
        self._started = self._saved = time.perf_counter()
        self._pace, self._before, first = math.inf, begin.seconds, begin.iteration
        left = first < plan.stop or not begin.history
        self.evaluations = set(evaluation_iterations(first, plan.stop, plan.eval_every)) if left else set()
        self.updates = {each for each in plan.updates.iterations if first <= each < max(plan.stop, first + 1)}
        later = {each for each in (*self.updates, plan.keep_at or 0) if each > first}
        self.pauses = sorted(self.evaluations | later)

    def update_masks(self) -> None:
        """Make the update before this iteration, which may take the place of its step."""
        change = self._plan.updates.change(self._engine, self.state.masks, self.state.iteration)
        if kept(change.masks) < kept(self.state.masks):  # the best state with more weights no longer counts
            self.state = replace(self.state, early_stop=(), best={})
        self.state = replace(
            self.state,
            masks=change.masks,
            iteration=self.state.iteration + len(change.losses),
            steps=self.state.steps + len(change.losses),
            losses=self.state.losses + sum(change.losses),
        )
        self._load(change.weights, change.masks, change.optimizer)

    def step_to(self, pause: int) -> None:
        """Do the steps up to a pause, in pieces."""
        while (begin := self.state.iteration) < pause:
            end, began = min(pause, begin + piece_length(self._pace)), time.perf_counter()
            order, rates = self._plan.order(begin, end), self._plan.rates(begin, end)
            running = self._engine.train(order, rates, self.state.running)
            self._pace = (time.perf_counter() - began) / len(order)
            self.state = replace(self.state, iteration=end, steps=self.state.steps + len(order), running=running)
            if end < pause:
                self.save()
        self.state = replace(self.state, losses=self.state.losses + self.state.running, running=0.0)

    def keep(self) -> None:
        """Remember the weights of this iteration."""
        self.state = replace(self.state, kept=self._engine.weights())

    def evaluate(self) -> None:
        """Evaluate the weights of this iteration, and report it."""
        loss, accuracy = self._engine.evaluate("validation")
        if not math.isfinite(loss):
            raise Diverged(f"training diverged: the validation loss is {loss} at iteration {self.state.iteration}")
        mean = self.state.losses / self.state.steps if self.state.steps else math.nan
        row = (self.state.iteration, loss, accuracy, mean)
        self.state = self.state.evaluated(row, self._engine.weights, self._seconds())
        self._observer.report(self.state)

    @property
    def out_of_patience(self) -> bool:
        """Whether the plan's patience ends with this evaluation, but not before the weights of `keep_at` are kept."""
        if not self._plan.patience or self.state.iteration < (self._plan.keep_at or 0):
            return False
        return _without_improvement(self.state) >= self._plan.patience

    def save(self) -> None:
        """Save the training if it is time and steps are left."""
        now = time.perf_counter()
        if self.state.iteration < self._plan.stop and now - self._saved >= self._observer.save_every:
            self._observer.save(replace(self.whole(), seconds=self._seconds()))
            self._saved = now

    def whole(self) -> Checkpoint:
        """Return the state with the engine's weights and optimizer."""
        return replace(self.state, weights=self._engine.weights(), optimizer=self._engine.optimizer_state())

    def _load(self, weights: Arrays, masks: Arrays, optimizer: Arrays | None) -> None:
        self._engine = self._engines(masks)
        self._engine.load(weights, masks, optimizer)

    def _seconds(self) -> float:
        return self._before + time.perf_counter() - self._started


def piece_length(seconds: float) -> int:
    """Return how many iterations to do at once, given the seconds that each of the last ones took; at first, one.

    >>> piece_length(math.inf), piece_length(0.01), piece_length(5.0)
    (1, 100, 1)
    """
    return max(1, int(PIECE_SECONDS / max(seconds, 1e-9)))


def as_columns(rows: Sequence[tuple[float, ...]]) -> dict[str, np.ndarray]:
    """Return rows of a history as columns by name."""
    columns = dict(zip(HISTORY, np.array(rows, np.float64).reshape(-1, len(HISTORY)).T, strict=True))
    return {**columns, "iteration": columns["iteration"].astype(np.int64)}


def as_rows(columns: Arrays) -> tuple[tuple[float, ...], ...]:
    """Undo `as_columns`."""
    return tuple(zip(*(column.tolist() for column in columns.values()), strict=True))


def _without_improvement(state: Checkpoint) -> int:
    """Count the evaluations since the one of minimum validation loss."""
    return sum(row[0] > state.early_stop[0] for row in state.history)
