"""The protocol of an engine, which trains and evaluates one network on one data set, and its settings.

This module knows neither TensorFlow nor numba, nor when an engine is called (loop.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from ticketlab.runs.spec import Spec
from ticketlab.sparsity.masks import Arrays

if TYPE_CHECKING:
    import tensorflow as tf

Tensors = Mapping[str, "tf.Tensor"]
Scalar = Callable[[Tensors], "tf.Tensor"]


@dataclass(frozen=True)
class EngineSettings:
    """The fields of a spec that an engine needs: two specs with the same settings can share an engine.

    Attributes:
        batch_size: number of samples of one step.
        optimizer: "adam" or "sgd".
        momentum: momentum of SGD.
        nesterov: whether SGD's momentum is Nesterov's.
        weight_decay: factor by which a kernel's weight is added to its gradient.
        l1_penalty: factor by which the weight's sign is added to its gradient.
        averages: whether running averages of the gradients of all weights are kept, masked ones too.
    """

    batch_size: int = 60
    optimizer: str = "adam"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    l1_penalty: float = 0.0
    averages: bool = False

    @classmethod
    def of(cls, spec: Spec) -> Self:
        """Return the settings of a spec."""
        return cls(**{each.name: getattr(spec.resolved, each.name) for each in fields(cls)})


class Engine(Protocol):
    """It computes steps and evaluations of one network on one data set; weights and masks are dicts of arrays.

    All arrays read out are exactly zero where masked. No result depends on how steps are divided into calls.

    Attributes:
        task: "classification" or "regression".
        train_indices: int32 indices of the training samples, without those held out for validation.
    """

    task: str
    train_indices: np.ndarray

    def load(self, weights: Arrays, masks: Arrays, optimizer: Arrays | None = None) -> None:
        """Put a ticket in place, with a fresh optimizer or one read out by `optimizer_state`."""
        ...

    def train(self, order: np.ndarray, rates: np.ndarray, total: float = 0.0) -> float:
        """Do one optimizer step per row of `order`.

        Args:
            order: (steps, batch size) int32 indices of training samples.
            rates: (steps,) float32 learning rates.
            total: sum of the losses of earlier steps, to which each loss is added in turn; hence the sum has the same
                bits whether the steps are done in one call or in several.

        Returns:
            The sum of the steps' losses, without penalties, and of `total`.
        """
        ...

    def gradients(self, chosen: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Differentiate a batch's loss by all weights, masked or not, in training mode; no weight is changed.

        Args:
            chosen: (batch size,) int32 indices of training samples.

        Returns:
            The mean loss, without penalties, and {path: gradient} of the prunable kernels.
        """
        ...

    def evaluate(self, part: str) -> tuple[float, float]:
        """Return mean loss and accuracy on "validation" or "test"; in a regression, R² in place of the accuracy."""
        ...

    def weights(self) -> dict[str, np.ndarray]:
        """Copy all variables that are carried from round to round: trained ones and normalisation statistics."""
        ...

    def optimizer_state(self) -> dict[str, np.ndarray]:
        """Copy the optimizer's number of steps and its slots, as ``<variable's path>/<slot>``."""
        ...
