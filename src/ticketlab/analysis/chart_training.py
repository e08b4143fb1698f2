"""Figures of learning: accuracy and early stop over the rounds, and how validation went within them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ticketlab import plots
from ticketlab.analysis.chart import BAND, COUNT, ENDS, PERCENT, Chart, Panel, chart, curves, with_numbers
from ticketlab.analysis.labels import family
from ticketlab.analysis.results import Results
from ticketlab.analysis.runs import FinishedRun, trunks
from ticketlab.analysis.tables import mean_table
from ticketlab.analysis.words import DENSE, UNTRAINED
from ticketlab.positions import position


class Metric(NamedTuple):
    """A column of the rounds, what its axis says, and whether it is owed to training."""

    column: str
    quantity: str
    trained: bool = True


OVER_ROUNDS = {
    "early_stop": (
        [
            Metric("early_stop_test_accuracy", "test accuracy, early stop (%)"),
            Metric("early_stop_iteration", "early-stop iteration"),
        ],
        "How well and how soon: test accuracy at the iteration (optimizer step) of minimum validation loss, and that "
        "iteration.",
    ),
    "accuracy": (
        [
            Metric("test_accuracy", "test accuracy, end (%)"),
            Metric("untrained_test_accuracy", "test accuracy, untrained (%)", trained=False),
        ],
        "Test accuracy at the end of training, and of the weights that a round starts from, under its mask, before any "
        "training (a supermask's).",
    ),
}
DURING_TRAINING = {
    "early_stop": (
        [
            Metric("early_stop_test_accuracy", "test accuracy, early stop so far (%)"),
            Metric("early_stop_iteration", "early-stop iteration so far"),
        ],
        "How well and how soon: test accuracy at the iteration (optimizer step) of the minimum validation loss until "
        "then, and that iteration; where the network is pruned, the minimum is sought anew.",
    ),
    "accuracy": ([Metric("test_accuracy", "test accuracy (%)")], "Test accuracy in the course of training."),
}
EVALUATIONS = {"validation_loss": ("validation loss (nats)", 1), "error": ("validation error (%)", 100)}
COLLAPSE = 8  # a mean has collapsed that lies more than so many times as far below the best as the median does


def training_charts(results: Results) -> Iterator[Chart]:
    """Draw what training came to, runs together and each with its controls, and how it went."""
    own = trunks(results.runs)
    figures = DURING_TRAINING if results.position == "iteration" else OVER_ROUNDS
    for name, (metrics, caption) in figures.items():
        if len(own) > 1:
            shown = {run.name: results.labels[run.name] for run in own}
            whole = f"{caption} {ENDS}" if results.mixed else caption
            yield from _chart(name, whole, _panels(results, metrics, shown))
        for run in own:
            if len(own) == 1 or run.branches:
                each = f"{name}-{run.name}" if len(own) > 1 else name
                yield from _chart(each, caption, _panels(results, metrics, family(run), run))
    for run in results.runs:
        if run.branch not in UNTRAINED and not run.one_training:
            yield _validation_chart(results, run.name)
    if whole_trainings := [run.name for run in results.runs if run.one_training]:
        yield _course_chart(results, whole_trainings)


def _panels(
    results: Results, metrics: Sequence[Metric], shown: Mapping[str, str], trunk: FinishedRun | None = None
) -> list[Panel]:
    """Lay out metrics of some runs, or of a run and its branches.

    Args:
        results: of the runs.
        metrics: one panel each.
        shown: {run's name: label}, in the order of the legend.
        trunk: the run whose branches the others are, and whose dense network they share.
    """
    means = results.together(results.tables["rounds_mean"])
    means = means[means["run"].isin(list(shown))].sort_values("run", key=lambda runs: runs.map(list(shown).index))
    branches = {each.name: each.branch for each in trunk.branches} if trunk else {}
    untrained = means["run"].map(branches).isin(UNTRAINED)
    below_zero = any(run.regression for run in results.runs)  # R², which has no lower bound
    panels = []
    for metric in metrics:
        if metric.column in means:
            rows = means[~untrained] if metric.trained else means
            percent = 100 if "%" in metric.quantity else 1
            numbers = curves(rows, metric.column, rows["run"].map(shown), percent).dropna(subset="mean")
            if branches and metric.trained:
                numbers = pd.concat([numbers.assign(reference=False), _dense(numbers, shown[trunk.name])])
            bounds = COUNT if percent == 1 else (-np.inf, 100) if below_zero else PERCENT
            panels.append(Panel(metric.quantity, numbers, bounds=bounds))
    return with_numbers(panels)


def _dense(numbers: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return the dense network's mean as a level line, since controls have no round 0; nothing where it is unknown."""
    dense = numbers[(numbers["label"] == label) & (numbers["density"] == 1)]
    ends = [1, numbers["density"].min()] if len(dense) else []
    values = {"mean": dense["mean"].mean(), "half_width": np.nan, "reference": True}
    return pd.DataFrame({"label": DENSE, "density": ends, **values})


def _chart(name: str, caption: str, panels: Sequence[Panel]) -> Iterator[Chart]:
    """Draw accuracies so that a control that collapses does not squash the others."""
    least = {panel.quantity: _least(panel.numbers) if "%" in panel.quantity else None for panel in panels}
    notes = [BAND]
    if any("reference" in panel.numbers for panel in panels):
        notes.append("Controls begin at round 1; broken line: the dense network of the run they belong to.")
    if any(value is not None for value in least.values()):
        notes.append("Triangles at the lower edge: the curve of that colour lies below the axis.")

    def draw(numbers: pd.DataFrame, axes: Axes, quantity: str, bounds: tuple[float, float]) -> Axes:
        return plots.over_rounds(numbers, axes, quantity, least[quantity], bounds)

    if panels:
        yield chart(name, " ".join([caption, *notes]), draw, panels)


def _least(numbers: pd.DataFrame) -> float | None:
    """Return the least mean that is to be seen where controls collapse, or before training; None where none does.

    The first curve over densities, the ticket, stays in sight.
    """
    training = position(numbers) == "iteration"
    if "reference" not in numbers and not training:
        return None
    curves = numbers if training else numbers[~numbers["reference"].astype(bool)]
    means, kept = curves["mean"], numbers.loc[numbers["label"] == numbers["label"].iloc[0], "mean"]
    collapsed = means < means.max() - COLLAPSE * (means.max() - means.median())
    least = min(means[~collapsed].min(), np.inf if training else kept.min())
    return float(least) if means.min() < least else None


def _validation_chart(results: Results, run: str) -> Chart:
    history = results.of("history", run)
    history = history.assign(error=1 - history["validation_accuracy"])
    means = mean_table(history[history["round"].isin(results.shown[run])], ["round", "iteration"])
    lowest = means.groupby("round")["validation_loss"].transform("min") == means["validation_loss"]
    panels = [
        Panel(
            quantity,
            curves(means, metric, results.labels[run], factor).assign(iteration=means["iteration"], early_stop=lowest),
        )
        for metric, (quantity, factor) in EVALUATIONS.items()
    ]
    caption = f"Validation during chosen rounds; triangles: minimum of the mean validation loss. {BAND}"
    return chart(results.file_name("validation", run), caption, plots.validation_curves, panels)


def _course_chart(results: Results, runs: Sequence[str]) -> Chart:
    history = results.tables["history"]
    history = history[history["run"].isin(runs)].assign(error=1 - history["validation_accuracy"])
    means = mean_table(history, ["run", "round", "iteration"])
    lowest = means.groupby("run")["validation_loss"].transform("min") == means["validation_loss"]
    labels = means["run"].map(results.labels)
    panels = [
        Panel(quantity, curves(means, metric, labels, factor).assign(early_stop=lowest))
        for metric, (quantity, factor) in EVALUATIONS.items()
    ]
    caption = f"Validation during whole trainings; triangles: minimum of the mean validation loss. {BAND}"
    return chart("validation", caption, plots.course, panels)
