"""Iterative magnitude pruning: rounds of train → prune → rewind (Frankle & Carbin 2019, arXiv 1803.03635).

Reads like the paper: `replicate` is its section 1. TensorFlow is imported by `prepare` alone, so a process that only
checks flags never loads it.
"""

import importlib.metadata
import json
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ticketlab import data, masks, pruning, schedules, storage
from ticketlab.errors import BadInput, TicketlabError
from ticketlab.masks import Arrays
from ticketlab.spec import ImpSpec
from ticketlab.storage import Record, Run
from ticketlab.streams import stream

if TYPE_CHECKING:
    from ticketlab.engine import Engine
    from ticketlab.training import Checkpoint

Report = Callable[[str, dict[str, Any]], None]
PARTIAL_SECONDS = 60.0  # a killed process loses at most about so much work
PACKAGES = ("ticketlab", "tensorflow", "keras", "numpy", "h5py")


def check(spec: ImpSpec, dataset: data.Dataset) -> None:
    """Refuse what spec and data forbid together. Raises BadInput."""
    samples = data.split(len(dataset.x_train))[0].size
    if spec.batch_size > samples:
        raise BadInput(f"`batch_size` must be at most the {samples} training samples. Received: {spec.batch_size}")


def prepare(spec_json: str, run_folder: str, data_dir: Path | None) -> Callable[[int, Report], None]:
    """Load data and network once for all the replicates that this process will compute.

    Returns:
        A function of seed and report that computes one replicate.
    """
    from ticketlab import networks
    from ticketlab.engine import Engine

    spec, run = ImpSpec.from_json(spec_json), Run(run_folder)
    dataset = data.load(spec.dataset, data_dir)
    run.check(spec, dataset.digest)
    model = networks.NETWORKS[spec.network](dataset.input_shape, len(dataset.classes))
    engine = Engine(model, dataset, spec)
    return lambda seed, report: replicate(spec, engine, run, seed, report)


def replicate(spec: ImpSpec, engine: "Engine", run: Run, seed: int, report: Report) -> None:
    """Compute one seed's whole chain, but for the rounds that are on disk already.

    Args:
        spec: the experiment.
        engine: network, data and optimizer of this spec.
        run: where rounds are found and written.
        seed: of the replicate.
        report: called with the name of an event and its facts.
    """
    rounds = number_of_rounds(spec, engine)
    report("begin", {"rounds": rounds})
    with run.claim(seed):
        previous = None
        for round in range(rounds + 1):
            record = find_round(spec, run, seed, round, report)
            new = record is None
            if record is None:
                weights, mask = ticket(spec, engine, run, seed, previous)
                record = train_round(spec, engine, run, seed, round, weights, mask, report)
            report("round", {"new": new, **record.attributes})
            previous = record


def ticket(
    spec: ImpSpec, engine: "Engine", run: Run, seed: int, previous: Record | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the weights and masks that the round after `previous` starts from."""
    from ticketlab import networks

    if previous is None:
        initial = networks.draw(engine.model, seed, "initialisation")
        return initial, masks.all_kept(initial, engine.paths)
    round = previous.attributes["round"] + 1
    origin, final = run.round(seed, 0).rewind, previous.weights
    mask = pruning.prune(
        previous.masks,
        origin,
        final,
        criterion=spec.criterion,
        scope=spec.scope,
        rates=pruning.layer_rates(engine.paths, spec.scope, spec.prune_rate, spec.output_prune_rate),
        rng=stream(seed, "pruning", round),
    )
    if spec.weights_from == "rewind":
        weights = origin
    elif spec.weights_from == "fresh":
        weights = networks.draw(engine.model, seed, f"fresh draw {round}")
    elif spec.weights_from == "final":
        weights = final
    else:
        weights = signed_constant(origin, engine.paths)
    return masks.apply(weights, mask), mask


def signed_constant(initial: Arrays, paths: list[str]) -> dict[str, np.ndarray]:
    """Replace each kernel's values by their sign times the standard deviation of its layer (arXiv 1905.01067, sec. 4).

    >>> signed_constant({"k": np.array([3.0, -1.0])}, ["k"])
    {'k': array([ 2., -2.])}
    """
    return {path: np.sign(value) * value.std() if path in paths else value for path, value in initial.items()}


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


def number_of_rounds(spec: ImpSpec, engine: "Engine") -> int:
    """Count the rounds after round 0 that a spec asks for, by number or by density. Raises BadInput."""
    if spec.target_density is None:
        return spec.rounds
    sizes = {path: int(np.prod(shape)) for path, shape in engine.shapes().items()}
    rates = pruning.layer_rates(engine.paths, spec.scope, spec.prune_rate, spec.output_prune_rate)
    try:
        return schedules.rounds_to_density(sizes, rates, spec.scope, spec.target_density)
    except ValueError as error:
        raise BadInput(str(error)) from error


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
