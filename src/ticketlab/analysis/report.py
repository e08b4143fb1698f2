"""report.html: one self-contained file with the spec, the quoted numbers, the tables and the figures of some runs."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

import pandas as pd

from ticketlab.analysis.chart import Chart
from ticketlab.analysis.highlights import highlights
from ticketlab.analysis.intervals import quoted
from ticketlab.analysis.labels import family
from ticketlab.analysis.results import Results
from ticketlab.analysis.runs import FinishedRun, trunks
from ticketlab.analysis.tables import mean_table
from ticketlab.analysis.words import UNTRAINED
from ticketlab.positions import position

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { font: 15px/1.5 Georgia, serif; max-width: 1120px; margin: 2em auto; padding: 0 1em; color: #111; }
h1, h2, h3, table, figcaption { font-family: Helvetica, Arial, sans-serif; }
h1 { font-size: 22px; overflow-wrap: anywhere; } h2 { font-size: 17px; margin-top: 2em; } h3 { font-size: 14px; }
table { border-collapse: collapse; font-size: 11px; margin: 1em 0; }
th, td { padding: 2px 6px; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid #111; vertical-align: bottom; white-space: normal; }
tr:last-child td { border-bottom: 1px solid #111; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 2em 0; break-inside: avoid; } figure img { max-width: 100%; display: block; margin: 0 auto; }
figcaption { font-size: 12px; color: #333; margin-top: .6em; } .wide { overflow-x: auto; } .notes { color: #a00; }
</style>
</head>
<body>
<h1>$title</h1>
$notes
<h2>In numbers</h2>
$highlights
<h2>Spec</h2>
$spec
<h2>Rounds</h2>
<p>Means over seeds ± half of the 95 % interval (Student t; excess: jackknife over seeds).</p>
$rounds
$controls
<h2>Figures</h2>
$figures
</body>
</html>
""")
COLUMNS = {
    "early_stop_iteration": ("early-stop iteration", 1, 0),
    "early_stop_test_accuracy": ("test accuracy at early stop (%)", 100, 2),
    "test_accuracy": ("test accuracy at end (%)", 100, 2),
    "untrained_test_accuracy": ("untrained test accuracy (%)", 100, 1),
    "dead": ("dead units", 1, 1),
    "unused_inputs": ("unused inputs", 1, 1),
    "effective_density": ("effective density", 1, 3),
    "centre_share": ("inputs' connections in centre (%)", 100, 1),
    "centre_margin": ("centre–margin scalar", 1, 2),
    "inference_ratio": ("inference FLOPs / dense", 1, 3),
    "total_training_ratio": ("training FLOPs so far / one dense training", 1, 3),
}
CONTROLS = {
    "early_stop_test_accuracy": "Test accuracy at early stop (%)",
    "early_stop_iteration": "Early-stop iteration",
}
EXCESS = {
    "jaccard_excess_by_layer": "excess Jaccard between seeds",
    "matched_jaccard_excess_counts": "the same, units matched",
}


def report(results: Results, charts: Iterable[Chart], images: Path, problems: Sequence[str]) -> str:
    """Write the page.

    Args:
        results: of the runs.
        charts: in their order.
        images: folder in which the charts' SVG files lie, which become part of the page.
        problems: lines on what was left out.
    """
    runs = [run.name for run in results.runs]
    headings = {run: f"<h3>{escape(results.labels[run])}</h3>" if len(runs) > 1 else "" for run in runs}
    return PAGE.substitute(
        title=escape(" and ".join(runs)),
        notes="".join(f'<p class="notes">{escape(line)}</p>' for line in problems),
        highlights="".join(
            headings[run] + "".join(f"<p>{escape(line)}</p>" for line in highlights(results, run)) for run in runs
        ),
        spec=_table(_specs(results)),
        rounds="".join(headings[run] + _table(_rounds(results, run)) for run in runs),
        controls=_controls(results),
        figures="".join(_figure(number, chart, images) for number, chart in enumerate(charts, 1)),
    )


