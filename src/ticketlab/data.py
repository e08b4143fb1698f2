"""Arrays by data-set name: where the files are looked for, what they must hold, how they are split.

A file is ``<name>.npz`` with ``x_train, y_train, x_test, y_test``, images or tables. It is looked for in the given
folder, else in ``$TICKETLAB_DATA``, else in the Keras cache; then the data sets of `DOWNLOADS` are downloaded.
scikit-learn's ``digits`` is always there. To add a data set, put its file into the folder; no code is needed.
"""

import hashlib
import os
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ticketlab.errors import BadInput
from ticketlab.streams import stream

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
# {name: (module of keras.datasets, images for training, images for testing)}
DOWNLOADS = {"mnist": (60_000, 10_000), "fashion_mnist": (60_000, 10_000), "cifar10": (50_000, 10_000)}
VALIDATION_SHARE = 5_000 / 60_000
DOWNLOAD_SECONDS = 600
_UNREADABLE = (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Dataset:
    """A classification data set as it was stored.

    Attributes:
        name: as in `--dataset`.
        x_train: (samples, ...) uint8 or float32, the training and the validation samples in their original order.
        y_train: (samples,) int32, from 0 to classes − 1.
        x_test: (samples, ...), like x_train.
        y_test: (samples,) int32.
        scale: what the stored values are multiplied by for the network: 1/255 for uint8, 1/16 for digits, else 1.
        classes: the labels as they were stored, sorted.
        digest: SHA-256 of all of this, hexadecimal.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    scale: float
    classes: np.ndarray
    digest: str

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.x_train.shape[1:]


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


def batches(indices: np.ndarray, batch_size: int, seed: int, start: int, stop: int) -> np.ndarray:
    """Return the samples of the iterations from `start` to `stop`, in an order that depends on seed and epoch alone.

    The epochs' permutations follow each other without a gap: every sample is used once per epoch, no batch is short.

    Returns:
        (stop − start, batch_size) int32.

    >>> order = batches(np.arange(10, dtype=np.int32), 4, 0, 0, 5)
    >>> order.shape, bool((np.sort(order.ravel()[:10]) == np.arange(10)).all())
    ((5, 4), True)
    """
    first, last = start * batch_size, stop * batch_size
    epochs = range(first // indices.size, -(-last // indices.size))
    order = np.concatenate([stream(seed, "order", epoch).permutation(indices) for epoch in epochs])
    skipped = epochs.start * indices.size
    return order[first - skipped : last - skipped].reshape(stop - start, batch_size)


def folders(data_dir: Path | None) -> list[Path]:
    """List the folders that are searched, in their order."""
    keras_home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    named = [data_dir, os.environ.get("TICKETLAB_DATA")]
    return [Path(folder) for folder in named if folder] + [keras_home / "datasets"]


def resolve(name: str | None, data_dir: Path | None = None) -> tuple[str, str | None]:
    """Decide which data set a run uses, downloading it if need be.

    Args:
        name: as given by the person; None means MNIST or, where that cannot be had, digits.
        data_dir: the folder to search first.

    Returns:
        The name, and what to tell the person if it is not the one they would expect.

    Raises:
        BadInput: if the named data set can be neither found nor downloaded.
    """
    if data_dir is not None and not os.path.isdir(data_dir):
        raise BadInput(f"`data_dir` must be a folder. Received: data_dir={data_dir}")
    wanted = name or "mnist"
    if wanted == "digits" or find(wanted, data_dir):
        return wanted, None
    searched = ", ".join(str(folder) for folder in folders(data_dir))
    missing = f"data set `{wanted}` needs {wanted}.npz, which is in none of: {searched}"
    if wanted not in DOWNLOADS:
        raise BadInput(f"{missing}; known without a file: digits; downloaded: {', '.join(DOWNLOADS)}")
    failure = _download(wanted, folders(data_dir)[-1] / f"{wanted}.npz")
    if failure is None:
        return wanted, None
    if name is None:
        return (
            "digits",
            f"{missing}; its download failed ({failure}). USING THE SMALL EMBEDDED DATA SET `digits` INSTEAD",
        )
    raise BadInput(f"{missing}; its download failed ({failure})")


def find(name: str, data_dir: Path | None = None) -> Path | None:
    """Return the first file of that data set, or None."""
    candidates = [folder / f"{name}.npz" for folder in folders(data_dir)]
    return next((path for path in candidates if os.path.exists(path)), None)


def load(name: str, data_dir: Path | None = None) -> Dataset:
    """Read a data set that `resolve` has found, and check it.

    Raises:
        BadInput: if the file cannot be read or its arrays do not make a classification data set.
    """
    if name == "digits":
        arrays, scale, source = _digits(), 1 / 16, "scikit-learn's digits"
    else:
        path = find(name, data_dir)
        if path is None:
            raise BadInput(f"data set `{name}` has gone: no {name}.npz in {folders(data_dir)}")
        arrays, scale, source = _read(path), None, str(path)
    x_train, x_test = (_inputs(arrays[array], f"{source}: `{array}`") for array in ("x_train", "x_test"))
    if x_train.shape[1:] != x_test.shape[1:] or x_train.dtype != x_test.dtype:
        wanted, received = (f"{x.shape[1:]} {x.dtype}" for x in (x_train, x_test))
        raise BadInput(f"{source}: samples of `x_test` must be like those of `x_train`, {wanted}. Received: {received}")
    y_train, y_test, classes = _labels(arrays, source)
    for x, y, part in ((x_train, y_train, "train"), (x_test, y_test, "test")):
        if len(x) != len(y):
            raise BadInput(f"{source}: `y_{part}` must have one label per sample, {len(x)}. Received: {len(y)}")
    if scale is None:
        scale = 1 / 255 if x_train.dtype == np.uint8 else 1.0
    digest = hashlib.sha256(repr((scale, x_train.shape, x_train.dtype.str, x_test.shape)).encode())
    for array in (x_train, y_train, x_test, y_test, classes):
        digest.update(np.ascontiguousarray(array).data)
    return Dataset(name, x_train, y_train, x_test, y_test, scale, classes, digest.hexdigest())


def _digits() -> dict[str, np.ndarray]:
    """Return scikit-learn's 1,797 images of 8×8 pixels from 0 to 16, a sixth of them for testing by a fixed stream."""
    from sklearn.datasets import load_digits  # costs a second, and only this data set needs it

    x, y = load_digits(return_X_y=True)
    order = stream(0, "digits test split").permutation(len(x))
    test, train = np.sort(order[: len(x) // 6]), np.sort(order[len(x) // 6 :])
    x = x.reshape(-1, 8, 8).astype(np.uint8)
    return {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        if not zipfile.is_zipfile(path):
            raise BadInput(f"{path} must be a readable .npz file without pickles. Received: no zip archive")
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in ARRAYS if name not in arrays]
            if missing:
                raise BadInput(f"{path} must hold {', '.join(ARRAYS)}. Missing: {', '.join(missing)}")
            foreign = [name for name in ARRAYS if not isinstance(arrays[name], np.ndarray)]
            if foreign:
                raise BadInput(f"{path} must hold NumPy arrays. Received: something else as {', '.join(foreign)}")
            return {name: arrays[name] for name in ARRAYS}
    except _UNREADABLE as error:
        raise BadInput(f"{path} must be a readable .npz file without pickles. Received: {_one_line(error)}") from error


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


def _labels(arrays: dict[str, np.ndarray], source: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both label arrays as indices into the sorted classes, and the classes."""
    parts = []
    for name in ("y_train", "y_test"):
        y = arrays[name]
        if y.ndim == 2 and y.shape[1] == 1:  # CIFAR-10 as Keras stores it
            y = y[:, 0]
        whole = y.dtype.kind in "biuf" and bool((np.isfinite(y) & (y == np.round(y)) & (np.abs(y) < 2.0**53)).all())
        if y.ndim != 1 or not whole:
            raise BadInput(
                f"{source}: `{name}` must be (samples,) integer labels. Received: {y.dtype} of shape {y.shape}"
            )
        parts.append(y.astype(np.int64))
    classes, y_train = np.unique(parts[0], return_inverse=True)
    if classes.size < 2:
        raise BadInput(f"{source}: `y_train` must have at least 2 classes. Received: {classes.tolist()}")
    strange = np.setdiff1d(parts[1], classes)
    if strange.size:
        raise BadInput(f"{source}: `y_test` must have the classes of `y_train`. Received: {strange[:5].tolist()}")
    return y_train.astype(np.int32), np.searchsorted(classes, parts[1]).astype(np.int32), classes


def _download(name: str, path: Path) -> str | None:
    """Fetch a data set with Keras's loader and store it under `path`; return the reason if that fails.

    Another process does it, so that this one never imports TensorFlow; a time-out serves machines whose network
    swallows what is sent.
    """
    train, test = DOWNLOADS[name]
    code = (
        "import os, socket, sys; import numpy as np; socket.setdefaulttimeout(20); from keras import datasets\n"
        f"(a, b), (c, d) = datasets.{name}.load_data()\n"
        f"assert len(a) == len(b) == {train} and len(c) == len(d) == {test}, 'unexpected number of images'\n"
        f"path, new = {str(path)!r}, {str(path)!r} + f'.{{os.getpid()}}.tmp.npz'\n"
        "if os.path.exists(path): sys.exit()  # Keras itself caches MNIST under this name, and checks its hash\n"
        "np.savez_compressed(new, x_train=a, y_train=b, x_test=c, y_test=d); os.replace(new, path)\n"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    print(f"looking for {name} with keras.datasets …", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {DOWNLOAD_SECONDS} s"
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["unknown reason"])[-1]


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
