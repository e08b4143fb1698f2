"""report.html: one self-contained page with the quoted numbers, tables and figures of some runs, and their origin.

Knows what stands on the page and in which order; how it looks stands in the template beside this module.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import pandas as pd

from ticketlab.analysis.figures.panels import Chart
from ticketlab.analysis.report import tables
from ticketlab.analysis.report.findings import findings
from ticketlab.analysis.report.markup import Part, folded, joined, links, moving, picture, table
from ticketlab.analysis.report.provenance import experiment, finished, provenance, ranges
from ticketlab.analysis.report.similarity import WEAK, WHAT, seeds_masks
from ticketlab.analysis.results import Results
from ticketlab.analysis.runs import FinishedRun, trunks
from ticketlab.means import FEWEST

TITLED = 3  # runs that a title names
LAST_ROUNDS = (
    "Each run at its last round; densities may differ. Operations are those of a whole chain or training, of a control "
    "those of that round alone, beside the chain that gave its mask. Seconds are those of all rounds."
)
MEANING = (
    "± is half of a 95 % interval over seeds everywhere on this page, by Student's t; for similarities between seeds, "
    "whose pairs are not independent, from the variances over seeds and pairs. Below three seeds there is none. "
)
SAMPLING = (
    "All seeds have the same test samples, so that no ± holds the error of their choice: for an accuracy a on n "
    "samples, about √(a(1 − a) / n)."
)
PAIRED = "Differences seed by seed, and their mean."
NOTE = " *: an early stop at or near the last iteration is among them, so that the difference is no more than a bound."
COLUMNS = "Their columns are explained in outputs/README.md of ticketlab."


def report(results: Results, charts: Iterable[Chart], images: Path, problems: Sequence[str]) -> str:
    """Write the page, which is to lie in the folder that holds the tables and, in a folder of their own, the images.

    Args:
        results: results of the runs.
        charts: figures in their order.
        images: folder in which the charts' files lie; SVG and GIF become part of the page, and all are linked.
        problems: lines on what was left out.
    """
    names = [run.name for run in results.runs]
    title = " and ".join(names) if len(names) <= TITLED else f"{names[0]} and {len(names) - 1} other runs"
    parts = [
        *_numbers(results),
        *_rounds(results),
        *_controls(results),
        *_figures(results, charts, images),
        *_origin(results),
    ]
    contents, main = joined(parts)
    page = Template((files("ticketlab.analysis.report") / "template.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(title),
        lead="".join(f"<p>{escape(_lead(results, run))}</p>" for run in results.runs),
        notes="".join(f'<p class="notes">{escape(line)}</p>' for line in problems),
        contents=contents,
        main=main,
    )


def _lead(results: Results, run: FinishedRun) -> str:
    """Say what a run is, and when it was computed."""
    spec, times = run.description["spec"], finished(run.records)
    seeds = {record.attributes["seed"] for record in run.records}
    label = f"{results.labels[run.name]}: " if len(results.runs) > 1 else ""
    parts = [experiment(run), spec.get("dataset"), spec.get("network"), f"seeds {ranges(sorted(seeds))}"]
    parts += [f"finished on {times[-1]:%d %B %Y}"] if times else []
    return f"{label}{', '.join(filter(None, parts))}."


def _numbers(results: Results) -> Iterator[Part]:
    """Quote the numbers of each run, and set all runs beside each other."""
    unknown = any(not run.data.test_samples and not run.regression for run in results.runs)  # else it is a finding
    meaning = MEANING * _with_intervals(results) + SAMPLING * unknown
    note = f'<p class="aside">{escape(meaning)}</p>' if meaning else ""
    several = len(results.runs) > 1
    quoted = {run.name: _quoted(results, run.name) for run in results.runs}
    yield Part(2, "In numbers", note if several else "".join(quoted.values()) + note)
    for run, content in quoted.items():
        if several:
            yield Part(3, results.labels[run], content)
        if len(rows := seeds_masks(results, run)):
            title = f"Seeds' masks of {results.labels[run]}" if several else "Seeds' masks"
            weak = f'<p class="aside">{escape(WEAK)}</p>'
            yield Part(3, title, f"<p>{escape(WHAT)}</p>{table(rows, title)}{weak}")
    if len(rows := tables.summary(results)) > 1:  # of one run, the last row of its rounds says it
        yield Part(2, "Runs beside each other", f"<p>{LAST_ROUNDS}</p>" + table(rows, "runs"))


def _with_intervals(results: Results) -> bool:
    """Tell whether some number has an interval, which takes three seeds."""
    return bool(results.tables["rounds_mean"]["seeds"].max() >= FEWEST)


def _quoted(results: Results, run: str) -> str:
    rows = pd.DataFrame(findings(results, run), columns=["subject", "finding"])
    return table(rows, f"findings of {run}", text=True)


def _rounds(results: Results) -> Iterator[Part]:
    yield Part(2, "Rounds", "<p>Means over seeds.</p>")
    for run in results.runs:
        for title, rows in tables.rounds(results, run):
            yield _titled(results, title, run, rows, len(results.runs) > 1)


def _controls(results: Results) -> Iterator[Part]:
    """Set each run's rounds beside those of its branches, metric by metric, and take differences seed by seed."""
    own = trunks(results.runs)
    beside = [(run, *each) for run in own if run.branches for each in tables.beside(results, run)]
    paired = [(run, *each) for run in results.runs for each in tables.paired(results, run)]
    bound = any(tables.BOUND in text for *_, rows in paired for text in rows.astype(str).to_numpy().ravel())
    for heading, note, found in (("Ticket and controls", "", beside), ("Differences", PAIRED + NOTE * bound, paired)):
        if found:
            yield Part(2, heading, f"<p>{escape(note)}</p>" if note else "")
        for run, title, rows in found:
            yield _titled(results, title, run, rows, len(own) > 1 or run not in own)


