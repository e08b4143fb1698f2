"""Training and evaluation of a chain of dense layers, with kept weights only.

The units' outputs on a batch are rows of float32, one number per sample. A kept weight thus costs a few instructions on
whole rows, however irregular the mask. A batch with more samples than a row has lanes is computed in parts. This module
knows arrays and the orders in which to go through them (tiled_csr.py), not where they come from (engine.py).
"""

from typing import Any

import numpy as np

from ticketlab.training.sparse_engine.activations import activate, derive
from ticketlab.training.sparse_engine.losses import losses
from ticketlab.training.sparse_engine.optimizers import optimise
from ticketlab.training.sparse_engine.simd import dot, filled, four_dots, load, multiply_add, prefetch, store
from ticketlab.training.sparse_engine.structs import ONE, ZERO, Buffers, Samples, Settings, State, compiled
from ticketlab.training.sparse_engine.tiled_csr import Wiring

BLOCK = 16  # rows that are filled together, so that written numbers stay in the cache
AHEAD = 2  # samples whose inputs are prefetched
INDEX = np.uint64  # type of loop indices: compilers need not check whether such an index is negative


@compiled
def train(
    samples: Samples,
    order: np.ndarray,
    rates: np.ndarray,
    steps: int,
    total: float,
    wiring: Wiring,
    state: State,
    buffers: Buffers,
    settings: Settings,
    width: tuple[int, ...],
) -> float:
    """Do one step of the optimizer per row of `order`, and return the sum of the steps' losses and of `total`.

    Args:
        samples: training samples.
        order: (steps, batch size) int32 indices of samples.
        rates: (steps,) float32 learning rates.
        steps: number of steps done before.
        total: sum of the losses before.
        wiring: wiring of the kept weights.
        state: weights and slots, changed.
        buffers: buffers of a step, changed.
        settings: settings of network and optimizer.
        width: a tuple with as many entries as a row has vectors.
    """
    batch, lanes = order.shape[1], buffers.after.shape[1]
    for step in range(len(order)):
        loss = 0.0
        for begin in range(0, batch, lanes):
            chosen = order[step, begin : begin + lanes]
            gather(samples, chosen, wiring, buffers, width)
            forward(wiring, state, buffers, settings, width)
            loss += losses(samples, chosen, batch, wiring, buffers)[0]
            backward(wiring, state, buffers, settings, width)
        optimise(rates[step], np.float32(steps + step + 1), state, buffers, settings)
        total += loss / batch
    return total


@compiled
def evaluate(
    samples: Samples,
    chosen: np.ndarray,
    total: float,
    hits: int,
    wiring: Wiring,
    state: State,
    buffers: Buffers,
    settings: Settings,
    width: tuple[int, ...],
) -> tuple[float, int]:
    """Sum the chosen samples' losses and count correct answers; other arguments are those of `train`."""
    lanes = buffers.after.shape[1]
    for begin in range(0, len(chosen), lanes):
        part = chosen[begin : begin + lanes]
        gather(samples, part, wiring, buffers, width)
        forward(wiring, state, buffers, settings, width)
        loss, right = losses(samples, part, 1, wiring, buffers)
        total += loss
        hits += right
    return total, hits


@compiled
def gather(samples: Any, chosen: Any, wiring: Any, buffers: Any, width: Any) -> None:
    """Put a batch's inputs into their rows. Lanes beyond the batch keep what they had; their deltas are 0."""
    if len(samples.inputs):
        _gather_all(samples, chosen, wiring, buffers)
    else:
        _gather_listed(samples, chosen, wiring, buffers, width)


@compiled
def _gather_all(samples, chosen, wiring, buffers):
    x, rows = buffers.after, len(wiring.inputs)
    buffers.present[:] = 1
    for block in range(0, rows, BLOCK):
        for lane in range(len(chosen)):
            sample = samples.inputs[chosen[lane]]
            for row in range(block, min(block + BLOCK, rows)):
                x[row, lane] = np.float32(sample[wiring.inputs[row]]) * samples.scale + samples.offset


