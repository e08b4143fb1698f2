"""What an analysis leaves: the folder of some runs, with their tables, figures and report."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ticketlab.analysis.figures import CHARTS
from ticketlab.analysis.report.page import report
from ticketlab.analysis.results import Results
from ticketlab.errors import WriteFailed
from ticketlab.runs.folder import write_bytes

NAME_LENGTH = 200  # bytes that a folder's name may safely have


class Written(NamedTuple):
    """How many files of each kind there are now."""

    tables: int
    figures: int


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
