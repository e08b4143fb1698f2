"""Sparse training: static masks, SET, RigL, SNFS and others. The same as `ticketlab sparse-training`."""

import sys

from ticketlab.cli.main import start

if __name__ == "__main__":
    sys.exit(start("sparse-training"))
