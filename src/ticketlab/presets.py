"""Settings by name: published ones, each citing its source, and those that fit a data set's size or a network.

Knows of networks what their names tell; what they are made of stands in networks.py.
"""

import re
from collections.abc import Mapping
from typing import Any

from ticketlab.methods import METHODS

# Frankle & Carbin 2019 (arXiv 1803.03635), figure 2: what its columns share. The output layer's rate, half of the other
# dense layers', is the default. Adam's epsilon is Keras's 1e-7; the authors' TensorFlow 1 had 1e-8.
_FRANKLE_CARBIN: dict[str, Any] = {"batch_size": 60, "optimizer": "adam", "eval_every": 100, "prune_rate": 0.2}

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

PRESETS: dict[str, dict[str, Any]] = {
    # Column "Lenet". Pruned until 3.6 % and less are left as in their figures 3 and 4: 25 rounds end at .004.
    "frankle-carbin-2019": {
        **_FRANKLE_CARBIN,
        "dataset": "mnist",
        "network": "lenet_300_100",
        "iterations": 50_000,
        "learning_rate": 1.2e-3,
        "rounds": 25,
    },
    # Columns "Conv-2", "Conv-4", "Conv-6"; rounds until 2 % and less are left, as in their figure 5.
    "frankle-carbin-2019-conv2": {
        **_FRANKLE_CARBIN,
        **NETWORK_DEFAULTS["conv2"],
        "dataset": "cifar10",
        "network": "conv2",
        "iterations": 20_000,
        "rounds": 20,
    },
    "frankle-carbin-2019-conv4": {
        **_FRANKLE_CARBIN,
        **NETWORK_DEFAULTS["conv4"],
        "dataset": "cifar10",
        "network": "conv4",
        "iterations": 25_000,
        "rounds": 20,
    },
    "frankle-carbin-2019-conv6": {
        **_FRANKLE_CARBIN,
        **NETWORK_DEFAULTS["conv6"],
        "dataset": "cifar10",
        "network": "conv6",
        "iterations": 30_000,
        "rounds": 20,
    },
    # Column "Resnet-18", with the nearest network of this house: ResNet-20 with parameter-free shortcuts. 30,000
    # iterations of 128, rates .1, .01 and .001; scores are compared over all convolutions, the dense output layer is
    # not pruned. Beyond that, the paper has random crops and flips of the training images, which are not built here,
    # and a weight decay of 1e-4, which --weight-decay 1e-4 gives the kernels alone.
    "frankle-carbin-2019-resnet": {
        **NETWORK_DEFAULTS["resnet20"],
        "scope": "global",
        "dataset": "cifar10",
        "network": "resnet20",
        "iterations": 30_000,
        "schedule": "step",
        "schedule_steps": (20_000, 25_000),
        "eval_every": 100,
        "prune_rate": 0.2,
        "rounds": 20,
    },
    # The reference network of sparse evolutionary training: 784-512-128-10 of 23,226 parameters, as a public
    # implementation of Mocanu et al. 2018 (arXiv 1707.04780) trains it; 66,602 iterations are 155 epochs.
    "set-mlp": {
        "dataset": "mnist",
        "network": "fcn_512_128",
        "inputs": "standardised",
        "batch_size": 128,
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "momentum": 0.5,
        "iterations": 66_602,
        "eval_every": 430,
        "method": "set",
        "epsilon": 11.0,
        "dense_output": True,
        "grown": "zero",  # with N(0, 0.1²) and a weight decay of 1e-3 it stays 1.2 points below what is reported for it
    },
    # Evci et al. 2020 (arXiv 1911.11134): 784-300-100-10 by their rules (section 3), with the optimizer of this house.
    "rigl-mlp": {
        "dataset": "mnist",
        "network": "lenet_300_100",
        "method": "rigl",
        "density": 0.1,
        "distribution": "erk",
        "update_every": 100,
        "drop_fraction": 0.3,
        "fraction_schedule": "cosine",
    },
}

# 8,000 iterations of 60 are 8.7 passes over MNIST; over the 1,373 training images of digits they would be 350.
DATASET_DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": {"iterations": 1000, "eval_every": 20},
}


def dense_chain(network: str) -> bool | None:
    """Tell whether a network of the house is one dense layer after the other; None for one of another house.

    >>> dense_chain("fcn_30_20"), dense_chain("conv2"), dense_chain("nets/conv2.py:conv2")
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
    if method := METHODS.get(chosen.get("method", "")):
        foreign |= {name for other in METHODS.values() for name in other.options if name not in method.options}
    optimizer = defaults.get("optimizer", "adam")  # as in the spec
    if chosen.get("optimizer", optimizer) != optimizer:
        foreign |= {"optimizer", "learning_rate", "momentum", "nesterov"}
    schedule = defaults.get("schedule", "constant")
    if chosen.get("schedule", schedule) != schedule:
        foreign |= {"schedule", "schedule_steps", "schedule_factor"}
    return {name: value for name, value in defaults.items() if name not in foreign}
