"""Matrices and maps as colours: an array or a frame and the caller's axes in, the same axes out.

Knows colours that survive grey print as far as they can: from dark to light where 0 is the end, and from one hue over
white to another where 1 is the middle. Does not know where the numbers come from; curves: plots.py.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from ticketlab.analysis.figures.axes import decimals, written

ANNOTATED = 12  # a matrix of more rows is too dense for numbers
TICKS = 8  # of a matrix whose rows are rounds, at most
SEQUENTIAL = "cividis"
# around white; the upper end is lighter than the lower one, which tells them apart in grey
DIVERGING = LinearSegmentedColormap.from_list("around", ["#053061", "#4393c3", "#f7f7f7", "#f4a582", "#d6604d"])


def similarity_matrix(pairs: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    """Draw the similarities of every two masks as colours from 0 on, and as numbers where there is room.

    Args:
        pairs: columns a, b (names of masks) and similarity, each pair once; what is not compared stays grey.
        axes: axes to draw on.
        quantity: quantity that the colours show.
    """
    names = list(dict.fromkeys([*pairs["a"], *pairs["b"]]))
    matrix = pd.DataFrame(np.nan, names, names)
    for a, b, value in pairs[["a", "b", "similarity"]].itertuples(index=False):
        matrix.loc[a, b] = matrix.loc[b, a] = value
    low, high = min(pairs["similarity"].min(), 0), max(pairs["similarity"].max(), 0)
    image = axes.imshow(np.ma.masked_invalid(matrix), cmap=SEQUENTIAL, vmin=low, vmax=high if high > low else low + 1)
    axes.set_facecolor("lightgrey")
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.figure.colorbar(image, ax=axes, label=quantity, shrink=0.8)
    digits = decimals(pairs["similarity"].dropna())
    if len(names) <= ANNOTATED:
        for (row, column), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                colour = "black" if float(image.norm(value)) > 0.5 else "white"
                axes.text(column, row, written(value, digits), ha="center", va="center", color=colour, fontsize=5)
    return axes


def round_matrix(matrix: np.ndarray, axes: Axes, quantity: str, labels: Sequence[str]) -> Axes:
    """Draw what every two rounds have in common as colours from 0 to 1.

    Args:
        matrix: (rounds, rounds); NaN stays grey.
        axes: axes to draw on.
        quantity: quantity that both axes count.
        labels: labels of the rounds; of many, only some are written.
    """
    axes.imshow(np.ma.masked_invalid(matrix), cmap=SEQUENTIAL, vmin=0, vmax=1)
    axes.set_facecolor("lightgrey")
    shown = range(0, len(labels), -(-len(labels) // TICKS))
    for name in ("x", "y"):
        axes.set(**{f"{name}ticks": shown, f"{name}ticklabels": [labels[place] for place in shown]})
    axes.tick_params(axis="x", labelrotation=90)
    axes.set(xlabel=quantity, ylabel=quantity)
    return axes


def pixel_map(connections: np.ndarray, axes: Axes, around: float) -> Axes:
    """Draw kept weights per input pixel as an image: white at the expected number, blue below and red above it.

    Args:
        connections: (side, side).
        axes: axes to draw on.
        around: number expected for each pixel, the middle of the colours, which end at twice that.
    """
    axes.imshow(connections, cmap=DIVERGING, vmin=0, vmax=2 * around)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes
