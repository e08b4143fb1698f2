"""All tables that analysis computes from finished runs, with a column `run`, for figures, report and files.

Each round is read once; only its masks stay in memory, bit-packed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ticketlab.analysis.measures import MEASURES, Measure
from ticketlab.analysis.measures.bitmasks import MaskKey, PackedMasks, joined, pack, pairs
from ticketlab.analysis.measures.exploration import overlap_table
from ticketlab.analysis.measures.input_pixels import map_of
from ticketlab.analysis.measures.loaded import loaded_rounds
from ticketlab.analysis.measures.mask_similarity import compare
from ticketlab.analysis.measures.paired import paired_tables
from ticketlab.analysis.measures.seed_similarity import COLUMNS as SEEDS_COLUMNS
from ticketlab.analysis.measures.seed_similarity import (
    all_pairs,
    match_seeds,
    seeds_table,
)
from ticketlab.analysis.measures.structure import only_varying
from ticketlab.analysis.names import run_names
from ticketlab.analysis.round_axis import PLACES, position
from ticketlab.analysis.runs import FinishedRun, trunks
from ticketlab.analysis.shown_rounds import MATCHED, SHOWN, chosen_rounds
from ticketlab.analysis.summary import summary_table
from ticketlab.analysis.tables import RoundTables, mean_table
from ticketlab.errors import BadInput

OF_BRANCHES = ("rounds", "efficiency")  # tables that hold branches, too, which were not asked for themselves


@dataclass(frozen=True)
class Results:
    """The tables of some runs.

    Attributes:
        runs: the runs; branches that are not among them have tables of rounds only.
        labels: {name of a run or branch: its label in figures}.
        shown: {run's name: the rounds that figures of single rounds show}.
        tables: {name: frame}; the first column of each is `run`, but in "similarity" and "matching".
        maps: {run's name: {(seed, round): connections per input pixel}}; without images, empty.
    """

    runs: Sequence[FinishedRun]
    labels: Mapping[str, str]
    shown: Mapping[str, Sequence[int]]
    tables: Mapping[str, pd.DataFrame]
    maps: Mapping[str, Mapping[tuple[int, int], np.ndarray]]

    @property
    def position(self) -> str:
        """What figures of all runs are drawn against."""
        return position(self.tables["rounds"])

    @property
    def mixed(self) -> bool:
        """Whether some runs, but not all, are one training each."""
        return self.position == "density" and any(run.one_training for run in self.runs)

    def of(self, table: str, run: str) -> pd.DataFrame:
        """Return one run's rows of a table, without the column that names it."""
        rows = self.tables[table]
        return rows[rows["run"] == run].drop(columns="run")

    def placed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows of runs and rounds with the density of all layers together, and with the iteration if known."""
        keys = [key for key in ("run", "seed", "round") if key in rows]
        rounds = self.tables["rounds"]
        places = rounds.groupby(keys, sort=False, as_index=False)[[name for name in PLACES if name in rounds]].mean()
        return rows.drop(columns=list(PLACES), errors="ignore").merge(places, on=keys)

    def together(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows as one figure of all runs shows them; beside other runs, of one training its end alone."""
        if not self.mixed:
            return rows
        last = rows.groupby("run")["round"].transform("max")
        return rows[rows["iteration"].isna() | (rows["round"] == last)]

    def place(self, run: str, round: int) -> dict[str, float]:
        """Return a round's number and mean density, and its iteration where there is one."""
        rows = self.of("rounds", run).query("round == @round")
        names = dict.fromkeys(("density", position(rows)))
        return {"round": round} | {name: rows[name].mean() for name in names}

    def said(self, run: str, round: int) -> str:
        """Say which round it is, in titles: its number and density; of one training, iteration and density."""
        place = self.place(run, round)
        number = f"iteration {place['iteration']:,.0f}" if "iteration" in place else f"round {round}"
        return f"{number}, density {place['density']:.2g}"

    def file_name(self, figure: str, run: str) -> str:
        """Name a figure of one run among those of all."""
        return f"{figure}-{run}" if len(self.runs) > 1 else figure


def measure(runs: Sequence[FinishedRun]) -> tuple[Results, list[str]]:
    """Compute every table, reading each round once.

    Returns:
        The results, and a line on each thing that could not be computed.

    Raises:
        Damaged: if a file has been damaged since it was opened.
    """
    problems: list[str] = []
    everyone = {each.name: each for run in trunks(runs) for each in (run, *run.branches)}
    of_branches = {name: each for name, each in MEASURES.items() if each.table in OF_BRANCHES}
    chosen = dict.fromkeys(everyone, of_branches) | {run.name: MEASURES for run in runs}
    found = {name: _read(run, chosen[name]) for name, run in everyone.items()}
    own = {run.name: found[run.name] for run in runs}
    for name, each in own.items():
        problems += [f"{name}: {subject} left out: {reason}" for subject, reason in each.unmeasured.items()]
    tables = {
        table: _joined({name: each.tables[table] for name, each in own.items()})
        for table in dict.fromkeys(each.table for each in MEASURES.values())
    }
    wide = {table: _joined({name: each.tables[table] for name, each in found.items()}) for table in OF_BRANCHES}
    rounds = tables["rounds"] = wide["rounds"]
    tables["paired"], tables["paired_seeds"] = paired_tables(runs, rounds)
    named = run_names(runs)
    masks = {name: each.masks for name, each in found.items()}
    tables["summary"] = summary_table(list(everyone.values()), named, tables | wide, masks)
    tables["rounds_mean"] = mean_table(rounds, ["run", "round"])
    tables["structure_mean"] = mean_table(tables["structure"], ["run", "round", "layer"])
    masks = {name: each.masks for name, each in own.items()}
    tables |= _similarity(runs, masks, rounds, problems)
    tables["varying_similarity"] = _varying_similarity(runs, masks)
    tables["overlap"] = overlap_table(tables["similarity"])
    shown = {run.name: chosen_rounds(rounds[rounds["run"] == run.name], SHOWN) for run in runs}
    return Results(runs, named, shown, tables, {name: each.maps for name, each in own.items()}), problems


class _Read(NamedTuple):
    """What was made of a run's rounds: tables, masks, maps of input pixels, and why some measures do not apply."""

    tables: Mapping[str, pd.DataFrame]
    masks: PackedMasks
    maps: Mapping[tuple[int, int], np.ndarray]
    unmeasured: Mapping[str, str]


def _read(run: FinishedRun, measures: Mapping[str, Measure]) -> _Read:
    """Go through a run's rounds once. Raises Damaged if a file cannot be read."""
    tables, masks, maps = RoundTables(measures), [], {}
    for loaded in loaded_rounds(run):
        tables.add(loaded)
        masks.append(pack([(MaskKey(run.name, loaded.seed, loaded.number), loaded.masks)]))
        if (counts := loaded.once(map_of)) is not None:
            maps[loaded.seed, loaded.number] = counts
    return _Read(tables.frames(), joined(masks), maps, tables.unmeasured)


def _joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Stack the runs' tables under each other; a table without rows keeps its columns."""
    filled = {run: table for run, table in tables.items() if len(table)} or dict(list(tables.items())[:1])
    return pd.concat([table.assign(run=run)[["run", *table]] for run, table in filled.items()], ignore_index=True)


def _similarity(
    runs: Sequence[FinishedRun], packed: Mapping[str, PackedMasks], rounds: pd.DataFrame, problems: list[str]
) -> dict[str, pd.DataFrame]:
    """Compare all masks, or only those within each run where networks differ; match seeds at chosen rounds."""
    together = list(packed.values())
    if len(runs) > 1:
        try:
            together = [joined(together)]
        except BadInput as error:
            problems.append(f"similarity between runs left out: {error}")
    ends = {
        (run.name, each.attributes["round"]): each.attributes["iteration"] if run.one_training else np.nan
        for run in runs
        for each in run.records
    }
    compared = []
    for each in together:
        chosen = all_pairs(each, [ends[key.run, key.round] for key in each.keys])
        compared.append(compare(each, *chosen))
    similarity = pd.concat(compared, ignore_index=True)
    matched = []
    for run in runs:
        try:
            if not run.chain:
                raise BadInput("its layers form no chain")
            chosen = chosen_rounds(rounds[rounds["run"] == run.name], MATCHED)
            matched.append(match_seeds(packed[run.name], chosen))
        except BadInput as error:
            problems.append(f"{run.name}: matching of hidden units, dead units and effective density left out: {error}")
    matching = pd.concat(matched, ignore_index=True) if matched else pd.DataFrame(columns=["null"])
    return {"similarity": similarity, "matching": matching, "seeds_similarity": seeds_table(similarity, matching)}


def _varying_similarity(runs: Sequence[FinishedRun], masks: Mapping[str, PackedMasks]) -> pd.DataFrame:
    """Compare the seeds of each run once more, without weights from inputs that never vary, where these are known."""
    tables, nothing = [], pd.DataFrame(columns=["null"])
    for run in runs:
        whole, constant = masks[run.name], run.data.constant
        if only_varying(whole.masks(0), constant):
            varying = pack((key, only_varying(whole.masks(place), constant)) for place, key in enumerate(whole.keys))
            tables.append(seeds_table(compare(varying, *pairs(varying.keys, equal=("run", "round"))), nothing))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(SEEDS_COLUMNS))
