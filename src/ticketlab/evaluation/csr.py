"""Sparse networks as compressed rows (CSR) in one .npz, which SciPy reads without ticketlab.

A kernel is a matrix with a column for each unit: all axes of a convolution's kernel before the last are joined. Its
arrays are ``<path>/data``, ``<path>/indices`` and ``<path>/indptr``, those of ``scipy.sparse.csr_array``, and
``<path>/shape``, the kernel's own shape. A variable without a mask is a plain array under its path. With SciPy alone::

    with np.load("net.npz", allow_pickle=False) as file:
        parts = tuple(file[f"dense_1/kernel/{name}"] for name in ("data", "indices", "indptr"))
        *_, units = shape = file["dense_1/kernel/shape"]
        matrix = scipy.sparse.csr_array(parts, shape=(shape.prod() // units, units))
        kernel = matrix.toarray().reshape(shape)
        bias = file["dense_1/bias"]
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ticketlab.errors import BadInput
from ticketlab.runs.hdf5 import write_bytes
from ticketlab.sparsity.masks import Arrays

if TYPE_CHECKING:
    import keras


PARTS = ("data", "indices", "indptr", "shape")


def save_csr(path: Path | str, weights: "Arrays | keras.Model", masks: Arrays) -> None:
    """Write weights as .npz, those with a mask as compressed rows of the kept weights.

    All kept weights are written exactly, including zeros, so that the file holds the masks. Masked weights are left
    out, whatever their values. Floats of 16 bits become float32, since SciPy has no matrices of them.

    Args:
        path: path of the file, which should end in .npz.
        weights: {path: array}, such as a round's ``record.weights``, or a Keras model; the masks themselves for a file
            of masks alone.
        masks: {path: bool array of the weight's shape, of two axes or more}, such as ``record.masks`` or the result of
            `prune`.

    Raises:
        BadInput: if a mask has no weight, another shape, or no booleans.
        WriteFailed: if the file cannot be written.
    """
    arrays = weights if isinstance(weights, Mapping) else _of_model(weights)
    arrays = {name: array.astype(np.float32) if _is_half(array) else array for name, array in arrays.items()}
    matrices = [name for name, array in arrays.items() if array.ndim >= 2]
    for name, mask in masks.items():
        if name not in matrices:
            known = ", ".join([*matrices[:5], *(["…"] if len(matrices) > 5 else [])])
            raise BadInput(f"`masks` must be of weights with two axes or more, {known}. Received: {name}")
        if np.shape(mask) != arrays[name].shape or np.asarray(mask).dtype != bool:
            received = f"{np.asarray(mask).dtype} of shape {np.shape(mask)}"
            raise BadInput(f"the mask of {name} must be bool of shape {arrays[name].shape}. Received: {received}")
    written: dict[str, Any] = {}
    for name, array in arrays.items():
        written |= _compressed(name, array, np.asarray(masks[name])) if name in masks else {name: array}
    np.savez_compressed(content := io.BytesIO(), **written)
    write_bytes(Path(path), content.getbuffer())


def load_csr(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Read a file that `save_csr` wrote.

    Returns:
        The weights, {path: dense array}, +0 where masked; and the masks, {path: bool array}.

    Raises:
        BadInput: if the file cannot be read.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return _loaded({name: file[name] for name in file.files})
    except (OSError, ValueError, LookupError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(f"{path} must be a file of save_csr. Received: {' '.join(str(error).split())}") from error


def _loaded(stored: Arrays) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    kernels = [name.removesuffix("/indptr") for name in stored if name.endswith("/indptr")]
    masks = {name: _mask(stored, name) for name in kernels}
    parts = {f"{name}/{part}": name for name in kernels for part in PARTS}
    weights: dict[str, np.ndarray] = {}
    for name, array in stored.items():
        if name not in parts:
            weights[name] = array
        elif name.endswith("/data"):
            mask = masks[parts[name]]
            weights[parts[name]] = np.zeros(mask.shape, array.dtype)
            weights[parts[name]][mask] = array
    return weights, masks


def _compressed(name: str, array: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of one matrix; rows come one after the other, in each the columns from left to right."""
    rows = mask.reshape(-1, mask.shape[-1])
    indptr = np.concatenate([[0], np.cumsum(rows.sum(axis=1))])
    small = np.int32 if indptr[-1] < 2**31 else np.int64  # SciPy's own choice
    parts = {"data": array[mask], "indices": np.nonzero(rows)[1].astype(small), "indptr": indptr.astype(small)}
    return {f"{name}/{part}": each for part, each in {**parts, "shape": np.array(mask.shape)}.items()}


def _is_half(array: np.ndarray) -> bool:
    return array.dtype == np.float16 or array.dtype.name == "bfloat16"


def _mask(stored: Arrays, name: str) -> np.ndarray:
    indices, indptr, shape = (stored[f"{name}/{part}"] for part in ("indices", "indptr", "shape"))
    rows = np.zeros((indptr.size - 1, shape[-1]), bool)
    rows[np.repeat(np.arange(len(rows)), np.diff(indptr)), indices] = True
    return rows.reshape(shape)


def _of_model(model: "keras.Model") -> dict[str, np.ndarray]:
    from ticketlab.networks import keras_masks

    return {path: variable.numpy() for path, variable in keras_masks.weights(model).items()}
