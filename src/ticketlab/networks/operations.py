"""Which operations are known for certain, and what each does to a network's units.

An operation is known only if its exact type and its settings are, since a user-defined class may compute anything.
Nothing is said of all others. Keras is imported inside the functions.
"""

from typing import Any

from ticketlab.networks.graph import Call

INPUT, KERNEL, RESHAPE, ELEMENTWISE, UNITWISE = "input", "kernel", "reshape", "elementwise", "unitwise"

# of keras.activations: those that look at each number by itself
FUNCTIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "hard_silu", "mish"),
    *("sigmoid", "hard_sigmoid", "log_sigmoid", "tanh", "hard_tanh", "softplus", "softsign", "exponential"),
)
OPERATIONS = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}  # of keras.ops, which have no settings
KERNELS = ("Dense", "Conv1D", "Conv2D", "Conv3D")
POOLING = tuple(
    f"{kind}Pooling{axes}D" for kind in ("Max", "Average", "GlobalMax", "GlobalAverage") for axes in (1, 2, 3)
)
PADDING = tuple(f"ZeroPadding{axes}D" for axes in (1, 2, 3))


def role(call: Call) -> str | None:
    """Tell what a call does to units, a unit being an index on the last axis.

    Returns:
        INPUT, which passes on its input; KERNEL, a prunable kernel, perhaps with an elementwise activation; RESHAPE,
        which keeps all numbers in their order; ELEMENTWISE, a function of each number by itself; UNITWISE, which does
        not mix units; or None if the call is not known to be one of these.
    """
    operation, kind = call.operation, _layer_type(call.operation)
    if getattr(operation, "compute_dtype", "float32") != "float32":
        return None
    if kind == "InputLayer":
        same = all(len(shape) == len(call.given) for shape in call.taken)
        return INPUT if same and operation.dtype == "float32" and not operation.sparse else None
    if kind == "Reshape" or (kind == "Flatten" and (_channels_last(operation) or len(call.taken[0]) <= 2)):
        return RESHAPE
    if kind in KERNELS:
        return KERNEL if _is_plain_kernel(operation, kind) and function(operation) else None
    if function(operation):
        return ELEMENTWISE
    if kind in (*POOLING, *PADDING):
        return UNITWISE if _channels_last(operation) else None
    if kind == "BatchNormalization":
        return UNITWISE if operation.axis in (-1, len(call.taken[0]) - 1) else None
    return None


def function(operation: Any) -> str | None:
    """Name the elementwise function that an operation applies, or ends in; None if no known one.

    The names are those of keras.activations; a layer whose settings have no counterpart there goes by its own name.
    """
    from keras import activations

    kind = _layer_type(operation)
    if kind in (*KERNELS, "Activation"):
        return next((name for name in FUNCTIONS if operation.activation is getattr(activations, name)), None)
    if kind == "ReLU":
        plain = (operation.max_value, operation.negative_slope, operation.threshold) == (None, 0, 0)
        return "relu" if plain else kind
    if kind == "Identity":
        return "linear"
    if kind in ("LeakyReLU", "ELU", "PReLU"):
        return kind
    if type(operation).__module__.startswith("keras.src.ops."):
        return OPERATIONS.get(type(operation).__name__)
    return None


def _layer_type(operation: Any) -> str | None:
    """Name the Keras layer that an operation is, if its class is exactly that layer's."""
    from keras import layers

    kind = type(operation).__name__
    is_one = type(operation) is getattr(layers, kind, None) and "call" not in vars(operation)
    return kind if is_one else None


def _channels_last(operation: Any) -> bool:
    return operation.data_format == "channels_last"


def _is_plain_kernel(operation: Any, kind: str) -> bool:
    """Tell whether a layer has kernel and bias alone, and each of its units sees all units before."""
    names = ["kernel", *(["bias"] if operation.use_bias else [])]
    plain = [variable.name for variable in operation.variables] == names
    return plain and (kind == "Dense" or (operation.groups == 1 and _channels_last(operation)))
