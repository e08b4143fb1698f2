"""One training from a ticket to its end: stretches between evaluations, history, early stop, resumable anywhere.

Stretches are cut into pieces of about a second, between which signals are served and states saved; no bit depends on
where. Knows when to evaluate and what to remember. Does not know how a step is computed (engine.py), nor where states
are kept (folder.py), nor what follows a training (lottery.py).
"""

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import numpy as np

from ticketlab.data.dataset import batches
from ticketlab.errors import Diverged
from ticketlab.schedules import evaluation_iterations
from ticketlab.sparsity.masks import Arrays, kept

PIECE_SECONDS = 1.0
HISTORY = ("iteration", "validation_loss", "validation_accuracy", "train_loss")


class Trainer(Protocol):
    """What a training needs of an engine."""

    train_indices: np.ndarray
    task: str

    def load(self, weights: Arrays, masks: Arrays, optimizer: Arrays | None = None) -> None: ...  # noqa: D102
    def train(self, order: np.ndarray, rates: np.ndarray, total: float = 0.0) -> float: ...  # noqa: D102
    def gradients(self, chosen: np.ndarray) -> tuple[float, dict[str, np.ndarray]]: ...  # noqa: D102
    def evaluate(self, part: str) -> tuple[float, float]: ...  # noqa: D102
    def weights(self) -> dict[str, np.ndarray]: ...  # noqa: D102
    def optimizer_state(self) -> dict[str, np.ndarray]: ...  # noqa: D102


