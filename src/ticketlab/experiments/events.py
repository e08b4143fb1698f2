"""What replicates tell while they compute: one class per event. Knows nothing of who listens.

Progress at the terminal, logs and executors read the same ones; each can be pickled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Begun:
    """A replicate begins, or begins again after a failure.

    Attributes:
        rounds: the numbers of the rounds that it goes through, those on disk among them.
    """

    rounds: tuple[int, ...]


@dataclass(frozen=True)
class Evaluated:
    """A training was evaluated on the validation set.

    Attributes:
        number: of the round.
        iteration: counted from the beginning of round 0.
        share: of the round's iterations that are done.
        density: of the masks.
        loss: on the validation set.
        score: accuracy or, of a regression, R².
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
        number: of the round.
        new: whether it was computed now.
        attributes: of its file.
    """

    number: int
    new: bool
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Noted:
    """Something the person should know, the same for all replicates."""

    message: str


@dataclass(frozen=True)
class SetAside:
    """A damaged file was renamed; what it held is computed again."""

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
