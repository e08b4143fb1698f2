"""Kinds of experiment, as far as the files of a run describe them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

Rounds = Literal["chain", "independent", "stretches"]

# relations of rounds in kinds whose spec.json did not name them in earlier versions
BEFORE: dict[str, Rounds] = {"imp": "chain", "before_training": "independent", "sparse_training": "stretches"}


@dataclass(frozen=True)
class Kind:
    """A kind of experiment.

    Attributes:
        name: name in spec.json, run keys and folder names.
        rounds: relation of the rounds: each starts from the one before ("chain"), none depends on another
            ("independent"), or they are parts of one training ("stretches").

    >>> Kind("sparse_training", "stretches").place, Kind("imp", "chain").place
    ('iteration', 'density')
    """

    name: str
    rounds: Rounds

    @property
    def place(self) -> Literal["density", "iteration"]:
        """The column that tells rounds apart: the iteration at which each ends, or its density."""
        return "iteration" if self.rounds == "stretches" else "density"

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Self:
        """Read the kind from the content of spec.json; earlier versions did not write `rounds`."""
        name = description["kind"]
        return cls(name, description.get("rounds") or BEFORE[name])
