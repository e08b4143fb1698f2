"""A laboratory for lottery tickets and sparse training of neural networks.

The names below are the public ones; each is imported when it is first asked for, since TensorFlow, pandas and
matplotlib take seconds to load.

>>> import ticketlab
>>> ticketlab.ImpSpec(network="conv2").resolved.learning_rate
0.0002
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ticketlab import analysis
    from ticketlab.data.sources import load_dataset
    from ticketlab.evaluation.csr import load_csr, save_csr
    from ticketlab.execution.launch import run
    from ticketlab.experiments.lottery.spec import ImpSpec
    from ticketlab.experiments.pruning_at_init.spec import PruningAtInitSpec
    from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
    from ticketlab.networks.keras_masks import apply_masks, keep_masks, prune
    from ticketlab.runs.folder import Run

__all__ = [
    "ImpSpec",
    "PruningAtInitSpec",
    "SparseTrainingSpec",
    "analysis",
    "apply_masks",
    "keep_masks",
    "load_csr",
    "load_dataset",
    "open_run",
    "prune",
    "run",
    "save_csr",
]

_HOMES = {
    "load_dataset": "data.sources",
    "run": "execution.launch",
    "ImpSpec": "experiments.lottery.spec",
    "PruningAtInitSpec": "experiments.pruning_at_init.spec",
    "SparseTrainingSpec": "experiments.sparse_training.spec",
    "apply_masks": "networks.keras_masks",
    "keep_masks": "networks.keras_masks",
    "prune": "networks.keras_masks",
    "load_csr": "evaluation.csr",
    "save_csr": "evaluation.csr",
}


def open_run(folder: Path | str) -> "Run":
    """Open a run's folder. Raises BadInput if it is none.

    >>> run = open_run("models/example")  # doctest: +SKIP
    >>> run.round(seed=0, round=7).masks["dense_1/kernel"].shape  # doctest: +SKIP
    (784, 300)
    """
    from ticketlab.runs.folder import Run

    run = Run(folder)
    run.description  # noqa: B018, reading it refuses a folder without one
    return run


def __getattr__(name: str) -> Any:
    if name == "analysis":
        return importlib.import_module("ticketlab.analysis")
    if name in _HOMES:
        return getattr(importlib.import_module(f"ticketlab.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ticketlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
