"""Values of fields that are left out: published for the network, or fitted to the data set.

This module knows networks by their names alone; networks/architectures.py builds them.
"""

import re
from typing import Any

# Values with which a network is trained and pruned unless the user gives others: the published learning rates and prune
# rates, at the spec's default number of iterations.
NETWORK_DEFAULTS: dict[str, dict[str, Any]] = {
    "conv2": {"learning_rate": 2e-4, "conv_prune_rate": 0.1},  # Frankle & Carbin 2019, figure 2, columns Conv-2 to -6
    "conv4": {"learning_rate": 3e-4, "conv_prune_rate": 0.1},
    "conv6": {"learning_rate": 3e-4, "conv_prune_rate": 0.15},
    # the same figure, column Resnet-18, whose dense layer is not pruned; the schedule's steps depend on the iterations
    "resnet20": {
        "batch_size": 128,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "momentum": 0.9,
        "output_prune_rate": 0.0,
    },
}


CONVOLUTIONAL = ("lenet5", "conv2", "conv4", "conv6", "resnet20")


# 8,000 iterations of 60 are 8.7 epochs of MNIST; of the 1,373 training images of digits they would be 350.
DATASET_DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": {"iterations": 1000, "eval_every": 20},
}


def is_mlp(network: str) -> bool | None:
    """Tell whether the network of a name is one dense layer after the other; None for an unknown name.

    >>> is_mlp("fcn_30_20"), is_mlp("conv2"), is_mlp("nets/conv2.py:conv2")
    (True, False, None)
    """
    if network in CONVOLUTIONAL:
        return False
    return True if re.fullmatch(r"lenet_300_100|fcn(_\d+)+", network) else None
