"""Figures of differences, seed by seed: runs minus the dense network, tickets minus their controls."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ticketlab.analysis.accuracy import score
from ticketlab.analysis.confidence import UNBOUNDED
from ticketlab.analysis.control_names import DENSE, TICKET, UNTRAINED, control_name, minus
from ticketlab.analysis.figures import plots
from ticketlab.analysis.figures.curves import ENDS, curves, over_seeds, with_singles
from ticketlab.analysis.figures.panels import Chart, Panel, chart, with_numbers
from ticketlab.analysis.figures.report_styles import report_styles
from ticketlab.analysis.results import Results
from ticketlab.analysis.runs import FinishedRun, trunks

AGAINST_DENSE = "dense"
METRICS = {
    "early_stop_test_accuracy": "{score}, early stop",
    "test_accuracy": "{score}, end",
    "early_stop_iteration": "early-stop iteration",
}
KEYS = ["run", "against", "metric", "round"]
FAR = 8  # a difference is out of sight that is so many times as large as three quarters of them, as where one collapses


def paired_charts(results: Results) -> Iterator[Chart]:
    """Draw differences of runs from the dense network, and of each run from it and from its controls."""
    if any(not len(results.tables.get(name, ())) for name in ("paired", "paired_seeds")):
        return
    own = trunks(results.runs)
    comparable = {run for run, against in results.tables["paired"][KEYS[:2]].to_numpy() if against == AGAINST_DENSE}
    if len([run for run in own if run.name in comparable]) > 1:
        shown = {(run.name, AGAINST_DENSE): results.labels[run.name] for run in own}
        caption = "Runs minus the dense network, seed by seed." + (f" {ENDS}" if results.mixed else "")
        yield from _chart(results, "paired", caption, shown, own)
    for run in own:
        if len(own) == 1 or run.branches:
            shown = {(run.name, AGAINST_DENSE): minus(DENSE)}
            trained = [each for each in run.branches if each.branch not in UNTRAINED]
            shown |= {(run.name, each.name): minus(control_name(each.branch)) for each in trained}
            caption = f"{_named(run)} minus the dense network{' and minus its controls' * bool(trained)}, seed by seed."
            yield from _chart(results, f"paired-{run.name}" if len(own) > 1 else "paired", caption, shown, [run])


def _chart(
    results: Results, name: str, caption: str, shown: Mapping[tuple[str, str], str], own: Sequence[FinishedRun]
) -> Iterator[Chart]:
    means, seeds = (results.tables[each] for each in ("paired", "paired_seeds"))
    means = means.rename(columns={"interval": "mean_interval"})
    rows = with_singles(means, seeds.rename(columns={"value": "mean"}), KEYS)
    compared = pd.Series(zip(rows["run"], rows["against"], strict=True), rows.index)
    rows = rows.assign(label=compared.map(shown), bound=rows["censored"].eq(True)).dropna(subset="label")
    rows = rows.sort_values("label", key=lambda labels: labels.map(list(shown.values()).index), kind="stable")
    rows = results.together(rows) if results.mixed else rows
    measure, panels = score(own), []
    for metric, title in METRICS.items():
        part = rows[rows["metric"] == metric]
        scored = metric != "early_stop_iteration"
        numbers = curves(part, "mean", part["label"], measure.factor if scored else 1)
        quantity = f"difference ({measure.points if scored else 'iterations'})"
        panels.append(Panel(quantity, numbers, measure.say(title), level=0, sight=_sight(numbers)))
    if panels := with_numbers(panels):
        numbers = [panel.numbers for panel in panels]
        notes = ["Thin black line: 0, no difference."]
        if any(each["bound"].any() for each in numbers):
            notes.append(
                "Open markers: no more than a bound, since some early stop lies within one evaluation of the last "
                "iteration."
            )
        text = " ".join([caption, *notes, over_seeds(numbers)])
        yield chart(name, text, plots.over_rounds, panels, styles=report_styles(results))


def _named(run: FinishedRun) -> str:
    return TICKET.capitalize() if run.kind.rounds == "chain" else "The run"


def _sight(numbers: pd.DataFrame) -> tuple[float, float]:
    """Return the range that is to be seen where some difference is far off; all of it where none is."""
    means = numbers.loc[numbers["seed"].isna(), "mean"]
    if means.empty or numbers["label"].nunique() == 1:
        return UNBOUNDED
    usual = means[means.abs() <= FAR * means.abs().quantile(0.75)]
    low, high = min(usual.min(), 0), max(usual.max(), 0)
    return UNBOUNDED if means.between(low, high).all() or np.isnan([low, high]).any() else (float(low), float(high))
