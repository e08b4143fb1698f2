"""What networks cost: floating-point operations of kept weights, as Evci et al. 2020 (arXiv 1911.11134) count them.

A multiply-add counts 2. A unit's inputs are multiplied and added up with its bias, and its activation counts 1; other
layers are left out. A training step costs three passes forward: one forward, two backward, of which one gives the
gradients of the weights (their section 4 and appendix H). Pure functions of counts; does not know networks or files.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Cost(NamedTuple):
    """What a layer costs beside its kept weights.

    Attributes:
        positions: how often each weight is used on a sample: 1 in a dense layer, the pixels of a convolution's output;
            of a layer that is called several times, in all calls together.
        outputs: numbers that the layer gives on a sample, likewise.
    """

    positions: int
    outputs: int


def inference(costs: Mapping[str, Cost], kept: Mapping[str, int]) -> int:
    """Count the operations of one sample's way forward.

    Args:
        costs: {path: cost} of the prunable layers.
        kept: {path: how many weights are kept}.

    >>> layers = {"dense_1": (784, 300), "dense_2": (300, 100), "dense_3": (100, 10)}
    >>> costs = {path: Cost(1, units) for path, (_, units) in layers.items()}
    >>> inference(costs, {path: inputs * units for path, (inputs, units) in layers.items()})
    532810
    """
    return sum(2 * kept[path] * cost.positions + cost.outputs for path, cost in costs.items())


def rigl_paper(sparse: float, dense: float, every: float) -> float:
    """Average the operations of a training step of RigL over ΔT steps and an update, per sample, as the paper does.

    (3·f_S·ΔT + 2·f_S + f_D) / (ΔT + 1). In their algorithm 1 an update stands in the place of every ΔT-th step, and
    there are none from T_end on: what a training really takes is a little less.

    Args:
        sparse: f_S, operations forward of the sparse network.
        dense: f_D, of the dense one.
        every: ΔT, iterations between updates.

    >>> rigl_paper(10, 100, 4)
    48.0
    """
    return (3 * sparse * every + 2 * sparse + dense) / (every + 1)


def all_gradients(sparse: float, dense: float) -> float:
    """Count the operations of a step that needs the gradients of all weights: an update of RigL, any step of SNFS.

    Forward and back once through the sparse network, and once more for the gradients: 2·f_S + f_D.

    >>> all_gradients(10, 100)
    120
    """
    return 2 * sparse + dense


def plain(sparse: float) -> float:
    """Count the operations of a training step that needs the gradients of kept weights alone.

    >>> plain(10)
    30
    """
    return 3 * sparse
