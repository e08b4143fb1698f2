"""What the fork server imports before it forks workers: TensorFlow and numba, loaded once and shared by all of them.

The server's children inherit that SIGINT is ignored, so Ctrl-C reaches only the process that supervises them. Loaded
modules are hidden from the garbage collector, whose marks would otherwise make each child copy most of their memory.
"""

import gc
import importlib
import signal
from typing import Any

from numba.core.registry import cpu_target

from ticketlab import tensorflow_setup

signal.signal(signal.SIGINT, signal.SIG_IGN)
tensorflow_setup.load_tensorflow()
importlib.import_module("ticketlab.training.sparse_engine.engine")
target: Any = cpu_target  # which has no types
target.typing_context.refresh()  # else each worker loads what numba knows of NumPy, a quarter of a second
target.target_context.refresh()
gc.freeze()
