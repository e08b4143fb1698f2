"""The report's tables, as frames of texts: which columns of the results a reader wants, in which words and units.

Tables and columns that the results lack are left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ticketlab.analysis.accuracy import Score, score
from ticketlab.analysis.confidence import UNBOUNDED, quoted
from ticketlab.analysis.control_names import DENSE, UNTRAINED, control_name
from ticketlab.analysis.measures import MEASURES, Column
from ticketlab.analysis.names import family
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import position
from ticketlab.analysis.runs import FinishedRun
from ticketlab.analysis.summary import COLUMNS as SUMMARY
from ticketlab.analysis.tables import mean_table

Titled = tuple[str, pd.DataFrame]
LISTS = ("Training", "Masks")  # tables of rounds, in their order
METRICS = MEASURES["metrics"].columns
BESIDE = ("early_stop_test_accuracy", "early_stop_iteration")
CENSORED = "early_stop_censored"
BOUND = " *"  # behind a difference that is no more than a bound


class Written(NamedTuple):
    """How a quantity is written: its heading, what it is multiplied by, its decimals, and what it can be then."""

    heading: str
    factor: float
    digits: int
    bounds: tuple[float, float]


def rounds(results: Results, run: FinishedRun) -> Iterator[Titled]:
    """Tabulate a run's rounds as a reader wants them: what training came to, and what the masks are like."""
    keys, table = ["seed", "round"], results.of("rounds", run.name)
    listed: dict[str, dict[str, Column]] = {title: {} for title in LISTS}
    for measure in MEASURES.values():
        columns = {name: column for name, column in measure.columns.items() if column.listed}
        for name, column in columns.items():
            listed[column.listed][name] = column
        rows = results.of(measure.table, run.name)
        rows = rows[rows["layer"] == "all"] if "layer" in rows else rows
        new = [name for name in columns if name in rows and name not in table]
        table = table.merge(rows[[*keys, *new]], on=keys, how="left") if new else table
    means, told = mean_table(table, ["round"]), score([run])
    for title, columns in listed.items():
        shown = _columns(means, {name: written(column, told) for name, column in columns.items()})
        if len(shown.columns):
            yield title, pd.concat([_places(means), means["seeds"], shown], axis=1)


def beside(results: Results, run: FinishedRun) -> Iterator[Titled]:
    """Tabulate metrics of a run and its branches, a column each; iterations only of what is trained."""
    means, told = results.tables["rounds_mean"], score([run])
    own = means[means["run"] == run.name]
    untrained = {each.name for each in run.branches if each.branch in UNTRAINED}
    for metric in BESIDE:
        column, shown = written(METRICS[metric], told), _places(own)
        for name, label in family(run).items():
            rows = means[means["run"] == name]
            if metric in rows and not (metric == "early_stop_iteration" and name in untrained):
                texts = dict(zip(rows["round"], _texts(rows, metric, column), strict=True))
                shown[label] = shown["round"].map(texts)
        yield _capital(column.heading), shown


def paired(results: Results, run: FinishedRun) -> Iterator[Titled]:
    """Tabulate by how much a run is above others at equal seed: the dense network, and each metric of its branches."""
    found = results.tables.get("paired", pd.DataFrame(columns=["run", "against", "metric"]))
    found = found[found["run"] == run.name]
    columns = {name: difference(METRICS[name], score([run])) for name in found["metric"].unique()}
    dense = found["against"] == "dense"
    if dense.any():
        headings = {name: column.heading for name, column in columns.items()}
        yield f"Difference from the {DENSE}", _differences(found[dense], columns, "metric", headings)
    labels = {each.name: f"minus {control_name(each.branch)}" for each in run.branches}
    for metric, rows in found[~dense].groupby("metric", sort=False):
        yield _capital(columns[metric].heading), _differences(rows, columns, "against", labels)


