"""Iterative magnitude pruning of convolutional networks, Conv-2 on CIFAR-10 by default."""

import sys

from ticketlab.cli.train import main

if __name__ == "__main__":
    sys.exit(main("imp", __doc__, usual={"network": "conv2", "dataset": "cifar10"}))
