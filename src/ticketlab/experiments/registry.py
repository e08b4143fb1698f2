"""The kinds of experiments, one entry each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ticketlab.data.dataset import Dataset
from ticketlab.experiments.lottery import imp
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.pruning_at_init import experiment as pruning_at_init
from ticketlab.experiments.pruning_at_init.spec import PruningAtInitSpec
from ticketlab.experiments.rounds import Report
from ticketlab.experiments.sparse_training import experiment as sparse_training
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.runs.folder import Run
from ticketlab.runs.spec import Spec


@dataclass(frozen=True)
class Experiment:
    """What a kind of experiment consists of.

    Attributes:
        spec: its class of specs.
        check: refuses what spec, data and finished rounds forbid together, without TensorFlow.
        finished: tells of a seed whether all of its rounds are there.
        prepare: makes the function that computes a replicate, in the process that computes it.
    """

    spec: type[Spec]
    check: Callable[..., None]
    finished: Callable[[Any, Dataset, Run, int], bool]
    prepare: Callable[..., Callable[[int, Report], None]]


EXPERIMENTS = {
    spec.kind: Experiment(spec, module.check, module.finished, module.prepare)
    for spec, module in (
        (ImpSpec, imp),
        (PruningAtInitSpec, pruning_at_init),
        (SparseTrainingSpec, sparse_training),
    )
}
