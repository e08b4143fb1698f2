"""One HDF5 file: written once and atomically, read lazily, every checksum compared.

A file under its final name is complete. This module knows bytes and integrity; it does not know which files a run has
(folder.py).
"""

import contextlib
import errno
import io
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ticketlab.errors import TicketlabError, WriteFailed

FORMAT = 1
GZIP_LEVEL = 2

Groups = Mapping[str, Mapping[str, np.ndarray]]


class Damaged(TicketlabError):
    """A file that cannot be read back."""


def write_file(path: Path, attributes: Mapping[str, Any], groups: Groups, gzip_level: int = GZIP_LEVEL) -> None:
    """Write one HDF5 file atomically: it exists whole under its name, or not at all.

    The file is made in memory and written as bytes, so that a full disk is an ordinary error, not one inside HDF5.

    Args:
        path: final name of the file, in a folder that exists.
        attributes: attributes of the file, numbers and strings.
        groups: {group: {dataset path: array}}; arrays are compressed and checksummed.
        gzip_level: level of compression from 1 to 9; at 9, a mask takes two thirds of the space and 300 times as long.

    Raises:
        WriteFailed: if the file cannot be written.
    """
    # HDF5's newer layout has checksums on names and attributes too.
    with h5py.File(image := io.BytesIO(), "w", libver=("v110", "v110")) as file:
        file.attrs.update({name: _stored(value) for name, value in {"format": FORMAT, **attributes}.items()})
        for group, arrays in groups.items():
            place = file.create_group(group)
            place.attrs["order"] = _stored(json.dumps(list(arrays)))
            for name, array in arrays.items():
                filters = {"compression": "gzip", "compression_opts": gzip_level, "shuffle": True, "fletcher32": True}
                chunks = np.shape(array) if np.size(array) else True  # arrays are always read whole
                place.create_dataset(name, data=array, **({"chunks": chunks, **filters} if np.ndim(array) else {}))
    write_bytes(path, image.getbuffer())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically: a temporary name in the same folder, flush, fsync, rename. Raises WriteFailed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise WriteFailed(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


class Record:
    """One HDF5 file, read lazily: attributes now, arrays when they are asked for, with their checksums.

    Args:
        path: path of the file.

    Raises:
        Damaged: if the file cannot be read; every method may raise this.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with self._open() as file:
            self.attributes = {name: _plain(value) for name, value in file.attrs.items()}
        if self.attributes.get("format") != FORMAT:
            raise Damaged(f"{path} must be a file of format {FORMAT}. Received: {self.attributes.get('format')}")

    def arrays(self, group: str) -> dict[str, np.ndarray]:
        """Read all arrays of a group, {dataset path: array}, in the order in which they were written."""
        with self._open() as file:
            return _arrays(file[group]) if group in file else {}

    def contents(self) -> dict[str, dict[str, np.ndarray]]:
        """Read all arrays of all groups at once, {group: {dataset path: array}}."""
        with self._open() as file:
            return {str(name): _arrays(file[name]) for name in file}  # `items` would give None for a broken group

    def verify(self) -> None:
        """Read everything once, which compares every checksum."""
        self.contents()

    @property
    def masks(self) -> dict[str, np.ndarray]:
        """The masks under which the round trained, {path: bool array}."""
        return self.arrays("masks")

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The trainable variables at the end of training, {path: float32 array}, zero where masked."""
        return self.arrays("weights")

    @property
    def rewind(self) -> dict[str, np.ndarray]:
        """The state to which rounds rewind, {path: float32 array}; empty except in round 0."""
        return self.arrays("rewind")

    @property
    def history(self) -> dict[str, np.ndarray]:
        """The evaluations, {name: array of one value per evaluation}."""
        return self.arrays("history")

    @contextlib.contextmanager
    def _open(self) -> Iterator[h5py.File]:
        try:
            with h5py.File(self.path, "r") as file:
                yield file
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            number = getattr(error, "errno", None)
            if number and number != errno.EISDIR:  # the system refused; the content may be undamaged
                raise TicketlabError(f"cannot open {self.path}: {os.strerror(number)}") from error
            raise Damaged(f"{self.path} cannot be read: {' '.join(str(error).split())}") from error


def set_aside(path: Path) -> Path:
    """Rename a damaged file to the first free ``<name>.damaged-<i>`` and return that name."""
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    return path.rename(next(name for name in names if not name.exists()))


def _stored(value: Any) -> Any:
    """Give texts a fixed length: texts of variable length would lie in a part of the file without checksums."""
    if not isinstance(value, str):
        return value
    return np.array(value.encode(), h5py.string_dtype("utf-8", max(1, len(value.encode()))))


def _arrays(group: Any) -> dict[str, np.ndarray]:  # for h5py, what a file holds may be a group or an array
    return {name: group[name][()] for name in json.loads(_plain(group.attrs["order"]))}


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode() if isinstance(value, bytes) else value
