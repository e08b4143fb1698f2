"""How many weights a sparse training keeps in each layer at an iteration, and how many operations it costs."""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.random_streams import stream
from ticketlab.runs.fields import refused
from ticketlab.sparsity import distributions, flops, masks
from ticketlab.sparsity.distributions import Shapes
from ticketlab.sparsity.flops import Cost


def final_counts(spec: SparseTrainingSpec, shapes: Shapes) -> dict[str, int]:
    """Count the weights that each layer finally keeps. Raises BadInput where the layers do not allow the density.

    >>> shapes = {"a": (784, 512), "b": (512, 128), "c": (128, 10)}
    >>> final_counts(SparseTrainingSpec(epsilon=11, dense_output=True).resolved, shapes)
    {'a': 14256, 'b': 7040, 'c': 1280}
    """
    sizes = distributions.layer_sizes(shapes)
    if spec.stays_dense:
        return sizes
    ends = (next(iter(shapes)), spec.dense_first), (list(shapes)[-1], spec.dense_output)
    held = [path for path, dense in ends if dense]
    if spec.epsilon is None:
        spread = distributions.DISTRIBUTIONS[spec.distribution](shapes, spec.density, held)
        counts = distributions.layer_counts(shapes, spread, distributions.kept_count(shapes, spec.density))
        if any(counts[path] < sizes[path] for path in held):
            raise refused("density", "more, for a weight in each layer beside the dense ones", spec.density)
        return counts
    spread = distributions.er_of_epsilon(shapes, spec.epsilon, held)
    return {path: max(1, round(spread[path] * size)) for path, size in sizes.items()}


def counts_at(spec: SparseTrainingSpec, shapes: Shapes, iteration: int) -> dict[str, int]:
    """Count the weights that each layer keeps after the update at an iteration, if there is one."""
    counts = {}
    for path, final in final_counts(spec, shapes).items():
        size = math.prod(shapes[path])
        density = spec.chosen.schedule.density(final / size, iteration, spec.update_until, spec.iterations)
        counts[path] = max(final, round(density * size))
    return counts


def first_masks(spec: SparseTrainingSpec, shapes: Shapes, seed: int) -> dict[str, np.ndarray]:
    """Draw the first masks uniformly among all with the first number of weights in each layer."""
    counts = counts_at(spec, shapes, 0)
    filled = {path: (np.arange(math.prod(shape)) < counts[path]).reshape(shape) for path, shape in shapes.items()}
    return masks.random_masks(filled, stream(seed, "first mask"))


def training_flops(
    spec: SparseTrainingSpec, costs: Mapping[str, Cost], shapes: Shapes, samples: int, start: int, stop: int
) -> float:
    """Count the operations of the iterations from `start` to `stop` (see flops.py).

    RigL needs the gradients of all weights at its updates alone. SNFS averages them in every iteration to the end, even
    after the last update, when they are no longer used.

    Args:
        spec: the experiment.
        costs: costs of the layers by path.
        shapes: shapes of their kernels by path.
        samples: number of training samples, which make an epoch.
        start: iteration at which to begin.
        stop: iteration at which to stop.
    """
    dense = flops.inference(costs, distributions.layer_sizes(shapes))
    updates = spec.updates(samples)
    changes = [0, *updates] if spec.chosen.schedule.reached else [0]  # where the number of weights changes
    total, begins = 0.0, [start, *(each for each in changes if start < each < stop)]
    for begin, end in pairwise([*begins, stop]):
        update = max(each for each in changes if each <= begin)
        sparse = flops.inference(costs, counts_at(spec, shapes, update))
        at_updates = sum(begin <= each < end for each in updates)
        needing = {"none": 0, "batch": at_updates, "averages": end - begin}[spec.needs]
        per_sample = needing * flops.all_gradients(sparse, dense) + (end - begin - needing) * flops.plain(sparse)
        total += per_sample * spec.batch_size
    return total


def paper_flops(
    spec: SparseTrainingSpec, costs: Mapping[str, Cost], shapes: Shapes, samples: int, iterations: int
) -> float | None:
    """Count the operations of some iterations as the paper's tables do; None where the count does not differ.

    For RigL, each iteration counts as the average of ΔT steps and an update (Evci et al. 2020, arXiv 1911.11134,
    appendix H).
    """
    if spec.needs != "batch":
        return None
    sparse, dense = (
        flops.inference(costs, counts) for counts in (final_counts(spec, shapes), distributions.layer_sizes(shapes))
    )
    per_sample = flops.rigl_paper(sparse, dense, spec.update_every or samples / spec.batch_size)
    return per_sample * spec.batch_size * iterations
