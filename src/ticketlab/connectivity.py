"""Which weights a sparse training keeps: at first, after each update, and what that costs.

Carries the rules of drop_and_grow.py over to all layers, weights and slots of the optimizer. Does not know rounds,
files or steps (training.py, sparse_training.py).
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ticketlab import densities, flops, masks, pruning
from ticketlab.dataset import batches
from ticketlab.densities import Shapes
from ticketlab.drop_and_grow import exchange
from ticketlab.errors import Diverged
from ticketlab.flops import Cost
from ticketlab.masks import Arrays
from ticketlab.options import refused
from ticketlab.schedules import drop_fraction, gradual_density
from ticketlab.sparse_spec import SparseSpec
from ticketlab.streams import stream

if TYPE_CHECKING:
    import keras

    from ticketlab.engines import Engine
    from ticketlab.training import Change

NORMAL_DEVIATION = 0.1  # of new weights; Mocanu et al.'s code


def final_counts(spec: SparseSpec, shapes: Shapes) -> dict[str, int]:
    """Count the weights that each layer keeps in the end. Raises BadInput where layers cannot hold what is asked for.

    >>> final_counts(SparseSpec(epsilon=11, dense_output=True), {"a": (784, 512), "b": (512, 128), "c": (128, 10)})
    {'a': 14256, 'b': 7040, 'c': 1280}
    """
    sizes = densities.layer_sizes(shapes)
    if not spec.chosen.options:
        return sizes
    ends = (next(iter(shapes)), spec.dense_first), (list(shapes)[-1], spec.dense_output)
    held = [path for path, dense in ends if dense]
    if spec.epsilon is None:
        spread = densities.DISTRIBUTIONS[spec.distribution](shapes, spec.density, held)
        counts = densities.layer_counts(shapes, spread, densities.kept_count(shapes, spec.density))
        if any(counts[path] < sizes[path] for path in held):
            raise refused("density", "more, for a weight in each layer beside the dense ones", spec.density)
        return counts
    spread = densities.er_of_epsilon(shapes, spec.epsilon, held)
    return {path: max(1, round(spread[path] * size)) for path, size in sizes.items()}


def counts_at(spec: SparseSpec, shapes: Shapes, iteration: int) -> dict[str, int]:
    """Count the weights that each layer keeps after the update at an iteration, if there is one."""
    final = final_counts(spec, shapes)
    sizes = densities.layer_sizes(shapes)
    if spec.method == "cut":
        return final if iteration >= spec.iterations else sizes
    if spec.method != "gradual":
        return final
    present = {path: gradual_density(final[path] / size, iteration, spec.update_until) for path, size in sizes.items()}
    return {path: max(final[path], round(present[path] * size)) for path, size in sizes.items()}


def first_masks(spec: SparseSpec, shapes: Shapes, seed: int) -> dict[str, np.ndarray]:
    """Draw what is kept at first: uniformly among all masks with these numbers of weights in each layer."""
    counts = counts_at(spec, shapes, 0)
    filled = {path: (np.arange(math.prod(shape)) < counts[path]).reshape(shape) for path, shape in shapes.items()}
    return masks.random_masks(filled, stream(seed, "first mask"))


def training_flops(
    spec: SparseSpec, costs: Mapping[str, Cost], shapes: Shapes, samples: int, start: int, stop: int
) -> float:
    """Count the operations of the iterations from `start` to `stop` (see flops.py).

    RigL needs the gradients of all weights at its updates alone. SNFS averages them in every iteration to the end, also
    after the last update, where nothing asks for them any more.

    Args:
        spec: the experiment.
        costs: of the layers by path.
        shapes: of their kernels.
        samples: for training, which make an epoch.
        start: of the iterations.
        stop: of the iterations.
    """
    dense = flops.inference(costs, densities.layer_sizes(shapes))
    updates = spec.updates(samples)
    changes = [0, *updates] if spec.chosen.begins_dense else [0]
    total, begins = 0.0, [start, *(each for each in changes if start < each < stop)]
    for begin, end in pairwise([*begins, stop]):
        update = max(each for each in changes if each <= begin)
        sparse = flops.inference(costs, counts_at(spec, shapes, update))
        by_gradient = spec.chosen.grow == "gradient"
        needing = end - begin if spec.averages else by_gradient * sum(begin <= each < end for each in updates)
        per_sample = needing * flops.all_gradients(sparse, dense) + (end - begin - needing) * flops.plain(sparse)
        total += per_sample * spec.batch_size
    return total


def paper_flops(
    spec: SparseSpec, costs: Mapping[str, Cost], shapes: Shapes, samples: int, iterations: int
) -> float | None:
    """Count the operations of so many iterations as the paper's tables do; None where that is no other number.

    Of RigL, the average of ΔT steps and an update holds throughout (Evci et al. 2020, arXiv 1911.11134, appendix H).
    """
    if spec.chosen.grow != "gradient":
        return None
    sparse, dense = (
        flops.inference(costs, counts) for counts in (final_counts(spec, shapes), densities.layer_sizes(shapes))
    )
    per_sample = flops.rigl_paper(sparse, dense, spec.update_every or samples / spec.batch_size)
    return per_sample * spec.batch_size * iterations


class Rules:
    """What a spec's updates do, in one process and for one seed.

    Args:
        spec: the experiment.
        model: the network, from whose initialisers new weights may be drawn.
        shapes: of its prunable kernels.
        seed: of the replicate.
    """

    def __init__(self, spec: SparseSpec, model: "keras.Model", shapes: Shapes, seed: int) -> None:
        self._spec, self._model, self._shapes, self._seed = spec, model, shapes, seed

    def change(self, engine: "Engine", present: Arrays, iteration: int) -> "Change":
        """Make the update before an iteration; one that needs its batch's gradients takes the place of its step."""
        weights = numbers(engine.weights(), iteration)
        make = self._exchange if self._spec.chosen.grow else self._prune
        return make(engine, weights, present, iteration)

    def _prune(self, engine: "Engine", weights: Arrays, present: Arrays, iteration: int) -> "Change":
        """Keep the weights of largest magnitude, as many as the schedule says."""
        from ticketlab.training import Change

        scores = {path: np.abs(weights[path]) for path in present}
        kept = pruning.keep(present, scores, counts_at(self._spec, self._shapes, iteration))
        return Change(masks.apply(weights, kept), kept, cleared(engine.optimizer_state(), kept))

    def _exchange(self, engine: "Engine", weights: Arrays, present: Arrays, iteration: int) -> "Change":
        """Drop and grow in every layer (Evci et al. 2020, arXiv 1911.11134, algorithm 1; SET's is a case of it)."""
        from ticketlab.training import Change

        spec, optimizer = self._spec, engine.optimizer_state()
        scores, losses = self._scores(engine, optimizer, iteration)
        fraction = drop_fraction(spec.fraction_schedule, spec.drop_fraction, iteration, spec.update_until)
        pairs = {
            path: exchange(mask, weights[path], scores[path], spec.drop, fraction, regrow=spec.regrow)
            for path, mask in present.items()
        }
        survivors = {path: survivor for path, (survivor, _) in pairs.items()}
        weights, drawn = masks.apply(weights, survivors), self._drawn(iteration)
        for path, (_, new) in pairs.items():
            weights[path] = np.where(new, drawn[path], weights[path])
        grown = {path: survivor | new for path, (survivor, new) in pairs.items()}
        return Change(weights, grown, cleared(optimizer, survivors), losses)

    def _scores(
        self, engine: "Engine", optimizer: Arrays, iteration: int
    ) -> tuple[dict[str, np.ndarray], tuple[float, ...]]:
        """Score positions for growing; and the loss of the batch, if it took one."""
        from ticketlab.optimizers import AVERAGE

        if self._spec.chosen.grow == "random":
            rng = stream(self._seed, "grow", iteration)
            return {path: rng.random(shape) for path, shape in self._shapes.items()}, ()
        if self._spec.averages:
            averages = {path: optimizer[f"{path}/{AVERAGE}"] for path in self._shapes}
            return {path: np.abs(average) for path, average in numbers(averages, iteration).items()}, ()
        size = self._spec.batch_size
        loss, gradients = engine.gradients(batches(engine.train_indices, size, self._seed, iteration, iteration + 1)[0])
        return {path: np.abs(gradient) for path, gradient in numbers(gradients, iteration).items()}, (loss,)

    def _drawn(self, iteration: int) -> dict[str, np.ndarray]:
        """Draw what new weights are, at all positions."""
        from ticketlab import variables

        if self._spec.grown == "initialiser":
            return variables.draw(self._model, self._seed, f"grown {iteration}")
        if self._spec.grown == "zero":
            return {path: np.zeros(shape, np.float32) for path, shape in self._shapes.items()}
        rng = stream(self._seed, "grown", iteration)
        return {path: rng.normal(0, NORMAL_DEVIATION, shape).astype(np.float32) for path, shape in self._shapes.items()}


def numbers(arrays: Arrays, iteration: int) -> Arrays:
    """Return the arrays. Raises Diverged where there is one that is not all numbers."""
    for path, array in arrays.items():
        if np.isnan(array).any():
            raise Diverged(f"training diverged: {path} is nan before the update at iteration {iteration}")
    return arrays


def cleared(optimizer: Arrays, survivors: Arrays) -> dict[str, np.ndarray]:
    """Set the optimizer's slots of all but the surviving weights to 0; averages of all gradients stay.

    >>> cleared({"steps": np.array(7), "k/momentum": np.array([2.0, 3.0])}, {"k": np.array([True, False])})
    {'steps': array(7), 'k/momentum': array([2., 0.])}
    """
    from ticketlab.optimizers import AVERAGE

    owners = {name: name.rpartition("/")[0] for name in optimizer if not name.endswith(f"/{AVERAGE}")}
    return {
        name: np.where(survivors[owners[name]], slot, slot.dtype.type(0)) if owners.get(name) in survivors else slot
        for name, slot in optimizer.items()
    }
