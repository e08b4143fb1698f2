"""A folder held for one process alone, as long as the process lives, whatever lies in it."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ticketlab.errors import TicketlabError, WriteFailed

LOCK_SECONDS = 15.0


@contextlib.contextmanager
def held(folder: Path, otherwise: str) -> Iterator[None]:
    """Make a folder and hold it.

    Args:
        folder: folder to hold, whose parent exists.
        otherwise: message of the error if another process keeps holding it for `LOCK_SECONDS`.

    Raises:
        TicketlabError: if another process holds the folder that long.
        WriteFailed: if the folder cannot be written.
    """
    try:
        folder.mkdir(exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115, the lock outlives this block
    except OSError as error:
        raise WriteFailed(f"cannot write into {folder}: {error.strerror}") from error
    with lock:
        _wait_for(lock, otherwise)
        yield


def _wait_for(lock: Any, otherwise: str) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TicketlabError(otherwise) from None
            time.sleep(0.2)
        except OSError:
            return None  # a file system without locks
