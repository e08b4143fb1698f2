"""Results of a round from its file: metrics, densities of layers, evaluations during training.

A metric is any number among a file's attributes, under its name there; this module does not know what it means.
"""

import json
from typing import Any

import numpy as np

from ticketlab.analysis.measures.loaded import LoadedRound

KEYS = ("seed", "round", "density")


def metrics(loaded: LoadedRound) -> dict[str, Any]:
    """Return every number among the attributes under its name, in alphabetical order, without booleans.

    Beside an early-stop iteration stands `early_stop_censored`: whether it is a lower bound.
    """
    found = {name: value for name, value in loaded.attributes.items() if _is_metric(name, value)}
    if "early_stop_iteration" in found:
        found["early_stop_censored"] = censored(loaded)
    return {"density": loaded.attributes["density"]} | dict(sorted(found.items()))


def layer_densities(loaded: LoadedRound) -> dict[str, float]:
    """Give the share of kept weights of each prunable kernel, in the network's order."""
    return {f"density_{path}": np.count_nonzero(mask) / mask.size for path, mask in loaded.masks.items()}


def evaluations(loaded: LoadedRound) -> dict[str, Any]:
    """Return the evaluations during training, one row per evaluation, under the names in the file."""
    return {"density": loaded.attributes["density"]} | loaded.history


def censored(loaded: LoadedRound) -> bool:
    """Tell whether a round's early stop is a lower bound: the training ended before another minimum could come.

    It does where the stop lies within one evaluation interval of the last iteration that the spec allows; not where
    patience ended the training.
    """
    spec, stop = json.loads(loaded.attributes.get("spec", "{}")), loaded.attributes["early_stop_iteration"]
    last = loaded.history["iteration"].max(initial=0)
    return bool(last - (spec.get("eval_every") or 0) <= stop <= last and last >= spec.get("iterations", np.inf))


def _is_metric(name: str, value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and name not in (*KEYS, "format")
