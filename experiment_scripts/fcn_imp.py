"""Iterative magnitude pruning of fully connected networks: fcn_<units>_<units>_… for any number of hidden layers."""

import sys

from ticketlab.cli.train import main

if __name__ == "__main__":
    sys.exit(main("imp", __doc__, usual={"network": "fcn_256_32"}))
