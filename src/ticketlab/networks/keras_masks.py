"""Masks for any Keras model: found by a criterion, applied to its weights, and kept while the model is trained.

A mask belongs to a kernel by its path: ``<layer>/kernel``, or ``<model or layer>/<layer>/kernel`` where layers lie in
one another. Prunable are the kernels of Dense and Conv1D/2D/3D layers and of their subclasses, wherever they lie. The
kernels of transposed, depthwise and separable convolutions and of Embedding, recurrent and attention layers are not
prunable: their axes are not (…, inputs, outputs), by which densities of layers and the papers' counts are defined.
Biases and normalisation are never pruned and never counted.

Keras is imported inside the functions, which compute with keras.ops and therefore on any of its backends.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ticketlab.errors import BadInput
from ticketlab.networks.variables import is_prunable
from ticketlab.random_streams import stream
from ticketlab.sparsity import distributions, pruning
from ticketlab.sparsity.criteria import CRITERIA, score
from ticketlab.sparsity.masks import Arrays, counts

if TYPE_CHECKING:
    import keras


def prune(
    model: "keras.Model",
    density: float | Mapping[str, float],
    *,
    criterion: str = "large_final",
    scope: str = "layer",
    distribution: str = "uniform",
    initial: Arrays | Sequence[np.ndarray] | None = None,
    masks: Arrays | None = None,
    exclude: str | Collection[str] = (),
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Find the masks under which a model keeps a given share of its prunable weights; the model stays as it is.

    Exactly ``round(density × total)`` weights are kept, in the scope "layer" at least one in every layer. Among equal
    scores the higher index stays.

    Args:
        model: any built Keras model: sequential, functional or a subclass, also with models inside models.
        density: kept / total of the prunable weights, in (0, 1]; or {path of a kernel: density} for each layer's own,
            where layers that are left out stay as they are.
        criterion: which weights stay, a name of ``ticketlab.sparsity.criteria.CRITERIA``: "large_final" (magnitude
            pruning), "large_initial", "movement", "random", … (Zhou et al. 2019, arXiv 1905.01067, table 1).
        scope: "layer" compares the scores within each layer, "global" those of all layers together.
        distribution: in the scope "layer", how the density is spread over the layers: "uniform", "er" or "erk" (Mocanu
            et al. 2018, arXiv 1707.04780; Evci et al. 2020, arXiv 1911.11134).
        initial: the weights from which training began, for criteria that compare with them: {path of a kernel: array},
            or what ``model.get_weights()`` returned then.
        masks: earlier masks, in which the new ones are nested; their density still counts all weights.
        exclude: names or paths of layers, or of models that hold them, that stay as they are and are not counted.
        seed: seed of the criterion "random".

    Returns:
        {path of a kernel: bool array of its shape}, True where a weight is kept, in the model's order; excluded layers
        are among them only if `masks` holds theirs.

    Raises:
        BadInput: if the model is not built or has nothing to prune, or an argument does not fit it.
    """
    _check_choice("criterion", criterion, CRITERIA)
    _check_choice("scope", scope, pruning.SCOPES)
    _check_choice("distribution", distribution, distributions.DISTRIBUTIONS)
    if distribution != "uniform" and (scope == "global" or isinstance(density, Mapping)):
        raise BadInput(f"`distribution` spreads one density over layers in the scope layer. Received: {distribution=}")
    if scope == "global" and isinstance(density, Mapping):
        raise BadInput("`density` must be one number in the scope global. Received: a density for each layer")
    found = kernels(model)
    earlier = _checked(found, masks or {})
    pruned = _without(found, [exclude] if isinstance(exclude, str) else exclude)
    present = {path: earlier.get(path, np.ones(kernel.shape, bool)) for path, kernel in pruned.items()}
    final = {path: _values(kernel) for path, kernel in pruned.items()}
    unknown = {path: np.full(kernel.shape, np.nan) for path, kernel in pruned.items()}
    began = unknown if initial is None else _initial(model, pruned, initial)
    scores = score(criterion, pruned, began, final, stream(seed, "pruning of a Keras model"))
    for path, values in scores.items():
        if np.isnan(values).any():
            if initial is None and not np.isnan(final[path]).any():
                said = f"`initial` must be the weights from which training began, for {criterion}"
                raise BadInput(f"{said}. Received: initial=None")
            raise BadInput(f"weights must be numbers. Received: NaN in {path}")
    return {**earlier, **pruning.keep(present, scores, _kept(present, density, scope, distribution))}


def apply_masks(model: "keras.Model", masks: Arrays) -> None:
    """Set a model's masked weights to exactly +0, once and in place; kernels without a mask stay as they are.

    Args:
        model: any built Keras model.
        masks: {path of a kernel: bool array of its shape}, as `prune` or a round's ``record.masks`` give them.

    Raises:
        BadInput: if a path is not that of a prunable kernel, or a mask has another shape or no booleans.
    """
    found = kernels(model)
    for path, mask in _checked(found, masks).items():
        found[path].assign(np.where(mask, found[path].numpy(), 0))


