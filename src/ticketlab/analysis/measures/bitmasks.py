"""Masks of many rounds, bit-packed: 33 kB each for LeNet-300-100, whose weights take 1 MB.

This module knows to which round a mask belongs, which masks form pairs, and how many positions both masks of a pair
keep. It does not know where masks come from, nor measures of similarity (mask_similarity.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np

from ticketlab.errors import BadInput
from ticketlab.sparsity.masks import Arrays

BLOCK_BYTES = 96 * 1024  # of packed pairs at a time: stays in the cache, and below what the C library maps anew

Shapes = Mapping[str, tuple[int, ...]]


class MaskKey(NamedTuple):
    """The run, seed and round of a mask."""

    run: str
    seed: int
    round: int

    def __str__(self) -> str:
        return f"{self.run} seed {self.seed} round {self.round}"


@dataclass(frozen=True)
class PackedMasks:
    """Masks of one network, eight positions to the byte.

    Args:
        keys: run, seed and round of each mask.
        shapes: {path: shape}, in the network's order.
        degrees: {path: kept weights of each row, integers of shape (masks, rows)}; a row holds the weights that leave
            one input unit (in a convolution, one channel at one position of the kernel).
        words: {path: uint64 of shape (masks, words)}; unused bits are 0.
    """

    keys: list[MaskKey]
    shapes: Shapes
    degrees: Mapping[str, np.ndarray]
    words: Mapping[str, np.ndarray]

    @property
    def kept(self) -> np.ndarray:
        """Kept weights, integers of shape (masks, layers)."""
        return np.stack([degrees.sum(axis=1) for degrees in self.degrees.values()], axis=1)

    @property
    def sizes(self) -> np.ndarray:
        """Positions of each layer, kept or not."""
        return np.array([prod(shape) for shape in self.shapes.values()])

    def masks(self, index: int) -> dict[str, np.ndarray]:
        """Unpack one mask, {path: bool array}."""
        return {
            path: np.unpackbits(self.words[path][index].view(np.uint8), count=prod(shape)).view(bool).reshape(shape)
            for path, shape in self.shapes.items()
        }

    def both(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Count the positions that both masks of each pair keep.

        Args:
            first: indices of the pairs' first masks.
            second: indices of their second masks, as many.

        Returns:
            int64 of shape (pairs, layers)
        """
        counts = np.empty((len(first), len(self.words)), np.int64)
        for layer, words in enumerate(self.words.values()):
            step = max(1, BLOCK_BYTES // words[0].nbytes)
            for start in range(0, len(first), step):
                block = slice(start, start + step)
                counts[block, layer] = np.bitwise_count(words[first[block]] & words[second[block]]).sum(axis=1)
        return counts


def pack(masks_by_key: Iterable[tuple[MaskKey, Arrays]]) -> PackedMasks:
    """Pack masks one after the other, so that few of a generator's masks are in memory at once.

    Args:
        masks_by_key: pairs of a key and {path: bool array}.

    Raises:
        BadInput: if there are no masks, or two belong to different networks; it names the first layer that differs.

    >>> masks = {"dense_1/kernel": np.eye(3, dtype=bool)}
    >>> packed = pack([(MaskKey("run", 0, 1), masks), (MaskKey("run", 1, 1), masks)])
    >>> packed.both(np.array([0]), np.array([1]))
    array([[3]])
    """
    keys: list[MaskKey] = []
    words: dict[str, list[np.ndarray]] = {}
    degrees: dict[str, list[np.ndarray]] = {}
    shapes: Shapes = {}
    for key, masks in masks_by_key:
        received = {path: mask.shape for path, mask in masks.items()}
        shapes = shapes or received
        require_same_network(shapes, received, str(keys[0] if keys else key), str(key))
        keys.append(key)
        for path in shapes:
            words.setdefault(path, []).append(_words(masks[path]))
            degrees.setdefault(path, []).append(np.count_nonzero(masks[path], axis=-1).ravel())
    if not keys:
        raise BadInput("there are no masks to compare")
    stacked = ({path: np.stack(rows) for path, rows in each.items()} for each in (degrees, words))
    return PackedMasks(keys, shapes, *stacked)


def joined(parts: Sequence[PackedMasks]) -> PackedMasks:
    """Put packed masks of one network together, one part after the other.

    Raises:
        BadInput: if there are no parts, or two belong to different networks; it names the first layer that differs.
    """
    if not parts:
        raise BadInput("there are no masks to compare")
    first = parts[0]
    for each in parts:
        require_same_network(first.shapes, each.shapes, str(first.keys[0]), str(each.keys[0]))
    keys = [key for each in parts for key in each.keys]
    degrees, words = (
        {path: np.concatenate([getattr(each, name)[path] for each in parts]) for path in first.shapes}
        for name in ("degrees", "words")
    )
    return PackedMasks(keys, first.shapes, degrees, words)


def require_same_network(first: Shapes, second: Shapes, first_name: str, second_name: str) -> None:
    """Raise BadInput, naming both shapes of the first layer that differs, if there is one."""
    for path in [*first, *second]:
        if first.get(path) != second.get(path):
            shapes = [f"{path} {each.get(path, 'missing')}" for each in (first, second)]
            raise BadInput(
                "masks must be of one network to be compared. "
                f"Received: {shapes[0]} in {first_name}, {shapes[1]} in {second_name}"
            )


def pairs(keys: Sequence[MaskKey], equal: Sequence[str], differ: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Choose the pairs whose keys agree in `equal` and not in `differ`, the earlier mask first.

    Seeds at equal round: ``equal=("run", "round")``. Rounds within a seed: ``equal=("run", "seed")``. Runs at equal
    round, every seed with every seed: ``equal=("round",), differ=("run",)``.

    Returns:
        The indices of the pairs' first masks and of their second masks.

    >>> keys = [MaskKey("run", seed, round) for seed in (0, 1) for round in (0, 1)]
    >>> pairs(keys, equal=("run", "round"))
    (array([0, 1]), array([2, 3]))
    """
    first, second = np.triu_indices(len(keys), 1)
    for name in (*equal, *differ):
        values = np.array([getattr(key, name) for key in keys])
        chosen = (values[first] == values[second]) == (name in equal)
        first, second = first[chosen], second[chosen]
    return first, second


def _words(mask: np.ndarray) -> np.ndarray:
    packed = np.packbits(mask, axis=None)
    return np.pad(packed, (0, -len(packed) % 8)).view(np.uint64)
