"""One function per kind of figure: a frame or an array and the caller's axes in, the same axes out.

Knows how things look: the colours of Okabe & Ito (2008), with a grey for their yellow, which colour-blind readers tell
apart, and besides them markers and line styles, which survive a black-and-white printer; densities on a log axis that
falls to the right, iterations of one training on a linear one (positions.py says which).
Touches nothing but the axes it is given: no pyplot, no global settings. Does not know where the numbers come from.
"""

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ticketlab.plot_axes import (
    AROUND,
    ITERATIONS,
    ROUND_STEPS,
    UNBOUNDED,
    described,
    end_axis,
    keep_within,
    log_axis,
    mark_below,
    round_axis,
)
from ticketlab.positions import position

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
MARKERS = "osD^vPX"  # not as many as colours, so that the two together tell 56 curves apart
DASHES = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
ORDERED = "viridis"  # for rounds, which have an order; light in print but without its yellow end
BAND_ALPHA, FEW = 0.16, 5  # bands of more than a few curves are half as strong
LOG_MARGIN = 1.5  # from the outermost mean to the end of a log axis, as a ratio
ANNOTATED = 12  # a matrix of more rows is too dense for numbers
FEWEST_DECIMALS, MOST_DECIMALS = 2, 5  # of a matrix's numbers


def over_rounds(
    curves: pd.DataFrame,
    axes: Axes,
    quantity: str,
    least: float | None = None,
    bounds: tuple[float, float] = UNBOUNDED,
) -> Axes:
    """Draw curves over the rounds, with their intervals as bands: against density, of one training against iteration.

    Args:
        curves: columns label, density, mean, half_width (NaN without interval), and, optionally, iteration, and
            reference: whether the curve is one to compare with, as what chance alone gives, drawn broken and without
            markers.
        axes: to draw on.
        quantity: what the vertical axis shows, and in which unit.
        least: the least mean that needs to be seen; open triangles at the lower edge stand for what lies below.
        bounds: between which values can lie, where bands and axis end.
    """
    marked = zip(cycle(COLOURS), cycle(MARKERS), strict=False)
    broken = zip(cycle(COLOURS[::-1]), cycle(DASHES), strict=False)
    groups, place = curves.groupby("label", sort=False), position(curves)
    for number, (label, curve) in enumerate(groups):
        curve = curve.sort_values(place, kind="stable")  # a cut comes after the round that ends at its iteration
        reference = "reference" in curve and curve["reference"].any()
        colour, shape = next(broken if reference else marked)
        style = {"linestyle": shape, "linewidth": 1.3} if reference else {"marker": shape, "markersize": 4}
        before = 3 - number / len(groups)  # the first curve, the ticket, lies over the others
        axes.plot(curve[place], curve["mean"], color=colour, label=label, zorder=before, **style)
        _band(axes, curve[place], curve, colour, BAND_ALPHA if len(groups) <= FEW else BAND_ALPHA / 2, bounds)
    end_axis(axes, curves, least)
    keep_within(axes, curves["mean"], bounds)
    mark_below(axes)
    round_axis(axes, curves)
    return _finished(axes, quantity, curves["label"].nunique() > 1)


