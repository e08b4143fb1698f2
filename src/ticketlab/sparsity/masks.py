"""Masks as plain dicts from variable path to boolean array: True where a weight is kept.

This module counts, applies, combines and draws masks. It does not know how a mask is found (pruning.py).
"""

from collections.abc import Iterable, Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]


def all_kept(weights: Arrays, paths: Iterable[str]) -> dict[str, np.ndarray]:
    """Make the dense masks of the variables named by `paths`."""
    return {path: np.ones(weights[path].shape, bool) for path in paths}


def counts(masks: Arrays) -> dict[str, int]:
    """Count the kept weights of each layer.

    >>> counts({"a": np.array([True, False]), "b": np.array([[True]])})
    {'a': 1, 'b': 1}
    """
    return {path: int(np.count_nonzero(mask)) for path, mask in masks.items()}


def kept(masks: Arrays) -> int:
    """Count the kept weights of all layers.

    >>> kept({"a": np.array([True, False]), "b": np.array([[True]])})
    2
    """
    return sum(counts(masks).values())


def total(masks: Arrays) -> int:
    """Count the prunable weights of all layers, kept or not."""
    return sum(mask.size for mask in masks.values())


def density(masks: Arrays) -> float:
    """Return kept / total over all layers.

    >>> density({"a": np.array([True, False]), "b": np.array([[True, False]])})
    0.5
    """
    return kept(masks) / total(masks)


def apply(weights: Arrays, masks: Arrays) -> dict[str, np.ndarray]:
    """Set masked weights to +0; variables without a mask (biases) stay as they are.

    >>> apply({"k": np.array([1.0, -2.0]), "b": np.array([3.0])}, {"k": np.array([True, False])})
    {'k': array([1., 0.]), 'b': array([3.])}
    """
    return {
        path: np.where(masks[path], value, value.dtype.type(0)) if path in masks else value
        for path, value in weights.items()
    }


def intersect(first: Arrays, second: Arrays) -> dict[str, np.ndarray]:
    """Keep the weights that both masks keep. Raises ValueError where paths or shapes differ.

    >>> intersect({"a": np.array([True, True])}, {"a": np.array([True, False])})
    {'a': array([ True, False])}
    """
    shapes = [{path: mask.shape for path, mask in masks.items()} for masks in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"masks must have equal paths and shapes. Received: {shapes[0]} and {shapes[1]}")
    return {path: first[path] & second[path] for path in first}


def random_masks(like: Arrays, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw masks uniformly among those with as many kept weights in each layer as `like`.

    >>> masks = {"a": np.array([True, True, False, False, False])}
    >>> kept(random_masks(masks, np.random.default_rng(0)))
    2
    """
    return {path: rng.permutation(mask.ravel()).reshape(mask.shape) for path, mask in like.items()}
