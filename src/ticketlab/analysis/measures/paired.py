"""Runs against the dense network and against their controls, seed by seed: differences, and their means.

Knows which rounds belong together: of one seed, at an equal round or, of sparse trainings, at an equal iteration.
A seed that lacks one of the two has no part in the mean, lest it be the seeds at hand that differ.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ticketlab.analysis.control_names import UNTRAINED
from ticketlab.analysis.runs import FinishedRun, trunks
from ticketlab.experiments.sparse_training.spec import method_options
from ticketlab.means import mean_interval

DENSE = "dense"  # what a difference is taken from, if it is no branch
ITERATION = "early_stop_iteration"
METRICS = ("early_stop_test_accuracy", "test_accuracy", ITERATION)
KEYS = {
    "run": "name of the run's folder",
    "against": "`dense`, or the folder of a control",
    "metric": "a column of `rounds.csv`",
    "round": "round of the run",
    "density": "density of the run, mean over the seeds",
    "iteration": "iteration of the run, in sparse training",
}
COLUMNS = {
    **KEYS,
    "seeds": "number of seeds that both have",
    "mean": "mean of run − against",
    "interval": "interval of the mean",
    "censored": "whether one of the early stops is a lower bound",
}
SEEDS_COLUMNS = {**KEYS, "seed": "seed of the replicate", "value": "run − against"}
# fields in which trainings may differ that one dense training stands for
OTHERWISE = {*method_options(), "method", "save_every", "engine", "break_even_density"}


def paired_tables(runs: Sequence[FinishedRun], rounds: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tabulate metrics of each run minus those of the dense network and of each of its branches.

    The dense network is round 0 of the run, or of the run whose branch it is; of a sparse training, the training by
    the method dense with the same settings, if it is among the runs.

    Args:
        runs: with their branches.
        rounds: of all of them, as `tables.rounds_table` makes it, with a column run.

    Returns:
        The means, one row per run × against × metric × round, with intervals by Student's t. An early stop at or near
            the last iteration makes a difference of iterations no more than a bound.
        The differences themselves, one row per seed besides.
    """
    parts = [part for pair in _pairs(runs, rounds) for part in _differences(*pair)]
    columns = [*SEEDS_COLUMNS, "censored"]
    seeds = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    rows = []
    for key, group in seeds.groupby(list(KEYS), sort=False, dropna=False):
        mean, interval = mean_interval(group["value"])
        rows.append((*key, len(group), mean, interval, bool(group["censored"].any())))
    means = pd.DataFrame(rows, columns=list(COLUMNS))
    return means, seeds.drop(columns="censored")


def _pairs(runs: Sequence[FinishedRun], rounds: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame, list[str]]]:
    """Give run, against, the rows of both side by side, and the metrics that mean something for both."""
    own = dict(list(rounds.groupby("run", sort=False)))
    for run in trunks(runs):
        dense = _dense(run, runs, own)
        for each in (run, *run.branches):
            metrics = [name for name in METRICS if name in rounds and (name != ITERATION or trained(each))]
            if dense is not None:
                rows = own[each.name]
                keys = ["seed", "iteration"] if run.one_training else ["seed"]
                rows = rows if run.one_training else rows[rows["density"] < 1]
                yield each.name, DENSE, rows.merge(dense, on=keys, suffixes=("", "_other")), metrics
            if each is not run:
                both = own[run.name].merge(own[each.name], on=["seed", "round"], suffixes=("", "_other"))
                yield run.name, each.name, both, metrics


def _dense(run: FinishedRun, runs: Sequence[FinishedRun], rounds: dict[str, pd.DataFrame]) -> pd.DataFrame | None:
    """Return the rows of the dense network that a run is compared with; None where there is none."""
    if not run.one_training:
        first = rounds[run.name]
        first = first[(first["round"] == 0) & (first["density"] == 1)]
        return first if len(first) else None
    if _method(run) == DENSE:
        return None
    same = [each for each in runs if _method(each) == DENSE and _settings(each) == _settings(run)]
    return rounds[same[0].name] if same else None


def trained(run: FinishedRun) -> bool:
    """Tell whether a run's weights take steps, so that its early stop means something."""
    return run.branch not in UNTRAINED


def _method(run: FinishedRun) -> str | None:
    return run.description["spec"].get("method") if run.one_training else None


def _settings(run: FinishedRun) -> dict[str, Any]:
    spec = run.description["spec"]
    return {name: value for name, value in spec.items() if name not in OTHERWISE and value is not None}


def _differences(run: str, against: str, both: pd.DataFrame, metrics: Sequence[str]) -> Iterator[pd.DataFrame]:
    places = both.groupby("round")
    keys = {"run": run, "against": against}
    for metric in metrics:
        if f"{metric}_other" not in both:
            continue
        rows = pd.DataFrame(
            {
                **{"round": both["round"], "seed": both["seed"]},
                "density": places["density"].transform("mean"),
                "iteration": both["iteration"] if "iteration" in both else float("nan"),
                "value": both[metric] - both[f"{metric}_other"],
                "censored": _censored(both) if metric == ITERATION else False,
            }
        )
        yield rows.dropna(subset="value").assign(**keys, metric=metric)


def _censored(both: pd.DataFrame) -> pd.Series:
    return both["early_stop_censored"].astype(bool) | both["early_stop_censored_other"].astype(bool)
