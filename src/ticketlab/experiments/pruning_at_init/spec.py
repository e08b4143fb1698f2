"""The spec of pruning at initialisation."""

from dataclasses import dataclass
from typing import ClassVar

from ticketlab.experiments.pruning_at_init.saliency import DISTRIBUTIONS, SALIENCIES
from ticketlab.experiments.pruning_spec import PruningSpec
from ticketlab.runs.fields import (
    POSITIVE,
    option,
)
from ticketlab.runs.kinds import Kind


@dataclass(frozen=True, kw_only=True, repr=False)
class PruningAtInitSpec(PruningSpec):
    """Pruning at initialisation; round r has the density ``(1 − prune_rate)^r`` (compared in arXiv 2009.08576)."""

    kind: ClassVar[Kind] = Kind("before_training", "independent")

    method: str = option("snip", "pruning", "scores by which initial weights are kept", choices=SALIENCIES)
    distribution: str = option(
        "global",
        "pruning",
        "compare scores over all layers, or within layers of these densities",
        choices=DISTRIBUTIONS,
    )
    scoring_steps: int | None = option(
        None, "pruning", "steps in which a mask is found, scored anew in each; the method's own number if left out",
        valid=POSITIVE,
    )  # fmt: skip
    scoring_samples: int = option(
        100, "pruning", "training samples whose loss snip and grasp differentiate", valid=POSITIVE
    )

    def idle(self) -> set[str]:
        """As of `Spec`."""
        names = super().idle() - {"threads"}  # scores are computed by the dense engine
        saliency = SALIENCIES[self.method]
        if not saliency.uses_data:
            names |= {"scoring_samples"}
        if saliency.fixed or self.scoring_steps == saliency.steps:
            names |= {"scoring_steps"}
        return names
