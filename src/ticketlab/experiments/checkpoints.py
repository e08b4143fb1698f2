"""Files of finished and unfinished rounds: whether they may be used; reading and writing a training's state."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ticketlab.errors import TicketlabError
from ticketlab.experiments.events import Report, SetAside
from ticketlab.runs.folder import Record, Run, differences
from ticketlab.runs.hdf5 import Damaged, set_aside, write_file
from ticketlab.runs.spec import Spec

if TYPE_CHECKING:
    from ticketlab.training.loop import Checkpoint

PROGRESS = ("iteration", "seconds", "steps", "losses", "running")  # older files have the first two
STATE = ("weights", "masks", "optimizer", "best", "kept")


def find(path: Path, spec: Spec, seed: int, number: int, report: Report) -> Record | None:
    """Return a file of this round if it is there; set a damaged one aside and report it.

    Raises:
        TicketlabError: if the file belongs to another spec, seed or round.
    """
    if not path.exists():
        return None
    try:
        record = Record(path)
        record.verify()
    except Damaged as error:
        report(SetAside(f"{error}; kept as {set_aside(path).name}, computing it again"))
        return None
    _check_belongs(record, spec, seed, number)
    return record


def complete(spec: Spec, run: Run, seed: int, numbers: Sequence[int]) -> bool:
    """Tell whether these rounds are on disk, undamaged, and of this spec."""
    if not set(numbers) <= set(run.rounds(seed)):
        return False
    try:
        for number in numbers:
            record = run.round(seed, number)
            record.verify()
            _check_belongs(record, spec, seed, number)
    except TicketlabError:
        return False
    return True


def read_state(record: Record) -> "Checkpoint | None":
    """Return the state in an unfinished round's file; None for a file of an early version, whose round begins again."""
    from ticketlab.training.loop import Checkpoint, as_rows

    found: dict[str, Any] = {name: record.arrays(name) for name in STATE}
    if not found["masks"]:
        return None
    history, (early_stop,) = as_rows(record.arrays("history")), as_rows(record.arrays("early_stop")) or ((),)
    found |= {name: record.attributes[name] for name in PROGRESS if name in record.attributes}
    return Checkpoint(history=history, early_stop=early_stop, **found)


def write_state(path: Path, spec: Spec, seed: int, number: int, state: "Checkpoint") -> None:
    """Write a training's state, from which it can go on to the same bits."""
    from ticketlab.training.loop import as_columns

    attributes = {name: getattr(state, name) for name in PROGRESS}
    attributes |= {"spec": json.dumps(spec.described()), "seed": seed, "round": number}
    groups = {name: getattr(state, name) for name in STATE}
    rows = {"history": state.history, "early_stop": [state.early_stop] if state.early_stop else []}
    write_file(path, attributes, groups | {name: as_columns(each) for name, each in rows.items()})


def _check_belongs(record: Record, spec: Spec, seed: int, number: int) -> None:
    """Make sure that a file holds what its name says. Raises TicketlabError."""
    found = record.attributes
    differing = differences(json.loads(found["spec"]), spec)
    if differing or (found["seed"], found["round"]) != (seed, number):
        raise TicketlabError(f"{record.path} belongs elsewhere ({differing or 'another seed or round'}): move it away")
