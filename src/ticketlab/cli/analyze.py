"""Analysis as a command: it reads folders of runs, and writes tables, figures and a report."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ticketlab.cli.parser import Parser
from ticketlab.errors import BadInput


def main(description: str | None, argv: list[str] | None = None, prog: str | None = None) -> int:
    """Analyse finished runs as a command; return its exit status.

    Args:
        description: text for ``--help``.
        argv: flags; those of the process if left out.
        prog: name of the command; the script's name if left out.

    Returns:
        0 on success, also where stderr names parts that the runs do not have; 1 if a file could not be read, so that
        the report lacks it, or could not be written; 2 on bad input; 130 if interrupted.
    """
    parser = Parser(prog=prog, description=description)
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="folder of a finished run; branches beside it are included"
    )
    parser.add_argument(
        "--outputs-dir",
        type=Path,
        default=Path("outputs"),
        metavar="DIR",
        help="folder for the results, which are written to a subfolder named after the runs (default: outputs)",
    )
    flags = parser.parse_args(argv)
    from ticketlab.analysis import outputs  # it imports pandas and matplotlib, for which --help does not wait
    from ticketlab.analysis.results import measure
    from ticketlab.analysis.runs import Unreadable, read_runs

    def work() -> int:
        runs, problems = read_runs(flags.runs)
        _say(problems)
        folder = flags.outputs_dir / outputs.folder_name([run.name for run in runs])
        _make(folder)
        results, left_out = measure(runs)
        _say(left_out)
        counts = outputs.write(results, folder, [*problems, *left_out])
        print(f"report: {folder / 'report.html'}")
        print(f"{counts.tables} tables, {counts.figures} figures in {folder}")
        return int(any(isinstance(line, Unreadable) for line in problems))

    return parser.guarded(work, "interrupted: the outputs are incomplete; the same command writes all of them again")


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