def keep_masks(model: "keras.Model", masks: Arrays) -> None:
    """Set a model's masked weights to exactly +0 and keep them there in all training to come.

    Each mask becomes the constraint of its kernel's variable, which every optimizer of Keras applies inside its step:
    in `fit` and `train_on_batch`, with any `steps_per_execution`, compiled or not, and in your own loops by
    ``optimizer.apply``. A constraint that the kernel already has is applied first. The moving averages (`use_ema`) of
    the optimizer that the model is compiled with are masked too. A saved model holds no masks: its masked weights are
    zeros, and Keras loads it without ticketlab. After loading or cloning, call `keep_masks` again.

    The masks replace all that were kept before, and kernels without a mask are free again: ``keep_masks(model, {})``
    frees all. A step that you compiled yourself before the first call must be compiled again. So must the step of
    another model that holds this one or its layers. Gradients of masked weights still count where an optimizer combines
    the gradients of several weights, as `clipnorm` does.

    Args:
        model: any built Keras model.
        masks: {path of a kernel: bool array of its shape}, as `prune` or a round's ``record.masks`` give them.

    Raises:
        BadInput: if a path is not that of a prunable kernel, or a mask has another shape or no booleans.
    """
    apply_masks(model, masks)
    for path, kernel in kernels(model).items():
        now = kernel.constraint
        if path not in masks:
            kernel.constraint = now.before if isinstance(now, _Masked) else now
        elif isinstance(now, _Masked) and now.model is model:
            now.mask.assign(masks[path])
        else:
            before = now.before if isinstance(now, _Masked) else now
            kernel.constraint = _Masked(model, kernel, masks[path], before)
    model.train_function = None  # a step compiled before would still use the constraints of that time


def kernels(model: "keras.Model") -> dict[str, "keras.Variable"]:
    """Return the prunable kernels by path, in the model's order; a kernel that several layers share comes once.

    Raises:
        BadInput: if there are none, if the model is not built, or if two layers have the same path.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise BadInput(f"`model` must be a Keras model. Received: an object of type {type(model).__name__}")
    if not model.built:
        raise BadInput(
            f"`model` must be built, by a call on a batch for instance. Received: {model.name}, which is not"
        )
    found: dict[str, keras.Variable] = {}
    for place, layer in _layers(model, "", set()):
        for variable in layer.variables:
            if is_prunable(layer, variable):
                path = f"{place}/{variable.name}"
                if path in found:
                    raise BadInput(
                        f"`model` must have different names for its layers. Received: two of the path {place}"
                    )
                found[path] = variable
    if not found:
        raise BadInput(f"`model` must have a Dense or Conv layer to prune. Received: {model.name}, which has none")
    return found


def weights(model: "keras.Model") -> dict[str, "keras.Variable"]:
    """Return all of a built model's weights by path, as ``model.weights`` lists them.

    Raises:
        BadInput: as in `kernels`; also if two weights have the same path.
    """
    kernels(model)
    paths: dict[int, str] = {id(variable): variable.name for variable in model.weights}
    for place, layer in _layers(model, "", set()):  # the innermost come last
        paths |= {id(variable): f"{place}/{variable.name}" for variable in layer.weights}
    found = {paths[id(variable)]: variable for variable in model.weights}
    if len(found) < len(model.weights):
        raise BadInput(
            f"`model` must have different names for its layers. Received: {model.name}, where two are the same"
        )
    return found


class _Masked:
    """The constraint of a kernel whose masked weights are kept at zero."""

    def __init__(self, model: "keras.Model", kernel: "keras.Variable", mask: np.ndarray, before: Any) -> None:
        import keras

        self.before = before
        self.model, self._kernel = model, kernel
        # a variable rather than a constant, so that a step which was compiled with one mask obeys the next
        self.mask = keras.Variable(mask, trainable=False, dtype="bool", name="mask")

    def __call__(self, weights: Any) -> Any:
        from keras import ops

        # the optimizer averages before it constrains, and `fit` finally replaces the weights by the averages
        for average in _averages(getattr(self.model, "optimizer", None), self._kernel):
            average.assign(ops.where(self.mask, average, 0))
        weights = weights if self.before is None else self.before(weights)
        return ops.where(self.mask, weights, 0)


def _averages(optimizer: Any, kernel: "keras.Variable") -> Iterator["keras.Variable"]:
    """Find the moving averages of a kernel in an optimizer, or in those that it wraps."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    for each in getattr(optimizer, "optimizers", [optimizer]):
        if getattr(each, "use_ema", False):
            pairs = zip(each._trainable_variables, each._model_variables_moving_average, strict=True)
            yield from (average for trained, average in pairs if trained is kernel)


