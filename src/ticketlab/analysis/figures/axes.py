"""Axes of plots: where they begin and end, their ticks and units. Does not know what is drawn on them (plots.py)."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from ticketlab.analysis.confidence import UNBOUNDED
from ticketlab.analysis.round_axis import position

ROUND_STEPS = (1, 2, 5, 10)
ITERATIONS = "iteration (optimizer steps)"
FEWEST_TICKS, MOST_TICKS = 3, 9
AROUND = 1.15  # from the outermost density to the axis's end, as a ratio
FEWEST_DECIMALS, MOST_DECIMALS = 2, 5
BEYOND = {"v": "below", "^": "above"}  # names of triangles at the edges
WIDE = 4  # times the median band, and more than this part of the curves' range: such bands may leave the axes


def end_axis(axes: Axes, curves: pd.DataFrame, sight: tuple[float, float] = UNBOUNDED) -> None:
    """End the vertical axis around the means to be seen, and before single wide bands.

    Args:
        axes: axes with the curves drawn.
        curves: columns mean and half_width.
        sight: range of means that must be visible.
    """
    seen = curves[curves["mean"].between(*sight)]
    bands = seen["half_width"].fillna(0)
    widest = max(WIDE * bands.median(), np.ptp(seen["mean"]) / WIDE)
    if sight == UNBOUNDED and (bands <= widest).all():
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


def mark_beyond(axes: Axes) -> None:
    """Let open triangles at an edge stand for the markers that lie beyond it, one curve's over another's."""
    stacked: Counter[tuple[float, str]] = Counter()
    bottom, top = axes.get_ylim()
    for line in [line for line in axes.lines if line.get_marker() not in ("", "None", None)]:
        for place, value in np.asarray(line.get_xydata()):
            if not bottom <= value <= top:
                shape = "v" if value < bottom else "^"
                inwards = 0.025 + 0.04 * stacked[place, shape]
                stacked[place, shape] += 1
                mark = {"marker": shape, "markersize": 4, "linestyle": "none", "zorder": 4, "clip_on": False}
                mark |= {"markerfacecolor": "none", "markeredgecolor": line.get_color(), "gid": BEYOND[shape]}
                height = inwards if shape == "v" else 1 - inwards
                axes.plot([place], [height], transform=axes.get_xaxis_transform(), **mark)


def beyond(figure: Figure) -> list[str]:
    """Say on which sides of axes triangles stand for what lies beyond: below, above, both, or none."""
    drawn = {line.get_gid() for axes in figure.axes for line in axes.lines}
    return [side for side in BEYOND.values() if side in drawn]


def share_scales(rows: Iterable[Sequence[Axes]]) -> None:
    """Give the axes of each row one scale, and its name to the first alone."""
    for first, *others in rows:
        row = (first, *others)
        ends = [each.get_ylim() for each in row]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        for each in row:
            each.set_ylim(low, high)
        widest = max(row, key=lambda each: np.ptp(each.get_xlim()))
        for each in others:
            each.set_ylabel("")
            each.tick_params(labelleft=False)
        for each in row:
            if each is not widest and each.get_xlabel() == widest.get_xlabel():
                ends = widest.get_xlim()
                each.set_xticks(widest.get_xticks())
                each.set_xlim(ends)


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
    """Choose ticks of densities, none above 1 where none lies there."""
    low, high = lowest / AROUND, min(highest * AROUND, max(highest, 1))
    return _log_ticks((lowest * 0.99, highest * 1.01), (low, high))


def _log_ticks(span: tuple[float, float], ends: tuple[float, float] | None = None) -> list[float]:
    """Choose 1, 0.5, 0.2 and so on, or, where too few of these lie between, equal round steps between the ends."""
    (lowest, highest), (low, high) = span, ends or span
    powers = range(int(np.floor(np.log10(lowest))), int(np.ceil(np.log10(highest))) + 1)
    ticks = [tick * 10.0**power for power in reversed(powers) for tick in (5, 2, 1)]
    ticks = [float(f"{tick:.6g}") for tick in ticks if lowest <= tick <= highest]
    if len(ticks) > MOST_TICKS:
        ticks = [tick for tick in ticks if f"{tick:e}"[0] == "1"]
    if len(ticks) >= FEWEST_TICKS:
        return ticks
    for most in range(4, 10):
        steps = MaxNLocator(most, steps=ROUND_STEPS, min_n_ticks=FEWEST_TICKS).tick_values(low, high)
        ticks = [tick for tick in steps if low <= tick <= high * 1.001]
        if len(ticks) >= FEWEST_TICKS:
            break
    return ticks


def log_axis(axes: Axes, name: str, low: float, high: float) -> None:
    """Make an axis logarithmic between two positive ends, with numbers at 1, 2, 5, 10 and so on.

    Args:
        axes: axes to change.
        name: "x" or "y".
        low: the lower end, above 0.
        high: the upper end.
    """
    axes.set(**{f"{name}scale": "log", f"{name}lim": (low, high)})
    axis = {"x": axes.xaxis, "y": axes.yaxis}[name]
    axis.set_ticks(_log_ticks((low, high)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def described(place: str, value: float) -> str:
    """Write a density or an iteration as briefly as legends and ticks want it."""
    return f"{value:,.0f}" if place == "iteration" else f"{value:.2g}"


def decimals(values: pd.Series, fewest: int = FEWEST_DECIMALS) -> int:
    """Choose the decimals that tell values apart: two significant digits of their range, of equal values of these.

    >>> decimals(pd.Series([0.0046, 0.01])), decimals(pd.Series([0.5, 0.5])), decimals(pd.Series([0.0, 0.0]))
    (4, 2, 2)
    """
    span = (np.ptp(values) or np.abs(values).max()) if len(values) else 0
    return int(np.clip(1 - np.floor(np.log10(span)), fewest, MOST_DECIMALS)) if span else fewest


def finished(axes: Axes, quantity: str, legend: bool, title: str | None = None) -> Axes:
    """Name the vertical axis, and give axes what all have."""
    axes.set_ylabel(quantity)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(title=title, frameon=False)
    return axes


def written(value: float, digits: int) -> str:
    """Write a number with that many decimals, a proper minus and no negative zero.

    >>> written(-0.26, 1), written(-0.04, 1)
    ('−0.3', '0.0')
    """
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
