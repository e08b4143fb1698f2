"""Pruning before training: random, by magnitude, SNIP, GraSP or SynFlow, at the densities of rounds of pruning."""

import sys

from ticketlab.cli.train import main

if __name__ == "__main__":
    sys.exit(main("before_training", __doc__))
