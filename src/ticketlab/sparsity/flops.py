"""What networks cost: floating-point operations of kept weights, as Evci et al. 2020 (arXiv 1911.11134) count them.

A unit with n kept inputs costs 2n operations, its bias included, and its activation costs 1; other layers are left out.
A training step costs as much as three forward passes: one forward and two backward, one of which gives the gradients of
the weights (their section 4 and appendix H). The functions are pure, on counts; this module knows neither networks nor
files.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Cost(NamedTuple):
    """What a layer costs beside its kept weights.

    Attributes:
        positions: how often each weight is used on a sample: once in a dense layer, once per output pixel in a
            convolution. For a layer that is called several times, all calls together.
        outputs: how many numbers the layer gives for a sample, again over all calls.
    """

    positions: int
    outputs: int


def inference(costs: Mapping[str, Cost], kept: Mapping[str, int]) -> int:
    """Count the operations of one sample's forward pass.

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

    The average is (3·f_S·ΔT + 2·f_S + f_D) / (ΔT + 1). In the paper's algorithm 1 an update takes the place of every
    ΔT-th step, and no update follows T_end, so a training takes slightly less.

    Args:
        sparse: f_S, operations of the sparse network's forward pass.
        dense: f_D, operations of the dense network's forward pass.
        every: ΔT, number of iterations between updates.

    >>> rigl_paper(10, 100, 4)
    48.0
    """
    return (3 * sparse * every + 2 * sparse + dense) / (every + 1)


def all_gradients(sparse: float, dense: float) -> float:
    """Count the operations of a step that needs the gradients of all weights: an update of RigL, any step of SNFS.

    The sparse network takes one pass forward and one back; the gradients take a dense pass: 2·f_S + f_D.

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
