"""Analysis as a command: run folders in, tables, figures and a report out; every problem in one line."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from ticketlab.analysis.chart import Chart
from ticketlab.analysis.chart_masks import pixel_charts, structure_charts
from ticketlab.analysis.chart_similarity import similarity_charts
from ticketlab.analysis.chart_training import training_charts
from ticketlab.analysis.chart_weights import weight_charts
from ticketlab.analysis.report import report
from ticketlab.analysis.results import Results, measure
from ticketlab.analysis.runs import FinishedRun, read_runs
from ticketlab.errors import BadInput, TicketlabError
from ticketlab.flags import Parser

CHARTS: Sequence[Callable[[Results], Iterator[Chart]]] = (
    training_charts,
    similarity_charts,
    structure_charts,
    pixel_charts,
    weight_charts,
)
NAME_LENGTH = 200  # bytes that a folder's name may safely have


def main(description: str, argv: list[str] | None = None) -> int:
    """Analyse finished runs as a command; return its exit status.

    Args:
        description: for ``--help``.
        argv: the flags; those of the process if left out.

    Returns:
        0 if all went well or only parts of the runs were left out, each with a line on stderr; 1 if a file could not
        be written; 2 on bad input.
    """
    parser = Parser(description=description)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument(
        "--outputs-dir",
        type=Path,
        default=Path("outputs"),
        metavar="DIR",
        help="a folder named after the runs is written there (default: outputs)",
    )
    flags = parser.parse_args(argv)
    try:
        runs, problems = read_runs(flags.runs)
        folder = flags.outputs_dir / folder_name([run.name for run in runs])
        for path in analyse(runs, folder, problems):
            print(path)
    except BadInput as error:
        parser.error(str(error))
    except TicketlabError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


def analyse(runs: Sequence[FinishedRun], folder: Path, problems: Sequence[str] = ()) -> Iterator[Path]:
    """Write tables, figures and report of some runs into a folder, path by path.

    Args:
        runs: as `runs.read_runs` returns them.
        folder: made if it is not there.
        problems: lines that the report repeats; they and those found here go to stderr.

    Raises:
        BadInput: if the folder cannot be written.
        Damaged: if a file has been damaged since it was opened.
    """
    figures = folder / "figures"
    try:
        figures.mkdir(parents=True, exist_ok=True)
        for path in (folder, figures):
            if not os.access(path, os.W_OK):
                raise PermissionError(13, "Permission denied")
        print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr, flush=True)
        results, left_out = measure(runs)
        print(*left_out, sep="\n", end="\n" if left_out else "", file=sys.stderr, flush=True)
        for name, table in results.tables.items():
            yield _write(table, folder / f"{name}.csv", several=len(runs) > 1)
        charts = [chart for make in CHARTS for chart in make(results)]
        for chart in charts:
            yield from chart.save(figures)
        page = report(results, charts, figures, [*problems, *left_out])
        (folder / "report.html").write_text(page, encoding="utf-8")
        yield folder / "report.html"
    except OSError as error:
        raise BadInput(f"cannot write into {folder}: {error.strerror}") from error


def folder_name(names: Sequence[str]) -> str:
    """Name the output of some runs: their names joined by ``+``, as many as fit.

    >>> folder_name(["example"]), folder_name(["tickets", "fresh"])
    ('example', 'tickets+fresh')
    """
    joined = "+".join(names)
    if len(joined.encode()) <= NAME_LENGTH:
        return joined
    digest = hashlib.sha256(joined.encode()).hexdigest()[:10]
    return f"{names[0]}+{len(names) - 1}-more-{digest}"


def _write(table: pd.DataFrame, path: Path, several: bool) -> Path:
    """Write a table; the column that tells runs apart is there only where there are several."""
    (table if several else table.drop(columns="run", errors="ignore")).to_csv(path, index=False)
    return path
