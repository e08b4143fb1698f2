"""What the fork server imports before it forks workers: TensorFlow, loaded once and shared by all of them.

The server's children inherit that SIGINT is ignored, so Ctrl-C reaches only the process that supervises them.
"""

import signal

from ticketlab import devices

signal.signal(signal.SIGINT, signal.SIG_IGN)
devices.load_tensorflow()
