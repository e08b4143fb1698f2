"""Rounds and unfinished rounds on disk: found, checked, set aside, and kept on the way."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ticketlab.errors import TicketlabError
from ticketlab.runs.folder import Record, Run, differences
from ticketlab.runs.hdf5 import Damaged, set_aside, write_file
from ticketlab.runs.spec import Spec

if TYPE_CHECKING:
    from ticketlab.training.loop import Checkpoint

Report = Callable[[str, dict[str, Any]], None]
PROGRESS = ("iteration", "seconds", "steps", "losses", "running")  # in partial files; older ones have the first two


def find_round(spec: Spec, run: Run, seed: int, round: int, report: Report) -> Record | None:
    """Return a complete round of this spec if it is on disk; set a damaged one aside and report it."""
    if record := _readable(run.path(seed, round), report):
        _belongs(record, spec, seed, round)
    return record


def complete(spec: Spec, run: Run, seed: int, rounds: Sequence[int]) -> bool:
    """Tell whether these rounds are on disk, sound, and of this spec."""
    if not set(rounds) <= set(run.rounds(seed)):
        return False
    try:
        for round in rounds:
            record = run.round(seed, round)
            record.verify()
            _belongs(record, spec, seed, round)
    except TicketlabError:
        return False
    return True


def find_partial(spec: Spec, run: Run, seed: int, round: int, report: Report) -> "Checkpoint | None":
    """Return where a killed process had come to, if it left anything."""
    from ticketlab.training.loop import Checkpoint, as_rows

    path = run.partial_path(seed, round)
    record = _readable(path, report)
    if record is None:
        return None
    _belongs(record, spec, seed, round)
    groups = {name: record.arrays(name) for name in ("weights", "masks", "optimizer", "best", "kept")}
    if not groups["masks"]:  # of an earlier version: the round begins again
        return None
    history, (early_stop,) = as_rows(record.arrays("history")), as_rows(record.arrays("early_stop")) or ((),)
    found = {name: record.attributes[name] for name in PROGRESS if name in record.attributes}
    return Checkpoint(history=history, early_stop=early_stop, **found, **groups)


def save_partial(spec: Spec, run: Run, seed: int, round: int, state: "Checkpoint") -> None:
    """Write a training's state so that it can go on from there to the same bits."""
    from ticketlab.training.loop import as_columns

    attributes = {name: getattr(state, name) for name in PROGRESS}
    attributes |= {"spec": json.dumps(spec.described()), "seed": seed, "round": round}
    groups = {name: getattr(state, name) for name in ("weights", "masks", "optimizer", "best", "kept")}
    rows = {"history": state.history, "early_stop": [state.early_stop] if state.early_stop else []}
    groups |= {name: as_columns(each) for name, each in rows.items()}
    write_file(run.partial_path(seed, round), attributes, groups)


def _readable(path: Path, report: Report) -> Record | None:
    if not path.exists():
        return None
    try:
        record = Record(path)
        record.verify()
        return record
    except Damaged as error:
        aside = set_aside(path)
        report("damaged", {"message": f"{error}; kept as {aside.name}, computing it again"})
        return None


def _belongs(record: Record, spec: Spec, seed: int, round: int) -> None:
    """Make sure that a file is what its name says. Raises TicketlabError."""
    found = record.attributes
    differing = differences(json.loads(found["spec"]), spec)
    if differing or (found["seed"], found["round"]) != (seed, round):
        raise TicketlabError(f"{record.path} belongs elsewhere ({differing or 'another seed or round'}): move it away")
