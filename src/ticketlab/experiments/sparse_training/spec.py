"""The spec of sparse training: its fields, and which combinations are refused. methods.py holds the methods."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from ticketlab.experiments.sparse_training.methods import METHODS, Method
from ticketlab.runs.fields import NOT_NEGATIVE, OPEN_UNIT, POSITIVE, UNIT, option, refused
from ticketlab.runs.kinds import Kind
from ticketlab.runs.spec import Spec
from ticketlab.sparsity.density_schedules import FRACTION_SCHEDULES, update_iterations
from ticketlab.sparsity.distributions import DISTRIBUTIONS
from ticketlab.sparsity.drop_grow import DROPS, Needed

GROWN = ("zero", "normal", "initialiser")
SAVES = 10  # number of saves, in equal stretches, where `save_every` is left out


@dataclass(frozen=True, kw_only=True, repr=False)
class SparseTrainingSpec(Spec):
    """One training, sparse from the start or becoming so; a round is a stretch between two saves.

    Fields that are left out take the method's own values; fields that have no meaning for the method are refused.

    >>> spec = SparseTrainingSpec(method="set", iterations=1000).resolved
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
        None,
        "density",
        "final density: kept / total over all layers (default: 0.1)",
        valid=UNIT,
        fitted=True,
        excludes=("epsilon",),
    )
    epsilon: float | None = option(
        None,
        "density",
        "in place of --density: ε·(n_in + n_out) connections in each layer, as in SET",
        valid=POSITIVE,
        fitted=True,
    )
    distribution: str | None = option(
        None,
        "density",
        "how the density is spread over the layers (default: erk)",
        choices=DISTRIBUTIONS,
        fitted=True,
    )
    dense_first: bool | None = option(None, "density", "keep the first layer dense", fitted=True)
    dense_output: bool | None = option(None, "density", "keep the output layer dense", fitted=True)
    update_every: int | None = option(
        None, "mask updates", "iterations between two updates of the masks, 0: an epoch (default: set 0, others 100)",
        valid=NOT_NEGATIVE, fitted=True,
    )  # fmt: skip
    update_until: int | None = option(
        None, "mask updates", "iteration from which masks stay as they are (default: the end, of rigl, snfs and "
        "gradual ¾ of it)", valid=POSITIVE, fitted=True,
    )  # fmt: skip
    drop: str | None = option(
        None, "mask updates", "weights that updates drop: the smallest, or the smallest of each sign (default: set "
        "sign, others magnitude)", choices=DROPS, fitted=True,
    )  # fmt: skip
    drop_fraction: float | None = option(
        None,
        "mask updates",
        "share of a layer's kept weights that an update drops and regrows (default: 0.3)",
        valid=OPEN_UNIT,
        fitted=True,
    )
    fraction_schedule: str | None = option(
        None, "mask updates", "how that share changes until --update-until (default: set constant, others cosine)",
        choices=FRACTION_SCHEDULES, fitted=True,
    )  # fmt: skip
    grown: str | None = option(
        None, "mask updates", "values of new weights: 0, N(0, 0.1²), or drawn by the initialiser (default: set normal, "
        "others zero)", choices=GROWN, fitted=True,
    )  # fmt: skip
    regrow: bool | None = option(
        None, "mask updates", "let weights that have just been dropped grow again at once (default: yes)", fitted=True
    )
    save_every: int | None = option(
        None, "training", "iterations of a round, at whose end masks and weights are saved; 0: from one update to the "
        "next (default: a tenth of --iterations)", valid=NOT_NEGATIVE, fitted=True,
    )  # fmt: skip

    def _decided(self) -> dict[str, Any]:
        """Decide the fields that are left out; a field that is None counts as left out."""
        decided, own = super()._decided(), dict(self.chosen.options)
        values = self._values() | decided
        if values["epsilon"] is not None:
            own |= {"density": None, "distribution": "er"}
        decided |= {name: own.get(name) for name in method_options() if values[name] is None}
        values |= decided
        if values["update_until"] is None and values["update_every"] is not None:
            decided["update_until"] = max(1, math.floor(self.chosen.until * values["iterations"]))
        if values["save_every"] is None:
            decided["save_every"] = math.ceil(values["iterations"] / SAVES)
        return decided

    @classmethod
    def clashes(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """As of `Spec`."""
        method = values.get("method", cls.method)
        foreign = [name for name in method_options() if name not in METHODS[method].options]
        found = super().clashes(values) | dict.fromkeys(foreign, f"left out with the method {method}")
        if values.get("epsilon") is not None and values.get("distribution") not in ("er", None):
            found |= {"distribution": "er with `epsilon`", "epsilon": "left out without the distribution er"}
        return found

    def _check(self) -> None:
        super()._check()
        if self.save_every > self.iterations:
            raise refused("save_every", f"at most `iterations`={self.iterations}", self.save_every)
        if self.save_every == 0 and self.update_every is None:
            raise refused("save_every", f"greater than 0 with the method {self.method}, which has no updates", 0)
        if self.patience is not None:
            raise refused("patience", "left out in sparse training, which ends at `iterations`", self.patience)
        if self.engine == "sparse" and self.averages:
            raise refused(
                "engine", f"auto or dense with the method {self.method}, which needs all gradients", self.engine
            )
        if self.update_every is not None:
            self._check_updates()

    def _check_updates(self) -> None:
        if self.update_until > self.iterations:
            raise refused("update_until", f"at most `iterations`={self.iterations}", self.update_until)
        if self._reached == self.iterations:
            expected = f"less than `iterations`={self.iterations} with the method {self.method}"
            raise refused("update_until", expected, self.update_until)
        if self.update_every >= self.update_until:
            raise refused("update_every", f"less than `update_until`={self.update_until}", self.update_every)

    @property
    def chosen(self) -> Method:
        """The method."""
        return METHODS[self.method]

    @property
    def averages(self) -> bool:
        """Whether the engine keeps running averages of all gradients: where weights grow by them."""
        return self.needs == "averages"

    @property
    def needs(self) -> Needed:
        """Which gradients of all weights the updates need."""
        return self.chosen.grow.needs if self.chosen.grow else "none"

    @property
    def stays_dense(self) -> bool:
        """Whether no weight is ever pruned."""
        return "density" not in self.chosen.options

    @property
    def _reached(self) -> int | None:
        """The iteration of the update that reaches the final density, if there is one."""
        reached, spec = self.chosen.schedule.reached, self.resolved
        return reached(spec.update_until, spec.iterations) if reached else None

    def idle(self) -> set[str]:
        """Name the fields that change no number; for a network that stays dense, the choice of engine is among them."""
        always_dense = self.stays_dense and self.engine != "sparse"
        return super().idle() | ({"engine", "break_even_density"} if always_dense else set())

    def updates(self, samples: int) -> list[int]:
        """List the iterations before which connectivity changes.

        Args:
            samples: number of training samples, which make an epoch.

        >>> SparseTrainingSpec(method="set", iterations=10, batch_size=2).updates(5)
        [3, 5, 8]
        """
        spec, times = self.resolved, []
        if spec.update_every is not None:
            times = update_iterations(spec.update_every, spec.update_until, samples, spec.batch_size)
        return times if self._reached is None else [*times, self._reached]

    def stretches(self, samples: int) -> list[tuple[int, int]]:
        """List the iterations at which rounds begin and end; round 0 and a cut have no iterations.

        >>> SparseTrainingSpec(method="cut", iterations=10, save_every=4).stretches(5)
        [(0, 0), (0, 4), (4, 8), (8, 10), (10, 10)]
        """
        spec = self.resolved
        saves = spec.updates(samples) if spec.save_every == 0 else range(0, spec.iterations, spec.save_every)
        ends = [(0, 0), *pairwise(sorted({0, *saves, spec.iterations}))]
        return [*ends, (spec.iterations, spec.iterations)] if self._reached == spec.iterations else ends


def method_options() -> list[str]:
    """Name the fields that have a meaning for some methods only."""
    return list(dict.fromkeys(name for method in METHODS.values() for name in method.options))
