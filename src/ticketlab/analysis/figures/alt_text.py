"""What a figure shows, as a sentence for those who do not see it. Every number is one of those plotted.

Knows the frames of plots.py; a panel is anything with `quantity`, `numbers` and `title`.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ticketlab.analysis.figures.axes import decimals, described, written
from ticketlab.analysis.round_axis import position

MOST = 4  # curves of which a sentence tells each
NOTABLE = 0.1  # of a panel's range: an extreme that exceeds both ends by less is not told


def sentence(parts: Iterable[str]) -> str:
    """Join what panels show; nothing of panels that have nothing to tell."""
    text = "; ".join(part for part in dict.fromkeys(parts) if part)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def curves(panel: Any) -> str:
    """Tell where curves begin, turn and end; of many, what lies between.

    >>> rows = pd.DataFrame({"label": "ticket", "density": [1, 0.2, 0.04], "mean": [97.9, 98.3, 98.0]})
    >>> class Panel: quantity, numbers, title = "accuracy (%)", rows, ""
    >>> curves(Panel)
    'accuracy (%): ticket rises from 97.90 at density 1 to 98.30 at 0.2 and falls to 98.00 at 0.04'
    """
    rows = panel.numbers
    rows = (rows[rows["seed"].isna()] if "seed" in rows else rows).dropna(subset="mean")
    if rows.empty:
        return ""
    place = next((name for name in ("cost", "side") if name in rows), position(rows))
    digits, span = decimals(rows["mean"], 0), np.ptp(rows["mean"])
    groups = list(rows.groupby("label", sort=False))
    told = [
        _course(label, curve, place, min(max(decimals(curve["mean"], 0), digits), digits + 2), span)
        for label, curve in groups[:MOST]
    ]
    if rest := groups[MOST:]:
        ends = [_sorted(curve, place)["mean"].iloc[-1] for _, curve in rest]
        told.append(f"{len(rest)} more end between {written(min(ends), digits)} and {written(max(ends), digits)}")
    return f"{_headed(panel)}: {', '.join(told)}"


def evaluations(panel: Any) -> str:
    """Tell the least value of each curve over the iterations and its last one; of many curves, of some."""
    rows = panel.numbers
    rows = rows[rows["seed"].isna()].dropna(subset="mean").sort_values("iteration", kind="stable")
    positive = rows.loc[rows["mean"] > 0, "mean"]
    digits = max(int(2 - np.floor(np.log10(positive.min()))), 0) if len(positive) else 0
    groups = [(label, curve.set_index("iteration")["mean"]) for label, curve in rows.groupby("label", sort=False)]
    shown = [groups[place] for place in np.unique(np.linspace(0, len(groups) - 1, MOST).astype(int))]
    told = [
        f"{label} at least {written(curve.min(), digits)} at iteration {curve.idxmin():,.0f}, "
        f"{written(curve.iloc[-1], digits)} at the end"
        for label, curve in shown
    ]
    title = f", by {rows['legend'].iloc[0]}" if "legend" in rows else ""
    return f"{_headed(panel)}{title}: {'; '.join(told)}"


def matrix(panel: Any) -> str:
    """Tell between which values all pairs lie."""
    values = panel.numbers["similarity"].dropna()
    digits = decimals(values)
    return (
        f"{_headed(panel)} of {len(values)} pairs: from {written(values.min(), digits)} to "
        f"{written(values.max(), digits)}, mean {written(values.mean(), digits)}"
    )


def degrees(panel: Any) -> str:
    """Tell mean and standard deviation of degrees, and those of what they are compared with."""
    told = []
    for label, bins in panel.numbers.groupby("label", sort=False):
        centres, weights = (bins["left"] + bins["right"] - 1) / 2, bins["units"]
        if weights.sum() > 0:
            mean = np.average(centres, weights=weights)
            deviation = np.sqrt(np.average((centres - mean) ** 2, weights=weights))
            told.append(f"{label} {mean:.3g} ± {deviation:.2g}")
    return f"{_headed(panel)}, mean ± standard deviation: {', '.join(told)}" if told else ""


def distributions(panel: Any) -> str:
    """Tell between which values the middle nine tenths of each distribution lie."""
    told = []
    for label, bins in panel.numbers.groupby("label", sort=False):
        share = bins["count"].cumsum() / bins["count"].sum()
        low, high = bins.loc[share.ge(0.05).idxmax(), "left"], bins.loc[share.ge(0.95).idxmax(), "right"]
        told.append(f"{label} {written(low, 2)} to {written(high, 2)}")
    return f"{_headed(panel)}, middle nine tenths: {', '.join(told)}"


def pixels(panel: Any) -> str:
    """Tell between which numbers of weights, relative to the mean, the pixels lie."""
    relative = panel.numbers["connections"] / panel.numbers["connections"].mean()
    unused = int((panel.numbers["connections"] == 0).sum())
    text = f"{panel.title}: pixels have {relative.min():.2g} to {relative.max():.2g} times the mean number of weights"
    return f"{text}, {unused} of {len(relative)} none" if unused else text


def _course(label: str, curve: pd.DataFrame, place: str, digits: int, span: float) -> str:
    curve = _sorted(curve, place)
    values = curve["mean"].to_numpy()
    said = [written(value, digits) for value in values]
    at = [_at(place, value) for value in curve[place]]
    if len(values) == 1:
        return f"{label} {said[0]} at {place} {at[0]}"
    if np.ptp(values) == 0:
        return f"{label} {said[0]} throughout"
    first, last = values[0], values[-1]
    top, bottom = int(values.argmax()), int(values.argmin())
    above, below = values[top] - max(first, last), min(first, last) - values[bottom]
    turn, verbs = (top, ("rises", "falls")) if above >= below else (bottom, ("falls", "rises"))
    start = f"from {said[0]} at {place} {at[0]}"
    if max(above, below) > NOTABLE * span:
        return f"{label} {verbs[0]} {start} to {said[turn]} at {at[turn]} and {verbs[1]} to {said[-1]} at {at[-1]}"
    verb = "goes" if first == last else "rises" if last > first else "falls"
    return f"{label} {verb} {start} to {said[-1]} at {at[-1]}"


def _sorted(curve: pd.DataFrame, place: str) -> pd.DataFrame:
    return curve.sort_values(place, ascending=place != "density", kind="stable")


def _at(place: str, value: float) -> str:
    return described("density" if place == "cost" else place if place == "density" else "iteration", value)


def _headed(panel: Any) -> str:
    return f"{panel.title}, {panel.quantity}" if panel.title else panel.quantity
