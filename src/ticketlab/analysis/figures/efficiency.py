"""The figure of efficiency: what accuracies cost, in operations of training and of inference."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from ticketlab.analysis.accuracy import score
from ticketlab.analysis.figures import plots
from ticketlab.analysis.figures.curves import curves, over_seeds, with_singles
from ticketlab.analysis.figures.panels import Chart, Panel, chart, with_numbers
from ticketlab.analysis.figures.report_styles import report_styles
from ticketlab.analysis.results import Results
from ticketlab.analysis.tables import mean_table

COSTS = {
    "total_training_ratio": "training FLOPs / those of one dense training",
    "inference_ratio": "inference FLOPs / those of the dense network",
}


def efficiency_charts(results: Results) -> Iterator[Chart]:
    """Draw accuracy against cost, all runs together; nothing where no cost is known."""
    keys = ["run", "seed", "round"]
    table = results.tables["efficiency"][[*keys, *COSTS]]
    table = table.merge(results.tables["rounds"][[*keys, "density", "test_accuracy"]], on=keys)
    if table.empty:
        return
    rows = with_singles(mean_table(table, keys[::2]), table, keys[::2])
    courses = {run.name for run in results.runs if run.one_training}
    last = rows.groupby("run")["round"].transform("max") == rows["round"]
    rows = rows.assign(passed=rows["run"].isin(courses) & ~last)
    measure = score(results.runs)
    training, inference = (_points(results, rows, cost, quantity) for cost, quantity in COSTS.items())
    inference = inference._replace(numbers=inference.numbers[~inference.numbers["passed"]])
    caption = measure.say(
        "{Score} at the end of training against floating-point operations, counted by kept weights (Evci et al. 2020). "
        "Left: of all training until then, over the rounds, on a log axis. Right: of one sample's way forward."
    )
    if courses:
        caption += " Of sparse training, a point is the end, and the thin line the way to it."

    def draw(points: pd.DataFrame, axes: Axes, quantity: str, **options: Any) -> Axes:
        axes.set_ylabel(measure.say("{score}, end{unit}"))
        return plots.against_cost(points, axes, quantity, **options)

    if panels := with_numbers([training, inference]):
        text = f"{caption} {over_seeds([panel.numbers for panel in panels], 'bars')}"
        yield chart("efficiency", text, draw, panels, styles=report_styles(results))


def _points(results: Results, rows: pd.DataFrame, cost: str, quantity: str) -> Panel:
    """Lay out what has a cost: nothing has been spent on an untrained network, and a log axis has no 0."""
    measure, rows = score(results.runs), rows[rows[cost] > 0]
    points = curves(
        rows.assign(cost=rows[cost]), "test_accuracy", rows["run"].map(results.labels), measure.factor
    ).assign(round=rows["round"])
    return Panel(quantity, points, bounds=measure.bounds)
