"""Sparse training: static masks, SET, RigL, SNFS, gradual pruning … The same as `ticketlab sparse-training`."""

import sys

from ticketlab.cli.main import start

if __name__ == "__main__":
    sys.exit(start("sparse-training"))
