"""TensorFlow in a process: loaded without log messages, with its threads, its GPU and its XLA cache.

Call `start` before the first operation of a process; TensorFlow cannot be set up later.
"""

import contextlib
import ctypes
import hashlib
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ticketlab.errors import TicketlabError

ENOUGH_SPACE = 100e6  # free bytes; a program that XLA compiled takes up to 1 MB


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Send file descriptor 2 to nowhere: TensorFlow's C++ parts write to it while they load, whatever the log level."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def compiled_folder() -> Path | None:
    """Return the folder where XLA keeps compiled programs for later processes; None where it cannot.

    Compiled programs belong to one version of TensorFlow and one kind of processor, as do numba's, which are kept
    elsewhere. TensorFlow writes a file under another name first, so that several workers may write at the same time.
    """
    processor = Path("/proc/cpuinfo")
    if processor.exists():
        lines = processor.read_text().split("\n\n")[0].splitlines()
        kind = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU "))]
    else:
        kind = [platform.processor()]
    text = "\n".join([importlib.metadata.version("tensorflow"), platform.machine(), *kind])
    name = f"xla-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    named = os.environ.get("NUMBA_CACHE_DIR")
    usual = [Path(__file__).parent / "__pycache__", Path(os.path.expanduser("~/.cache/ticketlab"))]
    for folder in [Path(named)] if named else usual:
        with contextlib.suppress(OSError):
            (folder / name).mkdir(parents=True, exist_ok=True)
            if os.access(folder / name, os.W_OK) and shutil.disk_usage(folder).free > ENOUGH_SPACE:
                return folder / name
    return None


def forget_compiled() -> bool:
    """Delete XLA's cache; return whether it held anything. A damaged file would fail every later process."""
    folder = compiled_folder()
    files = list(folder.glob("*.pb")) if folder else []
    for file in files:
        file.unlink(missing_ok=True)
    return bool(files)


def load_tensorflow() -> None:
    """Import TensorFlow and Keras without messages on stderr."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules and (folder := compiled_folder()):
        flags = f"--tf_xla_persistent_cache_directory={folder} --tf_xla_persistent_cache_device_types=CPU"
        os.environ["TF_XLA_FLAGS"] = f"{flags} {os.environ.get('TF_XLA_FLAGS', '')}".strip()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with silent_stderr():
        import keras
        import tensorflow  # noqa: F401
    keras.config.set_floatx("float32")  # whatever the user's keras.json says
    keras.config.set_image_data_format("channels_last")


def release_memory() -> None:
    """Return freed memory to the system where the C library can: compiling leaves some 50 MB of it per process."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def start(threads: int, worker: int = 0) -> None:
    """Set up TensorFlow for the numbers that a spec promises.

    The threads are fixed by the spec rather than by the machine's idle cores: XLA's matrix products add up in another
    order with another number of threads, so anything else would let the number of processes change the bits.

    Args:
        threads: number of threads of one operation.
        worker: number of this worker; on a machine with GPUs, worker i uses GPU i modulo their number.

    Raises:
        TicketlabError: if TensorFlow was already used in this process with other threads.
    """
    load_tensorflow()
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            mine = gpus[worker % len(gpus)]
            tf.config.set_visible_devices(mine, "GPU")
            tf.config.experimental.set_memory_growth(mine, True)
    except RuntimeError as error:
        raise TicketlabError(
            f"TensorFlow already computes in this process with other settings than {threads} thread(s), which would "
            "change the numbers: use worker processes, or run this before any other TensorFlow code"
        ) from error
    tf.config.experimental.enable_op_determinism()
