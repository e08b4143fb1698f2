"""A round in memory: its file is read once, and every measure gets its content."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, TypeVar

from ticketlab.analysis.runs import FinishedRun
from ticketlab.runs.hdf5 import Record

T = TypeVar("T")


class LoadedRound:
    """The content of a round's file, with the rounds of its seed before and after it.

    Attributes:
        run: run of the round.
        attributes: attributes of its file.
        masks: masks under which it trained, {path: bool array}.
        weights: weights at the end of training, {path: float32 array}; empty where the file does not hold them.
        rewind: weights to which rounds rewind, {path: float32 array}; empty except in the first round.
        history: evaluations, {name: array of one value per evaluation}.
        before: the last readable round of the seed before this one, if any.
        after: the next round, if any, of which only the arrays may be used.
    """

    def __init__(self, run: FinishedRun, record: Record) -> None:
        self.run = run
        self.attributes = record.attributes
        contents = record.contents()
        self.masks, self.weights, self.rewind, self.history = (
            contents.get(group, {}) for group in ("masks", "weights", "rewind", "history")
        )
        self.before: LoadedRound | None = None
        self.after: LoadedRound | None = None
        self._known: dict[Callable[..., Any], Any] = {}

    @property
    def seed(self) -> int:
        """The replicate's."""
        return self.attributes["seed"]

    @property
    def number(self) -> int:
        """Which round of its seed it is."""
        return self.attributes["round"]

    @property
    def chain(self) -> bool:
        """Whether the prunable layers feed each other one by one; files that do not say it are of chains."""
        return self.attributes.get("chain", True)

    def once(self, function: Callable[["LoadedRound"], T]) -> T:
        """Return a function's result for this round, computed only for the first measure that needs it."""
        if function not in self._known:
            self._known[function] = function(self)
        return self._known[function]


def loaded_rounds(run: FinishedRun) -> Iterator[LoadedRound]:
    """Read the rounds of a run one after the other, seed by seed; two of them are in memory, and a third at most.

    Raises:
        Damaged: if a file cannot be read.
    """
    for _, records in groupby(sorted(run.records, key=_seed_and_round), key=lambda each: each.attributes["seed"]):
        before: LoadedRound | None = None
        rounds = (LoadedRound(run, record) for record in records)
        each = next(rounds, None)
        while each:
            each.before, each.after = before, next(rounds, None)
            yield each
            each.before = None  # lest it keep all rounds before it in memory
            before, each = each, each.after


def _seed_and_round(record: Record) -> tuple[int, int]:
    return record.attributes["seed"], record.attributes["round"]
