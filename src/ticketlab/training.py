"""One training from a ticket to its end: stretches between evaluations, history, early stop, resumable at each.

Knows when to evaluate and what to remember. Does not know how a step is computed (engine.py), nor where states are
kept (storage.py), nor what follows a training (lottery.py).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ticketlab.dataset import batches
from ticketlab.errors import Diverged
from ticketlab.masks import Arrays
from ticketlab.schedules import evaluation_iterations

HISTORY = ("iteration", "validation_loss", "validation_accuracy", "train_loss")


class Trainer(Protocol):
    """What a training needs of an engine."""

    train_indices: np.ndarray
    task: str

    def load(self, weights: Arrays, masks: Arrays, optimizer: Arrays | None = None) -> None: ...  # noqa: D102
    def train(self, order: np.ndarray, rates: np.ndarray) -> float: ...  # noqa: D102
    def evaluate(self, part: str) -> tuple[float, float]: ...  # noqa: D102
    def weights(self) -> dict[str, np.ndarray]: ...  # noqa: D102
    def optimizer_state(self) -> dict[str, np.ndarray]: ...  # noqa: D102


@dataclass(frozen=True)
class Checkpoint:
    """A training at one of its evaluations, or before its first step.

    Attributes:
        iteration: steps done, counted from the beginning of round 0.
        weights: {path: array}, zero where masked.
        optimizer: {path: array}; None for a fresh optimizer.
        history: one row (iteration, validation loss, validation accuracy, train loss) per evaluation; the last is the
            mean over the steps since the one before, not a number where there was none.
        best: weights at the early-stop iteration, that of minimum validation loss.
        kept: weights at the iteration `keep_at`, once it is reached.
        seconds: spent on training and evaluation so far.
    """

    iteration: int
    weights: Arrays
    optimizer: Arrays | None = None
    history: tuple[tuple[float, ...], ...] = ()
    best: Arrays = field(default_factory=dict)
    kept: Arrays = field(default_factory=dict)
    seconds: float = 0.0

    def early_stop(self) -> tuple[float, ...]:
        """Return the row of minimum validation loss, the first of them."""
        return min(self.history, key=lambda row: row[1])

    def history_arrays(self) -> dict[str, np.ndarray]:
        """Return the history as columns by name."""
        columns = dict(zip(HISTORY, np.array(self.history, np.float64).reshape(-1, len(HISTORY)).T, strict=True))
        return {**columns, "iteration": columns["iteration"].astype(np.int64)}


def train(
    engine: Trainer,
    begin: Checkpoint,
    masks: Arrays,
    *,
    seed: int,
    stop: int,
    batch_size: int,
    eval_every: int,
    rates: Callable[[int, int], np.ndarray],
    patience: int | None = None,
    keep_at: int | None = None,
    report: Callable[[Checkpoint], None] = lambda checkpoint: None,
    save: Callable[[Checkpoint], None] = lambda checkpoint: None,
    save_every: float = 60.0,
) -> Checkpoint:
    """Carry a training on from a checkpoint to its end.

    The early-stop iteration is the evaluated iteration of minimum validation loss (Frankle & Carbin 2019, section 1).

    Args:
        engine: what computes the steps.
        begin: where to begin; its iteration also says which batches come first.
        masks: {path: bool array}.
        seed: of the replicate, for the data order.
        stop: the last iteration; where it is the first as well, the weights are evaluated as they are.
        batch_size: samples of one step.
        eval_every: iterations between two evaluations.
        rates: learning rates of the iterations from its first argument to its second.
        patience: end after so many evaluations without a new minimum of the validation loss.
        keep_at: iteration whose weights are remembered as `kept`.
        report: called after every evaluation; the checkpoint it gets has no new weights.
        save: called with a whole checkpoint every `save_every` seconds.
        save_every: seconds.

    Raises:
        Diverged: where the validation loss is no longer finite.
    """
    engine.load(begin.weights, masks, begin.optimizer)
    state, started = begin, time.perf_counter()
    saved, position, loss = started, begin.iteration, 0.0
    left = begin.iteration < stop or not begin.history
    evaluations = set(evaluation_iterations(begin.iteration, stop, eval_every)) if left else set()
    for pause in sorted(evaluations | ({keep_at} if keep_at and keep_at > begin.iteration else set())):
        order = batches(engine.train_indices, batch_size, seed, position, pause)
        loss += engine.train(order, rates(position, pause))
        position = pause
        if position == keep_at:
            state = replace(state, kept=engine.weights())
        if position not in evaluations:
            continue
        steps = position - state.iteration  # none of a network that is evaluated as it is
        row = (position, *engine.evaluate("validation"), loss / steps if steps else math.nan)
        if not math.isfinite(row[1]):
            raise Diverged(f"training diverged: the validation loss is {row[1]} at iteration {position}")
        improved = not state.history or row[1] < state.early_stop()[1]
        now = time.perf_counter()
        state = replace(
            state,
            iteration=position,
            history=(*state.history, row),
            best=engine.weights() if improved else state.best,
            seconds=begin.seconds + now - started,
        )
        loss = 0.0
        report(state)
        if patience and _without_improvement(state) >= patience and position >= (keep_at or 0):
            break
        if position < stop and now - saved >= save_every:
            save(replace(state, weights=engine.weights(), optimizer=engine.optimizer_state()))
            saved = now
    return replace(state, weights=engine.weights(), optimizer=None)


def _without_improvement(state: Checkpoint) -> int:
    """Count the evaluations since the one of minimum validation loss."""
    return len(state.history) - 1 - state.history.index(state.early_stop())
