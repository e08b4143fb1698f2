"""Finished runs as analysis reads them: every readable round, and one line about each that is not.

Knows which files count and how runs are told apart in tables and legends. Holds attributes only: masks and weights are
read when they are asked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ticketlab.errors import BadInput
from ticketlab.storage import Damaged, Record, Run


@dataclass(frozen=True)
class FinishedRun:
    """The readable rounds of a run.

    Attributes:
        name: of its folder, by which tables tell runs apart.
        description: what its spec.json says.
        records: one per seed and round, seed by seed.
    """

    name: str
    description: Mapping[str, Any]
    records: Sequence[Record]


def read_runs(folders: Iterable[Path]) -> tuple[list[FinishedRun], list[str]]:
    """Open runs and compare the checksums of every file under its final name.

    Returns:
        The runs, and a line on each file that is left out and on each seed that has fewer rounds than others.

    Raises:
        BadInput: if a folder is no run or has no readable round, or if two have the same name.
    """
    runs: list[FinishedRun] = []
    problems: list[str] = []
    for folder in folders:
        run = Run(folder.resolve())
        if not folder.is_dir():
            raise BadInput(f"`runs` must be folders of runs. Received: {folder}, which is no folder")
        if run.folder.name in [other.name for other in runs]:
            raise BadInput(f"`runs` must have folders of different names. Received: {run.folder.name} twice")
        if not isinstance(run.description, dict) or not isinstance(run.description.get("spec"), dict):
            raise BadInput(f"{folder}/spec.json must describe a run. Received: no `spec` in it")
        records, damaged = _readable(run)
        if not records:
            raise BadInput(f"{folder} holds no readable round" + "".join(f"; {line}" for line in damaged))
        runs.append(FinishedRun(run.folder.name, run.description, records))
        problems += damaged + _unfinished(run)
    return runs, problems


def labels(runs: Sequence[FinishedRun]) -> dict[str, str]:
    """Name runs by the fields in which their specs differ, by their folders where these do not tell them apart.

    Returns:
        {name: label}

    >>> labels([FinishedRun("a", {"spec": {"x": 1, "y": 2}}, []), FinishedRun("b", {"spec": {"x": 1, "y": 3}}, [])])
    {'a': 'y=2', 'b': 'y=3'}
    """
    specs = [run.description["spec"] for run in runs]
    fields = list(dict.fromkeys(name for spec in specs for name in spec))
    differing = [name for name in fields if len({repr(spec.get(name)) for spec in specs}) > 1]
    found = [", ".join(f"{name}={spec.get(name)}" for name in differing) for spec in specs]
    names = [run.name for run in runs]
    return dict(zip(names, found if len(set(found)) == len(runs) > 1 else names, strict=True))


def _readable(run: Run) -> tuple[list[Record], list[str]]:
    records, damaged = [], []
    for seed in run.seeds():
        for round in run.rounds(seed):
            try:
                record = run.round(seed, round)
                record.verify()
            except Damaged as error:
                damaged.append(f"{error}; skipped")
                continue
            found = record.attributes
            if (found.get("seed"), found.get("round")) == (seed, round) and "density" in found:
                records.append(record)
            else:
                damaged.append(f"{record.path} does not say that it is round {round} of seed {seed}; skipped")
    return records, damaged


def _unfinished(run: Run) -> list[str]:
    counts = {seed: len(run.rounds(seed)) for seed in run.seeds()}
    most = max(counts.values())
    return [
        f"{run.folder.name}: seed {seed} is unfinished, with {count} of at least {most} rounds; what is there is used"
        for seed, count in counts.items()
        if count < most or run.partial_path(seed, count).exists()
    ]