def _titled(results: Results, title: str, run: FinishedRun, rows: pd.DataFrame, named: bool) -> Part:
    heading = f"{title} of {results.labels[run.name]}" if named else title
    return Part(3, heading, table(rows, heading))


def _figures(results: Results, charts: Iterable[Chart], images: Path) -> Iterator[Part]:
    yield Part(2, "Figures")
    for number, chart in enumerate(charts, 1):
        alternative = chart.alt or chart.caption
        kinds = ["png", "svg", "csv", *(["gif"] if chart.moving else [])]
        linked = links([f"{images.name}/{chart.name}.{kind}" for kind in kinds], [kind.upper() for kind in kinds])
        whose = _whose(results, chart)
        content = (
            picture(images / f"{chart.name}.svg", alternative)
            + (
                moving(images / f"{chart.name}.gif", f"{alternative} One frame per saved round.")
                if chart.moving
                else ""
            )
            + f"<figcaption><b>Figure {number}{escape(whose)}.</b> {escape(chart.caption)} "
            + f'<span class="files">{linked}</span></figcaption>'
        )
        yield Part(3, f"{number}. {_begun(chart.caption)}{whose}", content, chart.name)


def _whose(results: Results, chart: Chart) -> str:
    """Say which of several runs a figure is of, where it is of one."""
    names = (run.name for run in results.runs if chart.name == results.file_name(chart.name.split("-")[0], run.name))
    name = next(names, None) if len(results.runs) > 1 else None
    return f", {results.labels[name]}" if name else ""


def _begun(caption: str) -> str:
    """Return what a caption begins with, for a list.

    >>> _begun("How well and how soon: test accuracy."), _begun("Weights that units keep (round 7, all), line: chance.")
    ('How well and how soon', 'Weights that units keep')
    """
    plain = re.sub(r"^Left: | \([^)]*\)", "", caption)
    begun = re.split(r"[:;,] |\.(?: (?=[A-Z])|$)", plain, maxsplit=1)[0]
    return begun[:1].upper() + begun[1:]


def _origin(results: Results) -> Iterator[Part]:
    """Tell where the numbers come from: files, data, versions, settings."""
    names = [f"{name}.csv" for name in results.tables]
    yield Part(2, "Origin", f'<p class="files">Tables as files: {links(names, names)}. {COLUMNS}</p>')
    everyone = {each.name: each for run in results.runs for each in (run, *run.branches)}
    facts = pd.DataFrame({name: provenance(run) for name, run in everyone.items()}, dtype=object)
    yield Part(3, "Data, versions and time", table(facts.rename_axis("").reset_index(), "origin", text=True))
    differing, all_fields = tables.specs(results.runs)
    content = table(differing, "fields in which the runs differ", text=True) if len(differing) else ""
    yield Part(3, "Spec", content + folded("All fields", table(all_fields, "spec", text=True)))
