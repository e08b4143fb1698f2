"""A data set in memory: the requirements on its arrays, its split, and the order of its samples.

This module does not know where data sets come from (sources.py).
"""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from ticketlab.errors import BadInput
from ticketlab.random_streams import stream

VALIDATION_SHARE = 5_000 / 60_000
CHUNK = 4096  # samples checked at once


@dataclass(frozen=True)
class DataFacts:
    """The facts that a run keeps of its data set; None where a fact is unknown.

    Attributes:
        name: name of the data set, as in `--dataset`.
        sha256: SHA-256 of all of its arrays, hexadecimal.
        task: "classification" or "regression".
        input_kind: "image" or "table".
        constant: which inputs are the same in all training samples, bool of the shape of one sample.
        classes: labels as they were stored, sorted, one for each output; empty in a regression.
        outputs: number of the network's outputs.
        scale: factor on stored inputs for the network.
        offset: number added to the scaled inputs.
        samples: number of training samples, without those held out for validation.
        test_samples: number of test samples.
    """

    name: str
    sha256: str | None
    task: str
    input_kind: str
    constant: np.ndarray | None = None
    classes: np.ndarray = field(default_factory=lambda: np.empty(0))
    outputs: int | None = None
    scale: float | None = None
    offset: float | None = None
    samples: int | None = None
    test_samples: int | None = None


@dataclass(frozen=True)
class Dataset:
    """A data set for classification or regression, with its inputs as they were stored.

    Attributes:
        name: name of the data set, as in `--dataset`.
        x_train: training and validation samples in their original order, (samples, ...) uint8 or float32.
        y_train: their targets, (samples,) int32 from 0 to classes − 1 or, in a regression, (samples, outputs) float32.
        x_test: test samples, like x_train.
        y_test: targets of the test samples, like y_train.
        scale: factor on the stored inputs for the network: 1/255 for images of uint8, 1/16 for digits, else 1.
        classes: labels as they were stored, sorted; empty in a regression.
        digest: SHA-256 of all arrays, hexadecimal.
        offset: number added to the scaled inputs for the network.
        input_kind: "image" or "table".
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    scale: float
    classes: np.ndarray
    digest: str
    offset: float = 0.0
    input_kind: str = "image"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.x_train.shape[1:]

    @property
    def samples(self) -> int:
        """Number of training samples, without those held out for validation."""
        return split(len(self.x_train))[0].size

    @property
    def task(self) -> str:
        """Task to be learnt: "classification" or "regression"."""
        return "classification" if self.classes.size else "regression"

    @property
    def outputs(self) -> int:
        """Number of the network's outputs: classes, or numbers to predict."""
        return self.classes.size or self.y_train.shape[1]

    @property
    def constant(self) -> np.ndarray:
        """Which inputs are the same in all training samples without validation; bool, of a sample's shape."""
        indices, _ = split(len(self.x_train))
        first = self.x_train[indices[0]]
        chunks = (self.x_train[indices[start : start + CHUNK]] for start in range(0, indices.size, CHUNK))
        return np.logical_and.reduce([(chunk == first).all(axis=0) for chunk in chunks])

    def facts(self) -> DataFacts:
        """Return the facts that a run keeps of the data set."""
        return DataFacts(
            self.name,
            self.digest,
            self.task,
            self.input_kind,
            self.constant,
            self.classes,
            self.outputs,
            self.scale,
            self.offset,
            self.samples,
            len(self.x_test),
        )


