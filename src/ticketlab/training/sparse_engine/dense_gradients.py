"""Gradients of all weights, kept or not, of a chain of dense layers that computes with its kept weights alone.

RigL grows by them, in one update now and then; only their cost follows the dense network.
"""

from typing import Any

import numpy as np

from ticketlab.training.sparse_engine.kernels import INDEX, backward, forward, gather
from ticketlab.training.sparse_engine.losses import losses
from ticketlab.training.sparse_engine.simd import dot, filled, four_dots, load, store
from ticketlab.training.sparse_engine.structs import ZERO, compiled


@compiled
def dense_gradients(
    samples: Any,
    chosen: np.ndarray,
    inputs: np.ndarray,
    gradients: np.ndarray,
    wiring: Any,
    state: Any,
    buffers: Any,
    settings: Any,
    width: tuple[int, ...],
) -> float:
    """Add the gradients of a batch's mean loss by all weights to `gradients`, and return that loss.

    Args:
        samples: training samples.
        chosen: (batch size,) int32 indices of samples.
        inputs: (inputs, lanes) float32, changed.
        gradients: (weights of the dense network,) float32, kernels raveled one after the other; changed.
        wiring: wiring of the kept weights.
        state: weights and slots, unchanged.
        buffers: buffers of a step, changed.
        settings: settings of network and optimizer.
        width: a tuple with as many entries as a row has vectors.
    """
    total, batch, lanes = 0.0, len(chosen), buffers.after.shape[1]
    for begin in range(0, batch, lanes):
        part = chosen[begin : begin + lanes]
        gather(samples, part, wiring, buffers, width)
        forward(wiring, state, buffers, settings, width)
        total += losses(samples, part, batch, wiring, buffers)[0]
        backward(wiring, state, buffers, settings, width)
        _gather_everything(samples, part, inputs, width)
        place = _add_layer(inputs, 0, len(inputs), wiring.first[1], wiring.first[2], 0, buffers, gradients, width)
        for layer in range(1, len(settings.activations)):
            first, second, third = wiring.first[layer : layer + 3]
            place = _add_layer(buffers.after, first, second, second, third, place, buffers, gradients, width)
    buffers.weight_gradients[:] = ZERO
    buffers.bias_gradients[:] = ZERO
    return total / batch


@compiled
def _gather_everything(samples, chosen, inputs, width):
    """Put a batch's inputs into rows, including inputs without a kept weight."""
    for row in range(len(inputs)):
        store(inputs, row, filled(ZERO, width))
    for lane in range(len(chosen)):
        if len(samples.inputs):
            sample = samples.inputs[chosen[lane]]
            for place in range(len(sample)):
                inputs[place, lane] = np.float32(sample[place]) * samples.scale + samples.offset
        else:
            for k in range(samples.begins[chosen[lane]], samples.begins[chosen[lane] + 1]):
                inputs[samples.places[k], lane] = np.float32(samples.values[k]) * samples.scale


@compiled
def _add_layer(rows, first, stop, unit, end, place, buffers, gradients, width):
    """Add the products of rows with the deltas of the units that they lead to; return the place after the last."""
    deltas = buffers.deltas
    for row in range(first, stop):
        x = load(rows, row, width)
        if dot(x, x) > ZERO:
            to, k = INDEX(unit), INDEX(place)
            while to + INDEX(4) <= INDEX(end):
                products = four_dots(
                    x,
                    load(deltas, to, width),
                    load(deltas, to + INDEX(1), width),
                    load(deltas, to + INDEX(2), width),
                    load(deltas, to + INDEX(3), width),
                )
                gradients[k] += products[0]
                gradients[k + INDEX(1)] += products[1]
                gradients[k + INDEX(2)] += products[2]
                gradients[k + INDEX(3)] += products[3]
                to += INDEX(4)
                k += INDEX(4)
            while to < INDEX(end):
                gradients[k] += dot(x, load(deltas, to, width))
                to += INDEX(1)
                k += INDEX(1)
        place += end - unit
    return place
