"""How kernels are compiled, and what they work on as tuples of arrays: data, weights, buffers and settings."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

ZERO, ONE = np.float32(0), np.float32(1)
SOURCES = [*sorted(Path(__file__).parent.glob("*.py")), Path(__file__).parent.with_name("optimizers.py")]
VERSION = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()[:8]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function when it is first called, and keep that for later processes.

    Numba compiles anew where the function's own file has changed, but not where what it calls has: hence the version
    of all these files in the name under which it is kept.
    """
    function.__qualname__ = f"{function.__qualname__}_{VERSION}"
    return njit(function, cache=True, error_model="numpy")


class Samples(NamedTuple):
    """A part of a data set.

    Attributes:
        inputs: (samples, inputs) as they are stored; or none, where those other than 0 are listed:
        begins: (samples + 1,) int64, where each sample's list begins.
        places: (listed,) the listed inputs, and `values`, as they are stored.
        values: (listed,)
        labels: (samples,) int32; or none, for a regression.
        targets: (samples, outputs) float32 of a regression; or none.
        scale: what inputs are multiplied by.
        offset: what is added then; 0 where they are listed.
    """

    inputs: np.ndarray
    begins: np.ndarray
    places: np.ndarray
    values: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    scale: np.float32
    offset: np.float32


class State(NamedTuple):
    """What training changes, all float32.

    Attributes:
        weights: (weights,) in the order of the wiring.
        biases: (rows,), 0 where there is none.
        weight_slots: (slots, weights) of the optimizer.
        bias_slots: (slots, rows).
    """

    weights: np.ndarray
    biases: np.ndarray
    weight_slots: np.ndarray
    bias_slots: np.ndarray


class Buffers(NamedTuple):
    """What a step needs in between.

    Attributes:
        before: (rows, lanes) float32, what reaches the units, before their activation.
        after: (rows, lanes) float32, the inputs and what the units give.
        deltas: (rows, lanes) float32, the loss's derivatives by `before`.
        present: (rows of inputs,) uint8, whether the batch has an input other than 0.
        weight_gradients: (weights,) float32, 0 between steps.
        bias_gradients: (rows,) float32, 0 between steps.
    """

    before: np.ndarray
    after: np.ndarray
    deltas: np.ndarray
    present: np.ndarray
    weight_gradients: np.ndarray
    bias_gradients: np.ndarray


class Settings(NamedTuple):
    """What the spec and the network say.

    Attributes:
        activations: (layers,) places in `chain.ACTIVATIONS`.
        biased: (layers,) bool, whether they have biases.
        adam: or else SGD.
        momentum: of SGD.
        nesterov: of SGD.
        weight_decay: of the weights.
        l1_penalty: of the weights.
    """

    activations: np.ndarray
    biased: np.ndarray
    adam: bool
    momentum: np.float32
    nesterov: bool
    weight_decay: np.float32
    l1_penalty: np.float32
