"""The report's tables, as frames of texts: which columns of the results a reader wants, in which words and units.

Tables and columns that the results lack are left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ticketlab.analysis.confidence import ANY, quoted
from ticketlab.analysis.control_names import DENSE, UNTRAINED, words
from ticketlab.analysis.names import family
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import position
from ticketlab.analysis.runs import FinishedRun
from ticketlab.analysis.tables import mean_table

Titled = tuple[str, pd.DataFrame]


class Column(NamedTuple):
    """How a quantity is written: its heading, what it is multiplied by, its decimals, and what it can be then."""

    heading: str
    factor: float = 1
    digits: int = 0
    bounds: tuple[float, float] = ANY


COUNT, PERCENT, SHARE, R2 = (0, float("inf")), (0, 100), (0, 1), (-float("inf"), 1)


TRAINING = {
    "early_stop_iteration": Column("early-stop iteration", bounds=COUNT),
    "early_stop_test_accuracy": Column("test accuracy at early stop (%)", 100, 2, PERCENT),
    "test_accuracy": Column("test accuracy at end (%)", 100, 2, PERCENT),
    "untrained_test_accuracy": Column("untrained test accuracy (%)", 100, 1, PERCENT),
    "inference_ratio": Column("inference FLOPs / dense", 1, 3),
    "total_training_ratio": Column("training FLOPs so far / one dense training", 1, 3),
}
MASKS = {
    "dead": Column("dead units", 1, 1, COUNT),
    "unused_inputs": Column("unused inputs", 1, 1, COUNT),
    "effective_density": Column("effective density", 1, 3, SHARE),
    "centre_margin": Column("centre–margin scalar", 1, 2),
}
EXCESS = {
    "jaccard_excess_by_layer": "excess Jaccard between seeds",
    "matched_jaccard_excess_counts": "the same, units matched",
    "matched_jaccard_excess_degrees": "… and above chance of equal degrees",
}
BESIDE = ("early_stop_test_accuracy", "early_stop_iteration")
SUMMARY = {
    "seeds": Column("seeds"),
    "round": Column("round"),
    "density": Column("density", 1, 3),
    "test_accuracy": Column("test accuracy at end (%)", 100, 2, PERCENT),
    "difference_to_dense": Column("minus the dense network's (points)", 100, 2),
    "inference_ratio": Column("inference FLOPs / dense", 1, 3),
    "total_training_ratio": Column("training FLOPs / one dense training", 1, 2),
    "seconds": Column("seconds of training, a seed", 1, 1),
    "mask_bytes": Column("bytes of the mask, packed"),
    "compressed_weight_bytes": Column("bytes of the kept weights, compressed"),
}
CENSORED = "early_stop_censored"
BOUND = " *"  # behind a difference that is no more than a bound


def rounds(results: Results, run: FinishedRun) -> Iterator[Titled]:
    """Tabulate a run's rounds as a reader wants them: what training came to, and what the masks are like."""
    keys = ["seed", "round"]
    table, structure = results.of("rounds", run.name), results.of("structure", run.name)
    for other in (
        structure[structure["layer"] == "all"],
        results.of("pixels", run.name),
        results.of("efficiency", run.name),
    ):
        new = [name for name in (*TRAINING, *MASKS) if name in other and name not in table]
        table = table.merge(other[[*keys, *new]], on=keys, how="left")
    means = mean_table(table, ["round"])
    masks = pd.concat([_columns(means, MASKS), _excess(results, run, means["round"])], axis=1)
    for title, shown in (("Training", _columns(means, in_units(TRAINING, run))), ("Masks", masks)):
        if len(shown.columns):
            yield title, pd.concat([_places(means), means["seeds"], shown], axis=1)


def beside(results: Results, run: FinishedRun) -> Iterator[Titled]:
    """Tabulate metrics of a run and its branches, a column each; iterations only of what is trained."""
    means = results.tables["rounds_mean"]
    own = means[means["run"] == run.name]
    untrained = {each.name for each in run.branches if each.branch in UNTRAINED}
    for metric, column in in_units({name: TRAINING[name] for name in BESIDE}, run).items():
        shown = _places(own)
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
    columns = {
        name: column._replace(heading=column.heading.replace("(%)", "(points)"), bounds=ANY)
        for name, column in in_units(TRAINING, run).items()
    }
    dense = found["against"] == "dense"
    if dense.any():
        headings = {name: column.heading for name, column in columns.items()}
        yield f"Difference from the {DENSE}", _differences(found[dense], columns, "metric", headings)
    labels = {each.name: f"minus {words(each.branch)}" for each in run.branches}
    for metric, rows in found[~dense].groupby("metric", sort=False):
        yield _capital(columns[metric].heading), _differences(rows, columns, "against", labels)


def _differences(
    rows: pd.DataFrame, columns: Mapping[str, Column], across: str, headings: Mapping[str, str]
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


def summary(results: Results) -> pd.DataFrame:
    """Tabulate all runs, one row each; empty where the results have no such table."""
    table = results.tables.get("summary", pd.DataFrame())
    known = {name: column for name, column in SUMMARY.items() if name in table}
    if any(run.regression for run in results.runs):
        known |= in_units(known, next(run for run in results.runs if run.regression))
    return pd.concat([table["label"].rename("run"), _columns(table, known)], axis=1) if known else table


def specs(runs: Sequence[FinishedRun]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay the specs of runs beside each other: the fields in which they differ, and all fields."""
    found = pd.DataFrame(
        {run.name: {"kind": run.description.get("kind")} | run.description["spec"] for run in runs}, dtype=object
    )
    differing = found.map(repr).nunique(axis=1) > 1
    written = found.map(_value).rename_axis("field").reset_index()
    return written[differing.to_numpy()], written


def in_units(columns: Mapping[str, Column], run: FinishedRun) -> dict[str, Column]:
    """Call accuracies what they are in a run: of a regression R², which is no percentage."""
    if not run.regression:
        return dict(columns)
    return {
        name: _as_r2(column) if "%" in column.heading or "points" in column.heading else column
        for name, column in columns.items()
    }


def _as_r2(column: Column) -> Column:
    heading = column.heading.replace("accuracy", "R²").replace(" (%)", "").replace(" (points)", "")
    return Column(heading, 1, 4, ANY if column.bounds == ANY else R2)


def _columns(means: pd.DataFrame, columns: Mapping[str, Column]) -> pd.DataFrame:
    """Write those columns that the means have, with their intervals where they have these."""
    there = {name: column for name, column in columns.items() if name in means and means[name].notna().any()}
    return pd.DataFrame({column.heading: _texts(means, name, column) for name, column in there.items()}, means.index)


def _texts(means: pd.DataFrame, name: str, column: Column) -> list[str]:
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


def _excess(results: Results, run: FinishedRun, numbers: pd.Series) -> pd.DataFrame:
    """Write the similarity of seeds beyond chance, of those rounds that have it."""
    seeds = results.of("seeds_similarity", run.name)
    seeds = seeds[(seeds["layer"] == "all") & (seeds["density"] < 1)]
    shown = {}
    for measure, heading in EXCESS.items():
        rows = seeds[seeds["measure"] == measure].set_index("round")
        if len(rows):
            shown[heading] = numbers.map(
                {round: quoted(row["mean"], row["interval"], 4) for round, row in rows.iterrows()}
            )
    return pd.DataFrame(shown, numbers.index)


def _value(value: Any) -> str:
    """Write a field's value as a person would; that of a field which a spec lacks is blank."""
    if isinstance(value, float) and pd.isna(value):
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else "–" if value is None else str(value)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
