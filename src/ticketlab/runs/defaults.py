"""What fields are that are left out: published for the network, or fitting the data set.

Knows of networks what their names tell; what they are made of stands in networks/architectures.py.
"""

import re
from typing import Any

# What a network is trained and pruned with where the person does not say otherwise: the published learning rates and
# prune rates, in the iterations of the spec's default.
NETWORK_DEFAULTS: dict[str, dict[str, Any]] = {
    "conv2": {"learning_rate": 2e-4, "conv_prune_rate": 0.1},  # Frankle & Carbin 2019, figure 2, columns Conv-2 to -6
    "conv4": {"learning_rate": 3e-4, "conv_prune_rate": 0.1},
    "conv6": {"learning_rate": 3e-4, "conv_prune_rate": 0.15},
    # the same, column Resnet-18, whose dense layer is not pruned; the schedule's steps depend on the iterations
    "resnet20": {
        "batch_size": 128,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "momentum": 0.9,
        "output_prune_rate": 0.0,
    },
}


CONVOLUTIONAL = ("lenet5", "conv2", "conv4", "conv6", "resnet20")


# 8,000 iterations of 60 are 8.7 passes over MNIST; over the 1,373 training images of digits they would be 350.
DATASET_DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": {"iterations": 1000, "eval_every": 20},
}


def is_mlp(network: str) -> bool | None:
    """Tell whether a network by name is one dense layer after the other; None for a name that is not known here.

    >>> is_mlp("fcn_30_20"), is_mlp("conv2"), is_mlp("nets/conv2.py:conv2")
    (True, False, None)
    """
    if network in CONVOLUTIONAL:
        return False
    return True if re.fullmatch(r"lenet_300_100|fcn(_\d+)+", network) else None
