"""One round: taken from disk if it is there, else trained from a ticket, resumable, and written.

Knows what a round's file says and when it may be used. Does not know where tickets come from (lottery.py).
"""

import importlib.metadata
import json
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ticketlab import masks, storage
from ticketlab.errors import TicketlabError
from ticketlab.masks import Arrays
from ticketlab.spec import ImpSpec
from ticketlab.storage import Record, Run

if TYPE_CHECKING:
    from ticketlab.engine import Engine
    from ticketlab.training import Checkpoint

Report = Callable[[str, dict[str, Any]], None]
PARTIAL_SECONDS = 60.0  # a killed process loses at most about so much work
PACKAGES = ("ticketlab", "tensorflow", "keras", "numpy", "h5py")


def train_round(
    spec: ImpSpec, engine: "Engine", run: Run, seed: int, round: int, weights: Arrays, mask: Arrays, report: Report
) -> Record:
    """Train a ticket from its start, or from where a killed process had come to, and write the round's file."""
    from ticketlab.training import Checkpoint, train

    engine.load(weights, mask)
    _, untrained_accuracy = engine.evaluate("test")
    start = spec.rewind_iteration if round else 0
    partial, described = run.partial_path(seed, round), json.dumps(spec.described())
    done = train(
        engine,
        find_partial(spec, run, seed, round, report) or Checkpoint(start, weights),
        mask,
        seed=seed,
        stop=spec.iterations,
        batch_size=spec.batch_size,
        eval_every=spec.eval_every,
        patience=spec.patience,
        keep_at=spec.rewind_iteration if round == 0 else None,
        report=lambda state: report("evaluation", _evaluation_facts(spec, round, mask, state)),
        save=lambda state: save_partial(partial, {"spec": described, "seed": seed, "round": round}, state),
        save_every=PARTIAL_SECONDS,
    )
    test_loss, test_accuracy = engine.evaluate("test")
    engine.load(done.best, mask)
    _, early_stop_test_accuracy = engine.evaluate("test")
    early_stop_iteration, early_stop_validation_loss = done.early_stop()[:2]
    attributes = {
        "spec": described,
        "seed": seed,
        "round": round,
        "density": masks.density(mask),
        "seconds": done.seconds,
        "versions": json.dumps(versions()),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "test_accuracy": test_accuracy,
        "test_loss": test_loss,
        "early_stop_iteration": int(early_stop_iteration),
        "early_stop_test_accuracy": early_stop_test_accuracy,
        "early_stop_validation_loss": early_stop_validation_loss,
        "untrained_test_accuracy": untrained_accuracy,
    }
    groups = {"masks": mask, "weights": done.weights, "history": done.history_arrays()}
    if round == 0:
        groups["rewind"] = done.kept or weights
    storage.write_file(run.path(seed, round), attributes, groups)
    partial.unlink(missing_ok=True)
    return run.round(seed, round)


def find_round(spec: ImpSpec, run: Run, seed: int, round: int, report: Report) -> Record | None:
    """Return a complete round of this spec if it is on disk; set a damaged one aside and report it."""
    path = run.path(seed, round)
    record = _readable(path, report)
    if record is None:
        return None
    _belongs(record, spec, seed, round)
    return record


def find_partial(spec: ImpSpec, run: Run, seed: int, round: int, report: Report) -> "Checkpoint | None":
    """Return where a killed process had come to, if it left anything."""
    from ticketlab.training import Checkpoint

    path = run.partial_path(seed, round)
    record = _readable(path, report)
    if record is None:
        return None
    _belongs(record, spec, seed, round)
    groups = {name: record.arrays(name) for name in ("weights", "optimizer", "best", "kept", "history")}
    history = tuple(zip(*(column.tolist() for column in groups.pop("history").values()), strict=True))
    return Checkpoint(record.attributes["iteration"], history=history, seconds=record.attributes["seconds"], **groups)


def save_partial(path: Path, owner: dict[str, Any], state: "Checkpoint") -> None:
    """Write a training's state so that it can go on from there to the same bits."""
    groups = {"weights": state.weights, "optimizer": state.optimizer, "best": state.best, "kept": state.kept}
    attributes = {**owner, "iteration": state.iteration, "seconds": state.seconds}
    storage.write_file(path, attributes, {**groups, "history": state.history_arrays()})


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the numbers depend on."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in PACKAGES}}


def _readable(path: Path, report: Report) -> Record | None:
    if not path.exists():
        return None
    try:
        record = Record(path)
        record.verify()
        return record
    except storage.Damaged as error:
        aside = storage.set_aside(path)
        report("damaged", {"message": f"{error}; kept as {aside.name}, computing it again"})
        return None


def _belongs(record: Record, spec: ImpSpec, seed: int, round: int) -> None:
    """Make sure that a file is what its name says. Raises TicketlabError."""
    found = record.attributes
    differing = storage.differences(json.loads(found["spec"]), spec)
    if differing or (found["seed"], found["round"]) != (seed, round):
        raise TicketlabError(f"{record.path} belongs elsewhere ({differing or 'another seed or round'}): move it away")


def _evaluation_facts(spec: ImpSpec, round: int, mask: Arrays, state: "Checkpoint") -> dict[str, Any]:
    iteration, loss, accuracy, _ = state.history[-1]
    return {
        "round": round,
        "iteration": iteration,
        "iterations": spec.iterations,
        "density": masks.density(mask),
        "validation_loss": loss,
        "validation_accuracy": accuracy,
    }
