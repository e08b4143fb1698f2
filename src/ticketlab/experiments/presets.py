"""Published settings of whole experiments by name, each citing its source."""

from typing import Any

from ticketlab.runs.defaults import NETWORK_DEFAULTS

# Frankle & Carbin 2019 (arXiv 1803.03635), figure 2: what its columns share. The output layer's rate, half of the other
# dense layers', is the default. Adam's epsilon is Keras's 1e-7; the authors' TensorFlow 1 had 1e-8.
_FRANKLE_CARBIN: dict[str, Any] = {"batch_size": 60, "optimizer": "adam", "eval_every": 100, "prune_rate": 0.2}


PRESETS: dict[str, dict[str, Any]] = {
    # Column "Lenet". Pruned until 3.6 % and less are left as in their figures 3 and 4: 25 rounds end at 0.004.
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
    # Column "Resnet-18", with the most similar network here: ResNet-20 with parameter-free shortcuts. There are
    # 30,000 iterations of 128, at rates 0.1, 0.01 and 0.001. Scores are compared over all convolutions; the output
    # layer is not pruned. The paper also has random crops and flips of the training images, which are not built here,
    # and a weight decay of 1e-4, which --weight-decay 1e-4 applies to the kernels alone.
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
        "grown": "zero",  # with N(0, 0.1²) and a weight decay of 1e-3, accuracy stays 1.2 points below the reported one
    },
    # Evci et al. 2020 (arXiv 1911.11134): 784-300-100-10 by their rules (section 3), with the default optimizer.
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
