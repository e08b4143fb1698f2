"""Pruning at initialisation: random, by magnitude, SNIP, GraSP or SynFlow. The same as `ticketlab prune-at-init`."""

import sys

from ticketlab.cli.main import start

if __name__ == "__main__":
    sys.exit(start("prune-at-init"))
