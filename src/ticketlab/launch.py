"""From a spec and seeds to a finished run: checks, folder, pool, progress. What scripts and notebooks both call."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ticketlab import data, lottery, pool
from ticketlab.progress import Display
from ticketlab.kinds import ImpSpec
from ticketlab.spec import Spec
from ticketlab.storage import Run


@dataclass(frozen=True)
class Experiment:
    """The two functions that a kind of experiment consists of.

    Attributes:
        spec: its class of specs.
        check: refuses what spec and data forbid together, without TensorFlow.
        prepare: makes the function that computes a replicate, in the process that computes it.
    """

    spec: type[Spec]
    check: Callable[[Any, data.Dataset], None]
    prepare: Callable[..., pool.Replicate]


EXPERIMENTS = {"imp": Experiment(ImpSpec, lottery.check, lottery.prepare)}


def run(
    spec: Spec,
    seeds: list[int],
    *,
    processes: int,
    models_dir: Path | str = "models",
    data_dir: Path | str | None = None,
    overwrite: bool = False,
    console: Console | None = None,
) -> tuple[Run, dict[int, str]]:
    """Compute all rounds of these seeds that are not on disk yet.

    Args:
        spec: the experiment.
        seeds: of the replicates.
        processes: number of workers; 0 computes in this process.
        models_dir: where the run's folder lies or will lie.
        data_dir: folder that is searched for the data set first.
        overwrite: delete what these seeds have computed before.
        console: where progress goes, stdout if left out.

    Returns:
        The run, and the replicates that failed, {seed: reason}.

    Raises:
        EndsRun: BadInput before any work starts, or WriteFailed.
        KeyboardInterrupt: after the workers are stopped; what is on disk is complete.
    """
    experiment = EXPERIMENTS[spec.kind]
    data_dir = Path(data_dir).absolute() if data_dir else None
    dataset = data.load(spec.dataset, data_dir)
    experiment.check(spec, dataset)
    run = Run(Path(models_dir).absolute() / spec.folder_name())
    run.begin(spec, dataset.digest)
    del dataset  # the workers load their own
    if overwrite:
        for seed in seeds:
            run.discard(seed)
    job = pool.Job(experiment.prepare, (spec.to_json(), str(run.folder), data_dir), spec.threads)
    rounds = getattr(spec, "rounds", 0)
    with Display(seeds, rounds, console or Console(force_jupyter=False)) as display:
        failures = pool.run(job, seeds, processes, display.event)
    return run, failures
