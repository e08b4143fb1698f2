"""What turns the topology that sparse training learns: inputs × weight decay × removal rule × method, one network."""

import itertools
import sys
from pathlib import Path

from ticketlab.analysis.factorial import measure, write
from ticketlab.cli.train import main
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


def finish(folders: list[Path], outputs_dir: Path) -> None:
    """Write what came of all cells; what cannot be measured is refused after the first."""
    runs = [Run(folder) for folder in folders]
    measure(runs[:1], list(FACTORS))
    if len(runs) == len(CELLS):
        for path in write(runs, list(FACTORS), outputs_dir / "topology_factorial"):
            print(path)


if __name__ == "__main__":
    sys.exit(main("sparse_training", __doc__, usual=USUAL, cells=CELLS, finish=finish))
