"""Distributions as histograms: a frame and the caller's axes in, the same axes out. Curves: plots.py."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ticketlab.analysis.figures.axes import ROUND_STEPS, finished
from ticketlab.analysis.figures.styles import Styles, in_order


def degree_distribution(
    counts: pd.DataFrame, axes: Axes, quantity: str, *, counted: str = "units", styles: Styles | None = None
) -> Axes:
    """Draw how many units have how many kept weights: the first label as bars, what is compared with it as a line.

    Bars stand around their whole numbers, that of 9 from 8.5 to 9.5.

    Args:
        counts: columns label, left, right (degrees from left to below right), units.
        axes: axes to draw on.
        quantity: the degree that the horizontal axis shows.
        counted: name of the units that have these degrees.
        styles: styles of the labels; in their order if left out.
    """
    styles = styles or in_order(counts["label"])
    for number, (label, bins) in enumerate(counts.groupby("label", sort=False)):
        edges = np.array([*bins["left"], bins["right"].iloc[-1]]) - 0.5
        looks = {"linewidth": 1.3} if number else {"fill": True, "alpha": 0.6}
        axes.stairs(bins["units"], edges, color=styles[label].colour, label=label, **looks)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator("auto", steps=ROUND_STEPS, integer=True))
    axes.set_xlabel(quantity)
    return finished(axes, counted, legend=True)


def weight_histogram(counts: pd.DataFrame, axes: Axes, quantity: str, *, styles: Styles | None = None) -> Axes:
    """Draw distributions of weights.

    Args:
        counts: columns label, left, right, share_per_unit; bins of one width, empty ones left out.
        axes: axes to draw on.
        quantity: quantity of the horizontal axis.
        styles: styles of the labels; in their order if left out.
    """
    styles = styles or in_order(counts["label"])
    for label, part in counts.groupby("label", sort=False):
        width = (part["right"] - part["left"]).iloc[0]
        bins = np.round(part["left"] / width).astype(int)
        heights = np.zeros(np.ptp(bins) + 1)
        heights[bins - bins.min()] = part["share_per_unit"]
        edges = (np.arange(heights.size + 1) + bins.min()) * width
        style = styles[label]
        axes.stairs(heights, edges, color=style.colour, linestyle=style.dash, linewidth=1.2, label=label)
    axes.set_xlabel(quantity)
    return finished(axes, "probability density", legend=True)