def split(samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the training samples into those for training and those for validation, the same for every replicate.

    Returns:
        Two sorted int32 arrays of indices; the second has one twelfth of them, 5,000 of MNIST's 60,000.

    >>> [part.size for part in split(60_000)]
    [55000, 5000]
    """
    order = stream(0, "validation split").permutation(samples).astype(np.int32)
    validation = max(1, round(samples * VALIDATION_SHARE))
    return np.sort(order[validation:]), np.sort(order[:validation])


def standardised(dataset: Dataset) -> Dataset:
    """Scale inputs so that all inputs of the training samples together have mean 0 and standard deviation 1.

    >>> x, y = np.array([[1.0, 3.0]] * 24), np.arange(24) % 2
    >>> dataset = standardised(from_arrays("mine", x, y, x, y))
    >>> dataset.scale, dataset.offset
    (1.0, -2.0)
    """
    inputs = dataset.x_train[split(len(dataset.x_train))[0]]
    scale = 1 / (float(inputs.std(dtype=np.float64)) or 1.0)  # constant inputs become 0
    return replace(dataset, scale=scale, offset=-float(inputs.mean(dtype=np.float64)) * scale)


def batches(indices: np.ndarray, batch_size: int, seed: int, start: int, stop: int) -> np.ndarray:
    """Return the samples of the iterations from `start` to `stop`, in an order that depends on seed and epoch alone.

    The epochs' permutations follow each other without a gap: every sample is used once per epoch, no batch is short.

    Returns:
        Indices of samples, (stop − start, batch_size) int32.

    >>> order = batches(np.arange(10, dtype=np.int32), 4, 0, 0, 5)
    >>> order.shape, bool((np.sort(order.ravel()[:10]) == np.arange(10)).all())
    ((5, 4), True)
    """
    first, last = start * batch_size, stop * batch_size
    epochs = range(first // indices.size, max(first, last - 1) // indices.size + 1)
    order = np.concatenate([stream(seed, "order", epoch).permutation(indices) for epoch in epochs])
    skipped = epochs.start * indices.size
    return order[first - skipped : last - skipped].reshape(stop - start, batch_size)


def variance(targets: np.ndarray) -> float:
    """Return the variance of a regression's targets, NaN without targets.

    It is the loss of the best constant prediction, hence ``R² = 1 − loss / variance``.

    >>> variance(np.array([[0.0], [2.0]]))
    1.0
    """
    return float(np.mean((targets - targets.mean(axis=0)) ** 2)) or float("nan")


def from_arrays(
    name: str,
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    *,
    task: str | None = None,
    input_kind: str | None = None,
    scale: float | None = None,
    source: str = "arrays",
) -> Dataset:
    """Check arrays and make a data set from them.

    Args:
        name: name of the data set.
        x_train: training samples, (samples, ...) numbers; uint8 stays as it is, other types become float32.
        y_train: their targets: (samples,) integer labels or, for regression, (samples,) or (samples, outputs) numbers.
        x_test: test samples, like x_train.
        y_test: targets of the test samples, like y_train.
        task: "classification" or "regression"; if left out, "classification" where all targets are whole numbers.
        input_kind: "image" or "table"; if left out, "table" where samples have one axis.
        scale: factor on the inputs; if left out, 1/255 for images of uint8 and 1 for others.
        source: origin of the arrays, named in errors.

    Raises:
        BadInput: if the arrays do not make a data set.

    >>> x, y = np.zeros((24, 5)), np.arange(24) % 3
    >>> from_arrays("mine", x, y, x, y).task, from_arrays("mine", x, y / 2, x, y / 2).task
    ('classification', 'regression')
    >>> from_arrays("mine", x, y, x, y, task="regression").outputs
    1
    """
    given = {"x_train": x_train, "x_test": x_test}
    x_train, x_test = (_inputs(np.asarray(x), f"{source}: `{name}`") for name, x in given.items())
    if x_train.shape[1:] != x_test.shape[1:] or x_train.dtype != x_test.dtype:
        wanted, received = (f"{x.shape[1:]} {x.dtype}" for x in (x_train, x_test))
        raise BadInput(f"{source}: samples of `x_test` must be like those of `x_train`, {wanted}. Received: {received}")
    y_train, y_test, classes = _targets(np.asarray(y_train), np.asarray(y_test), task, source)
    for x, y, part in ((x_train, y_train, "train"), (x_test, y_test, "test")):
        if len(x) != len(y):
            raise BadInput(f"{source}: `y_{part}` must have one label per sample, {len(x)}. Received: {len(y)}")
    input_kind = input_kind or ("table" if x_train.ndim == 2 else "image")
    if scale is None:
        scale = 1 / 255 if x_train.dtype == np.uint8 and input_kind == "image" else 1.0
    digest = hashlib.sha256(repr((scale, x_train.shape, x_train.dtype.str, x_test.shape)).encode())
    for array in (x_train, y_train, x_test, y_test, classes):
        digest.update(np.ascontiguousarray(array).data)
    return Dataset(name, x_train, y_train, x_test, y_test, scale, classes, digest.hexdigest(), input_kind=input_kind)


def _inputs(x: np.ndarray, name: str) -> np.ndarray:
    """Return samples as uint8 or float32."""
    if x.ndim < 2 or x.size == 0:
        raise BadInput(f"{name} must be (samples, ...) with at least one sample. Received: shape {x.shape}")
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind not in "biuf":
        raise BadInput(f"{name} must be numbers. Received: {x.dtype}")
    x = x.astype(np.float32)
    if not np.isfinite(x).all():
        raise BadInput(f"{name} must be finite numbers. Received: {np.count_nonzero(~np.isfinite(x))} NaN or infinite")
    return x


def _targets(
    y_train: np.ndarray, y_test: np.ndarray, task: str | None, source: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the targets of a regression, or labels as indices into the sorted classes; and the classes.

    Numbers that are not all whole make a regression; whole numbers do where `task` says so.
    """
    given = {"y_train": y_train, "y_test": y_test}
    for name, y in given.items():
        numbers = y.dtype.kind in "biuf" and y.ndim in (1, 2) and y.size and bool(np.isfinite(y).all())
        if not numbers or (task != "regression" and y.ndim == 2 and y.shape[1] != 1 and _whole(y)):
            raise BadInput(
                f"{source}: `{name}` must be (samples,) integer labels, or for regression (samples, outputs) numbers "
                f"that are not all whole unless `task` is regression. Received: {y.dtype} of shape {y.shape}"
            )
    if task == "classification" and not _whole(y_train):
        raise BadInput(f"{source}: `y_train` must be whole numbers for a classification. Received: others, and {task=}")
    if task == "regression" or not _whole(y_train):
        parts = [y.reshape(len(y), -1).astype(np.float32) for y in given.values()]
        if parts[0].shape[1] != parts[1].shape[1]:
            raise BadInput(f"{source}: `y_test` must be like `y_train`, {y_train.shape}. Received: {y_test.shape}")
        return parts[0], parts[1], np.empty(0)
    if not _whole(y_test):
        raise BadInput(f"{source}: `y_test` must have the classes of `y_train`. Received: numbers that are not whole")
    parts = [y.reshape(-1).astype(np.int64) for y in given.values()]  # Keras stores CIFAR-10's labels as (samples, 1)
    classes, y_train = np.unique(parts[0], return_inverse=True)
    if classes.size < 2:
        raise BadInput(f"{source}: `y_train` must have at least 2 classes. Received: {classes.tolist()}")
    strange = np.setdiff1d(parts[1], classes)
    if strange.size:
        counts = "" if task else " (of numbers to predict, `task` must be regression)"
        received = f"{strange[:5].tolist()}{counts}"
        raise BadInput(f"{source}: `y_test` must have the classes of `y_train`. Received: {received}")
    return y_train.astype(np.int32), np.searchsorted(classes, parts[1]).astype(np.int32), classes


def _whole(y: np.ndarray) -> bool:
    return bool(((y == np.round(y)) & (np.abs(y) < 2.0**53)).all())
