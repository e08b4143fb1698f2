"""Axes of plots: where they begin and end, their ticks and units. Does not know what is drawn on them (plots.py)."""

from collections import Counter

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from ticketlab.positions import position

ROUND_STEPS = (1, 2, 5, 10)
UNBOUNDED = (-np.inf, np.inf)
TICKS = [tick / 10**power for power in range(5) for tick in (10, 5, 2)]
ITERATIONS = "iteration (optimizer steps)"
FEWEST_TICKS = 3
AROUND = 1.15  # from the outermost density to the axis's end, as a ratio
WIDE = 4  # times the median band, and more than this part of the curves' range: such bands may leave the axes


def end_axis(axes: Axes, curves: pd.DataFrame, least: float | None) -> None:
    """End the vertical axis below the least mean to be seen, and before single wide bands, as of two seeds."""
    seen = curves if least is None else curves[curves["mean"] >= least]
    bands = seen["half_width"].fillna(0)
    widest = max(WIDE * bands.median(), np.ptp(seen["mean"]) / WIDE)
    if least is None and (bands <= widest).all():
        return
    bands = bands.clip(upper=widest)
    low, high = (seen["mean"] - bands).min(), (seen["mean"] + bands).max()
    if low < high:
        margin = 0.05 * (high - low)
        axes.set_ylim(low - margin, high + margin)


def keep_within(axes: Axes, means: pd.Series, bounds: tuple[float, float]) -> None:
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


def mark_below(axes: Axes) -> None:
    """Let open triangles stand for what lies below the axis, one curve's over another's."""
    stacked: Counter[float] = Counter()
    bottom = axes.get_ylim()[0]
    for line in list(axes.lines):
        for place, value in line.get_xydata():
            if value < bottom:
                height = 0.025 + 0.04 * stacked[place]
                stacked[place] += 1
                mark = {"marker": "v", "markersize": 4, "linestyle": "none", "zorder": 4}
                mark |= {"markerfacecolor": "none", "markeredgecolor": line.get_color()}
                axes.plot([place], [height], transform=axes.get_xaxis_transform(), **mark)


def round_axis(axes: Axes, rows: pd.DataFrame) -> None:
    """Lay out the horizontal axis for what the rounds are drawn against."""
    if position(rows) == "iteration":
        axes.set_xlabel(ITERATIONS)
    else:
        density_axis(axes, rows["density"])


def density_axis(axes: Axes, densities: pd.Series) -> None:
    """Let densities fall to the right on a log axis."""
    axes.set_xscale("log")
    lowest, highest = densities.min(), densities.max()
    axes.set_xticks(_density_ticks(lowest, highest))
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(lambda value, _: described("density", value))
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


def log_axis(axis: Axis) -> None:
    """Write numbers on a log axis, at 1, 2, 5, 10 and so on."""
    for ticks in (axis.set_major_locator, axis.set_minor_locator):
        ticks(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def described(place: str, value: float) -> str:
    """Write a density or an iteration as briefly as legends and ticks want it."""
    return f"{value:,.0f}" if place == "iteration" else f"{value:.2g}"
