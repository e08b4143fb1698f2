"""Rounds as tidy frames: what `MEASURES` says of every round, means over seeds, and which rounds stand for all.

Each round is read once and handed to every measure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ticketlab.analysis.measures import MEASURES, Measure
from ticketlab.analysis.measures.loaded import LoadedRound, loaded_rounds
from ticketlab.analysis.runs import FinishedRun
from ticketlab.data.dataset import DataFacts
from ticketlab.errors import BadInput
from ticketlab.means import mean_interval
from ticketlab.runs.hdf5 import Record


class RoundTables:
    """Tables of one run that grow round by round.

    Attributes:
        unmeasured: {name of a measure: why it does not apply to the run}.
    """

    def __init__(self, measures: Mapping[str, Measure] = MEASURES) -> None:
        self.unmeasured: dict[str, str] = {}
        self._measures = dict(measures)
        self._found: dict[str, list[dict[str, Any] | pd.DataFrame]] = {name: [] for name in measures}

    def add(self, loaded: LoadedRound) -> None:
        """Take every measure of a round. Raises Damaged if its file cannot be read."""
        keys = {"seed": loaded.seed, "round": loaded.number}
        for name, measure in self._measures.items():
            if name in self.unmeasured:
                continue
            try:
                found = measure.function(loaded)
            except BadInput as error:
                self.unmeasured[name], self._found[name] = str(error), []
                continue
            if not isinstance(found, Mapping):
                self._found[name] += [{**keys, **row} for row in found]
            elif any(map(np.ndim, found.values())):
                self._found[name].append(pd.DataFrame({**keys, **found}))
            else:
                self._found[name].append({**keys, **found})

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return all tables, {name: frame}."""
        tables: dict[str, pd.DataFrame] = {}
        for name, measure in self._measures.items():
            found = self._frame(name, measure)
            known = tables.get(measure.table)
            tables[measure.table] = found if known is None else known.merge(found, "left", validate="m:1")
        return tables

    def _frame(self, name: str, measure: Measure) -> pd.DataFrame:
        found, columns = self._found[name], [*measure.keys, *measure.columns]
        if not found:
            return pd.DataFrame(columns=columns)
        rows = pd.DataFrame(found) if isinstance(found[0], dict) else pd.concat(found, ignore_index=True)
        if measure.finish:
            rows = measure.finish(rows)
        return rows if measure.varying else rows.reindex(columns=columns)


def rounds_table(records: Iterable[Record]) -> pd.DataFrame:
    """Tabulate what every round came to, one row per seed × round.

    The columns:
        seed, round, density: of all prunable weights together.
        the metrics: every numeric attribute of the files under its name, in the order of the alphabet; no yes or no.
            `untrained_test_accuracy` is that of the weights before training under the mask: a supermask's.
        early_stop_censored: beside an early-stop iteration, whether it is a lower bound.
        density_<layer>: of each prunable kernel, in the network's order.

    Args:
        records: of the rounds, as ``ticketlab.open_run(folder).records()`` gives them.

    Raises:
        Damaged: if a file cannot be read.
    """
    return measured(records, "rounds")


def history_table(records: Iterable[Record]) -> pd.DataFrame:
    """Tabulate the evaluations, one row per seed × round × iteration, the columns under their names in the files.

    Raises:
        Damaged: if a file cannot be read.
    """
    return measured(records, "history")


def measured(records: Iterable[Record], table: str, data: DataFacts | None = None) -> pd.DataFrame:
    """Tabulate what one table of `MEASURES` says of some rounds, taken for those of a chain.

    Args:
        records: of the rounds.
        table: its name.
        data: what is known of the data set.

    Raises:
        Damaged: if a file cannot be read.
    """
    run = FinishedRun("", {"kind": "", "rounds": "chain", "spec": {}}, list(records), kept_data=data)
    tables = RoundTables({name: each for name, each in MEASURES.items() if each.table == table})
    for loaded in loaded_rounds(run):
        tables.add(loaded)
    return tables.frames()[table]


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