@compiled
def _gather_listed(samples, chosen, wiring, buffers, width):
    x, present = buffers.after, buffers.present
    for row in range(len(present)):
        if present[row]:
            present[row] = 0
            store(x, row, filled(ZERO, width))
    for lane in range(len(chosen)):
        soon = chosen[min(lane + AHEAD, len(chosen) - 1)]
        for k in range(samples.begins[soon], samples.begins[soon + 1], 32):
            prefetch(samples.places, k)
            prefetch(samples.values, k)
        begin, end = samples.begins[chosen[lane]], samples.begins[chosen[lane] + 1]
        places, values = samples.places[begin:end], samples.values[begin:end]
        for k in range(len(places)):
            row = wiring.row_of[places[k]]
            x[row, lane] = np.float32(values[k]) * samples.scale
            present[row] = 1


@compiled
def forward(wiring: Any, state: Any, buffers: Any, settings: Any, width: Any) -> None:
    """Compute the outputs of all units."""
    before, after = buffers.before, buffers.after
    for layer in range(len(settings.activations)):
        first, stop = wiring.first[layer + 1], wiring.first[layer + 2]
        for unit in range(first, stop):
            store(before, unit, filled(state.biases[unit], width))
        if layer == 0:
            _add_seldom_inputs(wiring, state, buffers, width)
        for piece in range(wiring.pieces_of[layer], wiring.pieces_of[layer + 1]):
            unit, begin, end = wiring.pieces[piece]
            total = load(before, unit, width)
            for k in range(INDEX(begin), INDEX(end)):
                total = multiply_add(total, state.weights[k], load(after, wiring.source[k], width))
            store(before, unit, total)
        activate(before, after, first, stop, settings.activations[layer])


@compiled
def _add_seldom_inputs(wiring, state, buffers, width):
    """Go through rare inputs row by row, so that an input absent from the batch costs nothing."""
    before, target, place = buffers.before, wiring.target, wiring.place
    for strip in range(wiring.seldom, wiring.strips_of[1]):
        row, begin, end = wiring.strips[strip]
        if buffers.present[row]:
            x = load(buffers.after, row, width)
            for k in range(INDEX(begin), INDEX(end)):
                weight = state.weights[place[k]]
                store(before, target[k], multiply_add(load(before, target[k], width), weight, x))


@compiled
def backward(wiring: Any, state: Any, buffers: Any, settings: Any, width: Any) -> None:
    """Add a batch's gradients to those of weights and biases, given the deltas of the outputs."""
    after, deltas, ones = buffers.after, buffers.deltas, filled(ONE, width)
    last = len(settings.activations) - 1
    for layer in range(last, -1, -1):
        first, stop = wiring.first[layer + 1], wiring.first[layer + 2]
        if layer < last:
            derive(deltas, buffers.before, after, first, stop, settings.activations[layer])
        if settings.biased[layer]:
            for unit in range(first, stop):
                buffers.bias_gradients[unit] += dot(load(deltas, unit, width), ones)
        if layer:
            for row in range(wiring.first[layer], first):
                store(deltas, row, filled(ZERO, width))
        for strip in range(wiring.strips_of[layer], wiring.strips_of[layer + 1]):
            row, begin, end = wiring.strips[strip]
            if layer:
                total = load(deltas, row, width)
                for k in range(INDEX(begin), INDEX(end)):
                    weight = state.weights[wiring.place[k]]
                    total = multiply_add(total, weight, load(deltas, wiring.target[k], width))
                store(deltas, row, total)
            if layer or buffers.present[row]:
                _add_products(load(after, row, width), begin, end, wiring, buffers, width)


@compiled
def _add_products(row, begin, end, wiring, buffers, width):
    """Add a row's products with the deltas of the units that it leads to, to the gradients of the weights there."""
    target, place, deltas, gradients = wiring.target, wiring.place, buffers.deltas, buffers.weight_gradients
    k, end = INDEX(begin), INDEX(end)
    while k + INDEX(4) <= end:
        a, b, c, d = k, k + INDEX(1), k + INDEX(2), k + INDEX(3)
        products = four_dots(
            row,
            load(deltas, target[a], width),
            load(deltas, target[b], width),
            load(deltas, target[c], width),
            load(deltas, target[d], width),
        )
        gradients[place[a]] += products[0]
        gradients[place[b]] += products[1]
        gradients[place[c]] += products[2]
        gradients[place[d]] += products[3]
        k += INDEX(4)
    while k < end:
        gradients[place[k]] += dot(row, load(deltas, target[k], width))
        k += INDEX(1)
