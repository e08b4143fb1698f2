"""The spec of iterative magnitude pruning: its fields, and which combinations are refused."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from ticketlab.experiments.lottery.controls import CONTROLS, WEIGHTS_FROM
from ticketlab.experiments.pruning_spec import PruningSpec
from ticketlab.runs.defaults import is_mlp
from ticketlab.runs.fields import (
    HALF_OPEN_UNIT,
    LEFT_OUT,
    NOT_NEGATIVE,
    option,
    refused,
)
from ticketlab.runs.kinds import Kind
from ticketlab.sparsity.criteria import CRITERIA
from ticketlab.sparsity.pruning import SCOPES

SCHEDULE_FROM = ("rewind", "final")

# criteria that earlier versions applied to the wrong initial weights, in rounds that draw their own
SCORED_WRONGLY = (
    "large_initial",
    "small_initial",
    "large_initial_and_final",
    "small_initial_and_final",
    "magnitude_increase",
    "movement",
)


@dataclass(frozen=True, kw_only=True, repr=False)
class ImpSpec(PruningSpec):
    """Iterative magnitude pruning with rewinding (Frankle & Carbin 2019, arXiv 1803.03635).

    >>> len(ImpSpec().key()), ImpSpec().key() == ImpSpec(rounds=3).key() != ImpSpec(batch_size=64).key()
    (10, True)
    >>> ImpSpec.from_json(ImpSpec(prune_rate=0.5).to_json()) == ImpSpec(prune_rate=0.5).resolved
    True
    """

    kind: ClassVar[Kind] = Kind("imp", "chain")

    criterion: str = option("large_final", "pruning", "scores by which weights are kept", choices=CRITERIA)
    scope: str = option("layer", "pruning", "compare scores within each layer, or over all layers", choices=SCOPES)
    conv_prune_rate: float | None = option(
        None, "pruning", "prune rate of convolutions; --prune-rate if left out; with --scope global 0 or left out",
        valid=HALF_OPEN_UNIT, fitted=True, belongs_to="scope",
    )  # fmt: skip
    output_prune_rate: float | None = option(
        None, "pruning", "prune rate of the output layer; half of --prune-rate if left out; with --scope global 0 or "
        "left out", valid=HALF_OPEN_UNIT, fitted=True, belongs_to="scope",
    )  # fmt: skip
    weights_from: str = option(
        "rewind",
        "rewinding",
        "what kept weights go back to. rewind: the state at --rewind-iteration; final: their final "
        "values; fresh: a new draw in each round; signed_constant: that state's signs times each "
        "layer's standard deviation; shuffled_weights: that state, shuffled within each layer",
        choices=WEIGHTS_FROM,
    )
    rewind_iteration: int = option(
        0, "rewinding", "iteration of round 0 that rounds go back to; 0: initial weights", valid=NOT_NEGATIVE
    )
    schedule_from: str = option(
        "rewind",
        "rewinding",
        "learning rates of the pruned rounds. rewind: those from --rewind-iteration on; final: the last one throughout",
        choices=SCHEDULE_FROM,
    )
    branch: str | None = option(
        None,
        "controls",
        "compute a control of the finished run that the other flags name, and keep it beside that "
        "run; of all its rounds, where --rounds, --target-density and --only-rounds are left out",
        choices=CONTROLS,
    )

    def _check(self) -> None:
        super()._check()
        for name in ("output_prune_rate", "conv_prune_rate"):
            if self.scope == "global" and getattr(self, name):  # 0 holds these layers out
                raise refused(name, "left out or 0 in the scope `global`", getattr(self, name))
        if self.rewind_iteration >= self.iterations:
            raise refused("rewind_iteration", f"less than `iterations`={self.iterations}", self.rewind_iteration)
        start = WEIGHTS_FROM[self.weights_from]
        if self.rewind_iteration and start and start.from_beginning:
            raise refused("rewind_iteration", f"0 with `weights_from`={self.weights_from}", self.rewind_iteration)
        if self.schedule_from == "final" and self.schedule == "cosine":
            raise refused("schedule_from", "rewind with the schedule cosine, which ends near 0", self.schedule_from)
        if self.branch and self.weights_from != "rewind":
            raise refused("branch", "of a run with `weights_from`=rewind", self.branch)
        if self.only_rounds and not self.branch:
            raise refused("only_rounds", "given with a `branch`, since rounds rest on those before", self.only_rounds)

    def idle(self) -> set[str]:
        """As of `Spec`."""
        names, whole = super().idle(), self.scope == "layer"
        if is_mlp(self.network) or (whole and self.resolved.conv_prune_rate == self.prune_rate):
            names |= {"conv_prune_rate"}
        if whole and self.resolved.output_prune_rate == self.prune_rate / 2:
            names |= {"output_prune_rate"}
        settled = max(self.warmup - 1, *self.schedule_steps, 0)  # from there on, the learning rate is the last one
        if self.schedule != "cosine" and self.rewind_iteration >= settled:
            names |= {"schedule_from"}
        return names

    def corrected(self) -> dict[str, Any]:
        """Return that part of the key for rounds once scored against initial weights that they never had."""
        return {"scores": "start"} if self.begins_elsewhere and self.criterion in SCORED_WRONGLY else {}

    @property
    def begins_elsewhere(self) -> bool:
        """Whether each pruned round draws its own initial weights instead of rewinding."""
        return WEIGHTS_FROM[self.weights_from] is not None

    def rewound_learning_rates(self, start: int, stop: int) -> np.ndarray:
        """Return the learning rates of the pruned rounds (Renda et al. 2020, arXiv 2003.02389, section 3)."""
        if self.schedule_from == "final":
            last = self.learning_rates(self.resolved.iterations - 1, self.resolved.iterations)
            return np.repeat(last, stop - start)
        return self.learning_rates(start, stop)

    def trunk(self) -> Self:
        """Return the spec of the run that a branch belongs to."""
        return replace(self, branch=None, only_rounds=(), rounds=LEFT_OUT) if self.branch else self

    def folder_name(self) -> str:
        """Return the name of the run's folder; a branch's folder is named after its run and the branch."""
        return f"{self.trunk().folder_name()}-{self.branch}" if self.branch else super().folder_name()
