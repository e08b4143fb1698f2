"""What a kind of experiment is, as far as its files say it: read by whatever looks at a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

Rounds = Literal["chain", "independent", "stretches"]

# of the kinds whose spec.json said nothing of it in earlier versions
BEFORE: dict[str, Rounds] = {"imp": "chain", "before_training": "independent", "sparse_training": "stretches"}


@dataclass(frozen=True)
class Kind:
    """A kind of experiment.

    Attributes:
        name: in spec.json, run keys and folder names.
        rounds: whether each round rests on the one before ("chain"), they stand side by side ("independent"), or they
            are the parts of one training ("stretches").

    >>> Kind("sparse_training", "stretches").place, Kind("imp", "chain").place
    ('iteration', 'density')
    """

    name: str
    rounds: Rounds

    @property
    def place(self) -> Literal["density", "iteration"]:
        """The column of a table of rounds that tells them apart: where each ends in the training, or its density."""
        return "iteration" if self.rounds == "stretches" else "density"

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Self:
        """Read it from what spec.json says; that of earlier versions lacks `rounds`."""
        name = description["kind"]
        return cls(name, description.get("rounds") or BEFORE[name])
