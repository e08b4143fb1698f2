"""The spec of rounds of falling density, shared by all kinds that prune round by round."""

from dataclasses import dataclass
from typing import Any

from ticketlab.runs.fields import INCREASING, LEFT_OUT, NOT_NEGATIVE, OPEN_UNIT, UNIT, option, refused
from ticketlab.runs.spec import Spec


@dataclass(frozen=True, kw_only=True, repr=False)
class PruningSpec(Spec):
    """Rounds of falling density, of which round 0 is dense."""

    rounds: int | None = option(
        16, "pruning", "rounds of pruning after the dense round 0", valid=NOT_NEGATIVE, key=False, fitted=True
    )
    target_density: float | None = option(
        None,
        "pruning",
        "prune until the density is at most this, in place of --rounds",
        valid=UNIT,
        key=False,
        excludes=("rounds",),
    )
    only_rounds: tuple[int, ...] = option(
        (),
        "pruning",
        "these rounds alone, where rounds do not rest on each other; in place of --rounds",
        valid=INCREASING,
        key=False,
        excludes=("rounds", "target_density"),
    )
    prune_rate: float = option(0.2, "pruning", "share of the kept weights that each round prunes", valid=OPEN_UNIT)

    @property
    def last_round(self) -> int | None:
        """As of `Spec`."""
        return self.resolved.rounds

    def _decided(self) -> dict[str, Any]:
        """Decide the fields that are left out; of the fields that choose rounds, the most specific one counts."""
        decided = super()._decided()
        if self.only_rounds:
            decided |= {"rounds": None, "target_density": None}
        elif self.target_density is not None or (self.branch and self.rounds is LEFT_OUT):  # all rounds of its run
            decided["rounds"] = None
        return decided

    def _check(self) -> None:
        super()._check()
        if self.rounds is None and self.target_density is None and not self.only_rounds and not self.branch:
            raise refused("rounds", "a whole number where nothing else says which rounds", None)
