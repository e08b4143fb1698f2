"""Figures of the input layer's topology: connections per pixel as maps, trend curves, centre against margin."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from ticketlab.analysis.figures import alt_text, plots
from ticketlab.analysis.figures.animation import animation
from ticketlab.analysis.figures.curves import COUNT, ENDS, curves, over_seeds, with_singles
from ticketlab.analysis.figures.matrices import pixel_map
from ticketlab.analysis.figures.panels import SETTINGS, Chart, Panel, chart, with_numbers
from ticketlab.analysis.figures.report_styles import report_styles, round_labels
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import position
from ticketlab.analysis.runs import FinishedRun
from ticketlab.analysis.tables import mean_table

FEWEST_FRAMES = 3
RELATIVE = "kept weights per pixel / mean"
CENTRE = "centred square of half the side (14×14 of 28×28)"
ALL_USED = "Every pixel has a connection, in all rounds."


def pixel_charts(results: Results) -> Iterator[Chart]:
    """Draw where in the image the first layer's connections lie; nothing where the input is no square image."""
    seeing = [run for run in results.runs if results.maps[run.name] and run.data.input_kind == "image"]
    for run in seeing:
        yield _map_chart(results, run)
        yield from _trend_chart(results, run)
    if seeing:
        yield from _centre_chart(results, seeing)


def _centre_chart(results: Results, runs: Sequence[FinishedRun]) -> Iterator[Chart]:
    pixels = results.placed(results.tables["pixels"])
    pixels = pixels[pixels["run"].isin([run.name for run in runs])]
    keys = ["run", "round"]
    rows = results.together(with_singles(mean_table(pixels, keys), pixels, keys))
    labels = rows["run"].map(results.labels)
    panels = [Panel("centre–margin scalar", curves(rows, "centre_margin", labels), level=0)]
    unused = Panel("pixels without connection", curves(rows, "unused_pixels", labels), bounds=COUNT)
    panels += [unused] if unused.numbers["mean"].any() else []
    if panels := with_numbers(panels):
        caption = (
            f"Centre–margin scalar: connections per pixel inside the {CENTRE} minus those outside, divided by those in "
            "the whole image; 0, the thin line, if they are spread evenly."
        )
        caption += " Right: pixels that have none." if len(panels) > 1 else f" {ALL_USED}"
        caption = f"{caption} {ENDS}" if results.mixed else caption
        text = f"{caption} {over_seeds(panel.numbers for panel in panels)}"
        yield chart("centre_margin", text, plots.over_rounds, panels, styles=report_styles(results))


def _map_chart(results: Results, run: FinishedRun) -> Chart:
    name = results.file_name("pixel_maps", run.name)
    seeds = len({seed for seed, _ in results.maps[run.name]})
    caption = (
        "Kept weights per input pixel, divided by their mean over all pixels, which is what chance gives each: white "
        f"at 1, blue below, red above; colours end at 2. {f'Mean over {seeds} seeds.' if seeds > 1 else 'One seed.'}"
    )
    rounds = sorted({round for _, round in results.maps[run.name]})
    moving = None
    if run.one_training and len(rounds) >= FEWEST_FRAMES:
        moving = animation(_draw_map, _maps(results, run.name, rounds))
        caption += f" {name}.gif, beside this figure, shows all rounds of the training, one after the other."
    panels = _maps(results, run.name, results.shown[run.name])
    columns = 2 if len(panels) in (2, 4) else 3
    drawn = chart(name, caption, _draw_map, panels, columns=columns, moving=moving, see=alt_text.pixels)
    image = drawn.figure.axes[0].images[0]
    with rc_context(SETTINGS):
        drawn.figure.colorbar(image, ax=drawn.figure.axes, label=RELATIVE, shrink=0.6, extend="max")
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
    return pixel_map(connections / connections.mean(), axes, 1)


def _trend_chart(results: Results, run: FinishedRun) -> Iterator[Chart]:
    trends = results.placed(results.tables["pixel_trend"])
    trends = trends[(trends["run"] == run.name) & trends["round"].isin(results.shown[run.name])].drop(columns="run")
    whole = trends.groupby(["seed", "round"])["connections_per_pixel"].transform("last")
    trends = trends.assign(relative=trends["connections_per_pixel"] / whole)
    keys = ["round", "side"]
    rows = with_singles(mean_table(trends, keys), trends, keys)
    labels = rows["round"].map(round_labels(results, run.name))
    numbers = curves(rows, "relative", labels).assign(legend=position(rows))
    if panels := with_numbers([Panel(RELATIVE, numbers)]):
        caption = (
            "Kept weights per pixel inside centred squares, divided by the mean over the whole image; thin line: 1, as "
            f"many everywhere. {over_seeds([numbers])}"
        )
        name = results.file_name("pixel_trend", run.name)
        yield chart(name, caption, plots.trend_curves, panels, styles=report_styles(results))
