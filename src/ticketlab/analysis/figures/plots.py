"""One function per kind of curve: a frame and the caller's axes in, the same axes out.

Knows how curves are drawn: densities on a log axis that falls to the right, iterations of one training on a linear one
(round_axis.py says which); means with their bands, single seeds thin. Which colour belongs to which label, styles.py
knows and the caller hands over. Touches nothing but the axes it is given: no pyplot, no global settings. Does not know
where the numbers come from. Distributions: distributions.py; matrices and maps: matrices.py.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import Transform, offset_copy

from ticketlab.analysis.figures.axes import (
    AROUND,
    ITERATIONS,
    UNBOUNDED,
    end_axis,
    finished,
    keep_within,
    log_axis,
    mark_beyond,
    round_axis,
)
from ticketlab.analysis.figures.styles import Style, Styles, in_order
from ticketlab.analysis.round_axis import position

BAND_ALPHA, FEW = 0.16, 5  # bands of more than a few curves are half as strong
SINGLE = {"linewidth": 0.6, "alpha": 0.6, "zorder": 1}  # lines of single seeds
LOG_MARGIN = 1.15  # from the outermost mean to the end of a log axis, as a ratio
ZOOM = 2  # a log axis over iterations ends at so many times the highest of the curves' ends and minima
BESIDE = 5  # points from one bar to the next
MARKED = 8  # markers along a curve of many evaluations


def over_rounds(
    curves: pd.DataFrame,
    axes: Axes,
    quantity: str,
    *,
    styles: Styles | None = None,
    sight: tuple[float, float] = UNBOUNDED,
    bounds: tuple[float, float] = UNBOUNDED,
    level: float | None = None,
) -> Axes:
    """Draw curves over the rounds, with their intervals as bands: against density, of one training against iteration.

    Args:
        curves: columns label, density, mean, half_width (NaN without interval), and, optionally, iteration and
            seed: of which alone a row is, which thin lines show; NaN in the means.
            reference: whether the curve is one to compare with, as what chance gives, drawn broken, without markers.
            apart: whether points are not to be joined, since rounds between them were not looked at.
            bound: whether the mean is no more than a bound, which an open marker shows.
            legend: its title, the same in all rows.
        axes: axes to draw on.
        quantity: quantity and unit of the vertical axis.
        styles: styles of the labels; in their order if left out.
        sight: range of means that must be visible; open triangles at the edges mark means beyond it.
        bounds: bounds of the values, at which bands and axis end.
        level: value at which to draw a thin line, such as 0 or chance.
    """
    styles, place = styles or in_order(curves["label"]), position(curves)
    means, count = _means(curves), curves["label"].nunique()
    beside = _beside(axes, list(dict.fromkeys(means.loc[_flag(means, "apart"), "label"])))
    if level is not None:
        axes.axhline(level, color="black", linewidth=0.6, zorder=0.9)
    for number, (label, curve) in enumerate(means.groupby("label", sort=False)):
        curve = curve.sort_values(place, kind="stable")  # a cut comes after the round that ends at its iteration
        style, before = styles[label], 3 - number / count  # the first curve, the ticket, lies over the others
        compared = _flag(curve, "reference")
        _reference(axes, curve[compared], place, label, style, whole=compared.all())
        curve = curve[~compared]
        if len(curve):
            dash = "none" if _flag(curve, "apart").any() else style.dash
            looks = {"color": style.colour, "marker": style.marker, "markersize": 4, "linestyle": dash}
            looks["transform"] = beside.get(label, axes.transData)
            axes.update_datalim(curve[[place, "mean"]])  # a custom transform does not update the limits
            axes.plot(curve[place], curve["mean"], label=label, zorder=before, **looks)
            least = curve[_flag(curve, "bound")]
            if len(least):
                opened = {**looks, "linestyle": "none", "markerfacecolor": "white"}
                axes.plot(least[place], least["mean"], zorder=before, **opened)
            alpha = BAND_ALPHA if count <= FEW else BAND_ALPHA / 2
            _band(axes, curve[place], curve, style.colour, alpha, bounds, beside.get(label))
    _draw_singles(axes, curves, place, styles)
    axes.autoscale_view()
    end_axis(axes, means, sight)
    keep_within(axes, means["mean"], bounds)
    mark_beyond(axes)
    round_axis(axes, curves)
    return finished(axes, quantity, count > 1, _title(curves))


def over_iterations(curves: pd.DataFrame, axes: Axes, quantity: str, *, styles: Styles | None = None) -> Axes:
    """Draw what evaluations saw during training on a log axis, which ends where the curves' ends can be told apart.

    What is 0, which a log axis has not, lies at its lower edge.

    Args:
        curves: columns label, iteration, mean, half_width, and early_stop, which is true where a triangle goes;
            optionally seed and legend, as in `over_rounds`.
        axes: axes to draw on.
        quantity: quantity and unit of the vertical axis.
        styles: styles of the labels; in their order if left out.
    """
    styles, means = styles or in_order(curves["label"]), _means(curves)
    low, high = _zoomed(means)
    clipped = means.assign(mean=means["mean"].clip(lower=low))
    for label, curve in clipped.groupby("label", sort=False):
        style, every = styles[label], max(len(curve) // MARKED, 1)
        looks = {"color": style.colour, "linestyle": style.dash, "marker": style.marker, "markersize": 3}
        axes.plot(curve["iteration"], curve["mean"], label=label, linewidth=1.2, markevery=every, **looks)
        _band(axes, curve["iteration"], curve, style.colour, BAND_ALPHA / 2, bounds=(low, np.inf))
        stops = curve[curve["early_stop"]]
        mark = {"marker": "v", "markersize": 6, "linestyle": "none", "markeredgecolor": "black", "zorder": 4}
        axes.plot(stops["iteration"], stops["mean"], color=style.colour, markeredgewidth=0.6, **mark)
    _draw_singles(axes, curves.assign(mean=curves["mean"].clip(lower=low)), "iteration", styles)
    log_axis(axes, "y", low, high)
    axes.set_xlabel(ITERATIONS)
    return finished(axes, quantity, means["label"].nunique() > 1, _title(curves))


def against_cost(
    points: pd.DataFrame,
    axes: Axes,
    quantity: str,
    *,
    styles: Styles | None = None,
    bounds: tuple[float, float] = UNBOUNDED,
) -> Axes:
    """Draw accuracies against what they cost, on a log axis, with their intervals as bars.

    Args:
        points: columns label, cost, mean, half_width, and passed: whether a training only came by there on its way to
            its end, which thin lines show, as far as they lie near the ends; optionally seed, as in `over_rounds`.
        axes: axes to draw on, whose vertical axis the caller names.
        quantity: quantity and unit of the horizontal axis.
        styles: styles of the labels; in their order if left out.
        bounds: bounds of the values, at which bars and axis end.
    """
    styles, means = styles or in_order(points["label"]), _means(points)
    ends = means[~means["passed"]]
    for label, curve in ends.groupby("label", sort=False):
        style = styles[label]
        low, high = (curve["mean"] - curve["half_width"], curve["mean"] + curve["half_width"])
        bars = [curve["mean"] - low.clip(*bounds), high.clip(*bounds) - curve["mean"]]
        looks = {"color": style.colour, "marker": style.marker, "markersize": 4}
        axes.errorbar(
            curve["cost"], curve["mean"], bars, label=label, capsize=2, elinewidth=0.8, linestyle="none", **looks
        )
    for label, single in _singles(points[~points["passed"]], "cost"):
        axes.plot(single["cost"], single["mean"], color=styles[label].colour, marker="_", linestyle="none", **SINGLE)
    end_axis(axes, ends)
    low, high = axes.get_ylim()
    low -= (high - low) * (len(ends) < len(means))  # half the height is enough for the ends
    axes.set_ylim(max(low, bounds[0]), min(high, bounds[1]))
    for label, curve in means.groupby("label", sort=False):
        axes.plot(curve["cost"], curve["mean"], color=styles[label].colour, linewidth=0.6, alpha=0.7, zorder=1)
    seen = means.loc[means["mean"] >= low, "cost"]
    log_axis(axes, "x", seen.min() / AROUND, seen.max() * AROUND)
    axes.set_xlabel(quantity)
    return finished(axes, axes.get_ylabel(), points["label"].nunique() > 1)


def trend_curves(curves: pd.DataFrame, axes: Axes, quantity: str, *, styles: Styles | None = None) -> Axes:
    """Draw means over centred squares of growing side, one curve per round, with their intervals as bands.

    Args:
        curves: columns label, side, mean, half_width; optionally seed and legend, as in `over_rounds`.
        axes: axes to draw on.
        quantity: quantity of the vertical axis, relative to the whole map.
        styles: styles of the labels; in their order if left out.
    """
    styles = styles or in_order(curves["label"])
    axes.axhline(1, color="black", linewidth=0.6, zorder=0.9)
    for label, curve in _means(curves).groupby("label", sort=False):
        style = styles[label]
        looks = {"color": style.colour, "linestyle": style.dash, "marker": style.marker, "markersize": 3}
        axes.plot(curve["side"], curve["mean"], label=label, linewidth=1.2, **looks)
        _band(axes, curve["side"], curve, style.colour, bounds=(0, np.inf))
    _draw_singles(axes, curves, "side", styles)
    axes.set_xlabel("side of the centred square (pixels)")
    return finished(axes, quantity, legend=True, title=_title(curves))


def _flag(curve: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of yes or no; no, where it is missing."""
    return curve[name].eq(True) if name in curve else pd.Series(False, curve.index)


