"""Figures of the input layer's topology: connections per pixel as maps, trend curves, centre against margin."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from ticketlab import plots
from ticketlab.analysis.animation import animation
from ticketlab.analysis.chart import BAND, COUNT, ENDS, PERCENT, SETTINGS, Chart, Panel, chart, curves, with_numbers
from ticketlab.analysis.results import Results
from ticketlab.analysis.runs import FinishedRun
from ticketlab.analysis.tables import mean_table
from ticketlab.positions import PLACES

GREATEST = 2.5  # of a heat map's colours, in means of the map
FEWEST_FRAMES = 3
CENTRE = "centred square of half the side (14×14 of 28×28, a quarter of the pixels)"


def pixel_charts(results: Results) -> Iterator[Chart]:
    """Draw where in the image the first layer's connections lie; nothing where the input is no square image."""
    for run in results.runs:
        if results.maps[run.name]:
            yield _map_chart(results, run)
            yield _trend_chart(results, run.name)
    if len(results.tables["pixels"]):
        means = results.together(mean_table(results.placed(results.tables["pixels"]), ["run", "round"]))
        labels = means["run"].map(results.labels)
        notes = f"{ENDS} {BAND}" if results.mixed else BAND
        panels = [
            Panel("connections in the centre (%)", curves(means, "centre_share", labels, 100), bounds=PERCENT),
            Panel("pixels without connection", curves(means, "unused_pixels", labels), bounds=COUNT),
        ]
        caption = f"Share of the input's connections that go to the {CENTRE}, and pixels that have none. {notes}"
        yield chart("centre", caption, plots.over_rounds, panels)
        caption = (
            f"Centre–margin scalar: connections per pixel inside the {CENTRE} minus those outside, divided by those in "
            f"the whole image; 0 if they are spread evenly. {notes}"
        )
        panels = with_numbers([Panel("centre–margin scalar", curves(means, "centre_margin", labels))])
        yield chart("centre_margin", caption, plots.over_rounds, panels)


def _map_chart(results: Results, run: FinishedRun) -> Chart:
    name = results.file_name("pixel_maps", run.name)
    caption = (
        "Kept weights per input pixel, divided by their mean over all pixels, mean over seeds; colours end at "
        f"{GREATEST} times the mean."
    )
    rounds = sorted({round for _, round in results.maps[run.name]})
    moving = None
    if run.one_training and len(rounds) >= FEWEST_FRAMES:
        moving = animation(_draw_map, _maps(results, run.name, rounds))
        caption += f" {name}.gif, beside this figure, shows all rounds of the training, one after the other."
    drawn = chart(name, caption, _draw_map, _maps(results, run.name, results.shown[run.name]), moving=moving)
    image = drawn.figure.axes[0].images[0]
    with rc_context(SETTINGS):
        drawn.figure.colorbar(image, ax=drawn.figure.axes, label="kept weights per pixel / mean", shrink=0.6)
    return drawn


def _maps(results: Results, run: str, rounds: Sequence[int]) -> list[Panel]:
    panels = []
    for round in rounds:
        mean = np.mean([counts for (_, other), counts in results.maps[run].items() if other == round], axis=0)
        rows, columns = np.indices(mean.shape)
        numbers = {"row": rows.ravel(), "column": columns.ravel(), "connections": mean.ravel()}
        numbers = pd.DataFrame(results.place(run, round) | numbers)
        panels.append(Panel("", numbers, results.said(run, round)))
    return panels


def _draw_map(numbers: pd.DataFrame, axes: Axes, quantity: str) -> Axes:
    connections = numbers.pivot(index="row", columns="column", values="connections").to_numpy()
    return plots.pixel_map(connections / connections.mean(), axes, GREATEST)


def _trend_chart(results: Results, run: str) -> Chart:
    trends = results.placed(results.tables["pixel_trend"])
    trends = trends[(trends["run"] == run) & trends["round"].isin(results.shown[run])].drop(columns="run")
    whole = trends.groupby(["seed", "round"])["connections_per_pixel"].transform("last")
    means = mean_table(trends.assign(relative=trends["connections_per_pixel"] / whole), ["round", "side"])
    places = ["round", *(name for name in PLACES if name in means)]
    columns = [*places, "side", "connections_per_pixel", "mean", "half_width"]
    numbers = means.rename(columns={"relative": "mean", "relative_interval": "half_width"})[columns]
    caption = f"Kept weights per pixel inside centred squares, divided by the mean over the whole image. {BAND}"
    panel = Panel("kept weights per pixel / mean", numbers)
    return chart(results.file_name("pixel_trend", run), caption, plots.trend_curves, [panel])
