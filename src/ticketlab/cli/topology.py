"""The factorial experiment on topology as a command: its runs and its results."""

import itertools
from pathlib import Path

from ticketlab.cli import sweep
from ticketlab.experiments.presets import PRESETS
from ticketlab.runs.folder import Run

FACTORS = {
    "inputs": ("unit", "standardised"),
    "weight_decay": (0.0, 1e-3, 1e-2),
    "drop": ("sign", "magnitude"),
    "method": ("set", "rigl"),
}
CELLS = [dict(zip(FACTORS, levels, strict=True)) for levels in itertools.product(*FACTORS.values())]
USUAL = {**PRESETS["set-mlp"], "iterations": 21_484, "grown": None}  # 50 epochs; new weights are the method's own


def main(description: str, argv: list[str] | None = None, prog: str | None = None) -> int:
    """Compute all runs and their results; return the exit status.

    Args:
        description: text for ``--help``.
        argv: flags; those of the process if left out.
        prog: name of the command; the script's name if left out.
    """
    return sweep.main("sparse_training", description, CELLS, finish, usual=USUAL, argv=argv, prog=prog)


def finish(folders: list[Path], outputs_dir: Path) -> None:
    """Write the results of all runs; runs that cannot be measured are refused after the first."""
    from ticketlab.analysis.factorial import measure, write

    runs = [Run(folder) for folder in folders]
    measure(runs[:1], list(FACTORS))
    if len(runs) == len(CELLS):
        for path in write(runs, list(FACTORS), outputs_dir / "topology_factorial"):
            print(path)
