"""Iterative magnitude pruning: rounds of train → prune → rewind (Frankle & Carbin 2019, arXiv 1803.03635).

Reads like the paper: `replicate` is its section 1. TensorFlow is imported by `prepare` alone, so a process that only
checks flags never loads it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ticketlab import data, masks, pruning, schedules
from ticketlab.errors import BadInput
from ticketlab.masks import Arrays
from ticketlab.rounds import Report, find_round, train_round
from ticketlab.spec import ImpSpec
from ticketlab.storage import Record, Run
from ticketlab.streams import stream

if TYPE_CHECKING:
    from ticketlab.engine import Engine


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