def _layers(parent: "keras.Layer", prefix: str, seen: set[int]) -> Iterator[tuple[str, "keras.Layer"]]:
    """Go through all layers with their paths, each once, into models and layers that hold others."""
    from keras import Model

    inner = parent.layers if isinstance(parent, Model) else parent._flatten_layers(include_self=False, recursive=False)
    for layer in inner:
        if id(layer) not in seen:
            seen.add(id(layer))
            yield f"{prefix}{layer.name}", layer
            yield from _layers(layer, f"{prefix}{layer.name}/", seen)


def _kept(present: Arrays, density: float | Mapping[str, float], scope: str, distribution: str) -> dict[str, int] | int:
    """Return how many weights are kept, in each layer or in all layers together."""
    shapes, have = {path: mask.shape for path, mask in present.items()}, counts(present)
    sizes = distributions.layer_sizes(shapes)
    if isinstance(density, Mapping):
        return have | {path: _count(path, each, sizes, have) for path, each in density.items()}
    if isinstance(density, bool) or not isinstance(density, Real):
        raise BadInput(f"`density` must be a number in (0, 1]. Received: {density=}")
    kept = distributions.kept_count(shapes, density)
    if kept > sum(have.values()):
        most = sum(have.values()) / sum(sizes.values())
        raise BadInput(f"`density` must be at most the {most:.4g} of `masks`. Received: {density=}")
    if scope == "global":
        return kept
    spread = distributions.DISTRIBUTIONS[distribution](shapes, density)
    if have == sizes:
        return distributions.layer_counts(shapes, spread, kept)
    return distributions.nested_counts(have, {path: spread[path] * sizes[path] for path in sizes}, kept)


def _count(path: str, density: float, sizes: Mapping[str, int], have: Mapping[str, int]) -> int:
    """Return how many weights a layer keeps at its own density."""
    if path not in sizes:
        raise BadInput(f"`density` must name kernels that are pruned, {_listed(sizes)}. Received: {path}")
    kept = round(density * sizes[path])
    if not 1 <= kept <= have[path]:
        raise BadInput(
            f"`density` of {path} must keep 1 to {have[path]} weights. Received: {density}, which keeps {kept}"
        )
    return kept


def _without(found: "Mapping[str, keras.Variable]", excluded: Collection[str]) -> "dict[str, keras.Variable]":
    """Leave out the excluded kernels: a layer or model is named by its name or path, a kernel by its path."""
    rest = dict(found)
    for entry in excluded:
        named = [path for path in found if f"/{entry}/" in f"/{path}/"]
        if not named:
            raise BadInput(f"`exclude` must name layers with a prunable kernel, {_listed(found)}. Received: {entry}")
        rest = {path: kernel for path, kernel in rest.items() if path not in named}
    if not rest:
        raise BadInput(f"`exclude` must leave a layer to prune. Received: {', '.join(excluded)}")
    return rest


def _initial(
    model: "keras.Model", pruned: "Mapping[str, keras.Variable]", initial: Arrays | Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the initial values of the pruned kernels."""
    if not isinstance(initial, Mapping):
        if len(initial) != len(model.weights):
            wanted = f"{len(model.weights)} arrays, as model.get_weights() gives them"
            raise BadInput(f"`initial` must be {wanted}. Received: {len(initial)}")
        by_variable = {id(variable): value for variable, value in zip(model.weights, initial, strict=True)}
        initial = {path: by_variable[id(kernel)] for path, kernel in pruned.items()}
    for path, kernel in pruned.items():
        if path not in initial or np.shape(initial[path]) != kernel.shape:
            received = f"shape {np.shape(initial[path])}" if path in initial else "nothing"
            raise BadInput(f"`initial` must hold {path} of shape {kernel.shape}. Received: {received}")
    return {path: np.asarray(initial[path]) for path in pruned}


def _checked(found: "Mapping[str, keras.Variable]", given: Arrays) -> dict[str, np.ndarray]:
    """Return masks that fit the kernels, in their order. Raises BadInput."""
    for path, mask in given.items():
        if path not in found:
            raise BadInput(f"`masks` must be of prunable kernels, {_listed(found)}. Received: {path}")
        if np.shape(mask) != found[path].shape or np.asarray(mask).dtype != bool:
            received = f"{np.asarray(mask).dtype} of shape {np.shape(mask)}"
            raise BadInput(f"the mask of {path} must be bool of shape {found[path].shape}. Received: {received}")
    return {path: np.asarray(given[path]) for path in found if path in given}


def _check_choice(name: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise BadInput(f"`{name}` must be one of {', '.join(choices)}. Received: {name}={value}")


def _values(kernel: "keras.Variable") -> np.ndarray:
    """Return a kernel's weights in a number format that NumPy sorts, which bfloat16 is not."""
    values = kernel.numpy()
    return values if values.dtype == np.float64 else values.astype(np.float32)


def _listed(paths: Collection[str]) -> str:
    shown = list(paths)[:5]
    return ", ".join([*shown, *(["…"] if len(paths) > len(shown) else [])])
