"""Figures of learning: accuracy and early stop over the rounds, and how validation went within them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ticketlab.analysis.accuracy import Score, score
from ticketlab.analysis.confidence import UNBOUNDED
from ticketlab.analysis.control_names import CHANCE, DENSE, LAST_ITERATION, UNTRAINED
from ticketlab.analysis.figures import alt_text, plots
from ticketlab.analysis.figures.curves import ENDS, coinciding, curves, level, over_seeds, with_singles
from ticketlab.analysis.figures.panels import Chart, Panel, chart, with_numbers
from ticketlab.analysis.figures.report_styles import report_styles, round_labels
from ticketlab.analysis.names import family
from ticketlab.analysis.results import Results
from ticketlab.analysis.runs import FinishedRun, trunks
from ticketlab.analysis.tables import mean_table, of_all_seeds


class Metric(NamedTuple):
    """A column of the rounds, what its axis says, and whether it is a score and owed to training."""

    column: str
    quantity: str
    scored: bool = True
    trained: bool = True


STOP = "early_stop_iteration"
OVER_ROUNDS = {
    "early_stop": (
        [
            Metric("early_stop_test_accuracy", "{score}, early stop{unit}"),
            Metric(STOP, "early-stop iteration", scored=False),
        ],
        "How well and how soon: {score} at the iteration (optimizer step) of minimum validation loss, and that "
        "iteration.",
    ),
    "accuracy": (
        [
            Metric("test_accuracy", "{score}, end{unit}"),
            Metric("untrained_test_accuracy", "{score}, untrained{unit}", trained=False),
        ],
        "{Score} at the end of training, and of the weights that a round starts from, under its mask, before any "
        "training (a supermask's).",
    ),
}
DURING_TRAINING = {
    "early_stop": (
        [
            Metric("early_stop_test_accuracy", "{score}, early stop so far{unit}"),
            Metric(STOP, "early-stop iteration so far", scored=False),
        ],
        "How well and how soon: {score} at the iteration (optimizer step) of the minimum validation loss until then, "
        "and that iteration; where the network is pruned, the minimum is sought anew.",
    ),
    "accuracy": ([Metric("test_accuracy", "{score}{unit}")], "{Score} in the course of training."),
}
COLLAPSE = 8  # a mean has collapsed that lies more than so many times as far below the best as the median does


def training_charts(results: Results) -> Iterator[Chart]:
    """Draw what training came to, runs together and each with its controls, and how it went."""
    own = trunks(results.runs)
    during = results.position == "iteration"
    for name, (metrics, caption) in (DURING_TRAINING if during else OVER_ROUNDS).items():
        if len(own) > 1:
            shown = {run.name: results.labels[run.name] for run in own}
            whole = f"{caption} {ENDS}" if results.mixed else caption
            yield from _chart(results, name, whole, _panels(results, metrics, shown, own))
        for run in own:
            if len(own) == 1 or run.branches:
                each = f"{name}-{run.name}" if len(own) > 1 else name
                panels = _panels(results, metrics, family(run), [run])
                yield from _chart(results, each, caption, panels, controls=bool(run.branches))
    for run in results.runs:
        if run.branch not in UNTRAINED and not run.one_training:
            yield from _validation_chart(results, run)
    if whole_trainings := [run for run in results.runs if run.one_training]:
        yield from _course_chart(results, whole_trainings)


def _panels(
    results: Results, metrics: Sequence[Metric], shown: Mapping[str, str], own: Sequence[FinishedRun]
) -> list[Panel]:
    """Lay out metrics of some runs, or of a run and its branches.

    Args:
        results: results of the runs.
        metrics: one panel each.
        shown: {run's name: label}, in the order of the legend.
        own: the runs themselves, without branches; a single one shares its dense network with its branches.
    """
    measure, during = score(own), results.position == "iteration"
    means = with_singles(results.tables["rounds_mean"], results.tables["rounds"], ["run", "round"])
    means = results.together(means[means["run"].isin(list(shown))])
    means = means.sort_values("run", key=lambda runs: runs.map(list(shown).index), kind="stable")
    branches = {each.name: each.branch for run in own for each in run.branches}
    untrained = means["run"].map(branches).isin(UNTRAINED)
    panels = []
    for metric in metrics:
        if metric.column not in means:
            continue
        rows = means[~untrained] if metric.trained else means
        if metric.column == STOP and not during and "early_stop_censored" in rows:
            rows = rows.assign(bound=rows["early_stop_censored"] > 0)
        factor = measure.factor if metric.scored else 1
        numbers = curves(rows, metric.column, rows["run"].map(shown), factor).dropna(subset="mean")
        bounds = measure.bounds if metric.scored else (0, max(_last_iteration(own), numbers["mean"].max()))
        sight = _sight(numbers, during) if metric.scored and metric.trained else UNBOUNDED
        for label, value in _levels(metric, numbers, shown, own, measure) if len(numbers) and not during else ():
            numbers = level(numbers, label, value)
        panels.append(Panel(measure.say(metric.quantity), numbers, bounds=bounds, sight=sight))
    return with_numbers(panels)


def _levels(
    metric: Metric, numbers: pd.DataFrame, shown: Mapping[str, str], own: Sequence[FinishedRun], measure: Score
) -> Iterator[tuple[str, float]]:
    """Give what a panel's curves are compared with: the dense network, chance, and the last iteration."""
    if not metric.trained and measure.chance is not None:
        yield CHANCE, measure.chance
    if metric.trained and len(own) == 1:
        means = numbers[numbers["seed"].isna() & (numbers["label"] == shown[own[0].name]) & (numbers["density"] == 1)]
        if len(means) == 1 and numbers["density"].min() < 1:
            yield DENSE, means["mean"].iloc[0]
    if metric.column == STOP and len({run.description["spec"].get("iterations") for run in own}) == 1:
        yield LAST_ITERATION, _last_iteration(own)


def _last_iteration(runs: Sequence[FinishedRun]) -> float:
    """Return the greatest iteration to which some of the runs go; infinity where their specs do not say it."""
    return max(run.description["spec"].get("iterations") or np.inf for run in runs)


def _chart(
    results: Results, name: str, caption: str, panels: Sequence[Panel], *, controls: bool = False
) -> Iterator[Chart]:
    """Draw accuracies so that a control that collapses does not squash the others."""
    if not panels:
        return
    numbers = [panel.numbers for panel in panels]
    everything = pd.concat(numbers, ignore_index=True)
    drawn = set(everything["label"])
    notes = ["Controls begin at round 1."] if controls else []
    lines = {
        DENSE: "dense network (round 0 of the run)",
        CHANCE: "chance (guessing a class)",
        LAST_ITERATION: "last iteration (of each training)",
    }
    if told := [words for label, words in lines.items() if label in drawn]:
        notes.append(f"Broken lines: {', '.join(told)}.")
    if "bound" in everything and everything["bound"].eq(True).any():
        notes.append(
            "Open markers: lower bounds (≥), since some seed's early stop lies within one evaluation of the last "
            "iteration."
        )
    own = trunks(results.runs)
    text = " ".join(filter(None, [score(own).say(caption), *notes, coinciding(numbers), over_seeds(numbers)]))
    yield chart(name, text, plots.over_rounds, panels, styles=report_styles(results))


def _sight(numbers: pd.DataFrame, during: bool) -> tuple[float, float]:
    """Return the range that is to be seen where controls collapse, or before training; all of it where none does.

    The first curve over densities, the ticket, stays in sight.
    """
    means = numbers.loc[numbers["seed"].isna(), "mean"]
    if means.empty or (not during and numbers["label"].nunique() == 1):
        return UNBOUNDED
    kept = numbers.loc[numbers["label"] == numbers["label"].iloc[0], "mean"]
    collapsed = means < means.max() - COLLAPSE * (means.max() - means.median())
    least = min(means[~collapsed].min(), np.inf if during else kept.min())
    return (float(least), np.inf) if means.min() < least else UNBOUNDED


def _validation_chart(results: Results, run: FinishedRun) -> Iterator[Chart]:
    history = results.placed(results.tables["history"].rename(columns={"iteration": "step"}))
    history = history[(history["run"] == run.name) & history["round"].isin(results.shown[run.name])]
    history = history.drop(columns=["run", "iteration"], errors="ignore").rename(columns={"step": "iteration"})
    rows = _evaluated(history, ["round", "iteration"])
    labels = rows["round"].map(round_labels(results, run.name))
    caption = "Validation during chosen rounds, at densities as in the legend;"
    yield from _evaluations(results, results.file_name("validation", run.name), caption, rows, labels, [run])


def _course_chart(results: Results, runs: Sequence[FinishedRun]) -> Iterator[Chart]:
    history = results.tables["history"]
    rows = _evaluated(history[history["run"].isin([run.name for run in runs])], ["run", "round", "iteration"])
    caption = "Validation during whole trainings;"
    yield from _evaluations(results, "validation", caption, rows, rows["run"].map(results.labels), runs)


def _evaluated(history: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Average evaluations that all seeds have, and mark the minimum of the mean loss of each round or training."""
    history = history.assign(error=1 - history["validation_accuracy"])
    rows = with_singles(of_all_seeds(mean_table(history, keys), keys[0]), history, keys)
    means = rows[rows["seed"].isna()]
    lowest = means.groupby(keys[0])["validation_loss"].idxmin()
    return rows.assign(early_stop=rows.index.isin(lowest))


def _evaluations(
    results: Results, name: str, caption: str, rows: pd.DataFrame, labels: pd.Series, runs: Sequence[FinishedRun]
) -> Iterator[Chart]:
    panels = []
    for metric, (quantity, factor) in score(runs).evaluations.items():
        numbers = curves(rows, metric, labels, factor)
        panels.append(Panel(quantity, numbers if "run" in rows else numbers.assign(legend="density")))
    if not (panels := with_numbers(panels)):
        return
    numbers = [panel.numbers for panel in panels]
    notes = "triangles: minimum of the mean validation loss. The log axes end where the curves' ends can be told apart;"
    text = f"{caption} {notes} the first iterations lie above. {over_seeds(numbers)}"
    yield chart(name, text, plots.over_iterations, panels, styles=report_styles(results), see=alt_text.evaluations)
