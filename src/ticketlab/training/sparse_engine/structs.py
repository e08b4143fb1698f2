"""How kernels are compiled, and the tuples of arrays on which they work: data, weights, buffers and settings."""

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
    """Compile a function when it is first called, and cache it for later processes.

    Numba compiles anew if the function's own file has changed, but not if a called function's file has. Hence the
    cache's name contains the version of all these files.
    """
    function.__qualname__ = f"{function.__qualname__}_{VERSION}"
    return njit(function, cache=True, error_model="numpy")


class Samples(NamedTuple):
    """A part of a data set.

    Attributes:
        inputs: inputs as they are stored, (samples, inputs); empty where the inputs other than 0 are listed.
        begins: (samples + 1,) int64, where each sample's list begins.
        places: (listed,) indices of the listed inputs.
        values: (listed,) their values, as they are stored.
        labels: (samples,) int32; empty in a regression.
        targets: (samples, outputs) float32 in a regression; else empty.
        scale: factor on the inputs.
        offset: number added to the scaled inputs; 0 where they are listed.
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
    """The arrays that training changes, all float32.

    Attributes:
        weights: (weights,) kept weights in the order of the wiring.
        biases: (rows,) biases, 0 where there is none.
        weight_slots: (slots, weights) the optimizer's slots of the weights.
        bias_slots: (slots, rows) the optimizer's slots of the biases.
    """

    weights: np.ndarray
    biases: np.ndarray
    weight_slots: np.ndarray
    bias_slots: np.ndarray


class Buffers(NamedTuple):
    """The intermediate arrays of a step.

    Attributes:
        before: (rows, lanes) float32, sums into the units, before their activation.
        after: (rows, lanes) float32, the inputs and the units' outputs.
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
    """Settings of the spec and the network.

    Attributes:
        activations: (layers,) indices in `mlp.ACTIVATIONS`.
        biased: (layers,) bool, whether a layer has biases.
        adam: whether the optimizer is Adam; else it is SGD.
        momentum: momentum of SGD.
        nesterov: whether SGD's momentum is Nesterov's.
        weight_decay: weight decay of the weights.
        l1_penalty: L1 penalty of the weights.
    """

    activations: np.ndarray
    biased: np.ndarray
    adam: bool
    momentum: np.float32
    nesterov: bool
    weight_decay: np.float32
    l1_penalty: np.float32
