"""Which networks are refused, and the sentence for each reason.

The engine trains the kernels, biases and normalisation of a Keras network, and carries them from round to round.
Anything else in a network (seeds, frozen layers, penalties) would be lost silently, hence it is refused.
"""

import re
import textwrap
from typing import TYPE_CHECKING, Any, NoReturn

from ticketlab.errors import BadInput
from ticketlab.networks import graph, variables

if TYPE_CHECKING:
    import keras

# layers and operations of Keras that pass on their input numbers
HAND_ON = (
    *("InputLayer", "Identity", "Reshape", "Flatten", "Permute", "Concatenate", "Stack"),
    *("Squeeze", "ExpandDims", "Transpose", "Swapaxes", "Moveaxis", "Ravel", "GetItem", "Cast"),
)

# those that give probabilities up to a factor where they take some, and nothing else for each output
SCALED = (
    *("Multiply", "Divide", "TrueDivide", "Rescaling", "Normalize", "UnitNormalization"),
    *("ReLU", "Relu", "Absolute", "Clip"),
)
MIXED = ("Add", "Average")  # those that do where all that they take are probabilities


def refuse(model: Any, input_shape: tuple[int, ...], outputs: int, *, regression: bool = False) -> None:
    """Raise BadInput with a reason unless this is a network that can be trained, pruned and reinitialised.

    Args:
        model: the object that the user's function returned.
        input_shape: shape of one sample.
        outputs: how many numbers the network must give for one sample.
        regression: whether the outputs predict the targets themselves rather than logits of classes.
    """
    _refuse_form(model)
    _refuse_shapes(model, input_shape, outputs)
    if not regression:
        _refuse_probabilities(model)
    _refuse_names(model)
    for place, layer in variables.leaves(model):
        _refuse_layer(place, layer)
    _refuse_what_is_in_no_layer(model)
    _refuse_losses(model, input_shape)
    if not variables.prunable(model):
        _unfit("have a Dense or Conv layer to prune", f"only {', '.join(layer.name for layer in model.layers)}")


