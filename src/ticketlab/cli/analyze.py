"""Analysis as a command: run folders in, tables, figures and a report out; every problem in one line."""

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ticketlab.analysis.figures import CHARTS
from ticketlab.analysis.report.page import report
from ticketlab.analysis.results import Results, measure
from ticketlab.analysis.runs import Unreadable, read_runs
from ticketlab.cli.parser import Parser
from ticketlab.errors import BadInput, TicketlabError, WriteFailed
from ticketlab.runs.folder import write_bytes

NAME_LENGTH = 200  # bytes that a folder's name may safely have


class Written(NamedTuple):
    """How many files of each kind there are now."""

    tables: int
    figures: int


def main(description: str | None, argv: list[str] | None = None, prog: str | None = None) -> int:
    """Analyse finished runs as a command; return its exit status.

    Args:
        description: for ``--help``.
        argv: the flags; those of the process if left out.
        prog: the command's name; the script's if left out.

    Returns:
        0 if all went well or only what the runs do not have was left out, each with a line on stderr; 1 if a file could
        not be read, while the report is of all others, or not be written; 2 on bad input; 130 if interrupted.
    """
    parser = Parser(prog=prog, description=description)
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="folder of a finished run; branches beside it are found"
    )
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
        _say(problems)
        folder = flags.outputs_dir / folder_name([run.name for run in runs])
        _make(folder)
        results, left_out = measure(runs)
        _say(left_out)
        counts = write(results, folder, [*problems, *left_out])
        print(f"report: {folder / 'report.html'}")
        print(f"{counts.tables} tables, {counts.figures} figures in {folder}")
    except BadInput as error:
        parser.error(str(error))
    except TicketlabError as error:
        _say([f"{parser.prog}: {error}"])
        return 1
    except KeyboardInterrupt:
        _say(["interrupted: the outputs are incomplete; the same command writes all of them again"])
        return 130
    return int(any(isinstance(line, Unreadable) for line in problems))


def write(results: Results, folder: Path, problems: Sequence[str]) -> Written:
    """Write tables, figures and report, and count them; a file under its name is complete.

    Args:
        results: of the runs.
        folder: where to; it exists.
        problems: lines on what was left out, for the report.

    Raises:
        WriteFailed: if the disk refuses.
    """
    figures = folder / "figures"
    try:
        for name, table in results.tables.items():
            write_bytes(folder / f"{name}.csv", _shown(results, table).to_csv(index=False).encode())
        figures.mkdir(exist_ok=True)
        charts = [chart for make in CHARTS for chart in make(results)]
        for chart in charts:
            chart.save(figures)
        page = report(results, charts, figures, problems)
        write_bytes(folder / "report.html", page.encode())
    except OSError as error:
        raise WriteFailed(f"cannot write into {folder}: {error.strerror}") from error
    return Written(len(results.tables), len(charts))


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


def _shown(results: Results, table: pd.DataFrame) -> pd.DataFrame:
    """Leave the column `run` out where it would say the same in every row of every run."""
    alone = len(results.runs) == 1 and "run" in table and table["run"].nunique() <= 1
    return table.drop(columns="run") if alone else table


def _make(folder: Path) -> None:
    """Make a folder that can be written. Raises BadInput."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot write into {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise BadInput(f"cannot write into {folder}: Permission denied")


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)
