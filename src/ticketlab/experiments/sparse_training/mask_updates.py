"""How a sparse training changes its masks: what an update drops, grows and clears, in all layers.

This module applies the rules of drop_grow.py to all layers, weights and slots of the optimizer. It does not know
rounds, files or steps (loop.py, experiment.py).
"""

from typing import TYPE_CHECKING

import numpy as np

from ticketlab.data.dataset import batches
from ticketlab.errors import Diverged
from ticketlab.experiments.sparse_training.budgets import counts_at
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.random_streams import stream
from ticketlab.sparsity import masks, pruning
from ticketlab.sparsity.density_schedules import FRACTION_SCHEDULES
from ticketlab.sparsity.distributions import Shapes
from ticketlab.sparsity.drop_grow import exchange
from ticketlab.sparsity.masks import Arrays

if TYPE_CHECKING:
    import keras

    from ticketlab.training.engine import Engine
    from ticketlab.training.loop import Change

NORMAL_DEVIATION = 0.1  # standard deviation of new weights in Mocanu et al.'s code


class Rules:
    """The updates of a spec, in one process and for one seed.

    Args:
        spec: the experiment.
        model: the network, from whose initialisers new weights may be drawn.
        shapes: shapes of its prunable kernels by path.
        seed: seed of the replicate.
    """

    def __init__(self, spec: SparseTrainingSpec, model: "keras.Model", shapes: Shapes, seed: int) -> None:
        self._spec, self._model, self._shapes, self._seed = spec, model, shapes, seed

    def change(self, engine: "Engine", present: Arrays, iteration: int) -> "Change":
        """Make the update before an iteration; an update that needs the batch's gradients replaces the step."""
        weights = numbers(engine.weights(), iteration)
        make = self._exchange if self._spec.chosen.grow else self._prune
        return make(engine, weights, present, iteration)

    def _prune(self, engine: "Engine", weights: Arrays, present: Arrays, iteration: int) -> "Change":
        """Keep the weights of largest magnitude, in the number of the schedule."""
        from ticketlab.training.loop import Change

        scores = {path: np.abs(weights[path]) for path in present}
        kept = pruning.keep(present, scores, counts_at(self._spec, self._shapes, iteration))
        return Change(masks.apply(weights, kept), kept, cleared(engine.optimizer_state(), kept))

    def _exchange(self, engine: "Engine", weights: Arrays, present: Arrays, iteration: int) -> "Change":
        """Drop and grow in every layer (Evci et al. 2020, arXiv 1911.11134, algorithm 1; SET's is a case of it)."""
        from ticketlab.training.loop import Change

        spec, optimizer = self._spec, engine.optimizer_state()
        gradients, losses = self._gradients(engine, optimizer, iteration)
        grow, rng = spec.chosen.grow.scores, stream(self._seed, "grow", iteration)
        scores = {path: grow(weights[path], gradients.get(path), rng) for path in self._shapes}
        fraction = FRACTION_SCHEDULES[spec.fraction_schedule](spec.drop_fraction, iteration, spec.update_until)
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

    def _gradients(self, engine: "Engine", optimizer: Arrays, iteration: int) -> tuple[Arrays, tuple[float, ...]]:
        """Return the gradients that the grow rule needs, and the loss of their batch if one was used."""
        from ticketlab.training.optimizers import AVERAGE

        if self._spec.needs == "none":
            return {}, ()
        if self._spec.needs == "averages":
            return numbers({path: optimizer[f"{path}/{AVERAGE}"] for path in self._shapes}, iteration), ()
        size = self._spec.batch_size
        loss, gradients = engine.gradients(batches(engine.train_indices, size, self._seed, iteration, iteration + 1)[0])
        return numbers(gradients, iteration), (loss,)

    def _drawn(self, iteration: int) -> dict[str, np.ndarray]:
        """Draw values of new weights for all positions."""
        from ticketlab.networks import variables

        if self._spec.grown == "initialiser":
            return variables.draw(self._model, self._seed, f"grown {iteration}")
        if self._spec.grown == "zero":
            return {path: np.zeros(shape, np.float32) for path, shape in self._shapes.items()}
        rng = stream(self._seed, "grown", iteration)
        return {path: rng.normal(0, NORMAL_DEVIATION, shape).astype(np.float32) for path, shape in self._shapes.items()}


def numbers(arrays: Arrays, iteration: int) -> Arrays:
    """Return the arrays. Raises Diverged if one of them contains NaN."""
    for path, array in arrays.items():
        if np.isnan(array).any():
            raise Diverged(f"training diverged: {path} is nan before the update at iteration {iteration}")
    return arrays


def cleared(optimizer: Arrays, survivors: Arrays) -> dict[str, np.ndarray]:
    """Set the optimizer's slots to 0 except for surviving weights; averages of all gradients stay.

    >>> cleared({"steps": np.array(7), "k/momentum": np.array([2.0, 3.0])}, {"k": np.array([True, False])})
    {'steps': array(7), 'k/momentum': array([2., 0.])}
    """
    from ticketlab.training.optimizers import AVERAGE

    owners = {name: name.rpartition("/")[0] for name in optimizer if not name.endswith(f"/{AVERAGE}")}
    return {
        name: np.where(survivors[owners[name]], slot, slot.dtype.type(0)) if owners.get(name) in survivors else slot
        for name, slot in optimizer.items()
    }
