"""The figure of masks that change: what every two rounds of a seed have in common."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from ticketlab.analysis.figures.axes import ITERATIONS, described
from ticketlab.analysis.figures.matrices import round_matrix
from ticketlab.analysis.figures.panels import SETTINGS, Chart, Panel, chart
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import position

OVERLAP = "overlap of two masks of a seed"


def exploration_charts(results: Results) -> Iterator[Chart]:
    """Draw how masks move that gain weights; nothing where none does."""
    explored = results.tables.get("exploration", pd.DataFrame())
    changing = [run.name for run in results.runs if len(explored) and run.name in set(explored["run"])]
    if not changing:
        return
    panels = [_overlaps(results, run) for run in changing]
    if panels := [panel for panel in panels if panel is not None]:
        yield _overlap_chart(panels)


def _overlaps(results: Results, run: str) -> Panel | None:
    pairs = results.tables.get("overlap", pd.DataFrame(columns=["run"]))
    pairs = pairs[pairs["run"] == run]
    if pairs.empty:
        return None
    means = pairs.groupby(["round_a", "round_b"], as_index=False)["overlap"].mean()
    rounds = results.of("rounds", run)
    places = rounds.groupby("round")[position(rounds)].mean()
    means = means.assign(**{f"at_{side}": means[f"round_{side}"].map(places) for side in "ab"})
    return Panel("", means, results.labels[run])


def _overlap_chart(panels: list[Panel]) -> Chart:
    caption = (
        "What the masks of two rounds of a seed have in common, mean over seeds: weights kept in both / those kept in "
        "the sparser one. 1: one holds the other; random masks would share the density of the denser one."
    )
    drawn = chart("mask_overlap", caption, _draw, panels, see=_seen)
    with rc_context(SETTINGS):
        image = drawn.figure.axes[0].images[0]
        drawn.figure.colorbar(image, ax=drawn.figure.axes, label=OVERLAP, shrink=0.8)
    return drawn


def _draw(numbers: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    rounds = sorted({*numbers["round_a"], *numbers["round_b"]})
    places = {row[f"round_{side}"]: row[f"at_{side}"] for _, row in numbers.iterrows() for side in "ab"}
    matrix = pd.DataFrame(np.eye(len(rounds)), rounds, rounds).replace(0, np.nan)
    for a, b, value in numbers[["round_a", "round_b", "overlap"]].itertuples(index=False):
        matrix.loc[a, b] = matrix.loc[b, a] = value
    during = max(places.values()) > 1
    labels = [described("iteration" if during else "density", places[round]) for round in rounds]
    return round_matrix(matrix.to_numpy(), axes, ITERATIONS if during else "density", labels)


def _seen(panel: Panel) -> str:
    values = panel.numbers["overlap"]
    last = panel.numbers.loc[panel.numbers["round_b"] == panel.numbers["round_b"].max()]
    first = last.loc[last["round_a"].idxmin(), "overlap"]
    return (
        f"{panel.title}: masks share {values.min():.2f} to {values.max():.2f} of their weights, "
        f"the first and the last {first:.2f}"
    )
