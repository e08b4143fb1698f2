"""Iterative magnitude pruning of LeNet-300-100: many replicates in a pool of worker processes, saved round by round."""

import sys

from ticketlab.cli.train import main

if __name__ == "__main__":
    sys.exit(main("imp", __doc__, fixed={"network": "lenet_300_100"}))
