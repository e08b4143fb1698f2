"""Optimizer steps as pure functions of tensors, with Keras's formulas and defaults.

Keras's own optimizers have no stateless form on TensorFlow: inside a compiled loop they cost a third of an iteration
more on two threads, and their slots cannot be named and masked by a variable's path. A test compares these steps with
Keras's. TensorFlow is imported inside functions, so the sparse engine shares the constants without it.
"""

from typing import TYPE_CHECKING

from ticketlab.training.engine import EngineSettings

if TYPE_CHECKING:
    import tensorflow as tf

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
AVERAGE = "average"  # slot of the running average of a kernel's gradients, with decay BETA_1; no slot of an optimizer
Slots = dict[str, "tf.Tensor"]


def slot_names(settings: EngineSettings) -> tuple[str, ...]:
    """Name the arrays that the optimizer keeps for each variable."""
    if settings.optimizer == "adam":
        return ("momentum", "velocity")
    return ("momentum",) if settings.momentum else ()


def update(
    settings: EngineSettings,
    rate: "tf.Tensor",
    step: "tf.Tensor",
    weight: "tf.Tensor",
    gradient: "tf.Tensor",
    slots: Slots,
) -> tuple["tf.Tensor", Slots]:
    """Return a variable and its slots after one step.

    Args:
        settings: optimizer and momentum.
        rate: float32 learning rate of this step.
        step: float32 number of this step since the slots were 0, from 1.
        weight: variable of any shape.
        gradient: its gradient, of the same shape.
        slots: its slots, {name: tensor of the same shape}.
    """
    if settings.optimizer == "adam":
        return adam(rate, step, weight, gradient, slots)
    return sgd(rate, settings.momentum, settings.nesterov, weight, gradient, slots)


def adam(
    rate: "tf.Tensor", step: "tf.Tensor", weight: "tf.Tensor", gradient: "tf.Tensor", slots: Slots
) -> tuple["tf.Tensor", Slots]:
    """Do a step of Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1 in the form at the end of section 2)."""
    import tensorflow as tf

    momentum = slots["momentum"] + (gradient - slots["momentum"]) * (1 - BETA_1)
    velocity = slots["velocity"] + (gradient * gradient - slots["velocity"]) * (1 - BETA_2)
    corrected = rate * tf.sqrt(1 - tf.pow(BETA_2, step)) / (1 - tf.pow(BETA_1, step))
    weight = weight - momentum * corrected / (tf.sqrt(velocity) + EPSILON)
    return weight, {"momentum": momentum, "velocity": velocity}


def sgd(
    rate: "tf.Tensor", momentum: float, nesterov: bool, weight: "tf.Tensor", gradient: "tf.Tensor", slots: Slots
) -> tuple["tf.Tensor", Slots]:
    """Do a step of SGD, with Nesterov's momentum if asked (Sutskever et al. 2013, equations 3 and 4)."""
    if not momentum:
        return weight - rate * gradient, {}
    moved = slots["momentum"] * momentum - rate * gradient
    return weight + (moved * momentum - rate * gradient if nesterov else moved), {"momentum": moved}


def penalised(settings: EngineSettings, weight: "tf.Tensor", gradient: "tf.Tensor") -> "tf.Tensor":
    """Add the gradient of the penalties ``weight_decay / 2 · |w|²`` and ``l1_penalty · |w|`` to that of the loss."""
    import tensorflow as tf

    if settings.weight_decay:
        gradient = gradient + settings.weight_decay * weight
    if settings.l1_penalty:
        gradient = gradient + settings.l1_penalty * tf.sign(weight)
    return gradient
