"""A laboratory for lottery tickets and sparse training of neural networks.

As a library: ``open_run`` opens a finished run; ``ticketlab.analysis`` is imported when it is first named.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ticketlab.runs.folder import Run

LAZY = ("analysis", "kinds", "launch", "storage")


def open_run(folder: Path | str) -> "Run":
    """Open a run's folder. Raises BadInput if it is none.

    >>> run = open_run("models/example")  # doctest: +SKIP
    >>> run.round(seed=0, round=7).masks["dense_1/kernel"].shape  # doctest: +SKIP
    (784, 300)
    """
    from ticketlab.runs.folder import Run  # workers import this package before they set themselves up

    run = Run(folder)
    run.description  # noqa: B018, reading it refuses a folder without one
    return run


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return importlib.import_module(f"ticketlab.{name}")
    raise AttributeError(f"module 'ticketlab' has no attribute {name!r}")
