"""From a spec and seeds to a finished run: checks, folder, pool, progress. Scripts and notebooks both call this."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from ticketlab.data.dataset import Dataset, from_arrays
from ticketlab.execution import local_pool
from ticketlab.execution.progress import PAUSE, Display, data_line, screen, tell
from ticketlab.experiments.checkpoints import complete
from ticketlab.experiments.registry import EXPERIMENTS, prepare
from ticketlab.networks.user_model import located
from ticketlab.runs.fields import refused
from ticketlab.runs.folder import Run, find_run
from ticketlab.runs.overwriting import NOTHING, Overwritten
from ticketlab.runs.spec import Spec
from ticketlab.training.context import Build, Source


def check(spec: Spec, seeds: Sequence[int], run: Run, source: Source, overwritten: Overwritten = NOTHING) -> Dataset:
    """Refuse whatever can be refused before any work starts; return the data set.

    Raises:
        BadInput: if spec, seeds, data or an earlier run do not fit together.
    """
    dataset = source.data(spec)
    if source.build:
        # fields that the key would leave out because of the network's name
        idle = spec.idle() - replace(spec, network="own").idle()
        if said := sorted(name for name in idle if spec.normal()[name] != spec.described()[name]):
            expected = f"a name of your own beside a function that builds it and `{said[0]}`"
            raise refused("network", expected, spec.network)
    EXPERIMENTS[spec.kind.name].check(spec, dataset, source, run.folder.parent, seeds)
    run.check(spec, None if overwritten.everything(run) else dataset.digest)
    return dataset


def usual_seeds(spec: Spec, models_dir: Path, processes: int) -> list[int]:
    """Choose the seeds where none are given: for a branch all seeds of its run, else one per process."""
    there = find_run(spec.trunk(), models_dir).seeds() if spec.branch else []
    return there or list(range(max(1, processes)))


def run(
    spec: Spec,
    seeds: Sequence[int],
    *,
    processes: int = 0,
    models_dir: Path | str = "models",
    data_dir: Path | str | None = None,
    build: Build | None = None,
    arrays: Sequence[np.ndarray] | None = None,
    overwrite: bool = False,
    console: Console | None = None,
) -> tuple[Run, dict[int, str]]:
    """Run an experiment: compute all rounds of these seeds that are not on disk yet.

    Args:
        spec: the experiment.
        seeds: seeds of the replicates.
        processes: number of worker processes; 0 computes in the calling process.
        models_dir: folder that holds or will hold the run's folder.
        data_dir: folder that is searched for the data set first.
        build: a function ``(input_shape, outputs) -> keras.Model`` in place of the network that the spec names; the
            spec's `network` is then only a name.
        arrays: x_train, y_train, x_test, y_test in place of the data set that the spec names; the spec's `dataset` is
            then only a name.
        overwrite: whether to delete earlier rounds of these seeds, once nothing can be refused any more.
        console: console for progress, one line per round; if left out, stdout, in few lines.

    Returns:
        The run, and the replicates that failed, {seed: reason}.

    Raises:
        EndsRun: as BadInput before any work starts, or as WriteFailed.
        KeyboardInterrupt: after the workers are stopped; all files on disk are complete.
    """
    spec, models_dir, seeds = spec.resolved, Path(models_dir).absolute(), list(seeds)
    said = {"task": spec.task, "input_kind": spec.input_kind}
    run = find_run(spec, models_dir)
    if processes and not all(run.rounds(seed) for seed in seeds):  # there is something to do
        local_pool.start_server()
    source = Source(
        Path(data_dir).absolute() if data_dir else None,
        from_arrays(spec.dataset, *arrays, **said) if arrays is not None else None,
        build,
    ).read(spec)
    overwritten = Overwritten.asked_or_empty(run, seeds, asked=overwrite)
    dataset = check(spec, seeds, run, source, overwritten)
    if not (overwritten.everything(run) and (run.folder / "spec.json").exists()):  # else a worker begins the run anew
        run.begin(spec, dataset.digest)
        run.keep_data(dataset)
    console, pause = (console, 0.0) if console else (screen(), PAUSE)
    own, experiment = located(spec.network), EXPERIMENTS[spec.kind.name]
    if own:  # a worker's working directory may be another
        spec = replace(spec, network=f"{own[0].absolute()}:{own[1]}")
    if not (own or build or overwrite):  # your own network may have changed, which shows once it is built
        wanted = {seed: experiment.rounds(spec, dataset, run, seed) for seed in seeds}
        seeds = [seed for seed in seeds if not complete(spec, run, seed, wanted[seed])]
    opening = data_line(spec, dataset)
    if not seeds:
        tell(console, opening)
        tell(console, "nothing left to do: every round that was asked for is on disk")
        return run, {}
    arguments = (experiment, spec.to_json(), str(run.folder), source, overwritten)
    job = local_pool.Job(prepare, arguments, spec.threads)
    with Display(seeds, spec.last_round or 0, console, pause, opening) as display:
        failures = local_pool.run(job, seeds, processes, display.event)
    return run, failures
