"""The factorial experiment on topology as a command: which runs it consists of, and what is written of them."""

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
    """Compute all runs and what came of them; return the exit status.

    Args:
        description: for ``--help``.
        argv: the flags; those of the process if left out.
        prog: the command's name; the script's if left out.
    """
    return sweep.main("sparse_training", description, CELLS, finish, usual=USUAL, argv=argv, prog=prog)


def finish(folders: list[Path], outputs_dir: Path) -> None:
    """Write what came of all runs; what cannot be measured is refused after the first."""
    from ticketlab.analysis.factorial import measure, write

    runs = [Run(folder) for folder in folders]
    measure(runs[:1], list(FACTORS))
    if len(runs) == len(CELLS):
        for path in write(runs, list(FACTORS), outputs_dir / "topology_factorial"):
            print(path)
