"""The kernels against plain NumPy in float64: activations, losses, gradients, steps."""

import math

import numpy as np
import pytest
from scipy.special import erf

from ticketlab.networks.mlp import ACTIVATIONS
from ticketlab.training.sparse_engine import activations, losses, optimizers
from ticketlab.training.sparse_engine.structs import Buffers, Settings, State

GRID = np.concatenate([np.linspace(-30, 30, 3000), np.geomspace(1e-7, 1, 200)]).astype(np.float32).reshape(-1, 64)


def bell(z):
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


EXACT = {
    "linear": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "gelu": (lambda z: z * (1 + erf(z / math.sqrt(2))) / 2, lambda z: (1 + erf(z / math.sqrt(2))) / 2 + z * bell(z)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_derivatives(name):
    after, deltas, code = np.empty_like(GRID), np.full_like(GRID, 2), ACTIVATIONS.index(name)
    activations.activate(GRID, after, 0, len(GRID), code)
    activations.derive(deltas, GRID, after, 0, len(GRID), code)
    value, derivative = EXACT[name]
    z = GRID.astype(np.float64)
    np.testing.assert_allclose(after, value(z), rtol=3e-7, atol=3e-6 if name == "gelu" else 2e-7)
    np.testing.assert_allclose(deltas / 2, derivative(z), rtol=1e-6, atol=3e-6 if name == "gelu" else 5e-7)


def test_tanh_is_exact_near_0():
    z = np.geomspace(1e-30, 1e-2, 64).astype(np.float32).reshape(1, -1)
    after = np.empty_like(z)
    activations.activate(z, after, 0, 1, ACTIVATIONS.index("tanh"))
    np.testing.assert_allclose(after, np.tanh(z.astype(np.float64)), rtol=3e-7)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_not_a_number_stays_so(name):
    z, after = np.full((1, 8), np.nan, np.float32), np.zeros((1, 8), np.float32)
    activations.activate(z, after, 0, 1, ACTIVATIONS.index(name))
    assert np.isnan(after).all()


def test_cross_entropies_of_large_logits():
    """Logits of any size neither overflow nor lose the loss of a sample that is wrong."""
    outputs = np.array([[0, 500, -300], [0, -500, 40], [0, 0, 100]], np.float32)
    labels, deltas = np.array([0, 1, 2], np.int32), np.empty_like(outputs)
    total, hits = losses._cross_entropies(labels, np.arange(3), 3, outputs, deltas)
    assert total == pytest.approx(math.log(3) + 1000 + 0)
    assert hits == 2
    shares = np.exp(outputs.astype(np.float64) - outputs.max(0))
    np.testing.assert_allclose(deltas, (shares / shares.sum(0) - np.eye(3)) / 3, atol=1e-7)


def test_squared_errors():
    outputs, targets = np.array([[1, 2], [3, 5]], np.float32), np.array([[1, 1], [4, 4]], np.float32)
    deltas = np.empty_like(outputs)
    assert losses._squared_errors(targets, np.array([1, 0]), 2, outputs, deltas) == pytest.approx((9 + 1 + 1 + 16) / 2)
    np.testing.assert_allclose(deltas, [[-3 / 2, 1 / 2], [-1 / 2, 4 / 2]])


@pytest.mark.parametrize(("momentum", "nesterov"), [(0, False), (0.9, False), (0.9, True)])
def test_steps_of_sgd_with_penalties(momentum, nesterov):
    """Sutskever et al. 2013, equations 3 and 4, three steps by hand; biases are not penalised."""
    weights, gradient = np.array([0.5, -0.25, 0.0]), np.array([0.1, 0.2, -0.3])
    slots = 1 if momentum else 0
    arrays = [weights.astype(np.float32), weights.astype(np.float32), *(np.zeros((slots, 3), np.float32),) * 2]
    state = State(*(array.copy() for array in arrays))
    settings = Settings(
        np.zeros(1), np.ones(1, bool), False, np.float32(momentum), nesterov, np.float32(0.5), np.float32(0.25)
    )
    expected = {"weights": weights.copy(), "biases": weights.copy()}
    moved = {"weights": np.zeros(3), "biases": np.zeros(3)}

    for _ in range(3):
        empty = np.zeros((0, 8), np.float32)
        given = gradient.astype(np.float32)
        buffers = Buffers(empty, empty, empty, np.zeros(0, np.uint8), given.copy(), given.copy())
        optimizers.optimise(np.float32(0.1), np.float32(1), state, buffers, settings)
        assert not buffers.weight_gradients.any()
        for name, penalty in (("weights", 1), ("biases", 0)):
            w = expected[name]
            full = gradient + penalty * (0.5 * w + 0.25 * np.sign(w))
            moved[name] = momentum * moved[name] - 0.1 * full
            expected[name] = w + (momentum * moved[name] - 0.1 * full if nesterov else moved[name])
    np.testing.assert_allclose(state.weights, expected["weights"], rtol=1e-6)
    np.testing.assert_allclose(state.biases, expected["biases"], rtol=1e-6)
