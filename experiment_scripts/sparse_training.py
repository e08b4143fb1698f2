"""Sparse training: static masks, SET, RigL, SNFS, gradual pruning, and dense networks cut at the end."""

import sys

from ticketlab.cli.train import main

if __name__ == "__main__":
    sys.exit(main("sparse_training", __doc__))
