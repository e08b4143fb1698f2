"""Settings by name: published ones, each citing its source, and those that fit a data set's size."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # Frankle & Carbin 2019 (arXiv 1803.03635), figure 2, column "Lenet". Pruned until 3.6 % and less are left as in
    # their figures 3 and 4: 25 rounds end at a density of .004. The output layer's rate, half of the others', is the
    # default. Adam's epsilon is Keras's 1e-7; the authors' TensorFlow 1 had 1e-8.
    "frankle-carbin-2019": {
        "dataset": "mnist",
        "network": "lenet_300_100",
        "iterations": 50_000,
        "batch_size": 60,
        "optimizer": "adam",
        "learning_rate": 1.2e-3,
        "eval_every": 100,
        "prune_rate": 0.2,
        "rounds": 25,
    },
}

# 8,000 iterations of 60 are 8.7 passes over MNIST; over the 1,375 training images of digits they would be 350.
DATASET_DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": {"iterations": 1000, "eval_every": 20},
}
