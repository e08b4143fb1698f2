"""One function per kind of figure: a frame or an array and the caller's axes in, the same axes out.

Knows how things look: the colours of Okabe & Ito (2008), with a grey for their yellow, which colour-blind readers tell
apart, and besides them markers and line styles, which survive a black-and-white printer; densities on a log axis that
falls to the right.
Touches nothing but the axes it is given: no pyplot, no global settings. Does not know where the numbers come from.
"""

from collections import Counter
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
MARKERS = "osD^vPX"  # not as many as colours, so that the two together tell 56 curves apart
DASHES = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
TICKS = [tick / 10**power for power in range(5) for tick in (10, 5, 2)]
UNBOUNDED = (-np.inf, np.inf)
FEWEST_TICKS, ROUND_STEPS = 3, (1, 2, 5, 10)
AROUND = 1.15  # from the outermost density to the axis's end, as a ratio
ORDERED = "viridis"  # for rounds, which have an order; light in print but without its yellow end
BAND_ALPHA, FEW = 0.16, 5  # bands of more than a few curves are half as strong
WIDE = 4  # times the median band, and more than this part of the curves' range: such bands may leave the axes
ANNOTATED = 12  # a matrix of more rows is too dense for numbers
FEWEST_DECIMALS, MOST_DECIMALS = 2, 5  # of a matrix's numbers


def against_density(
    curves: pd.DataFrame,
    axes: Axes,
    quantity: str,
    least: float | None = None,
    bounds: tuple[float, float] = UNBOUNDED,
) -> Axes:
    """Draw curves over density, with their intervals as bands.

    Args:
        curves: columns label, density, mean, half_width (NaN without interval), and, optionally, reference: whether the
            curve is one to compare with, as what chance alone gives, drawn broken and without markers.
        axes: to draw on.
        quantity: what the vertical axis shows, and in which unit.
        least: the least mean that needs to be seen; open triangles at the lower edge stand for what lies below.
        bounds: between which values can lie, where bands and axis end.
    """
    marked = zip(cycle(COLOURS), cycle(MARKERS), strict=False)
    broken = zip(cycle(COLOURS[::-1]), cycle(DASHES), strict=False)
    groups = curves.groupby("label", sort=False)
    for number, (label, curve) in enumerate(groups):
        curve = curve.sort_values("density")
        reference = "reference" in curve and curve["reference"].any()
        colour, shape = next(broken if reference else marked)
        style = {"linestyle": shape, "linewidth": 1.3} if reference else {"marker": shape, "markersize": 4}
        before = 3 - number / len(groups)  # the first curve, the ticket, lies over the others
        axes.plot(curve["density"], curve["mean"], color=colour, label=label, zorder=before, **style)
        _band(axes, curve["density"], curve, colour, BAND_ALPHA if len(groups) <= FEW else BAND_ALPHA / 2, bounds)
    _end_axis(axes, curves, least)
    _keep_within(axes, curves["mean"], bounds)
    _mark_below(axes)
    _density_axis(axes, curves["density"])
    return _finished(axes, quantity, curves["label"].nunique() > 1)


