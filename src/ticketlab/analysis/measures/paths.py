"""Paths from input to output through kept weights: how layers chain, which units and weights lie on a path.

A unit is a unit of a dense layer or a channel of a convolution, whatever the position. Knows masks alone: biases do not
count, so a unit that no path reaches still sends the constant relu(bias) on, and one may carry a bias that no
weight reads. Knows no shortcuts either: a network in which layers of equal width are added together looks like a chain,
so that its files must say that it is none.
"""

from itertools import pairwise

import numpy as np

from ticketlab.sparsity.masks import Arrays


def connections(masks: Arrays, chain: bool = True) -> dict[str, np.ndarray]:
    """View each mask as (positions, units in, units out), so that dense layers and convolutions read the same.

    Positions are those of a convolution's window. After a convolution, the inputs of a dense layer are the flattened
    positions × channels, channel fastest: its units in are the channels.

    Args:
        masks: {path: bool array} in the network's order; kernels are (in, out) or (..., in, out).
        chain: whether each layer takes what the one before it gives; else none is known to take a flattened image.

    >>> masks = {"conv_1/kernel": np.ones((3, 3, 1, 8), bool), "dense_1/kernel": np.ones((32, 10), bool)}
    >>> {path: layer.shape for path, layer in connections(masks).items()}
    {'conv_1/kernel': (9, 1, 8), 'dense_1/kernel': (4, 8, 10)}
    """
    layers, before = {}, None
    for path, mask in masks.items():
        inputs, outputs = mask.shape[-2:]
        if chain and before is not None and before.ndim > 2 and mask.ndim == 2 and inputs % before.shape[-1] == 0:
            inputs = before.shape[-1]
        layers[path], before = mask.reshape(-1, inputs, outputs), mask
    return layers


def chained(masks: Arrays) -> bool:
    """Tell whether each layer's units in are the units out of the layer before.

    >>> chained({"a": np.ones((4, 3), bool), "b": np.ones((3, 2), bool)})
    True
    >>> chained({"a": np.ones((4, 3), bool), "b": np.ones((4, 2), bool)})
    False
    """
    return all(before.shape[2] == after.shape[1] for before, after in pairwise(connections(masks).values()))


def way_in(masks: Arrays) -> dict[str, np.ndarray]:
    """Find the units that a path of kept weights from some input reaches.

    Returns:
        {path: bool array, one per unit out of the layer}

    Raises:
        ValueError: if the layers do not chain.

    >>> way_in({"a": np.array([[True, False]]), "b": np.array([[False], [True]])})
    {'a': array([ True, False]), 'b': array([False])}
    """
    ways, reached = {}, None
    for path, pairs in _pairs(masks).items():
        reached = (pairs if reached is None else pairs[reached]).any(axis=0)
        ways[path] = reached
    return ways


def way_out(masks: Arrays) -> dict[str, np.ndarray]:
    """Find the units from which a path of kept weights reaches some output; the outputs themselves all do.

    Returns:
        {path: bool array, one per unit out of the layer}

    Raises:
        ValueError: if the layers do not chain.

    >>> way_out({"a": np.array([[True, False]]), "b": np.array([[False], [True]])})
    {'a': array([False,  True]), 'b': array([ True])}
    """
    pairs = _pairs(masks)
    ways, after = {}, None
    for path in reversed(pairs):
        outputs = pairs[path].shape[1]
        ways[path] = np.ones(outputs, bool) if after is None else pairs[after][:, ways[after]].any(axis=1)
        after = path
    return {path: ways[path] for path in pairs}


def on_path(masks: Arrays) -> dict[str, np.ndarray]:
    """Keep only the weights on at least one path from input to output; the density of these is the effective density.

    Raises:
        ValueError: if the layers do not chain.

    >>> on_path({"a": np.array([[True, True]]), "b": np.array([[True], [False]])})
    {'a': array([[ True, False]]), 'b': array([[ True], [False]])}
    """
    reached, reaching = way_in(masks), way_out(masks)
    kept, before = {}, None
    for path, layer in connections(masks).items():
        useful = layer & reaching[path]
        if before is not None:
            useful &= reached[before][:, np.newaxis]
        kept[path], before = useful.reshape(masks[path].shape), path
    return kept


def _pairs(masks: Arrays) -> dict[str, np.ndarray]:
    """Tell for each unit in and unit out whether any kept weight connects them."""
    if not chained(masks):
        shapes = ", ".join(f"{path} {mask.shape}" for path, mask in masks.items())
        raise ValueError(f"layers must chain, each layer's outputs the next one's inputs. Received: {shapes}")
    return {path: np.logical_or.reduce(layer, axis=0) for path, layer in connections(masks).items()}
