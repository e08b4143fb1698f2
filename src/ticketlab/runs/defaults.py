"""What fields are that are left out: published for the network, or fitting the data set.

Knows of networks what their names tell; what they are made of stands in networks/architectures.py.
"""

import re
from collections.abc import Mapping
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


def fitting(network: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of a network that go together with what was chosen.

    >>> fitting("conv2", {}), fitting("conv2", {"scope": "global"})
    ({'learning_rate': 0.0002, 'conv_prune_rate': 0.1}, {'learning_rate': 0.0002})
    """
    return compatible(NETWORK_DEFAULTS.get(network, {}), chosen)


def compatible(defaults: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of some defaults what means nothing beside the fields that were chosen otherwise.

    >>> compatible({"optimizer": "sgd", "momentum": 0.9, "batch_size": 128}, {"optimizer": "adam"})
    {'batch_size': 128}
    """
    foreign: set[str] = set()
    scope = defaults.get("scope", "layer")
    if chosen.get("scope", scope) != scope:  # layers' own rates mean something else there
        foreign |= {"scope", "conv_prune_rate", "output_prune_rate"}
    if "density" in chosen or chosen.get("distribution", "er") != "er":
        foreign |= {"epsilon"}
    if "epsilon" in chosen:
        foreign |= {"density", "distribution"}
    optimizer = defaults.get("optimizer", "adam")  # as in the spec
    if chosen.get("optimizer", optimizer) != optimizer:
        foreign |= {"optimizer", "learning_rate", "momentum", "nesterov"}
    schedule = defaults.get("schedule", "constant")
    if chosen.get("schedule", schedule) != schedule:
        foreign |= {"schedule", "schedule_steps", "schedule_factor"}
    return {name: value for name, value in defaults.items() if name not in foreign}
