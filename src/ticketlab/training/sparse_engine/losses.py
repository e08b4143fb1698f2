"""Cross-entropy and the mean squared error on rows, with their derivatives."""

import math
from typing import Any

import numpy as np

from ticketlab.training.sparse_engine.structs import ONE, ZERO, compiled


@compiled
def losses(samples: Any, chosen: Any, batch: int, wiring: Any, buffers: Any) -> tuple[float, int]:
    """Return the sum of losses and the number of correct answers; write the outputs' deltas for the mean loss."""
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
