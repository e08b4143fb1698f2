"""Activations and their derivatives on rows of float32, compiled into instructions on whole vectors.

The C library's tanh, exp and erf take one number at a time, and would cost more than all the weights of a sparse
network. The errors of the functions here are below 5e-7.
"""

import math
from typing import Any

import numpy as np

from ticketlab.networks.mlp import ACTIVATIONS
from ticketlab.training.sparse_engine.simd import power_of_two
from ticketlab.training.sparse_engine.structs import ONE, ZERO, compiled

RELU, TANH, SIGMOID, GELU = (ACTIVATIONS.index(name) for name in ("relu", "tanh", "sigmoid", "gelu"))
HALF, TWO = np.float32(0.5), np.float32(2)
PER_DOUBLING = np.float32(1 / math.log(2))
ROUNDER = np.float32(1.5 * 2**23)  # adding and subtracting it rounds to the nearest whole number
LN_2_HIGH = np.float32(355 / 512)  # it has so few bits that its multiples are exact
LN_2_LOW = np.float32(math.log(2) - 355 / 512)
LARGEST = np.float32(80)  # largest exponent
TAYLOR = tuple(np.float32(1 / math.factorial(n)) for n in range(2, 8))
# Abramowitz & Stegun 1964, formula 7.1.26
ERF_P = np.float32(0.3275911)
ERF_A = tuple(np.float32(a) for a in (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429))
ROOT_HALF, PEAK = np.float32(math.sqrt(0.5)), np.float32(1 / math.sqrt(2 * math.pi))


@compiled
def activate(before: np.ndarray, after: np.ndarray, first: int, stop: int, activation: int) -> None:
    """Compute units' outputs, (rows, lanes) float32, from their inputs, for the rows from `first` to `stop`."""
    for row in range(first, stop):
        z, a = before[row], after[row]
        for lane in range(len(z)):
            if activation == RELU:
                a[lane] = ZERO if z[lane] < ZERO else z[lane]  # so that NaN stays NaN
            elif activation == TANH:
                a[lane] = _tanh(z[lane])
            elif activation == SIGMOID:
                a[lane] = HALF + HALF * _tanh(HALF * z[lane])
            elif activation == GELU:
                a[lane] = z[lane] * _normal(z[lane])[0]
            else:
                a[lane] = z[lane]


@compiled
def derive(deltas: Any, before: Any, after: Any, first: int, stop: int, activation: int) -> None:
    """Turn derivatives by the units' outputs into derivatives by their inputs, in place."""
    for row in range(first, stop):
        d, z, a = deltas[row], before[row], after[row]
        for lane in range(len(d)):
            if activation == RELU:
                d[lane] = d[lane] if a[lane] > ZERO else ZERO
            elif activation == TANH:
                d[lane] *= ONE - a[lane] * a[lane]
            elif activation == SIGMOID:
                d[lane] *= a[lane] * (ONE - a[lane])
            elif activation == GELU:
                share, density = _normal(z[lane])
                d[lane] *= share + z[lane] * density


@compiled
def _exp_minus_1(x):
    """Return ``exp(x) − 1`` with a small relative error even near 0."""
    x = -LARGEST if x < -LARGEST else x
    x = LARGEST if x > LARGEST else x
    doublings = (x * PER_DOUBLING + ROUNDER) - ROUNDER
    rest = (x - doublings * LN_2_HIGH) - doublings * LN_2_LOW
    c2, c3, c4, c5, c6, c7 = TAYLOR
    tail = rest * rest * (c2 + rest * (c3 + rest * (c4 + rest * (c5 + rest * (c6 + rest * c7)))))
    scale = power_of_two(doublings)
    return (rest + tail) * scale + (scale - ONE)


@compiled
def _tanh(x):
    grown = _exp_minus_1(TWO * x)
    return grown / (grown + TWO)


@compiled
def _normal(z):
    """Return the normal distribution's Φ(z) and φ(z)."""
    bell = _exp_minus_1(-HALF * z * z) + ONE
    t = ONE / (ONE + ERF_P * ROOT_HALF * abs(z))
    a1, a2, a3, a4, a5 = ERF_A
    beyond = HALF * t * (a1 + t * (a2 + t * (a3 + t * (a4 + t * a5)))) * bell
    return ONE - beyond if z > ZERO else beyond, PEAK * bell
