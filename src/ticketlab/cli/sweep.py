"""An experiment of several runs as one command."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ticketlab.cli.flags import make_parser
from ticketlab.cli.train import compute, guarded
from ticketlab.experiments import registry


def main(
    kind: str,
    description: str,
    cells: Sequence[dict[str, Any]],
    finish: Callable[[list[Path], Path], None],
    *,
    usual: dict[str, Any],
    argv: list[str] | None = None,
    prog: str | None = None,
) -> int:
    """Compute one run after the other; return the exit status, as `train.main` does.

    Args:
        kind: kind of the experiment, a name of `EXPERIMENTS`.
        description: text for ``--help``.
        cells: for each run, the fields in which it differs from the others; they are no flags.
        finish: function called after each run with the folders of the complete runs and the folder for outputs.
        usual: the command's own defaults of fields.
        argv: flags; those of the process if left out.
        prog: name of the command; the script's name if left out.
    """
    spec_class = registry.EXPERIMENTS[kind].spec
    parser = make_parser(spec_class, description, cells[0], usual, prog=prog, outputs=True)
    flags = vars(parser.parse_args(argv))

    def work() -> int:
        folders: list[Path] = []
        for cell in cells:
            run, status = compute(spec_class, cell, usual, flags)
            if status:
                return status
            folders.append(run.folder)
            if not flags["dry_run"]:
                finish(folders, flags["outputs_dir"])
        return 0

    return guarded(parser, flags, work)