def summary(results: Results) -> pd.DataFrame:
    """Tabulate all runs, one row each; empty where the results have no such table."""
    table, told = results.tables.get("summary", pd.DataFrame()), score(results.runs)
    known = {name: column for name, column in SUMMARY.items() if column.quantity and name in table}
    shown = {name: written(column, told) for name, column in known.items()}
    if (name := "difference_to_dense") in shown:
        shown[name] = difference(known[name], told)
    return pd.concat([table["label"].rename("run"), _columns(table, shown)], axis=1) if shown else table


def specs(runs: Sequence[FinishedRun]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay the specs of runs beside each other: the fields in which they differ, and all fields."""
    found = pd.DataFrame(
        {run.name: {"kind": run.description.get("kind")} | run.description["spec"] for run in runs}, dtype=object
    )
    differing = found.map(repr).nunique(axis=1) > 1
    texts = found.map(_value).rename_axis("field").reset_index()
    return texts[differing.to_numpy()], texts


def written(column: Column, told: Score) -> Written:
    """Say how a column is written; an accuracy in the words and units of its run."""
    heading = told.say(column.quantity)
    if column.scored:
        return Written(heading, told.factor, told.digits, told.bounds)
    return Written(heading, column.factor, column.digits, column.bounds)


def difference(column: Column, told: Score) -> Written:
    """Say how differences of a column are written: of percentages in points, and of any sign."""
    points = " (points)" if told.factor == 100 else ""
    return written(column._replace(quantity=column.quantity.replace("{unit}", points)), told)._replace(bounds=UNBOUNDED)


def _differences(
    rows: pd.DataFrame, columns: Mapping[str, Written], across: str, headings: Mapping[str, str]
) -> pd.DataFrame:
    """Lay out differences, a row per round and a column per value of the column `across`."""
    shown = _places(rows.drop_duplicates("round").sort_values("round")).set_index("round", drop=False)
    shown["seeds"] = rows.groupby("round")["seeds"].unique().map(lambda counts: " or ".join(map(str, sorted(counts))))
    for (metric, name), each in rows.groupby(["metric", across], sort=False):
        each = each.rename(columns={"mean": metric, "interval": f"{metric}_interval"})
        texts = zip(_texts(each, metric, columns[metric]), each["censored"], strict=True)
        marked = [text + BOUND * bool(bound) for text, bound in texts]
        shown[headings.get(name, name)] = pd.Series(marked, each["round"].to_numpy())
    return shown.fillna("")


def _columns(means: pd.DataFrame, columns: Mapping[str, Written]) -> pd.DataFrame:
    """Write those columns that the means have, with their intervals where they have these."""
    there = {name: column for name, column in columns.items() if name in means and means[name].notna().any()}
    return pd.DataFrame({column.heading: _texts(means, name, column) for name, column in there.items()}, means.index)


def _texts(means: pd.DataFrame, name: str, column: Written) -> list[str]:
    """Write a metric of every row; means of what may be lower bounds say so."""
    intervals = means.get(f"{name}_interval", pd.Series(float("nan"), means.index))
    _, factor, digits, limits = column
    bounds = means[CENSORED] > 0 if name == "early_stop_iteration" and CENSORED in means else [False] * len(means)
    return [
        "" if pd.isna(mean) else "≥ " * bool(bound) + quoted(mean * factor, half * factor, digits, limits)
        for mean, half, bound in zip(means[name], intervals, bounds, strict=True)
    ]


def _places(means: pd.DataFrame) -> pd.DataFrame:
    """Say where rounds stand."""
    shown = means[["round"]].assign(density=means["density"].map("{:.3f}".format))
    if position(means) == "iteration":
        shown.insert(1, "iteration", means["iteration"].map("{:,.0f}".format))
    return shown


def _value(value: Any) -> str:
    """Write a field's value as a person would; that of a field which a spec lacks is blank."""
    if isinstance(value, float) and pd.isna(value):
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else "–" if value is None else str(value)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
