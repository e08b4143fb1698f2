"""Figures of structure: dead units, degrees against chance, connections per input pixel."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from ticketlab import plots
from ticketlab.analysis.chart import BAND, COUNT, PERCENT, SETTINGS, Chart, Panel, chart, curves, with_numbers
from ticketlab.analysis.results import Results
from ticketlab.analysis.tables import mean_table, nearest_rounds

DEGREE_DENSITY = 0.21
DEGREE_BINS = 40
DIRECTIONS = {"in": "weights kept into a unit", "out": "weights kept from a unit", "pair": "weights kept of a window"}
WINDOW = "Window: the weights between one channel in and one channel or unit out, at all positions."
GREATEST = 2.5  # of a heat map's colours, in means of the map


def structure_charts(results: Results) -> Iterator[Chart]:
    """Draw what masks cut off, all runs together; the spread and the distributions of degrees, run by run."""
    table = results.with_density("structure")
    means = mean_table(table.assign(off_path=1 - table["on_path"] / table["kept"]), ["run", "round", "layer"])
    several = len(results.runs) > 1
    shown = means[(means["layer"] == "all") == several]
    labels = shown["run"].map(results.labels) if several else shown["layer"]
    panels = [
        Panel("dead units", curves(shown, "dead", labels), bounds=COUNT),
        Panel("weights on no path (% of kept)", curves(shown, "off_path", labels, 100), bounds=PERCENT),
    ]
    told = "all layers together" if several else "layer by layer"
    caption = f"What masks cut off, {told}: units that lie on no path from input to output, and kept weights on none."
    if panels := with_numbers(panels):
        yield chart("dead_units", f"{caption} {BAND}", plots.against_density, panels)
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
            yield chart(name, f"{caption} {BAND}", plots.against_density, panels)
        yield _degree_chart(results, run.name)


def pixel_charts(results: Results) -> Iterator[Chart]:
    """Draw where in the image the first layer's connections lie; nothing where the input is no square image."""
    for run in results.runs:
        if results.maps[run.name]:
            yield _map_chart(results, run.name)
            yield _trend_chart(results, run.name)
    if len(results.tables["pixels"]):
        means = mean_table(results.with_density("pixels"), ["run", "round"])
        labels = means["run"].map(results.labels)
        panels = [
            Panel("connections in the centre (%)", curves(means, "centre_share", labels, 100), bounds=PERCENT),
            Panel("pixels without connection", curves(means, "unused_pixels", labels), bounds=COUNT),
        ]
        caption = "Share of the input's connections that go to the centred square of half the side (14×14 of 28×28, a "
        caption += "quarter of the pixels), and pixels that have none."
        yield chart("centre", f"{caption} {BAND}", plots.against_density, panels)


def _degree_chart(results: Results, run: str) -> Chart:
    (round,) = nearest_rounds(results.of("rounds", run), [DEGREE_DENSITY])
    degrees = results.of("degrees", run)
    degrees = degrees[degrees["round"] == round]
    density = results.of("structure", run).query("layer == 'all' and round == @round")["density"].mean()
    panels = [
        Panel(DIRECTIONS[direction], _binned(group), f"{layer}, round {round}")
        for (layer, direction), group in degrees.groupby(["layer", "direction"], sort=False)
    ]
    caption = (
        f"How many weights units keep at round {round} (density {density:.3f}), all seeds together; line: in random "
        "masks with the same density of the layer, in expectation."
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


def _map_chart(results: Results, run: str) -> Chart:
    densities = results.of("rounds", run).groupby("round")["density"].mean()
    panels = []
    for round in results.shown[run]:
        mean = np.mean([counts for (_, other), counts in results.maps[run].items() if other == round], axis=0)
        rows, columns = np.indices(mean.shape)
        numbers = {"row": rows.ravel(), "column": columns.ravel(), "connections": mean.ravel()}
        numbers = pd.DataFrame({"round": round, "density": densities[round], **numbers})
        panels.append(Panel("", numbers, f"round {round}, density {densities[round]:.2g}"))
    caption = (
        "Kept weights per input pixel, divided by their mean over all pixels, mean over seeds; colours end at "
        f"{GREATEST} times the mean."
    )
    drawn = chart(results.file_name("pixel_maps", run), caption, _draw_map, panels)
    image = drawn.figure.axes[0].images[0]
    with rc_context(SETTINGS):
        drawn.figure.colorbar(image, ax=drawn.figure.axes, label="kept weights per pixel / mean", shrink=0.6)
    return drawn


def _draw_map(numbers: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    connections = numbers.pivot(index="row", columns="column", values="connections").to_numpy()
    return plots.pixel_map(connections / connections.mean(), axes, GREATEST)


def _trend_chart(results: Results, run: str) -> Chart:
    trends = results.with_density("pixel_trend")
    trends = trends[(trends["run"] == run) & trends["round"].isin(results.shown[run])].drop(columns="run")
    whole = trends.groupby(["seed", "round"])["connections_per_pixel"].transform("last")
    means = mean_table(trends.assign(relative=trends["connections_per_pixel"] / whole), ["round", "side"])
    columns = ["round", "density", "side", "connections_per_pixel", "mean", "half_width"]
    numbers = means.rename(columns={"relative": "mean", "relative_interval": "half_width"})[columns]
    caption = f"Kept weights per pixel inside centred squares, divided by the mean over the whole image. {BAND}"
    panel = Panel("kept weights per pixel / mean", numbers)
    return chart(results.file_name("pixel_trend", run), caption, plots.trend_curves, [panel])
