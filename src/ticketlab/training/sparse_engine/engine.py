"""The sparse engine: chains of dense layers trained by their kept weights alone, at a cost that follows them.

It follows the protocol of training/engine.py and gives the dense engine's numbers up to rounding, on one thread. This
module knows how a network, its data and an optimizer become the arrays of kernels.py. It does not know rounds, files or
when to evaluate.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ticketlab.data.dataset import Dataset, split, variance
from ticketlab.networks.mlp import ACTIVATIONS, DenseLayer
from ticketlab.sparsity.masks import Arrays
from ticketlab.training.engine import EngineSettings
from ticketlab.training.optimizers import slot_names
from ticketlab.training.sparse_engine import kernels
from ticketlab.training.sparse_engine.dense_gradients import dense_gradients
from ticketlab.training.sparse_engine.simd import ALIGNMENT, VECTOR
from ticketlab.training.sparse_engine.structs import Buffers, Samples, Settings, State
from ticketlab.training.sparse_engine.tiled_csr import wire

WIDEST = 8  # vectors in a row: with more, they would not stay in registers
LISTED = 1 / 3  # inputs are listed where fewer than this share are not 0
CHUNK = 5_000  # samples whose inputs are listed at a time
EVALUATED = 2_048  # samples evaluated in one call, a multiple of any row's lanes; signals are served between calls


class SparseEngine:
    """Train and evaluate a chain of dense layers; weights and masks go in and out as dicts of NumPy arrays.

    Args:
        layers: layers of the network, from the inputs to the outputs.
        dataset: the data set.
        settings: settings of the steps, without averages of all gradients, which this engine does not keep.
    """

    def __init__(self, layers: Sequence[DenseLayer], dataset: Dataset, settings: EngineSettings) -> None:
        self._layers, self.task = layers, dataset.task
        self._batch_size, self._names = settings.batch_size, slot_names(settings)
        self.train_indices, validation = split(len(dataset.x_train))
        self._train_samples = samples(dataset.x_train, dataset.y_train, dataset.scale, dataset.offset)
        test_samples = samples(dataset.x_test, dataset.y_test, dataset.scale, dataset.offset)
        everything = np.arange(len(dataset.x_test), dtype=np.int32)
        self._evaluations = {"validation": (self._train_samples, validation), "test": (test_samples, everything)}
        self._variances = {"validation": variance(dataset.y_train[validation]), "test": variance(dataset.y_test)}
        present = _presence(dataset.x_train, validation).ravel()
        self._presence = np.ones_like(present) if dataset.offset else 1 - (1 - present) ** settings.batch_size
        self._width = (0,) * min(WIDEST, 1 << max(0, (settings.batch_size - 1) // VECTOR).bit_length())
        self._settings = Settings(
            activations=np.array([ACTIVATIONS.index(layer.activation) for layer in layers], np.uint32),
            biased=np.array([layer.bias is not None for layer in layers]),
            adam=settings.optimizer == "adam",
            momentum=np.float32(settings.momentum),
            nesterov=settings.nesterov,
            weight_decay=np.float32(settings.weight_decay),
            l1_penalty=np.float32(settings.l1_penalty),
        )
        self._compile()

    def load(self, weights: Arrays, masks: Arrays, optimizer: Arrays | None = None) -> None:
        """Put a ticket in place, with a fresh optimizer or one read out by `optimizer_state`."""
        self._masks = [masks[layer.kernel] for layer in self._layers]
        wiring = wire(self._masks, self._presence)
        self._wiring = wiring
        self._steps = 0 if optimizer is None else int(optimizer["steps"])
        self._state = State(*self._compressed(weights), *self._compressed_slots(optimizer))
        rows, lanes = int(wiring.first[-1]), VECTOR * len(self._width)
        self._buffers = Buffers(
            before=_aligned(rows, lanes),
            after=_aligned(rows, lanes),
            deltas=_aligned(rows, lanes),
            present=np.zeros(int(wiring.first[1]), np.uint8),
            weight_gradients=np.zeros_like(self._state.weights),
            bias_gradients=np.zeros_like(self._state.biases),
        )

    def train(self, order: np.ndarray, rates: np.ndarray, total: float = 0.0) -> float:
        """Do one optimizer step per row of `order`.

        Args:
            order: (steps, batch size) int32 indices of training samples.
            rates: (steps,) float32 learning rates.
            total: sum of the losses of earlier steps, to which each loss is added in turn.

        Returns:
            The sum of the steps' losses, without penalties, and of `total`.
        """
        self._steps += len(order)
        return kernels.train(self._train_samples, order, rates, self._steps - len(order), total, *self._network())

    def gradients(self, chosen: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Differentiate a batch's loss by all weights, kept or not; nothing is changed.

        Args:
            chosen: (batch size,) int32 indices of training samples.

        Returns:
            The mean loss, without penalties, and {path: gradient} of the kernels.
        """
        found = np.zeros(sum(math.prod(layer.shape) for layer in self._layers), np.float32)
        inputs = _aligned(self._layers[0].shape[0], VECTOR * len(self._width))
        wiring, *others = self._network()
        if not all(mask.any(axis=1).all() for mask in self._masks[1:]):  # weights may grow from units that lead nowhere
            wiring = wire(self._masks, self._presence, everything=True)
        loss = dense_gradients(self._train_samples, chosen, inputs, found, wiring, *others)
        return loss, self._kernels(found)

    def evaluate(self, part: str) -> tuple[float, float]:
        """Return mean loss and accuracy on "validation" or "test"; in a regression, R² in place of the accuracy."""
        evaluated, chosen = self._evaluations[part]
        loss, hits = 0.0, 0
        for begin in range(0, len(chosen), EVALUATED):
            loss, hits = kernels.evaluate(evaluated, chosen[begin : begin + EVALUATED], loss, hits, *self._network())
        loss /= len(chosen)
        return loss, hits / len(chosen) if self.task == "classification" else 1 - loss / self._variances[part]

    def outputs(self, chosen: np.ndarray) -> np.ndarray:
        """Return the network's outputs for some training samples, (chosen, outputs) float32."""
        first, last = self._wiring.first[-2:].tolist()
        parts = []
        for begin in range(0, len(chosen), VECTOR * len(self._width)):
            part = chosen[begin : begin + VECTOR * len(self._width)]
            kernels.evaluate(self._train_samples, part, 0.0, 0, *self._network())
            parts.append(self._buffers.after[first:last, : len(part)].T.copy())
        return np.concatenate(parts)

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of all kernels, 0 where masked, and biases."""
        return self._spread("{}", self._state.weights, self._state.biases)

    def optimizer_state(self) -> dict[str, np.ndarray]:
        """Return the optimizer's number of steps and copies of its slots, as ``<variable's path>/<slot>``."""
        state = {"steps": np.array(self._steps)}
        for name, of_weights, of_biases in zip(self._names, *self._state[2:], strict=True):
            state |= self._spread("{}/" + name, of_weights, of_biases)
        return state

    def _compile(self) -> None:
        """Compile now, or read the kernels that an earlier process compiled, so that no round's seconds include it."""
        weights = {layer.kernel: np.zeros(layer.shape, np.float32) for layer in self._layers}
        biases = {layer.bias: np.zeros(layer.shape[1], np.float32) for layer in self._layers if layer.bias}
        self.load({**weights, **biases}, {path: kernel != 0 for path, kernel in weights.items()})
        self.train(np.zeros((0, self._batch_size), np.int32), np.zeros(0, np.float32))
        for part in self._evaluations.values():
            kernels.evaluate(part[0], part[1][:0], 0.0, 0, *self._network())

    def _network(self) -> tuple:
        return self._wiring, self._state, self._buffers, self._settings, self._width

    def _compressed(self, arrays: Arrays, form: str = "{}") -> tuple[np.ndarray, np.ndarray]:
        """Return the values at the kept weights, (weights,), and the values at the units' rows, (rows,)."""
        kernels = np.concatenate([arrays[form.format(layer.kernel)].ravel() for layer in self._layers])
        biases = np.zeros(self._wiring.first[-1], np.float32)
        for layer, rows in zip(self._layers, self._rows(), strict=True):
            if layer.bias:
                biases[rows] = arrays[form.format(layer.bias)]
        return kernels[self._wiring.entry], biases

    def _compressed_slots(self, optimizer: Arrays | None) -> tuple[np.ndarray, np.ndarray]:
        sizes = len(self._wiring.entry), int(self._wiring.first[-1])
        of_weights, of_biases = (np.zeros((len(self._names), size), np.float32) for size in sizes)
        if optimizer is not None:
            for number, name in enumerate(self._names):
                of_weights[number], of_biases[number] = self._compressed(optimizer, "{}/" + name)
        return of_weights, of_biases

    def _spread(self, form: str, of_weights: np.ndarray, of_biases: np.ndarray) -> dict[str, np.ndarray]:
        """Undo `_compressed`."""
        kernels = np.zeros(sum(math.prod(layer.shape) for layer in self._layers), np.float32)
        kernels[self._wiring.entry] = of_weights
        arrays = {}
        for (path, kernel), layer, rows in zip(self._kernels(kernels).items(), self._layers, self._rows(), strict=True):
            arrays[form.format(path)] = kernel
            if layer.bias:
                arrays[form.format(layer.bias)] = of_biases[rows].copy()
        return arrays

    def _kernels(self, raveled: np.ndarray) -> dict[str, np.ndarray]:
        """Cut an array of all weights, raveled one kernel after the other, into kernels by path."""
        parts = np.split(raveled, np.cumsum([math.prod(layer.shape) for layer in self._layers])[:-1])
        return {layer.kernel: part.reshape(layer.shape) for layer, part in zip(self._layers, parts, strict=True)}

    def _rows(self) -> list[slice]:
        """Return the rows of each layer's units."""
        return [slice(*pair) for pair in pairwise(self._wiring.first[1:].tolist())]


