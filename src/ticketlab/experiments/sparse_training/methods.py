"""Methods of sparse training by name: drop rule × grow rule × schedule × layer densities.

To add one whose rules exist, add its entry to `METHODS`. A drop rule is a function in drop_grow.py; the scores of a
grow rule are found in connectivity.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Method:
    """What a method is made of.

    Attributes:
        words: the papers' words for it, in figures and tables.
        options: the fields of the spec that mean something for it, and what they are where they are left out.
        grow: by which scores an update grows new weights: random, gradient or averaged_gradient; None where no weights
            are exchanged.
        until: the share of the iterations after which connectivity stays, where that is left out.
        begins_dense: whether all weights are kept at first.
    """

    words: str
    options: Mapping[str, Any] = field(default_factory=dict)
    grow: str | None = None
    until: float = 1.0
    begins_dense: bool = False


_LAYERS = {"density": 0.1, "epsilon": None, "distribution": "erk", "dense_first": False, "dense_output": False}
_EXCHANGE = {"drop": "magnitude", "drop_fraction": 0.3, "grown": "zero", "regrow": True}
_TIMES = {"update_every": 100, "update_until": None}
_RIGL = {**_LAYERS, **_EXCHANGE, **_TIMES, "fraction_schedule": "cosine"}

METHODS: dict[str, Method] = {
    "dense": Method("dense", begins_dense=True),
    "static": Method("static", _LAYERS),
    # Mocanu et al. 2018 (arXiv 1707.04780, algorithm 1): once an epoch; new weights as in the authors' code
    "set": Method(
        "SET",
        {**_RIGL, "drop": "sign", "grown": "normal", "update_every": 0, "fraction_schedule": "constant"},
        "random",
    ),
    "rigl": Method("RigL", _RIGL, "gradient", 0.75),  # Evci et al. 2020 (arXiv 1911.11134, section 3)
    # Dettmers & Zettlemoyer 2019 (arXiv 1907.04840), layers' counts fixed, as compared by Evci et al.
    "snfs": Method("SNFS", _RIGL, "averaged_gradient", 0.75),
    # Zhu & Gupta 2017 (arXiv 1710.01878, equation 1)
    "gradual": Method("gradual pruning", {**_LAYERS, **_TIMES}, until=0.75, begins_dense=True),
    "cut": Method("cut at the end", _LAYERS, begins_dense=True),
}