def _refuse_form(model: Any) -> None:
    from keras import KerasTensor, Model

    if not isinstance(model, Model):
        _unfit("be a Sequential or functional model of Keras", f"an object of type {type(model).__name__}")
    if not getattr(model, "inputs", None):  # neither a user-defined subclass nor a model without Input has any
        _unfit(
            "be a Sequential or functional model of Keras that begins with keras.Input(input_shape)",
            f"the {type(model).__name__} {model.name} without an input shape",
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        _unfit("have one input and one output", f"{len(model.inputs)} and {len(model.outputs)}")
    # Sequential models have no `input` before their first call, and never a structure there
    ends = {"input": getattr(model, "input", model.inputs[0]), "output": model.compute_output_spec(model.inputs[0])}
    for name, end in ends.items():
        if not isinstance(end, KerasTensor):
            _unfit(f"have a tensor as its {name}, not a structure of tensors", f"a {type(end).__name__}")


def _refuse_shapes(model: "keras.Model", input_shape: tuple[int, ...], outputs: int) -> None:
    wanted, taken = (None, *input_shape), model.input_shape
    fits = isinstance(taken, tuple) and len(taken) == len(wanted)
    if not fits or any(size not in (None, asked) for size, asked in zip(taken, wanted, strict=True)):
        _unfit(f"take samples of shape {input_shape}, a batch of shape {wanted}", f"input of shape {taken}")
    if model.output_shape != (None, outputs):
        _unfit(
            f"give {outputs} output{'s' * (outputs > 1)} for a sample, a batch of shape {(None, outputs)}",
            f"output of shape {model.output_shape}",
        )


def _refuse_layer(place: str, layer: "keras.Layer") -> None:
    if layer.variables and not layer.trainable:
        _unfit("be trained as a whole", f"layer {place} is frozen")
    if getattr(layer, "activity_regularizer", None):
        _unfit("have no penalties, which training would leave out", f"layer {place} has an activity_regularizer")
    for variable in layer.variables:
        _refuse_variable(place, layer, variable)
    if layer.variables and layer.compute_dtype != "float32":
        _unfit("compute in float32", f"layer {place} computes in {layer.compute_dtype}")


def _refuse_variable(place: str, layer: "keras.Layer", variable: "keras.Variable") -> None:
    name = variable.name
    if name == "seed_generator_state":  # of Dropout, noise and augmentation
        _unfit("draw no random numbers in training, since their seed is not carried", f"layer {place}, which does")
    if variable.path != f"{layer.path}/{name}":
        inner = variable.path.removeprefix(f"{layer.path}/")
        _unfit("have its weights in layers that hold no others", f"layer {place} around {inner}")
    if not variables.travels(layer, variable):
        _unfit("have no state but weights and the statistics of BatchNormalization", f"layer {place} with {name}")
    if variable.dtype != "float32":
        _unfit("have weights in float32", f"layer {place} has {name} in {variable.dtype}")
    for extra in ("regularizer", "constraint"):
        if getattr(variable, extra) is not None:
            _unfit(f"have no {extra}s, which training would leave out", f"layer {place} has a {name}_{extra}")
    if reason := _not_drawn(layer, name):
        _unfit("have weights that its layers' initialisers can draw from a seed", f"layer {place}, {reason}")


def _not_drawn(layer: "keras.Layer", name: str) -> str | None:
    """Say why a variable cannot be reinitialised, or return None."""
    from keras import Initializer

    initialiser = getattr(layer, f"{name}_initializer", None)
    if initialiser is None:
        return f"which has no {name}_initializer"
    kind = type(initialiser)
    if not isinstance(initialiser, Initializer):
        return f"whose {name}_initializer is a {kind.__name__} and no keras.Initializer"
    try:
        settings = initialiser.get_config()
        variables.seeded(initialiser, 0)
    except Exception as error:  # a user-defined class may raise anything
        return f"whose {name}_initializer cannot be copied: {' '.join(str(error).split())}"
    if "seed" not in settings and not kind.__module__.startswith("keras."):
        # it may draw from anywhere, or the same for all replicates
        return f"whose {name}_initializer {kind.__name__} has no seed in its get_config()"
    return None


def _refuse_what_is_in_no_layer(model: "keras.Model") -> None:
    found = [id(variable) for _, layer in variables.leaves(model) for variable in layer.variables]
    if len(found) != len(set(found)):
        _unfit("use a layer in one model only", "a layer that is used both in a model and beside it")
    for variable in model.variables:
        if id(variable) not in found:
            _unfit("have its variables in its layers", f"{variable.path}")


def _refuse_probabilities(model: "keras.Model") -> None:
    """Follow what makes probabilities of logits through all that only hands them on, to the output."""
    from keras import Model

    ends: list[tuple[str, str] | None] = []  # of each call: which layer made probabilities of what it gives, and how
    for call in graph.calls(model):
        end = call.operation
        if isinstance(end, Model):  # a user-defined subclass, whose last layer is taken for its output
            end = list(variables.leaves(end))[-1][1]
        taken = [ends[source] for source in call.sources]
        kind = _squashes(end)
        ends.append((end.name, kind) if kind else _still_probabilities(call, taken))
    if ends[-1]:
        name, kind = ends[-1]
        _unfit("end in logits, without softmax or sigmoid", f"layer {name} ends it with {kind}")


def _squashes(end: Any) -> str | None:
    """Name the function by which an operation turns logits into probabilities, as layer, activation or keras.ops."""
    words = type(end).__name__, getattr(getattr(end, "activation", None), "__name__", "")
    return next((word.lower() for word in words if word.lower() in ("softmax", "sigmoid")), None)


def _still_probabilities(call: graph.Call, taken: list[tuple[str, str] | None]) -> tuple[str, str] | None:
    """Return where the probabilities come from that a call hands on as they are or up to a factor; None of others."""
    from keras import activations

    operation, kind = call.operation, type(call.operation).__name__
    if not taken or not _is_of_keras(operation):
        return None
    if kind == "Activation":
        return taken[0] if operation.activation in (activations.linear, activations.relu) else None
    if kind in HAND_ON:
        return next(filter(None, taken), None)
    if kind in MIXED:
        return taken[0] if len(taken) > 1 and all(taken) else None
    if kind in SCALED and getattr(operation, "offset", 0) == 0:
        for_each_output = [end for end, shape in zip(taken, call.taken, strict=True) if shape[-1:] == call.given[-1:]]
        return for_each_output[0] if len(for_each_output) == 1 else None
    return None


def _refuse_names(model: "keras.Model") -> None:
    """Refuse names that TensorFlow cannot use as a scope when it compiles a call."""
    from keras import layers

    called = [layer for layer in model._flatten_layers() if not isinstance(layer, layers.InputLayer)]
    for layer in called:
        begins = r"[A-Za-z0-9.]" if layer is model else ""
        if not re.fullmatch(rf"{begins}[A-Za-z0-9_.>-]*", layer.name):
            kind = "model" if layer is model else "layer"
            wish = "have names of the letters A to Z, digits and . _ - >, as TensorFlow demands"
            _unfit(f"{wish}, and begin with a letter or digit" if begins else wish, f"the {kind} {layer.name}")


def _refuse_losses(model: "keras.Model", input_shape: tuple[int, ...]) -> None:
    """Refuse layers that add to the loss; among Keras's own, only those refused before do."""
    import keras
    import numpy as np

    if all(map(_is_of_keras, model._flatten_layers())):
        return
    try:
        with keras.StatelessScope(collect_losses=True):
            model(np.zeros((1, *input_shape), np.float32), training=True)
            added = bool(model.losses)
            places = [place for place, layer in variables.leaves(model) if layer.losses]
    except Exception as error:  # a user-defined class may raise anything
        plain = re.sub(r"\x1b\[\d*m", "", str(error))  # Keras prints some of it bold
        reason = textwrap.shorten(f"{type(error).__name__}: {plain}", 300)
        _unfit("compute a sample of zeros without an error", reason)
    if added:
        _unfit("have no penalties, which training would leave out", f"{(places or [model.name])[0]} with add_loss")


def _is_of_keras(operation: Any) -> bool:
    return type(operation).__module__.startswith("keras.")


def _unfit(wish: str, received: str) -> NoReturn:
    raise BadInput(f"`network` must {wish}. Received: {received}")