def samples(inputs: np.ndarray, targets: np.ndarray, scale: float, offset: float) -> Samples:
    """Bring a part of a data set into the form in which it is gathered fastest.

    Where less than a third of a network's inputs is other than 0, only those are kept, which also takes less memory.

    Args:
        inputs: samples as they are stored, (samples, ...).
        targets: their targets, (samples,) int32 labels or (samples, outputs) float32.
        scale: factor on the inputs.
        offset: number added to the scaled inputs.
    """
    inputs = inputs.reshape(len(inputs), -1)
    parts = [inputs[begin : begin + CHUNK] for begin in range(0, len(inputs), CHUNK)]
    counts = np.concatenate([np.count_nonzero(part != 0, axis=1) for part in parts])
    kind = np.uint16 if inputs.shape[1] <= 2**16 else np.uint32
    places, values = np.empty(0, kind), inputs[:0, 0].copy()
    if not offset and counts.sum() < inputs.size * LISTED:
        lists = [_listed(part, kind) for part in parts]
        places, values = (np.concatenate(each) for each in zip(*lists, strict=True))
        inputs = inputs[:0]
    labelled = targets.ndim == 1
    return Samples(
        inputs=inputs,
        begins=np.append(0, np.cumsum(counts)),
        places=places,
        values=values,
        labels=targets if labelled else np.empty(0, np.int32),
        targets=np.empty((0, 0), np.float32) if labelled else targets,
        scale=np.float32(scale),
        offset=np.float32(offset),
    )


def _listed(inputs: np.ndarray, kind: type) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices and values of the inputs other than 0, one sample after the other."""
    there = inputs != 0
    return (np.flatnonzero(there) % inputs.shape[1]).astype(kind), inputs[there]


def _presence(inputs: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Return, for each input, the share of the samples, except some, in which it is other than 0."""
    counts = sum(np.count_nonzero(inputs[begin : begin + CHUNK], axis=0) for begin in range(0, len(inputs), CHUNK))
    return (counts - np.count_nonzero(inputs[left_out], axis=0)) / (len(inputs) - len(left_out))


def _aligned(rows: int, lanes: int) -> np.ndarray:
    """Return zeros that begin where a line of the processor's cache does."""
    size = rows * lanes * 4
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + size].view(np.float32).reshape(rows, lanes)
