"""Methods of sparse training by name: drop rule × grow rule × density schedule × layer densities.

To add one whose rules exist, add its entry to `METHODS`. Drop and grow rules are functions in drop_grow.py, density
schedules in density_schedules.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ticketlab.sparsity.density_schedules import DENSITY_SCHEDULES, DensitySchedule
from ticketlab.sparsity.drop_grow import GROWS, Grow


@dataclass(frozen=True)
class Method:
    """A method of sparse training.

    Attributes:
        words: the papers' term for it, in figures and tables.
        options: fields of the spec that have a meaning for it, and their values where they are left out; the drop rule
            is one of them.
        grow: rule by which an update grows weights; None where updates grow none.
        schedule: schedule that leads to its final density.
        until: share of the iterations after which masks stay as they are, where `update_until` is left out.
    """

    words: str
    options: Mapping[str, Any] = field(default_factory=dict)
    grow: Grow | None = None
    schedule: DensitySchedule = DENSITY_SCHEDULES["constant"]
    until: float = 1.0


_LAYERS = {"density": 0.1, "epsilon": None, "distribution": "erk", "dense_first": False, "dense_output": False}
_EXCHANGE = {"drop": "magnitude", "drop_fraction": 0.3, "grown": "zero", "regrow": True}
_TIMES = {"update_every": 100, "update_until": None}
_RIGL = {**_LAYERS, **_EXCHANGE, **_TIMES, "fraction_schedule": "cosine"}

METHODS: dict[str, Method] = {
    "dense": Method("dense"),
    "static": Method("static", _LAYERS),
    # Mocanu et al. 2018 (arXiv 1707.04780, algorithm 1): once an epoch; new weights as in the authors' code
    "set": Method(
        "SET",
        {**_RIGL, "drop": "sign", "grown": "normal", "update_every": 0, "fraction_schedule": "constant"},
        GROWS["random"],
    ),
    "rigl": Method("RigL", _RIGL, GROWS["gradient"], until=0.75),  # Evci et al. 2020 (arXiv 1911.11134, section 3)
    # Dettmers & Zettlemoyer 2019 (arXiv 1907.04840), layers' counts fixed, as compared by Evci et al.
    "snfs": Method("SNFS", _RIGL, GROWS["averaged_gradient"], until=0.75),
    # Zhu & Gupta 2017 (arXiv 1710.01878, equation 1)
    "gradual": Method("gradual pruning", {**_LAYERS, **_TIMES}, schedule=DENSITY_SCHEDULES["gradual"], until=0.75),
    "cut": Method("cut at the end", _LAYERS, schedule=DENSITY_SCHEDULES["cut"]),
}
