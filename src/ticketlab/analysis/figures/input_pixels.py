"""Figures of the input layer's topology: connections per pixel as maps, trend curves."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from ticketlab.analysis.figures import alt_text, plots
from ticketlab.analysis.figures.animation import animation
from ticketlab.analysis.figures.curves import curves, over_seeds, with_singles
from ticketlab.analysis.figures.matrices import pixel_map
from ticketlab.analysis.figures.panels import SETTINGS, Chart, Panel, chart, with_numbers
from ticketlab.analysis.figures.report_styles import report_styles, round_labels
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import position
from ticketlab.analysis.runs import FinishedRun
from ticketlab.analysis.tables import mean_table

FEWEST_FRAMES = 3
RELATIVE = "kept weights per pixel / mean"


def pixel_charts(results: Results) -> Iterator[Chart]:
    """Draw where in the image the first layer's connections lie; nothing where the input is no square image."""
    for run in results.runs:
        if results.maps[run.name]:
            yield _map_chart(results, run)
            yield from _trend_chart(results, run)


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
