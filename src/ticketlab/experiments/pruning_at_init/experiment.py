"""Pruning before training: each round finds a mask of its density from the initial weights, and trains under it.

Rounds do not rest on each other but for the initial weights, which are the same. What a method scores stands in
saliency.py. TensorFlow is imported inside functions.
"""

from collections.abc import Callable
from pathlib import Path

from ticketlab.data.dataset import Dataset
from ticketlab.errors import BadInput
from ticketlab.experiments.checkpoints import complete
from ticketlab.experiments.pruning_at_init.saliency import prune_before_training
from ticketlab.experiments.pruning_at_init.spec import OF_LOSS, PruningAtInitSpec
from ticketlab.experiments.rounds import Report, Ticket, independent_rounds
from ticketlab.random_streams import stream
from ticketlab.runs.fields import refused
from ticketlab.runs.folder import Run
from ticketlab.runs.overwriting import Overwritten
from ticketlab.sparsity import masks
from ticketlab.sparsity.distributions import Shapes, layer_sizes
from ticketlab.training.context import Context, Source, check_context, prepare_context

MOST_ROUNDS = 10_000


def check(spec: PruningAtInitSpec, dataset: Dataset, source: Source, models_dir: Path, seeds: list[int]) -> None:
    """Refuse what spec and data forbid together. Raises BadInput."""
    check_context(spec, dataset, source)
    samples = dataset.samples
    if spec.method in OF_LOSS and spec.scoring_samples > samples:
        raise BadInput(
            f"`scoring_samples` must be at most the {samples} training samples. Received: {spec.scoring_samples}"
        )
    if shapes := source.mlp_shapes(spec, dataset):  # of other networks, `prepare` knows
        check_densities(spec, shapes)


def check_densities(spec: PruningAtInitSpec, shapes: Shapes) -> None:
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
    spec, run = PruningAtInitSpec.from_json(spec_json), Run(run_folder)
    context = prepare_context(
        spec, run, source, overwritten=overwritten, agree=lambda shapes, _: check_densities(spec, shapes)
    )
    return lambda seed, report: replicate(spec, context, run, seed, report)


def replicate(spec: PruningAtInitSpec, context: Context, run: Run, seed: int, report: Report) -> None:
    """Compute one seed's rounds, but for those that are on disk already."""
    with run.claim(seed):
        independent_rounds(
            spec, context, run, seed, chosen(spec), lambda round: ticket(spec, context, seed, round), report
        )


def finished(spec: PruningAtInitSpec, dataset: Dataset, run: Run, seed: int) -> bool:
    """Tell whether nothing is left to compute of one seed."""
    return complete(spec, run, seed, chosen(spec))


def chosen(spec: PruningAtInitSpec) -> list[int]:
    """List the rounds that a spec asks for: those named, or the dense one and as many after it."""
    return list(spec.only_rounds) or list(range(number_of_rounds(spec) + 1))


def ticket(spec: PruningAtInitSpec, context: Context, seed: int, round: int) -> Ticket:
    """Return what a round starts from: initial weights under the mask that they give."""
    from ticketlab.networks import variables

    initial = variables.draw(context.model, seed, "initialisation")
    mask = masks.all_kept(initial, context.paths)
    if round:
        samples = stream(seed, "scoring samples").permutation(context.train_indices)[: spec.scoring_samples]
        mask = prune_before_training(
            {path: initial[path] for path in context.paths},
            *context.dense.functions(initial, samples),
            method=spec.method,
            density=density(spec, round),
            distribution=spec.distribution,
            steps=spec.scoring_steps,
            rng=stream(seed, "pruning", round),
        )
    return Ticket(masks.apply(initial, mask), mask, 0, spec.learning_rates)


def density(spec: PruningAtInitSpec, round: int) -> float:
    """Return the density of a round, that which so many rounds of pruning at the same rate would leave."""
    return (1 - spec.prune_rate) ** round


def number_of_rounds(spec: PruningAtInitSpec) -> int:
    """Count the rounds after round 0 that a spec asks for, by number or by density. Raises BadInput."""
    if spec.target_density is None:
        return spec.rounds
    there = (round for round in range(MOST_ROUNDS + 1) if density(spec, round) <= spec.target_density)
    last = next(there, None)
    if last is None:
        reached = f"one that {MOST_ROUNDS:,} rounds reach, {density(spec, MOST_ROUNDS):.4g} with this `prune_rate`"
        raise refused("target_density", reached, spec.target_density)
    return last
