"""Steps of the optimizers on kept weights, with the formulas of ticketlab.training.optimizers."""

import math
from typing import Any

import numpy as np

from ticketlab.training.optimizers import BETA_1, BETA_2, EPSILON
from ticketlab.training.sparse_engine.structs import ONE, ZERO, compiled

DECAY_1, DECAY_2, SMALL = np.float32(BETA_1), np.float32(BETA_2), np.float32(EPSILON)
SHARE_1, SHARE_2 = np.float32(1 - BETA_1), np.float32(1 - BETA_2)


@compiled
def optimise(rate: Any, step: Any, state: Any, buffers: Any, settings: Any) -> None:
    """Do one step of the optimizer, and set the gradients to 0."""
    weights, biases = state.weights, state.biases
    gradients, slots = buffers.weight_gradients, state.weight_slots
    for k in range(len(weights)):
        gradients[k] += settings.weight_decay * weights[k] + settings.l1_penalty * np.sign(weights[k])
    if settings.adam:
        rate *= math.sqrt(ONE - DECAY_2**step) / (ONE - DECAY_1**step)
        _adam(rate, weights, gradients, slots)
        _adam(rate, biases, buffers.bias_gradients, state.bias_slots)
    else:
        _sgd(rate, settings, weights, gradients, slots)
        _sgd(rate, settings, biases, buffers.bias_gradients, state.bias_slots)


@compiled
def _adam(rate, weights, gradients, slots):
    momentum, velocity = slots[0], slots[1]
    for k in range(len(weights)):
        gradient = gradients[k]
        gradients[k] = ZERO
        momentum[k] += (gradient - momentum[k]) * SHARE_1
        velocity[k] += (gradient * gradient - velocity[k]) * SHARE_2
        weights[k] -= momentum[k] * rate / (math.sqrt(velocity[k]) + SMALL)


@compiled
def _sgd(rate, settings, weights, gradients, slots):
    for k in range(len(weights)):
        moved = -rate * gradients[k]
        gradients[k] = ZERO
        if len(slots):
            slots[0, k] = slots[0, k] * settings.momentum + moved
            moved = slots[0, k] * settings.momentum + moved if settings.nesterov else slots[0, k]
        weights[k] += moved
