"""Time and memory of all pairs of 200 LeNet-300-100 masks on one core, beside a plain NumPy loop over the pairs.

Every measure, overall and for each layer. The aim: under 5 s and 500 MB.
"""

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))  # before NumPy

import resource
import time

import numpy as np

from ticketlab.analysis.measures.bitmasks import MaskKey, pack
from ticketlab.analysis.measures.mask_similarity import compare, similarities

MASKS, LOOP_PAIRS = 200, 1000
SHAPES = {"dense_1/kernel": (784, 300), "dense_2/kernel": (300, 100), "dense_3/kernel": (100, 10)}


def draw(seed: int) -> dict[str, np.ndarray]:
    """Draw masks of density .2."""
    rng = np.random.default_rng(seed)
    return {path: rng.random(shape, dtype=np.float32) < 0.2 for path, shape in SHAPES.items()}


def plain_loop(masks: list[dict[str, np.ndarray]], first: np.ndarray, second: np.ndarray) -> None:
    """Count on boolean arrays, pair by pair; the measures come from all counts at once, as in ticketlab."""
    counts = np.array(
        [
            [
                [np.count_nonzero(a & b), np.count_nonzero(a), np.count_nonzero(b), a.size]
                for a, b in ((masks[i][path], masks[j][path]) for path in SHAPES)
            ]
            for i, j in zip(first, second, strict=True)
        ]
    )
    similarities(*np.concatenate([counts.sum(axis=1, keepdims=True), counts], axis=1).T)


def seconds(function, *arguments) -> float:
    """Measure one call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def peak_megabytes() -> float:
    """Return the greatest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    imported = peak_megabytes()
    start = time.perf_counter()
    packed = pack((MaskKey("run", seed, 0), draw(seed)) for seed in range(MASKS))
    packing = time.perf_counter() - start
    first, second = np.triu_indices(MASKS, 1)
    comparing = min(seconds(compare, packed, first, second) for _ in range(3))
    peak = peak_megabytes()
    chosen = np.random.default_rng(0).choice(len(first), LOOP_PAIRS, replace=False)
    masks = [packed.masks(index) for index in range(MASKS)]
    loop = seconds(plain_loop, masks, first[chosen], second[chosen]) * len(first) / LOOP_PAIRS
    print(
        f"{MASKS} masks of {packed.sizes.sum():,} weights, {len(first):,} pairs, every measure, overall and per layer"
    )
    print(f"drawing and packing   {packing:7.2f} s")
    print(f"all pairs             {comparing:7.2f} s   best of 3")
    print(f"peak memory           {peak:7.0f} MB  of which {imported:.0f} MB after the imports")
    print(f"plain loop            {loop:7.2f} s   scaled from {LOOP_PAIRS} pairs: {loop / comparing:.0f} times slower")
