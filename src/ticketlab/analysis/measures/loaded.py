"""A round in hand: its file is read once, when its turn comes, and every measure is given what was read."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, TypeVar

from ticketlab.analysis.runs import FinishedRun
from ticketlab.runs.hdf5 import Record

T = TypeVar("T")


class LoadedRound:
    """All that the file of a round says, and the rounds of its seed on either side of it.

    Attributes:
        run: whose round it is.
        attributes: of its file.
        masks: {path: bool array} under which it trained.
        weights: {path: float32 array} at the end of training; empty where the file does not hold them.
        rewind: {path: float32 array} to which rounds rewind; empty but in the first round.
        history: {name: array of one value per evaluation}.
        before: the last round of the seed before this one that can be read, if there is one.
        after: the next one, if there is one; only its arrays can be asked for.
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
        """Return what a function makes of this round, computed for the first measure that asks."""
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