def validation_curves(curves: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    """Draw what the evaluations saw during some rounds, on a log axis, since it all happens near the end.

    Args:
        curves: columns density, iteration, mean, half_width, and early_stop, which is true where a triangle goes.
        axes: to draw on.
        quantity: what the vertical axis shows, and in which unit.
    """
    _draw_ordered(curves, axes, "iteration")
    stops = curves[curves["early_stop"]]
    axes.plot(stops["iteration"], stops["mean"], "v", color="black", markersize=5, zorder=3)
    axes.set_yscale("log")
    for axis_ticks in (axes.yaxis.set_major_locator, axes.yaxis.set_minor_locator):
        axis_ticks(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("iteration (optimizer steps)")
    return _finished(axes, quantity, legend=True, title="density")


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
    """Draw means over centred squares of growing side, one curve per density, with their intervals as bands.

    Args:
        curves: columns density, side, mean, half_width.
        axes: to draw on.
        quantity: what the vertical axis shows, and in which unit.
    """
    _draw_ordered(curves, axes, "side")
    axes.set_xlabel("side of the centred square (pixels)")
    return _finished(axes, quantity, legend=True, title="density")


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


def _draw_ordered(curves: pd.DataFrame, axes: Axes, position: str) -> None:
    """Draw a curve with its interval per density, from dark to light."""
    groups = curves.groupby("density", sort=False)
    colours = colormaps[ORDERED](np.linspace(0, 0.88, len(groups)))
    for (density, curve), colour, line in zip(groups, colours, cycle(("-", *DASHES)), strict=False):
        axes.plot(curve[position], curve["mean"], color=colour, linestyle=line, linewidth=1.2, label=_density(density))
        _band(axes, curve[position], curve, colour)


def _band(
    axes: Axes,
    positions: pd.Series,
    curve: pd.DataFrame,
    colour: Any,
    alpha: float = BAND_ALPHA,
    bounds: tuple[float, float] = UNBOUNDED,
) -> None:
    low, high = ((curve["mean"] + side * curve["half_width"]).clip(*bounds) for side in (-1, 1))
    axes.fill_between(positions, low, high, color=colour, alpha=alpha, linewidth=0)


def _end_axis(axes: Axes, curves: pd.DataFrame, least: float | None) -> None:
    """End the vertical axis below the least mean to be seen, and before single wide bands, as of two seeds."""
    seen = curves if least is None else curves[curves["mean"] >= least]
    bands = seen["half_width"].fillna(0)
    widest = max(WIDE * bands.median(), np.ptp(seen["mean"]) / WIDE)
    if least is None and (bands <= widest).all():
        return
    bands = bands.clip(upper=widest)
    low, high = (seen["mean"] - bands).min(), (seen["mean"] + bands).max()
    margin = 0.05 * (high - low)
    axes.set_ylim(low - margin, high + margin)


def _keep_within(axes: Axes, means: pd.Series, bounds: tuple[float, float]) -> None:
    """End the vertical axis where values end, begin it there if all are the same; count in whole steps."""
    (low, high), (least, greatest) = axes.get_ylim(), bounds
    if np.isfinite(least) and np.ptp(means) == 0:
        low, high = least, high if means.max() > least else least + 1
    low, high = max(low, least), min(high, greatest)
    axes.set_ylim(low, high)
    if (means % 1 == 0).all():
        axes.yaxis.set_major_locator(MaxNLocator("auto", steps=ROUND_STEPS, integer=True))
    for line in axes.lines:
        line.set_clip_on(not low <= np.min(line.get_ydata()) <= np.max(line.get_ydata()) <= high)  # markers stay whole


def _mark_below(axes: Axes) -> None:
    """Let open triangles stand for what lies below the axis, one curve's over another's."""
    stacked: Counter[float] = Counter()
    bottom = axes.get_ylim()[0]
    for line in list(axes.lines):
        for position, value in line.get_xydata():
            if value < bottom:
                height = 0.025 + 0.04 * stacked[position]
                stacked[position] += 1
                mark = {"marker": "v", "markersize": 4, "linestyle": "none", "zorder": 4}
                mark |= {"markerfacecolor": "none", "markeredgecolor": line.get_color()}
                axes.plot([position], [height], transform=axes.get_xaxis_transform(), **mark)


def _density_axis(axes: Axes, densities: pd.Series) -> None:
    axes.set_xscale("log")
    lowest, highest = densities.min(), densities.max()
    axes.set_xticks(_density_ticks(lowest, highest))
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(lambda value, _: _density(value))
    axes.set_xlim(highest * AROUND, lowest / AROUND)
    axes.set_xlabel("density (share of weights kept)")


def _density_ticks(lowest: float, highest: float) -> list[float]:
    """Choose 1, .5, .2 and so on, or, where too few of these lie between the densities, equal round steps."""
    ticks = [tick for tick in TICKS if lowest * 0.99 <= tick <= highest * 1.01]
    if len(ticks) >= FEWEST_TICKS:
        return ticks
    low, high = lowest / AROUND, min(highest * AROUND, max(highest, 1))
    for most in range(4, 10):
        steps = MaxNLocator(most, steps=ROUND_STEPS, min_n_ticks=FEWEST_TICKS).tick_values(low, high)
        ticks = [tick for tick in steps if low <= tick <= high * 1.001]
        if len(ticks) >= FEWEST_TICKS:
            break
    return ticks


def _finished(axes: Axes, quantity: str, legend: bool, title: str | None = None) -> Axes:
    axes.set_ylabel(quantity)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(title=title, frameon=False)
    return axes


def _density(value: float) -> str:
    return f"{value:.2g}"