@dataclass(frozen=True)
class Checkpoint:
    """A training at one of its evaluations, before its first step, or between two evaluations.

    Attributes:
        iteration: steps done, counted from the beginning of round 0.
        weights: {path: array}, zero where masked.
        masks: {path: bool array}.
        optimizer: {path: array}; None for a fresh optimizer.
        history: one row (iteration, validation loss, validation accuracy, train loss) per evaluation; the last is the
            mean over the steps since the one before, not a number where there was none.
        early_stop: the row of minimum validation loss, the first of them; empty before the first evaluation. It may be
            older than the history, of masks with as many weights.
        best: weights at that iteration.
        kept: weights at the iteration `keep_at`, once it is reached.
        seconds: spent on training and evaluation so far.
        steps: done since the last evaluation.
        losses: their sum up to the last of the stretches that are done.
        running: their sum in the stretch that is not done yet, as the engine adds them up.
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
        """Return the checkpoint after one more evaluation; weights are asked for where it is the best so far."""
        improved = not self.early_stop or row[1] < self.early_stop[1]
        return replace(
            self,
            iteration=int(row[0]),
            history=(*self.history, row),
            early_stop=row if improved else self.early_stop,
            best=weights() if improved else self.best,
            seconds=seconds,
        )


@dataclass(frozen=True)
class Change:
    """What an update of the masks leaves.

    Attributes:
        weights: {path: array}, zero where masked.
        masks: {path: bool array}.
        optimizer: {path: array}.
        losses: of the iterations whose place it took.
    """

    weights: Arrays
    masks: Arrays
    optimizer: Arrays
    losses: tuple[float, ...] = ()


@dataclass(frozen=True)
class Updates:
    """When masks change during a training, and how.

    Attributes:
        iterations: before which they change, unless they are the training's last one; in a training without iterations,
            before its evaluation.
        change: makes the change, from the engine, the present masks and the iteration.
    """

    iterations: Collection[int] = ()
    change: Callable[[Trainer, Arrays, int], Change] | None = None


def train(
    engines: Callable[[Arrays], Trainer],
    begin: Checkpoint,
    *,
    seed: int,
    stop: int,
    batch_size: int,
    eval_every: int,
    rates: Callable[[int, int], np.ndarray],
    updates: Updates = Updates(),
    patience: int | None = None,
    keep_at: int | None = None,
    report: Callable[[Checkpoint], None] = lambda checkpoint: None,
    save: Callable[[Checkpoint], None] = lambda checkpoint: None,
    save_every: float = 60.0,
) -> Checkpoint:
    """Carry a training on from a checkpoint to its end.

    The early-stop iteration is the evaluated iteration of minimum validation loss (Frankle & Carbin 2019, section 1).

    Args:
        engines: gives what computes the steps under some masks.
        begin: where to begin; its iteration also says which batches come first.
        seed: of the replicate, for the data order.
        stop: the last iteration; where it is the first as well, the weights are evaluated as they are.
        batch_size: samples of one step.
        eval_every: iterations between two evaluations.
        rates: learning rates of the iterations from its first argument to its second.
        updates: of the masks.
        patience: end after so many evaluations without a new minimum of the validation loss.
        keep_at: iteration whose weights are remembered as `kept`.
        report: called after every evaluation; the checkpoint it gets has no new weights.
        save: called with a whole checkpoint every `save_every` seconds, wherever the training is.
        save_every: seconds.

    Raises:
        Diverged: where the validation loss is no longer finite.
    """
    engine = engines(begin.masks)
    engine.load(begin.weights, begin.masks, begin.optimizer)
    state, started = replace(begin, steps=0, losses=0.0, running=0.0), time.perf_counter()
    saved, position, pace = started, begin.iteration, math.inf
    steps, losses, running = begin.steps, begin.losses, begin.running

    def save_when_due(now: float) -> None:
        nonlocal saved
        if position < stop and now - saved >= save_every:
            between = {"iteration": position, "steps": steps, "losses": losses, "running": running}
            whole = {"weights": engine.weights(), "optimizer": engine.optimizer_state()}
            save(replace(state, **between, **whole, seconds=begin.seconds + now - started))
            saved = now

    left = begin.iteration < stop or not begin.history
    evaluations = set(evaluation_iterations(begin.iteration, stop, eval_every)) if left else set()
    due = {each for each in updates.iterations if begin.iteration <= each < max(stop, begin.iteration + 1)}
    later = {each for each in (*due, keep_at or 0) if each > begin.iteration}
    for pause in sorted(evaluations | later):
        if position in due:
            change = updates.change(engine, state.masks, position)
            state, engine = _changed(state, change), engines(change.masks)
            engine.load(change.weights, change.masks, change.optimizer)
            position, losses = position + len(change.losses), losses + sum(change.losses)
            steps += len(change.losses)
        while position < pause:
            end, began = min(pause, position + piece_length(pace)), time.perf_counter()
            order = batches(engine.train_indices, batch_size, seed, position, end)
            running = engine.train(order, rates(position, end), running)
            pace = ((now := time.perf_counter()) - began) / len(order)
            position, steps = end, steps + len(order)
            if position < pause:
                save_when_due(now)
        losses, running = losses + running, 0.0
        if position == keep_at:
            state = replace(state, kept=engine.weights())
        if position not in evaluations:
            continue
        row = (position, *engine.evaluate("validation"), losses / steps if steps else math.nan)
        if not math.isfinite(row[1]):
            raise Diverged(f"training diverged: the validation loss is {row[1]} at iteration {position}")
        now = time.perf_counter()
        state = state.evaluated(row, engine.weights, begin.seconds + now - started)
        steps, losses = 0, 0.0
        report(state)
        if patience and _without_improvement(state) >= patience and position >= (keep_at or 0):
            break
        save_when_due(now)
    return replace(state, weights=engine.weights(), optimizer=engine.optimizer_state())


def piece_length(seconds: float) -> int:
    """Return how many iterations to do at once where the last ones took so many seconds each; at first, one.

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


def _changed(state: Checkpoint, change: Change) -> Checkpoint:
    """Return the state under new masks; what was best with more weights is best no longer."""
    pruned = kept(change.masks) < kept(state.masks)
    return replace(state, masks=change.masks, **({"early_stop": (), "best": {}} if pruned else {}))


def _without_improvement(state: Checkpoint) -> int:
    """Count the evaluations since the one of minimum validation loss."""
    return sum(row[0] > state.early_stop[0] for row in state.history)
