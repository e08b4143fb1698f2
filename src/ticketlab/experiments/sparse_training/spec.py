"""The spec of sparse training: fields, and what they forbid together. What methods there are stands in methods.py."""

import math
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import ClassVar

from ticketlab.experiments.sparse_training.methods import METHODS, Method
from ticketlab.runs.fields import NOT_NEGATIVE, OPEN_UNIT, POSITIVE, UNIT, option, refused
from ticketlab.runs.kinds import Kind
from ticketlab.runs.spec import Spec
from ticketlab.sparsity.density_schedules import FRACTION_SCHEDULES, update_iterations
from ticketlab.sparsity.distributions import DISTRIBUTIONS
from ticketlab.sparsity.drop_grow import DROPS

GROWN = ("zero", "normal", "initialiser")
SAVES = 10  # in equal stretches, where nothing else is said


@dataclass(frozen=True, kw_only=True)
class SparseTrainingSpec(Spec):
    """One training, sparse from the start or becoming so; a round is a stretch between two saves.

    Fields that are left out are the method's own, and are filled in; those that mean nothing for it are refused.

    >>> spec = SparseTrainingSpec(method="set", iterations=1000)
    >>> spec.density, spec.distribution, spec.drop, spec.drop_fraction, spec.update_until, spec.save_every
    (0.1, 'erk', 'sign', 0.3, 1000, 100)
    >>> spec == SparseTrainingSpec.from_json(spec.to_json())
    True
    """

    kind: ClassVar[Kind] = Kind("sparse_training", "stretches")

    method: str = option("rigl", "sparse training", "dense: all weights; static: a random mask that stays; set, rigl, "
        "snfs: weights are exchanged; gradual: pruned by magnitude during training; cut: pruned at its end",
        choices=METHODS)  # fmt: skip
    density: float | None = option(
        None, "layers", "kept / total of all layers, in the end (default: 0.1)", valid=UNIT, excludes=("epsilon",)
    )
    epsilon: float | None = option(
        None, "layers", "in place of --density, connections as in SET: ε·(n_in + n_out) of each layer", valid=POSITIVE
    )
    distribution: str | None = option(
        None, "layers", "how the density is spread over the layers (default: erk)", choices=DISTRIBUTIONS
    )
    dense_first: bool | None = option(None, "layers", "the first layer is dense")
    dense_output: bool | None = option(None, "layers", "the output layer is dense")
    update_every: int | None = option(
        None, "updates", "iterations between two updates of the masks, 0: an epoch (default: set 0, others 100)",
        valid=NOT_NEGATIVE,
    )  # fmt: skip
    update_until: int | None = option(
        None, "updates", "iteration from which masks stay as they are (default: the end, of rigl, snfs and gradual ¾ "
        "of it)", valid=POSITIVE,
    )  # fmt: skip
    drop: str | None = option(
        None, "updates", "which weights go: the smallest, or the smallest of each sign (default: set sign, others "
        "magnitude)", choices=DROPS,
    )  # fmt: skip
    drop_fraction: float | None = option(
        None, "updates", "share of a layer's kept weights that an update exchanges (default: 0.3)", valid=OPEN_UNIT
    )
    fraction_schedule: str | None = option(
        None, "updates", "how that share changes until --update-until (default: set constant, others cosine)",
        choices=FRACTION_SCHEDULES,
    )  # fmt: skip
    grown: str | None = option(
        None, "updates", "what new weights are: 0, N(0, 0.1²), or drawn by the initialiser (default: set normal, "
        "others zero)", choices=GROWN,
    )  # fmt: skip
    regrow: bool | None = option(
        None, "updates", "weights that have just been dropped may be grown again at once (default: yes)"
    )
    save_every: int | None = option(
        None, "training", "iterations of a round, at whose end masks and weights are saved; 0: from one update to the "
        "next (default: a tenth of --iterations)", valid=NOT_NEGATIVE,
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        own = dict(self.chosen.options)
        if self.epsilon is not None:
            own |= {"density": None, "distribution": "er"}
        for name in OPTIONS:
            value = getattr(self, name)
            if value is None:
                object.__setattr__(self, name, own.get(name))
            elif name not in own:
                raise refused(name, f"left out with the method {self.method}", value)
        self._check_layers()
        self._check_updates()
        if self.save_every is None:
            object.__setattr__(self, "save_every", math.ceil(self.iterations / SAVES))
        if self.save_every > self.iterations:
            raise refused("save_every", f"at most `iterations`={self.iterations}", self.save_every)
        if self.save_every == 0 and self.update_every is None:
            raise refused("save_every", f"greater than 0 with the method {self.method}, which has no updates", 0)
        if self.patience is not None:
            raise refused("patience", "left out in sparse training, which ends at `iterations`", self.patience)
        if self.engine == "sparse" and self.averages:
            raise refused("engine", "auto or dense with the method snfs, which needs all gradients", self.engine)

    def _check_layers(self) -> None:
        if self.epsilon is not None and self.density is not None:
            raise refused("density", "left out with `epsilon`", self.density)
        if self.epsilon is not None and self.distribution != "er":
            raise refused("distribution", "er with `epsilon`", self.distribution)

    def _check_updates(self) -> None:
        if self.update_every is None:
            return
        if self.update_until is None:
            object.__setattr__(self, "update_until", max(1, math.floor(self.chosen.until * self.iterations)))
        if self.update_until > self.iterations:
            raise refused("update_until", f"at most `iterations`={self.iterations}", self.update_until)
        if self.method == "gradual" and self.update_until == self.iterations:
            expected = f"less than `iterations`={self.iterations} with the method gradual"
            raise refused("update_until", expected, self.update_until)
        if self.update_every >= self.update_until:
            raise refused("update_every", f"less than `update_until`={self.update_until}", self.update_every)

    @property
    def chosen(self) -> Method:
        """The method."""
        return METHODS[self.method]

    @property
    def averages(self) -> bool:
        """As of `Spec`: where weights grow by them."""
        return self.chosen.grow == "averaged_gradient"

    def idle(self) -> set[str]:
        """As of `Spec`; a network that stays dense is trained by the dense engine."""
        always_dense = self.method == "dense" and self.engine != "sparse"
        return super().idle() | ({"engine", "break_even_density"} if always_dense else set())

    def updates(self, samples: int) -> list[int]:
        """List the iterations before which connectivity changes.

        Args:
            samples: for training, which make an epoch.

        >>> SparseTrainingSpec(method="set", iterations=10, batch_size=2).updates(5)
        [3, 5, 8]
        """
        if self.method == "cut":
            return [self.iterations]
        if self.update_every is None:
            return []
        times = update_iterations(self.update_every, self.update_until, samples, self.batch_size)
        return [*times, self.update_until] if self.method == "gradual" else times

    def stretches(self, samples: int) -> list[tuple[int, int]]:
        """List where rounds begin and end; round 0 is the beginning, and the cut a round without iterations.

        >>> SparseTrainingSpec(method="cut", iterations=10, save_every=4).stretches(5)
        [(0, 0), (0, 4), (4, 8), (8, 10), (10, 10)]
        """
        saves = self.updates(samples) if self.save_every == 0 else range(0, self.iterations, self.save_every)
        ends = [(0, 0), *pairwise(sorted({0, *saves, self.iterations}))]
        return [*ends, (self.iterations, self.iterations)] if self.method == "cut" else ends


OPTIONS = [
    each.name for each in fields(SparseTrainingSpec) if any(each.name in method.options for method in METHODS.values())
]
