"""Descriptions of networks in network.json, and whether two of them belong to the same network.

This module does not know Keras: probe.py finds out what a network computes.
"""

import base64
import binascii
import marshal
from collections.abc import Mapping
from types import CodeType
from typing import Any

import numpy as np

TOLERANCE = 1e-4  # share of the largest number: far above rounding, far below the difference of another function


def difference(stored: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Say in a few words how a network differs from the one that a run keeps; empty if it is the same.

    Networks are compared by what they compute, not by their code. A run of an earlier version keeps Keras's JSON alone,
    which can be compared only within one version of Keras.

    Args:
        stored: description that the run keeps: "keras", the version that described the "model", and, if kept, the
            fingerprint of `probe.fingerprint`.
        found: description of the present network, with its fingerprint.

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
    """Tell whether arrays are equal up to a share of the largest number; non-finite numbers must agree.

    >>> close(np.array([1.0, 1000.0]), np.array([1.05, 1000.0]), 1e-4)
    True
    """
    if wanted.shape != received.shape:
        return False
    finite = wanted[np.isfinite(wanted)]
    largest = np.abs(finite).max() if finite.size else 0.0
    return np.allclose(received, wanted, rtol=0, atol=tolerance * largest, equal_nan=True)


def _without_lines(described: Any) -> Any:
    """Return Keras's description without the line numbers in the code of lambda functions."""
    if isinstance(described, Mapping):
        if described.get("class_name") == "__lambda__":
            return {**described, "config": {**described["config"], "code": _meaning(described["config"]["code"])}}
        return {key: _without_lines(value) for key, value in described.items()}
    if isinstance(described, list):
        return [_without_lines(value) for value in described]
    return described


def _meaning(code: str) -> Any:
    """Return the instructions of code that Keras stores; the text itself if another Python version wrote it."""
    try:
        return _instructions(marshal.loads(base64.b64decode(code)))
    except (binascii.Error, ValueError, EOFError, TypeError):
        return code


def _instructions(code: Any) -> Any:
    if not isinstance(code, CodeType):
        return code
    return code.co_code, code.co_names, code.co_varnames, tuple(map(_instructions, code.co_consts))
