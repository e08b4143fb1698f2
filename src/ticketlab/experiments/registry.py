"""The kinds of experiment, one entry each, and how a process computes replicates of any of them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ticketlab.data.dataset import Dataset
from ticketlab.experiments.events import Report
from ticketlab.experiments.lottery import imp
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.pruning_at_init import experiment as pruning_at_init
from ticketlab.experiments.pruning_at_init.spec import PruningAtInitSpec
from ticketlab.experiments.replicate import Replicate
from ticketlab.experiments.sparse_training import experiment as sparse_training
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.runs.folder import Run, find_run
from ticketlab.runs.overwriting import Overwritten
from ticketlab.runs.spec import Spec
from ticketlab.sparsity.distributions import Shapes
from ticketlab.training.context import Source, prepare_context


@dataclass(frozen=True)
class Experiment:
    """A kind of experiment; the class of its spec says how its rounds are related.

    Attributes:
        spec: class of its specs.
        check: function ``(spec, dataset, source, models_dir, seeds)`` that refuses a spec which data or finished rounds
            do not allow, without TensorFlow.
        agree: function ``(spec, shapes, outputs)`` that refuses a spec which the network does not allow, given the
            kernels' shapes and the paths of the output layers' kernels.
        rounds: function ``(spec, dataset, run, seed)`` that lists the rounds of a finished seed.
        compute: function of a replicate that computes its missing rounds.
    """

    spec: type[Spec]
    check: Callable[[Any, Dataset, Source, Path, Sequence[int]], None]
    agree: Callable[[Any, Shapes, Collection[str]], Any]
    rounds: Callable[[Any, Dataset, Run, int], Sequence[int]]
    compute: Callable[[Replicate], None]


EXPERIMENTS = {
    each.spec.kind.name: each
    for each in (
        Experiment(ImpSpec, imp.check, imp.agree, imp.rounds, imp.compute),
        Experiment(
            PruningAtInitSpec,
            pruning_at_init.check,
            pruning_at_init.agree,
            pruning_at_init.rounds,
            pruning_at_init.compute,
        ),
        Experiment(
            SparseTrainingSpec,
            sparse_training.check,
            sparse_training.agree,
            sparse_training.rounds,
            sparse_training.compute,
        ),
    )
}


def prepare(
    experiment: Experiment, spec_json: str, run_folder: str, source: Source, overwritten: Overwritten
) -> Callable[[int, Report], None]:
    """Load data and network once for all the replicates that this process will compute.

    Returns:
        A function ``(seed, report)`` that computes one replicate.
    """
    spec, run = experiment.spec.from_json(spec_json), Run(run_folder)
    trunk = find_run(spec.trunk(), run.folder.parent) if spec.branch else None
    agree = partial(experiment.agree, spec)
    context = prepare_context(spec, run, source, trunk, overwritten=overwritten, agree=agree)

    def compute(seed: int, report: Report) -> None:
        with run.claim(seed):
            experiment.compute(Replicate(context, run, seed, report))

    return compute
