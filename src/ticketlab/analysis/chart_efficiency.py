"""The figure of efficiency: what accuracies cost, in operations of training and of inference."""

from collections.abc import Iterator

import pandas as pd

from ticketlab import plots
from ticketlab.analysis.chart import Chart, Panel, chart, with_numbers
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
    means = mean_table(table.merge(results.tables["rounds"][[*keys, "density", "test_accuracy"]], on=keys), keys[::2])
    courses = {run.name for run in results.runs if run.one_training}
    if means.empty:
        return
    last = means.groupby("run")["round"].transform("max") == means["round"]
    passed = means["run"].isin(courses) & ~last
    training, inference = (Panel(quantity, _points(results, means, cost, passed)) for cost, quantity in COSTS.items())
    inference = inference._replace(numbers=inference.numbers[~inference.numbers["passed"]])
    caption = (
        "Test accuracy at the end of training against floating-point operations, counted by kept weights (Evci et al. "
        "2020). Left: of all training until then, over the rounds, on a log axis. Right: of one sample's way forward."
    )
    if courses:
        caption += " Of sparse training, a point is the end, and the thin line the way to it."
    yield chart(
        "efficiency",
        f"{caption} Bars: 95 % interval of the mean over seeds (Student t).",
        plots.against_cost,
        with_numbers([training, inference]),
    )


def _points(results: Results, means: pd.DataFrame, cost: str, passed: pd.Series) -> pd.DataFrame:
    """Lay out what has a cost: nothing has been spent on an untrained network, and a log axis has no 0."""
    numbers = {
        "label": means["run"].map(results.labels),
        "round": means["round"],
        "density": means["density"],
        "cost": means[cost],
        "mean": means["test_accuracy"] * 100,
        "half_width": means["test_accuracy_interval"] * 100,
        "passed": passed,
    }
    return pd.DataFrame(numbers)[means[cost] > 0]
