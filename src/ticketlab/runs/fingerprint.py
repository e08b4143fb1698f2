"""What network.json says of a network, and whether two descriptions are of one and the same.

Knows no Keras: what a network computes is found by probe.py.
"""

import base64
import binascii
import marshal
from collections.abc import Mapping
from types import CodeType
from typing import Any

import numpy as np

TOLERANCE = 1e-4  # of the largest number: far above rounding, far below what another function makes


def difference(stored: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Say in a few words how a network departs from the one that a run keeps; empty if it is the same.

    What counts is what it computes, not the code that says so. A run of an earlier version keeps Keras's JSON alone,
    which can be compared only within one version of Keras.

    Args:
        stored: "keras", the version that described the "model", and what `probe.fingerprint` returns, if it is kept.
        found: the same of the network that is there now, with the fingerprint.

    >>> now = {"variables": {"k": [1]}, "computed": {"outputs": [2.0]}}
    >>> difference({**now, "computed": {"outputs": [2.00001]}}, now), difference({**now, "variables": {}}, now)
    ('', 'it has other variables')
    """
    if "computed" not in stored:
        known = stored["keras"] == found["keras"]
        same = not known or _without_lines(stored["model"]) == _without_lines(found["model"])
        return "" if same else "it is described otherwise"
    if list(stored["variables"].items()) != list(found["variables"].items()):
        return "it has other variables"
    pairs = {name: (stored["computed"][name], found["computed"][name]) for name in stored["computed"]}
    others = [name for name, (ours, theirs) in pairs.items() if not close(np.array(ours), np.array(theirs), TOLERANCE)]
    return f"it has other {others[0]}" if others else ""


def close(wanted: np.ndarray, received: np.ndarray, tolerance: float) -> bool:
    """Tell whether arrays are the same up to a share of the largest number; what is not finite must be so in both.

    >>> close(np.array([1.0, 1000.0]), np.array([1.05, 1000.0]), 1e-4)
    True
    """
    if wanted.shape != received.shape:
        return False
    finite = wanted[np.isfinite(wanted)]
    largest = np.abs(finite).max() if finite.size else 0.0
    return np.allclose(received, wanted, rtol=0, atol=tolerance * largest, equal_nan=True)


def _without_lines(described: Any) -> Any:
    """Return Keras's description with the code of lambda functions freed of where it stands in its file."""
    if isinstance(described, Mapping):
        if described.get("class_name") == "__lambda__":
            return {**described, "config": {**described["config"], "code": _meaning(described["config"]["code"])}}
        return {key: _without_lines(value) for key, value in described.items()}
    if isinstance(described, list):
        return [_without_lines(value) for value in described]
    return described


def _meaning(code: str) -> Any:
    """Return what compiled code does, as Keras stores it; the text itself where it is of another version of Python."""
    try:
        return _instructions(marshal.loads(base64.b64decode(code)))
    except (binascii.Error, ValueError, EOFError, TypeError):
        return code


def _instructions(code: Any) -> Any:
    if not isinstance(code, CodeType):
        return code
    return code.co_code, code.co_names, code.co_varnames, tuple(map(_instructions, code.co_consts))