def _beside(axes: Axes, labels: Sequence[str]) -> dict[str, Transform]:
    """Set points that stand apart beside each other, so that their bars can be seen."""
    middle = (len(labels) - 1) / 2
    return {
        label: offset_copy(axes.transData, axes.figure, x=BESIDE * (number - middle), units="points")
        for number, label in enumerate(labels)
    }


def _means(curves: pd.DataFrame) -> pd.DataFrame:
    return curves[curves["seed"].isna()] if "seed" in curves else curves


def _singles(curves: pd.DataFrame, place: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Give the rows of single seeds, label by label and seed by seed."""
    rows = curves[curves["seed"].notna()] if "seed" in curves else curves[:0].assign(seed=0)
    for (label, _), single in rows.groupby(["label", "seed"], sort=False):
        yield label, single.sort_values(place, kind="stable")


def _draw_singles(axes: Axes, curves: pd.DataFrame, place: str, styles: Styles) -> None:
    for label, single in _singles(curves, place):
        apart = _flag(single, "apart").any() or len(single) == 1
        mark = {"marker": "_", "linestyle": "none"} if apart else {"linestyle": "-"}
        axes.plot(single[place], single["mean"], color=styles[label].colour, **mark, **SINGLE)


def _reference(axes: Axes, curve: pd.DataFrame, place: str, label: str, style: Style, *, whole: bool) -> None:
    """Draw what a curve is compared with: under its own label, or, beside a curve of that label, in its colour."""
    if len(curve):
        looks = {"color": style.colour, "linewidth": 1.1, "linestyle": style.dash if whole else "--", "zorder": 1.5}
        looks |= {"label": label} if whole else {"alpha": 0.7}
        if whole and curve["mean"].nunique() == 1:
            axes.axhline(curve["mean"].iloc[0], **looks)
        else:
            axes.plot(curve[place], curve["mean"], **looks)


def _zoomed(means: pd.DataFrame) -> tuple[float, float]:
    """Choose the ends of a log axis: from the least positive mean to above the ends and minima of all curves."""
    positive = means[means["mean"] > 0]
    if positive.empty:
        return 0.1, 1
    curves = positive.sort_values("iteration", kind="stable").groupby("label", sort=False)["mean"]
    low, high = positive["mean"].min(), ZOOM * max(curves.last().max(), curves.min().max())
    return low / LOG_MARGIN, min(high, positive["mean"].max()) * LOG_MARGIN


def _band(
    axes: Axes,
    positions: pd.Series,
    curve: pd.DataFrame,
    colour: Any,
    alpha: float = BAND_ALPHA,
    bounds: tuple[float, float] = UNBOUNDED,
    bars: Transform | None = None,
) -> None:
    """Draw intervals as a band, or as bars where a transform for them is given."""
    low, high = ((curve["mean"] + side * curve["half_width"]).clip(*bounds) for side in (-1, 1))
    if len(curve) > 1 and not bars:
        axes.fill_between(positions, low, high, color=colour, alpha=alpha, linewidth=0)
    else:  # a band of no width would not be seen
        for ends in (low, high):
            axes.update_datalim(np.column_stack([positions, ends])[ends.notna()])
        axes.vlines(positions, low, high, color=colour, linewidth=1, transform=bars or axes.transData)


def _title(curves: pd.DataFrame) -> str | None:
    return curves["legend"].iloc[0] if "legend" in curves else None