def validation_curves(curves: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    """Draw what the evaluations saw during some rounds, on a log axis, since it all happens near the end.

    Args:
        curves: columns density, iteration, mean, half_width, and early_stop, which is true where a triangle goes.
        axes: to draw on.
        quantity: what the vertical axis shows, and in which unit.
    """
    _draw_ordered(curves, axes, "iteration", "density")
    _log_course(curves, axes)
    return _finished(axes, quantity, legend=True, title="density")


def course(curves: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    """Draw what the evaluations saw during whole trainings, one curve each, on a log axis.

    Args:
        curves: columns label, iteration, mean, half_width, and early_stop, which is true where a triangle goes.
        axes: to draw on.
        quantity: what the vertical axis shows, and in which unit.
    """
    groups = curves.groupby("label", sort=False)
    styles = zip(cycle(COLOURS), cycle(("-", *DASHES)), strict=False)
    for (label, curve), (colour, line) in zip(groups, styles, strict=False):
        axes.plot(curve["iteration"], curve["mean"], color=colour, linestyle=line, linewidth=1.3, label=label)
        _band(axes, curve["iteration"], curve, colour, BAND_ALPHA if len(groups) <= FEW else BAND_ALPHA / 2)
    _log_course(curves, axes)
    means = curves.loc[curves["mean"] > 0, "mean"]
    if len(means):  # bands may reach down to 0, which a log axis has not
        axes.set_ylim(means.min() / LOG_MARGIN, means.max() * LOG_MARGIN)
    return _finished(axes, quantity, legend=len(groups) > 1)


def against_cost(points: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    """Draw accuracies against what they cost, on a log axis, with their intervals as bars.

    Args:
        points: columns label, cost, mean, half_width, and passed: whether a training only came by there on its way to
            its end, which thin lines show, as far as they lie near the ends.
        axes: to draw on.
        quantity: what the horizontal axis shows, and in which unit.
    """
    groups, ends = points.groupby("label", sort=False), points[~points["passed"]]
    for (label, curve), colour, marker in zip(groups, cycle(COLOURS), cycle(MARKERS), strict=False):
        curve = curve[~curve["passed"]]
        bars = {"capsize": 2, "elinewidth": 0.8, "linestyle": "none", "marker": marker, "markersize": 4}
        axes.errorbar(curve["cost"], curve["mean"], curve["half_width"], color=colour, label=label, **bars)
    end_axis(axes, ends, None)
    low, high = axes.get_ylim()
    low -= (high - low) * (len(ends) < len(points))  # half the height is enough for the ends
    axes.set_ylim(low, high)
    for (_, curve), colour in zip(groups, cycle(COLOURS), strict=False):
        axes.plot(curve["cost"], curve["mean"], color=colour, linewidth=0.6, alpha=0.7, zorder=1)
    seen = points.loc[points["mean"] >= low, "cost"]
    axes.set_xlim(seen.min() / AROUND, seen.max() * AROUND)
    axes.set_xscale("log")
    log_axis(axes.xaxis)
    axes.set_xlabel(quantity)
    return _finished(axes, "test accuracy, end (%)", points["label"].nunique() > 1)


def similarity_matrix(pairs: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    """Draw the similarities of every two masks as colours, and as numbers where there is room.

    Args:
        pairs: columns a, b (names of masks) and similarity, each pair once; what is not compared stays grey.
        axes: to draw on.
        quantity: what the colours show.
    """
    names = list(dict.fromkeys([*pairs["a"], *pairs["b"]]))
    matrix = pd.DataFrame(np.nan, names, names)
    for a, b, value in pairs[["a", "b", "similarity"]].itertuples(index=False):
        matrix.loc[a, b] = matrix.loc[b, a] = value
    image = axes.imshow(np.ma.masked_invalid(matrix), cmap="cividis")
    axes.set_facecolor("lightgrey")
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.figure.colorbar(image, ax=axes, label=quantity, shrink=0.8)
    digits = _decimals(pairs["similarity"].dropna())
    if len(names) <= ANNOTATED:
        for (row, column), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                colour = "black" if image.norm(value) > 0.5 else "white"
                axes.text(column, row, f"{value:.{digits}f}", ha="center", va="center", color=colour, fontsize=5)
    return axes


def degree_distribution(counts: pd.DataFrame, axes: Axes, quantity: str, counted: str = "units") -> Axes:
    """Draw how many units have how many kept weights, beside what random masks have in expectation.

    Bars stand around their whole numbers, that of 9 from 8.5 to 9.5.

    Args:
        counts: columns left, right (degrees from left to below right), units, units_chance.
        axes: to draw on.
        quantity: the degree that the horizontal axis shows.
        counted: what has these degrees.
    """
    edges = np.array([*counts["left"], counts["right"].iloc[-1]]) - 0.5
    axes.stairs(counts["units"], edges, fill=True, color=COLOURS[5], label="masks")
    axes.stairs(counts["units_chance"], edges, color=COLOURS[1], linewidth=1.3, label="random masks, expected")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator("auto", steps=ROUND_STEPS, integer=True))
    axes.set_xlabel(quantity)
    return _finished(axes, counted, legend=True)


def pixel_map(connections: np.ndarray, axes: Axes, greatest: float) -> Axes:
    """Draw kept weights per input pixel as an image.

    Args:
        connections: (side, side).
        axes: to draw on.
        greatest: what the brightest colour stands for, so that several maps can be compared.
    """
    axes.imshow(connections, cmap="cividis", vmin=0, vmax=greatest)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def trend_curves(curves: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    """Draw means over centred squares of growing side, one curve per round, with their intervals as bands.

    Args:
        curves: columns density, side, mean, half_width, and, of one training, iteration.
        axes: to draw on.
        quantity: what the vertical axis shows, and in which unit.
    """
    place = position(curves)
    _draw_ordered(curves, axes, "side", place)
    axes.set_xlabel("side of the centred square (pixels)")
    return _finished(axes, quantity, legend=True, title=place)


def weight_histogram(counts: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    """Draw distributions of weights.

    Args:
        counts: columns label, left, right, share_per_unit; bins of one width, empty ones left out.
        axes: to draw on.
        quantity: what the horizontal axis shows.
    """
    styles = zip(cycle(COLOURS), cycle(("-", *DASHES)), strict=False)
    for (label, part), (colour, line) in zip(counts.groupby("label", sort=False), styles, strict=False):
        width = (part["right"] - part["left"]).iloc[0]
        bins = np.round(part["left"] / width).astype(int)
        heights = np.zeros(np.ptp(bins) + 1)
        heights[bins - bins.min()] = part["share_per_unit"]
        edges = (np.arange(heights.size + 1) + bins.min()) * width
        axes.stairs(heights, edges, color=colour, linestyle=line, linewidth=1.2, label=label)
    axes.set_xlabel(quantity)
    return _finished(axes, "probability density", legend=True)


def _decimals(values: pd.Series) -> int:
    """Choose the decimals that tell values apart: two significant digits of their range, of equal values of these."""
    span = (np.ptp(values) or np.abs(values).max()) if len(values) else 0
    return int(np.clip(1 - np.floor(np.log10(span)), FEWEST_DECIMALS, MOST_DECIMALS)) if span else FEWEST_DECIMALS


def _draw_ordered(curves: pd.DataFrame, axes: Axes, horizontal: str, place: str) -> None:
    """Draw a curve with its interval per round, which stands at a density or an iteration, from dark to light."""
    groups = curves.groupby(place, sort=False)
    colours = colormaps[ORDERED](np.linspace(0, 0.88, len(groups)))
    for (value, curve), colour, line in zip(groups, colours, cycle(("-", *DASHES)), strict=False):
        style = {"color": colour, "linestyle": line, "linewidth": 1.2}
        axes.plot(curve[horizontal], curve["mean"], label=described(place, value), **style)
        _band(axes, curve[horizontal], curve, colour)


def _log_course(curves: pd.DataFrame, axes: Axes) -> None:
    """Lay out axes for what evaluations saw, and mark early stops."""
    stops = curves[curves["early_stop"]]
    axes.plot(stops["iteration"], stops["mean"], "v", color="black", markersize=5, zorder=3)
    axes.set_yscale("log")
    log_axis(axes.yaxis)
    axes.set_xlabel(ITERATIONS)


def _band(
    axes: Axes,
    positions: pd.Series,
    curve: pd.DataFrame,
    colour: Any,
    alpha: float = BAND_ALPHA,
    bounds: tuple[float, float] = UNBOUNDED,
) -> None:
    low, high = ((curve["mean"] + side * curve["half_width"]).clip(*bounds) for side in (-1, 1))
    if len(curve) > 1:
        axes.fill_between(positions, low, high, color=colour, alpha=alpha, linewidth=0)
    else:  # a band of no width would not be seen
        axes.vlines(positions, low, high, color=colour, linewidth=1)


def _finished(axes: Axes, quantity: str, legend: bool, title: str | None = None) -> Axes:
    axes.set_ylabel(quantity)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(title=title, frameon=False)
    return axes
