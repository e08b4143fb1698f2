"""Training and evaluation of chains of dense layers, compiled by numba: what is done, is done for kept weights only.

What the units give on a batch are rows of float32, one number per sample, so that a kept weight costs a few
instructions on whole rows, however irregular the mask. A batch of more samples than a row has lanes is done in parts.
Knows arrays and the orders in which they are gone through (compressed.py); not where they come from (sparse_engine.py).
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ticketlab.compressed import Wiring
from ticketlab.lanes import dot, filled, four_dots, load, multiply_add, prefetch, store
from ticketlab.optimizers import BETA_1, BETA_2, EPSILON
from ticketlab.sparse_activations import ONE, ZERO, activate, compiled, derive

DECAY_1, DECAY_2, SMALL = np.float32(BETA_1), np.float32(BETA_2), np.float32(EPSILON)
SHARE_1, SHARE_2 = np.float32(1 - BETA_1), np.float32(1 - BETA_2)
BLOCK = 16  # rows that are filled together, so that what is written stays in the cache
AHEAD = 2  # samples whose inputs are asked for before they are needed
INDEX = np.uint64  # of loops: compilers need not ask whether such an index is negative


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
    """

    inputs: np.ndarray
    begins: np.ndarray
    places: np.ndarray
    values: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    scale: np.float32


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
        activations: (layers,) places in `dense_chain.ACTIVATIONS`.
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


@compiled
def train(
    samples: Samples,
    order: np.ndarray,
    rates: np.ndarray,
    steps: int,
    wiring: Wiring,
    state: State,
    buffers: Buffers,
    settings: Settings,
    width: tuple[int, ...],
) -> float:
    """Do one step of the optimizer per row of `order`, and return the sum of the steps' losses.

    Args:
        samples: those for training.
        order: (steps, batch size) int32 samples.
        rates: (steps,) float32 learning rates.
        steps: done before.
        wiring: of the kept weights.
        state: changed.
        buffers: changed.
        settings: of network and optimizer.
        width: a tuple as long as a row has vectors.
    """
    total, batch, lanes = 0.0, order.shape[1], buffers.after.shape[1]
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
    wiring: Wiring,
    state: State,
    buffers: Buffers,
    settings: Settings,
    width: tuple[int, ...],
) -> tuple[float, int]:
    """Return the sum of the chosen samples' losses, and how many are classified rightly; arguments as of `train`."""
    total, hits, lanes = 0.0, 0, buffers.after.shape[1]
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
                x[row, lane] = np.float32(sample[wiring.inputs[row]]) * samples.scale


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
    """Compute what all units give."""
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
    """Go through those inputs row by row, so that one which the batch does not have costs nothing."""
    before, target, place = buffers.before, wiring.target, wiring.place
    for strip in range(wiring.seldom, wiring.strips_of[1]):
        row, begin, end = wiring.strips[strip]
        if buffers.present[row]:
            x = load(buffers.after, row, width)
            for k in range(INDEX(begin), INDEX(end)):
                weight = state.weights[place[k]]
                store(before, target[k], multiply_add(load(before, target[k], width), weight, x))


@compiled
def losses(samples: Any, chosen: Any, batch: int, wiring: Any, buffers: Any) -> tuple[float, int]:
    """Return the sum of the samples' losses and the number of hits; write the deltas of the outputs for their mean."""
    first = wiring.first[len(wiring.first) - 2]
    outputs, deltas = buffers.after[first:], buffers.deltas[first:]
    deltas[:, len(chosen) :] = 0
    if len(samples.targets):
        return _squared_errors(samples.targets, chosen, batch, outputs, deltas), 0
    return _cross_entropies(samples.labels, chosen, batch, outputs, deltas)


@compiled
def _squared_errors(targets, chosen, batch, outputs, deltas):
    total, count = 0.0, np.float32(len(outputs))
    for lane in range(len(chosen)):
        for output in range(len(outputs)):
            off = outputs[output, lane] - targets[chosen[lane], output]
            deltas[output, lane] = (off + off) / (count * np.float32(batch))
            total += off * off / count
    return total


@compiled
def _cross_entropies(labels, chosen, batch, outputs, deltas):
    total, hits = 0.0, 0
    for lane in range(len(chosen)):
        label, best, summed = labels[chosen[lane]], 0, ZERO
        for output in range(1, len(outputs)):
            if outputs[output, lane] > outputs[best, lane]:
                best = output
        highest = outputs[best, lane]
        for output in range(len(outputs)):
            deltas[output, lane] = math.exp(outputs[output, lane] - highest)
            summed += deltas[output, lane]
        for output in range(len(outputs)):
            deltas[output, lane] /= summed * np.float32(batch)
        deltas[label, lane] -= ONE / np.float32(batch)
        total += math.log(summed) + highest - outputs[label, lane]
        hits += best == label
    return total, hits


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


@compiled
def optimise(rate: Any, step: Any, state: Any, buffers: Any, settings: Any) -> None:
    """Do one step of the optimizer, with the formulas of optimizers.py, and forget the gradients."""
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
