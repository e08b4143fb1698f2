"""Which rounds stand for all of a run, in figures, tables and sentences: those nearest to some densities."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ticketlab.analysis.round_axis import position

SHOWN = (1, 0.51, 0.21, 0.1, 0.036, 0.001)  # densities; the last means the last round
MATCHED = SHOWN[1:5]  # whose hidden units are matched, which takes time
QUOTED = (0.51, 0.21, 0.036)
ONE = 0.21  # where there is room for one round


def chosen_rounds(rounds: pd.DataFrame, densities: Sequence[float]) -> list[int]:
    """Choose rounds to be shown: those of mean densities nearest in ratio, each once, in their order.

    Of one training, whose rounds have iterations, as many are spread evenly from the first to the last; one, if only
    one is wanted, is the last. Where a cut stands at the iteration of the round before, it is the cut that is shown.

    Args:
        rounds: table with columns round and density, and iteration if known.
        densities: densities wanted.

    >>> chosen_rounds(pd.DataFrame({"round": [0, 1, 2], "density": [1, 0.8, 0.64]}), [0.6, 0.5, 1])
    [0, 2]
    >>> training = pd.DataFrame({"round": range(7), "density": 0.1, "iteration": range(0, 70, 10)})
    >>> chosen_rounds(training, [1, 0.5, 0.1]), chosen_rounds(training, [0.5])
    ([0, 3, 6], [6])
    """
    place = position(rounds)
    means = rounds.groupby("round")[place].mean()
    if place == "iteration":
        means = means.iloc[::-1]
        wanted = np.linspace(means.max(), means.min(), len(densities))
        return sorted({int((means - each).abs().idxmin()) for each in wanted})
    means = means[means > 0]
    return sorted({int((means / density).transform(np.log).abs().idxmin()) for density in densities})
