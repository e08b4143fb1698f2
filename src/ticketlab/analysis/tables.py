"""Rounds as tidy frames: metrics and densities of every round, means over seeds, the curves of validation.

A metric is any number among a file's attributes, under its name there; this module does not know what it means.
"""

import json
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ticketlab.analysis.round_axis import position
from ticketlab.means import mean_interval
from ticketlab.runs.folder import Record

KEYS = ("seed", "round", "density")


def rounds_table(records: Iterable[Record]) -> pd.DataFrame:
    """Tabulate what every round came to, one row per seed × round.

    The columns:
        seed, round, density: of all prunable weights together.
        the metrics: every numeric attribute of the files under its name, in the order of the alphabet; no yes or no.
            `untrained_test_accuracy` is that of the weights before training under the mask: a supermask's.
        early_stop_censored: beside an early-stop iteration, whether it is a lower bound, see `censored`.
        density_<layer>: of each prunable kernel, in the network's order.

    Raises:
        Damaged: if a file cannot be read.
    """
    rows, layers = [], []
    for record in records:
        metrics = {name: value for name, value in record.attributes.items() if _is_metric(name, value)}
        if "early_stop_iteration" in metrics:
            metrics["early_stop_censored"] = censored(record)
        rows.append({key: record.attributes[key] for key in KEYS} | dict(sorted(metrics.items())))
        layers.append({f"density_{path}": np.count_nonzero(mask) / mask.size for path, mask in record.masks.items()})
    return pd.concat([pd.DataFrame(rows), pd.DataFrame(layers)], axis=1)


def censored(record: Record) -> bool:
    """Tell whether a round's early stop is a lower bound: the training ended before another minimum could come.

    It does where the stop lies within one evaluation interval of the last iteration that the spec allows; not where
    patience ended the training.
    """
    spec, stop = json.loads(record.attributes.get("spec", "{}")), record.attributes["early_stop_iteration"]
    last = record.history["iteration"].max(initial=0)
    return bool(last - (spec.get("eval_every") or 0) <= stop <= last and last >= spec.get("iterations", np.inf))


def mean_table(table: pd.DataFrame, keys: Sequence[str] = ("round",)) -> pd.DataFrame:
    """Average every column over the seeds that have it, with 95 % intervals (Student's t).

    Args:
        table: one row per seed and key, as `rounds_table` makes it with the key "round".
        keys: the columns that stay.

    Returns:
        One row per key: the keys, the number of `seeds`, then for each other column its mean and, under
        ``<column>_interval``, the half-width of the interval, NaN below three seeds; where some seeds have no value,
        also ``<column>_seeds``, the number of those that have.
    """
    names = table.columns.drop([*keys, "seed"])
    gaps = {name for name in names if table[name].isna().any()}
    rows = []
    for key, group in table.groupby(list(keys), sort=False):
        row = dict(zip(keys, key, strict=True)) | {"seeds": group["seed"].nunique()}
        for name in names:
            values = group[name].dropna()
            row[name], row[f"{name}_interval"] = mean_interval(values)
            if name in gaps:
                row[f"{name}_seeds"] = len(values)
        rows.append(row)
    return pd.DataFrame(rows)


def of_all_seeds(means: pd.DataFrame, key: str) -> pd.DataFrame:
    """Leave out means of fewer seeds than others of the same key: where trainings end one by one, those that go on.

    Args:
        means: as `mean_table` makes it.
        key: one of its keys.

    >>> ends = pd.DataFrame({"round": 0, "iteration": [100, 200], "seeds": [3, 2], "validation_loss": [0.5, 0.2]})
    >>> of_all_seeds(ends, "round")["iteration"].tolist()
    [100]
    """
    return means[means["seeds"] == means.groupby(key)["seeds"].transform("max")]


def history_table(records: Iterable[Record]) -> pd.DataFrame:
    """Tabulate the evaluations, one row per seed × round × iteration, the columns under their names in the files.

    Raises:
        Damaged: if a file cannot be read.
    """
    return pd.concat(
        [pd.DataFrame({key: record.attributes[key] for key in KEYS} | record.history) for record in records],
        ignore_index=True,
    )


def chosen_rounds(rounds: pd.DataFrame, densities: Sequence[float]) -> list[int]:
    """Choose rounds to be shown: those of mean densities nearest in ratio, each once, in their order.

    Of one training, whose rounds have iterations, as many are spread evenly from the first to the last; one, if only
    one is wanted, is the last. Where a cut stands at the iteration of the round before, it is the cut that is shown.

    Args:
        rounds: with columns round and density, and iteration where there is one.
        densities: wanted.

    >>> chosen_rounds(pd.DataFrame({"round": [0, 1, 2], "density": [1, 0.8, 0.64]}), [0.6, 0.5, 1])
    [0, 2]
    >>> training = pd.DataFrame({"round": range(7), "density": 0.1, "iteration": range(0, 70, 10)})
    >>> chosen_rounds(training, [1, 0.5, 0.1]), chosen_rounds(training, [0.5])
    ([0, 3, 6], [6])
    """
    place = position(rounds)
    means = rounds.groupby("round")[place].mean()
    if place == "iteration":
        means = means.iloc[::-1]
        wanted = np.linspace(means.max(), means.min(), len(densities))
        return sorted({int((means - each).abs().idxmin()) for each in wanted})
    means = means[means > 0]
    return sorted({int(np.abs(np.log(means / density)).idxmin()) for density in densities})


def _is_metric(name: str, value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and name not in (*KEYS, "format")