def _specs(results: Results) -> pd.DataFrame:
    """Lay the runs' specs beside each other."""
    specs = {run.name: {"kind": run.description.get("kind")} | run.description["spec"] for run in results.runs}
    table = pd.DataFrame(specs, dtype=object)
    return table.rename_axis("field").reset_index()


def _rounds(results: Results, run: str) -> pd.DataFrame:
    """Tabulate a run's rounds as a reader wants them."""
    keys = ["seed", "round"]
    structure = results.of("structure", run)
    structure = structure[structure["layer"] == "all"]
    table = results.of("rounds", run)
    table = table.merge(structure[[*keys, "dead", "unused_inputs", "effective_density"]], on=keys)
    table = table.merge(results.of("pixels", run)[[*keys, "centre_share", "centre_margin"]], on=keys, how="left")
    costs = results.of("efficiency", run)[[*keys, "inference_ratio", "total_training_ratio"]]
    table = table.merge(costs, on=keys, how="left")
    means = mean_table(table, ["round"])
    shown = means[["round", "seeds"]].assign(density=means["density"].map("{:.3f}".format))
    if position(means) == "iteration":
        shown.insert(1, "iteration", means["iteration"].map("{:,.0f}".format))
    for name, (heading, factor, digits) in COLUMNS.items():
        if name in means and means[name].notna().any():
            pairs = zip(means[name] * factor, means[f"{name}_interval"] * factor, strict=True)
            shown[heading] = [quoted(*pair, digits) for pair in pairs]
    seeds = results.of("seeds_similarity", run)
    seeds = seeds[(seeds["layer"] == "all") & (seeds["density"] < 1)]
    for measure, heading in EXCESS.items():
        rows = seeds[seeds["measure"] == measure].set_index("round")
        texts = {round: quoted(row["mean"], row["interval"], 4) for round, row in rows.iterrows()}
        if texts:
            shown[heading] = shown["round"].map(texts).fillna("")
    return shown


def _controls(results: Results) -> str:
    """Set each run's rounds beside those of its branches, metric by metric; nothing where no run has branches."""
    parts = []
    own = trunks(results.runs)
    for run in own:
        heading = f" of {escape(results.labels[run.name])}" if len(own) > 1 else ""
        for metric, words in CONTROLS.items() if run.branches else ():
            parts.append(f"<h3>{words}{heading}</h3>{_table(_beside(results, run, metric))}")
    return "<h2>Ticket and controls</h2>" * bool(parts) + "".join(parts)


def _beside(results: Results, run: FinishedRun, metric: str) -> pd.DataFrame:
    """Tabulate a metric of a run and its branches, a column each; iterations only of what is trained."""
    means = results.tables["rounds_mean"]
    _, factor, digits = COLUMNS[metric]
    own = means[means["run"] == run.name]
    shown = own[["round"]].assign(density=own["density"].map("{:.3f}".format))
    untrained = {each.name for each in run.branches if each.branch in UNTRAINED}
    for name, label in family(run).items():
        rows = means[means["run"] == name]
        if metric in rows and not (metric == "early_stop_iteration" and name in untrained):
            pairs = zip(rows[metric] * factor, rows[f"{metric}_interval"] * factor, strict=True)
            texts = dict(zip(rows["round"], (quoted(*pair, digits) for pair in pairs), strict=True))
            shown[label] = shown["round"].map(texts).fillna("")
    return shown


def _table(table: pd.DataFrame) -> str:
    return f'<div class="wide">{table.to_html(index=False, border=0, na_rep="")}</div>'


def _figure(number: int, chart: Chart, images: Path) -> str:
    image = base64.b64encode((images / f"{chart.name}.svg").read_bytes()).decode()
    caption = escape(chart.caption)
    return (
        f'<figure id="{escape(chart.name)}"><img alt="{escape(chart.name)}" src="data:image/svg+xml;base64,{image}">'
        f"<figcaption><b>Figure {number}.</b> {caption}</figcaption></figure>\n"
    )
