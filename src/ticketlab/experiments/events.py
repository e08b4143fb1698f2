"""Events that replicates report while they compute, one class per event, whoever listens.

Progress at the terminal, logs and executors read the same events; each can be pickled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Begun:
    """A replicate begins, or begins again after a failure.

    Attributes:
        rounds: numbers of all rounds of the replicate, including those on disk.
    """

    rounds: tuple[int, ...]


@dataclass(frozen=True)
class Evaluated:
    """A training was evaluated on the validation set.

    Attributes:
        number: number of the round.
        iteration: iterations done, counted from the beginning of round 0.
        share: share of the round's iterations that are done.
        density: density of the masks.
        loss: loss on the validation set.
        score: accuracy on the validation set or, in a regression, R².
        task: "classification" or "regression".
    """

    number: int
    iteration: int
    share: float
    density: float
    loss: float
    score: float
    task: str


@dataclass(frozen=True)
class RoundDone:
    """A round is complete on disk.

    Attributes:
        number: number of the round.
        new: whether the round was computed just now.
        attributes: attributes of the round's file.
    """

    number: int
    new: bool
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Noted:
    """A note to the user, the same for all replicates."""

    message: str


@dataclass(frozen=True)
class SetAside:
    """A damaged file was renamed; its round is computed again."""

    message: str


@dataclass(frozen=True)
class Retried:
    """An attempt failed, and the replicate is tried once more."""

    message: str


@dataclass(frozen=True)
class Failed:
    """A replicate failed for good."""

    message: str


@dataclass(frozen=True)
class Completed:
    """A replicate has all of its rounds."""


Event = Begun | Evaluated | RoundDone | Noted | SetAside | Retried | Failed | Completed
Report = Callable[[Event], None]
