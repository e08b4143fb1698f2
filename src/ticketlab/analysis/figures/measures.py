"""The figures that entries of `MEASURES` ask for: columns over the rounds, a curve per run, or per layer of a run."""

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from ticketlab.analysis.accuracy import Score, score
from ticketlab.analysis.figures import plots
from ticketlab.analysis.figures.curves import ENDS, over_seeds, with_singles
from ticketlab.analysis.figures.panels import Chart, chart, column_panel, with_numbers
from ticketlab.analysis.figures.report_styles import report_styles
from ticketlab.analysis.layer_names import MOST_CURVES, ends_and_middle, layer_names, left_out
from ticketlab.analysis.measures import MEASURES, Column, Measure
from ticketlab.analysis.measures.measure import Curves
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import position
from ticketlab.analysis.tables import mean_table


def measure_charts(results: Results) -> Iterator[Chart]:
    """Draw every figure of every entry whose table has numbers for it."""
    for measure in MEASURES.values():
        for figure in measure.figures if measure.table in results.tables else ():
            draw = _layers if figure.of_layers else _runs
            yield from draw(results, measure, figure)


def _runs(results: Results, measure: Measure, figure: Curves) -> Iterator[Chart]:
    rows = results.placed(results.tables[measure.table])
    if "layer" in rows:
        rows = rows[rows["layer"] == "all"].drop(columns="layer")
    keys = ["run", "round"]
    if len(rows):
        rows, mixed = with_singles(mean_table(rows, keys), rows, keys), results.mixed and position(rows) == "density"
        rows = results.together(rows) if mixed else rows
        labels = rows["run"].map(results.labels)
        more = [ENDS] if mixed else []
        yield from _chart(results, figure.name, measure.columns, figure, rows, labels, score(results.runs), more)


def _layers(results: Results, measure: Measure, figure: Curves) -> Iterator[Chart]:
    table, keys = results.placed(results.tables[measure.table]), ["run", "round", "layer"]
    means = with_singles(mean_table(table, keys), table, keys) if len(table) else table
    for run in results.runs:
        names = {path: name for path, name in layer_names(run).items() if path != "all"}
        shown = ends_and_middle(list(names), MOST_CURVES)
        rows = means[(means["run"] == run.name) & means["layer"].isin(shown)]
        name, labels = results.file_name(figure.name, run.name), rows["layer"].map(names)
        more = [left_out(list(names), MOST_CURVES).strip()]
        yield from _chart(results, name, measure.columns, figure, rows, labels, score([run]), more)


def _chart(
    results: Results,
    name: str,
    columns: Mapping[str, Column],
    figure: Curves,
    rows: pd.DataFrame,
    labels: pd.Series,
    told: Score,
    more: Iterable[str],
) -> Iterator[Chart]:
    panels, sentences = [], [figure.caption]
    for each in figure.columns:
        (panel,) = with_numbers([column_panel(each, columns[each], rows, labels, told)]) or [None]
        if panel and columns[each].nothing and not panel.numbers["mean"].any():
            sentences.append(columns[each].nothing)
        elif panel:
            panels.append(panel)
    if panels:
        sentences += [*more, over_seeds(panel.numbers for panel in panels)]
        caption = " ".join(filter(None, sentences))
        yield chart(name, caption, plots.over_rounds, panels, styles=report_styles(results))
