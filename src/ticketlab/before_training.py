"""Pruning before training: each round finds a mask of its density from the initial weights, and trains under it.

Rounds do not rest on each other but for the initial weights, which are the same. What a method scores stands in
saliency.py. TensorFlow is imported inside functions.
"""

from collections.abc import Callable
from pathlib import Path

from ticketlab import masks, workbench
from ticketlab.dataset import Dataset
from ticketlab.densities import Shapes, layer_sizes
from ticketlab.errors import BadInput
from ticketlab.kinds import OF_LOSS, BeforeSpec
from ticketlab.options import refused
from ticketlab.overwriting import Overwritten
from ticketlab.rounds import Report, Ticket, complete, independent_rounds
from ticketlab.saliency import prune_before_training
from ticketlab.storage import Run
from ticketlab.streams import stream
from ticketlab.workbench import Source, Workbench

MOST_ROUNDS = 10_000


def check(spec: BeforeSpec, dataset: Dataset, source: Source, models_dir: Path, seeds: list[int]) -> None:
    """Refuse what spec and data forbid together. Raises BadInput."""
    workbench.check(spec, dataset, source)
    samples = dataset.samples
    if spec.method in OF_LOSS and spec.scoring_samples > samples:
        raise BadInput(
            f"`scoring_samples` must be at most the {samples} training samples. Received: {spec.scoring_samples}"
        )
    if shapes := source.chain_shapes(spec, dataset):  # of other networks, `prepare` knows
        check_densities(spec, shapes)


def check_densities(spec: BeforeSpec, shapes: Shapes) -> None:
    """Refuse rounds of fewer weights than there are layers, before any is trained. Raises BadInput."""
    last = max(chosen(spec))
    counts = (round(density(spec, each) * sum(layer_sizes(shapes).values())) for each in range(last + 1))
    reached = sum(count >= len(shapes) for count in counts) - 1
    if last > reached:
        name = "only_rounds" if spec.only_rounds else "rounds" if spec.target_density is None else "target_density"
        expected = f"such that each of {len(shapes)} layers keeps a weight, which round {reached} is the last to do"
        raise refused(name, expected, getattr(spec, name))


def prepare(spec_json: str, run_folder: str, source: Source, overwritten: Overwritten) -> Callable[[int, Report], None]:
    """Load data and network once; return a function of seed and report that computes one replicate."""
    spec, run = BeforeSpec.from_json(spec_json), Run(run_folder)
    bench = workbench.prepare(
        spec, run, source, overwritten=overwritten, agree=lambda shapes, _: check_densities(spec, shapes)
    )
    return lambda seed, report: replicate(spec, bench, run, seed, report)


def replicate(spec: BeforeSpec, bench: Workbench, run: Run, seed: int, report: Report) -> None:
    """Compute one seed's rounds, but for those that are on disk already."""
    with run.claim(seed):
        independent_rounds(spec, bench, run, seed, chosen(spec), lambda round: ticket(spec, bench, seed, round), report)


def finished(spec: BeforeSpec, dataset: Dataset, run: Run, seed: int) -> bool:
    """Tell whether nothing is left to compute of one seed."""
    return complete(spec, run, seed, chosen(spec))


def chosen(spec: BeforeSpec) -> list[int]:
    """List the rounds that a spec asks for: those named, or the dense one and as many after it."""
    return list(spec.only_rounds) or list(range(number_of_rounds(spec) + 1))


def ticket(spec: BeforeSpec, bench: Workbench, seed: int, round: int) -> Ticket:
    """Return what a round starts from: initial weights under the mask that they give."""
    from ticketlab import variables

    initial = variables.draw(bench.model, seed, "initialisation")
    mask = masks.all_kept(initial, bench.paths)
    if round:
        samples = stream(seed, "scoring samples").permutation(bench.train_indices)[: spec.scoring_samples]
        mask = prune_before_training(
            {path: initial[path] for path in bench.paths},
            *bench.named("dense").functions(initial, samples),
            method=spec.method,
            density=density(spec, round),
            distribution=spec.distribution,
            steps=spec.scoring_steps,
            rng=stream(seed, "pruning", round),
        )
    return Ticket(masks.apply(initial, mask), mask, 0, spec.learning_rates)


def density(spec: BeforeSpec, round: int) -> float:
    """Return the density of a round, that which so many rounds of pruning at the same rate would leave."""
    return (1 - spec.prune_rate) ** round


def number_of_rounds(spec: BeforeSpec) -> int:
    """Count the rounds after round 0 that a spec asks for, by number or by density. Raises BadInput."""
    if spec.target_density is None:
        return spec.rounds
    there = (round for round in range(MOST_ROUNDS + 1) if density(spec, round) <= spec.target_density)
    last = next(there, None)
    if last is None:
        reached = f"one that {MOST_ROUNDS:,} rounds reach, {density(spec, MOST_ROUNDS):.4g} with this `prune_rate`"
        raise refused("target_density", reached, spec.target_density)
    return last
