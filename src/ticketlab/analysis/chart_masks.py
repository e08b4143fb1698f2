"""Figures of structure: dead units, degrees against chance."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ticketlab import plots
from ticketlab.analysis.chart import BAND, COUNT, ENDS, PERCENT, Chart, Panel, chart, curves, with_numbers
from ticketlab.analysis.results import Results
from ticketlab.analysis.tables import chosen_rounds, mean_table

DEGREE_DENSITY = 0.21
DEGREE_BINS = 40
DIRECTIONS = {"in": "weights kept into a unit", "out": "weights kept from a unit", "pair": "weights kept of a window"}
WINDOW = "Window: the weights between one channel in and one channel or unit out, at all positions."


def structure_charts(results: Results) -> Iterator[Chart]:
    """Draw what masks cut off, all runs together; the spread and the distributions of degrees, run by run."""
    table = results.placed(results.tables["structure"])
    means = mean_table(table.assign(off_path=1 - table["on_path"] / table["kept"]), ["run", "round", "layer"])
    several = len(results.runs) > 1
    shown = results.together(means[(means["layer"] == "all") == several])
    labels = shown["run"].map(results.labels) if several else shown["layer"]
    panels = [
        Panel("dead units", curves(shown, "dead", labels), bounds=COUNT),
        Panel("weights on no path (% of kept)", curves(shown, "off_path", labels, 100), bounds=PERCENT),
    ]
    told = "all layers together" if several else "layer by layer"
    caption = f"What masks cut off, {told}: units that lie on no path from input to output, and kept weights on none."
    if panels := with_numbers(panels):
        caption = f"{caption} {ENDS}" if results.mixed else caption
        yield chart("dead_units", f"{caption} {BAND}", plots.over_rounds, panels)
    for run in results.runs:
        own = means[(means["run"] == run.name) & (means["layer"] != "all")]
        panels = [
            Panel(f"variance of {way}-degrees / chance", curves(own, column, own["layer"]), bounds=COUNT)
            for way, column in (("in", "in_degree_variance_ratio"), ("out", "out_degree_variance_ratio"))
        ]
        caption = (
            "How unevenly layers use their units: variance over units of the kept weights into and from a unit, "
            "divided by that of random masks with the same density of the layer; 1 is chance."
        )
        name = results.file_name("degree_variance", run.name)
        if panels := with_numbers(panels):
            yield chart(name, f"{caption} {BAND}", plots.over_rounds, panels)
        yield _degree_chart(results, run.name)


def _degree_chart(results: Results, run: str) -> Chart:
    (round,) = chosen_rounds(results.of("rounds", run), [DEGREE_DENSITY])
    degrees = results.of("degrees", run)
    degrees = degrees[degrees["round"] == round]
    panels = [
        Panel(DIRECTIONS[direction], _binned(group), layer)
        for (layer, direction), group in degrees.groupby(["layer", "direction"], sort=False)
    ]
    caption = (
        f"How many weights units keep ({results.said(run, round)}), all seeds together; line: in random masks with "
        "the same density of the layer, in expectation."
    )
    if "pair" in set(degrees["direction"]):
        caption = f"{caption} {WINDOW}"
    return chart(results.file_name("degrees", run), caption, _draw_degrees, panels, columns=2)


def _draw_degrees(counts: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    counted = "windows" if quantity == DIRECTIONS["pair"] else "units"
    return plots.degree_distribution(counts, axes, quantity, counted)


def _binned(degrees: pd.DataFrame) -> pd.DataFrame:
    """Sum over seeds and over as many degrees as make at most `DEGREE_BINS` bins."""
    least, greatest = degrees["degree"].min(), degrees["degree"].max()
    width = -(-(greatest - least + 1) // DEGREE_BINS)
    edges = np.arange(least, greatest + width + 1, width)
    counts = {
        name: np.histogram(degrees["degree"], edges, weights=degrees[name])[0] for name in ("units", "units_chance")
    }
    return pd.DataFrame({"left": edges[:-1], "right": edges[1:], **counts})
