"""What an engine is: it trains and evaluates one network on one data set. The protocol, and the settings of one.

Knows neither TensorFlow nor numba, nor when what is computed (loop.py).
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
    """What an engine needs of a spec: two specs with the same settings can share one.

    Attributes:
        batch_size: samples of one step.
        optimizer: "adam" or "sgd".
        momentum: of SGD.
        nesterov: whether SGD's momentum is Nesterov's.
        weight_decay: so many times a kernel's weight is added to its gradient.
        l1_penalty: the same with the weight's sign.
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
    """What computes steps and evaluations of one network on one data set; weights and masks go in and out as arrays.

    Whatever is read out is exactly zero where masked. No result depends on how steps are cut into calls.

    Attributes:
        task: "classification" or "regression".
        train_indices: int32 indices of the training samples, those for validation left out.
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
            total: the sum of the losses of the steps before, to which each loss is added in turn: so the sum has the
                same bits whether the steps are done in one call or in several.

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
        """Return mean loss and accuracy on "validation" or "test"; of a regression, R² in place of the accuracy."""
        ...

    def weights(self) -> dict[str, np.ndarray]:
        """Copy out all that travels from round to round: trained variables and normalisation statistics."""
        ...

    def optimizer_state(self) -> dict[str, np.ndarray]:
        """Copy out the optimizer's number of steps and its slots, as ``<variable's path>/<slot>``."""
        ...
