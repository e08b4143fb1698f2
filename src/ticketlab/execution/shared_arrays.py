"""An object shared by several processes: pickled once, with its large arrays in an unnamed file that all of them map.

A data set is thus read, checked and kept in memory once, however many workers there are.
"""

import io
import mmap
import tempfile
from typing import Any

import dill
import numpy as np
from multiprocess import reduction

LARGE = 2**16  # bytes from which an array goes into the file
ALIGNMENT = 64


class Shared:
    """An object for processes that are about to start; it can be pickled only as an argument of theirs.

    Args:
        value: object whose arrays nobody may change; in the other processes they are read-only.
    """

    def __init__(self, value: Any) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115, see `close`
        written = io.BytesIO()
        _Pickler(written, self._file).dump(value)
        self._file.flush()
        self._pickled = written.getvalue()

    def __getstate__(self) -> tuple[bytes, Any]:
        return self._pickled, reduction.DupFd(self._file.fileno())

    def __setstate__(self, state: tuple[bytes, Any]) -> None:
        self._pickled, descriptor = state
        self._file = open(descriptor.detach(), "rb")  # noqa: SIM115

    def value(self) -> Any:
        """Return the object in the process that was started with it."""
        return _Unpickler(io.BytesIO(self._pickled), self._file).load()

    def close(self) -> None:
        """Give up the file; what is mapped stays."""
        self._file.close()


class _Pickler(reduction.ForkingPickler):
    def __init__(self, written: io.BytesIO, file: Any) -> None:
        super().__init__(written)
        self._arrays = file

    def persistent_id(self, value: Any) -> tuple[int, str, tuple[int, ...]] | None:
        """Write a large array to the file; its position, type and shape take its place."""
        if type(value) is not np.ndarray or value.dtype.hasobject or value.nbytes < LARGE:
            return None
        self._arrays.write(b"\0" * (-self._arrays.tell() % ALIGNMENT))
        begin = self._arrays.tell()
        self._arrays.write(np.ascontiguousarray(value).data)
        return begin, value.dtype.str, value.shape


class _Unpickler(dill.Unpickler):
    def __init__(self, pickled: io.BytesIO, file: Any) -> None:
        super().__init__(pickled)
        self._arrays = file

    def persistent_load(self, found: tuple[int, str, tuple[int, ...]]) -> np.ndarray:
        """Return an array of the file, which stays mapped as long as an array of it exists."""
        begin, dtype, shape = found
        mapped = mmap.mmap(self._arrays.fileno(), 0, access=mmap.ACCESS_READ)
        return np.ndarray(shape, dtype, mapped, begin)
