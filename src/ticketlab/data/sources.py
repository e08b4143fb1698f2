"""Data sets by name: where files are looked for, what they must hold, which data sets are downloaded.

A file is ``<name>.npz`` with ``x_train, y_train, x_test, y_test``, images or tables. It is looked for in the given
folder, then in ``$TICKETLAB_DATA``, then in the Keras cache; the data sets of `DOWNLOADS` can be downloaded.
scikit-learn's ``digits`` is always available. To add a data set, put its file into the folder; no code is needed.
"""

import os
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ticketlab.data.dataset import Dataset, from_arrays
from ticketlab.errors import BadInput
from ticketlab.random_streams import stream

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
# {name of the module in keras.datasets: (host that it asks, images for training, images for testing)}
DOWNLOADS = {
    "mnist": ("storage.googleapis.com", 60_000, 10_000),
    "fashion_mnist": ("storage.googleapis.com", 60_000, 10_000),
    "cifar10": ("www.cs.toronto.edu", 50_000, 10_000),
}
DOWNLOAD_SECONDS = 600
_UNREADABLE = (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


def folders(data_dir: Path | None) -> list[Path]:
    """List the folders that are searched, in their order."""
    keras_home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    named = [data_dir, os.environ.get("TICKETLAB_DATA")]
    return [Path(folder) for folder in named if folder] + [keras_home / "datasets"]


def resolve(name: str | None, data_dir: Path | None = None, usual: str = "mnist") -> tuple[str, str | None]:
    """Decide which data set a run uses, downloading it if need be.

    Args:
        name: name that the user gave; None means the usual data set or, if that is unavailable, digits.
        data_dir: folder to search first.
        usual: data set of the command where none is given.

    Returns:
        The name, and a message to the user if it is not the expected one.

    Raises:
        BadInput: if the named data set can be neither found nor downloaded.
    """
    if data_dir is not None and not os.path.isdir(data_dir):
        raise BadInput(f"`data_dir` must be a folder. Received: data_dir={data_dir}")
    wanted = name or usual
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
        instead = f"USING THE SMALL EMBEDDED DATA SET `digits` INSTEAD OF {wanted}"
        return "digits", f"{instead}, whose download failed ({textwrap.shorten(failure, 120)})"
    raise BadInput(f"{missing}; its download failed ({failure})")


def load_dataset(name: str, data_dir: Path | None = None) -> Dataset:
    """Find a data set, download it if need be, read it, and check it.

    Args:
        name: ``digits``, one of `DOWNLOADS`, or the name of a file ``<name>.npz``.
        data_dir: folder to search first.

    Raises:
        BadInput: if it can be neither found nor downloaded, or its arrays do not make a data set.

    >>> load_dataset("digits").x_train.shape
    (1498, 8, 8)
    """
    found, _ = resolve(name, data_dir)
    return load(found, data_dir)


def find(name: str, data_dir: Path | None = None) -> Path | None:
    """Return the first file found of a data set, or None."""
    candidates = [folder / f"{name}.npz" for folder in folders(data_dir)]
    return next((path for path in candidates if os.path.exists(path)), None)


def load(name: str, data_dir: Path | None = None, *, task: str | None = None, input_kind: str | None = None) -> Dataset:
    """Read a data set that `resolve` has found, and check it.

    Args:
        name: name of the data set.
        data_dir: folder to search first.
        task: task of the data set, as in `from_arrays`.
        input_kind: kind of its inputs, as in `from_arrays`.

    Raises:
        BadInput: if the file cannot be read or its arrays do not make a data set.
    """
    if name == "digits":
        arrays, scale, source = _digits(), 1 / 16, "scikit-learn's digits"
    else:
        path = find(name, data_dir)
        if path is None:
            raise BadInput(f"data set `{name}` has gone: no {name}.npz in {folders(data_dir)}")
        arrays, scale, source = _read(path), None, str(path)
    parts = (arrays[array] for array in ARRAYS)
    return from_arrays(name, *parts, task=task, input_kind=input_kind, scale=scale, source=source)


def digits_split(samples: int = 1797) -> tuple[np.ndarray, np.ndarray]:
    """Split the rows of scikit-learn's digits by a fixed stream: those for training and validation, those for testing.

    >>> [rows.size for rows in digits_split()]
    [1498, 299]
    """
    order = stream(0, "digits test split").permutation(samples)
    return np.sort(order[samples // 6 :]), np.sort(order[: samples // 6])


def _digits() -> dict[str, np.ndarray]:
    """Return scikit-learn's 1,797 images of 8×8 pixels from 0 to 16, a sixth of them for testing."""
    from sklearn.datasets import load_digits  # takes a second, and only this data set needs it

    bunch: Any = load_digits()
    x, y = bunch.data, bunch.target
    train, test = digits_split(len(x))
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


def _download(name: str, path: Path) -> str | None:
    """Fetch a data set with Keras's loader and store it under `path`; return the reason if that fails.

    Another process does it, so that this one never imports TensorFlow; a time-out serves machines whose network
    swallows what is sent.
    """
    host, train, test = DOWNLOADS[name]
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
    cached = path.parent.is_dir() and any(path.parent.iterdir())  # Keras may have it there in its own form
    if not cached and (failure := _unreachable(host)):
        return failure
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {DOWNLOAD_SECONDS} s"
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["unknown reason"])[-1]


def _unreachable(host: str) -> str | None:
    """Say why a host cannot be reached, which takes a tenth of a second where Keras would be loaded to find it out."""
    try:
        urllib.request.urlopen(f"https://{host}", timeout=20).close()
    except urllib.error.HTTPError:  # an answer, if only that there is no such page
        return None
    except OSError as error:
        return f"{host}: {_one_line(error)}"
    return None


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
