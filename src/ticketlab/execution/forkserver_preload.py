"""What the fork server imports before it forks workers: TensorFlow and numba, loaded once and shared by all of them.

The server's children inherit that SIGINT is ignored, so Ctrl-C reaches only the process that supervises them. What is
loaded is hidden from the garbage collector, whose marks would otherwise make each child copy most of it.
"""

import gc
import importlib
import signal

from numba.core.registry import cpu_target

from ticketlab import tensorflow_setup

signal.signal(signal.SIGINT, signal.SIG_IGN)
tensorflow_setup.load_tensorflow()
importlib.import_module("ticketlab.training.sparse_engine.engine")
cpu_target.typing_context.refresh()  # else each worker loads what numba knows of NumPy, a quarter of a second
cpu_target.target_context.refresh()
gc.freeze()
