"""A factorial experiment on where networks look: each run's centre–margin scalar, factor by factor.

The runs differ in some fields of their specs. The last round of every seed shows the effects of these fields.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ticketlab.analysis.figures.axes import finished, written
from ticketlab.analysis.figures.curves import curves, over_seeds, with_singles
from ticketlab.analysis.figures.panels import Chart, Panel, chart
from ticketlab.analysis.figures.styles import Styles
from ticketlab.analysis.measures.input_pixels import centre_margin, heat_map, shape_of
from ticketlab.analysis.runs import facts_by_name
from ticketlab.analysis.tables import mean_table
from ticketlab.errors import BadInput, WriteFailed
from ticketlab.experiments.sparse_training.methods import METHODS
from ticketlab.runs.folder import Run, write_bytes

SCALAR = "centre_margin"
MEASURES = (SCALAR, "test_accuracy")
QUANTITY = "centre–margin scalar"
CAPTION = (
    "Where connectivity goes: (mean number of kept weights of a pixel inside the centred half of the image's side − "
    "mean outside) / overall mean, at the end of training; 0, the thin line, where it began, above 0 more in the "
    "centre."
)
WORDS = {
    ("inputs", "unit"): "inputs from 0 to 1",
    ("inputs", "standardised"): "inputs standardised",
    ("drop", "sign"): "drops the smallest of each sign",
    ("drop", "magnitude"): "drops the smallest magnitudes",
}


def measure(runs: Sequence[Run], factors: Sequence[str]) -> pd.DataFrame:
    """Tabulate the end of each seed's training, one row per run × seed, of the seeds that all runs have finished.

    Args:
        runs: finished runs of networks whose input is a square image.
        factors: fields of their specs, which become columns.

    Returns:
        The factors, seed, `centre_margin`, `centre_margin_first` (of round 0) and `test_accuracy`.

    Raises:
        BadInput: where the first layer sees no square image.
        Damaged: if a file cannot be read.
    """
    rows, seeds = [], sorted(set.intersection(*map(_finished, runs)))
    for run in runs:
        facts = run.data or facts_by_name(run.description)
        levels = {name: run.description["spec"][name] for name in factors}
        for seed in seeds:
            first, last = (run.round(seed, run.rounds(seed)[place]) for place in (0, -1))
            maps = [heat_map(record.masks, shape_of(facts)) for record in (first, last)]
            if maps[0] is None or facts.input_kind != "image":
                raise BadInput(f"`network` must begin with a dense layer on square images. Received: {run.folder}")
            before, after = map(centre_margin, maps)
            accuracy = last.attributes["test_accuracy"]
            rows.append({**levels, "seed": seed, f"{SCALAR}_first": before, SCALAR: after, "test_accuracy": accuracy})
    return pd.DataFrame(rows)


def cells(table: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Average over the seeds of each combination of levels, with 95 % intervals (Student's t)."""
    return mean_table(table[[*factors, "seed", *MEASURES]], factors)


def effects(table: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Tabulate the effect of each level of a factor against its first level, at each combination of the other factors.

    Differences are taken seed by seed: factors may interact in any way, and effects common to all levels of a seed
    cancel.

    Returns:
        One row per factor × level except the first × combination of the others. The columns are factor, level, against,
        the other factors' levels, seeds, and for each measure the mean difference and, under ``…_interval``, the
        half-width of its 95 % interval (Student's t).

    >>> table = pd.DataFrame({"decay": [0, 0, 1, 1], "drop": list("abab"), "seed": 0, "centre_margin": [1, 2, 3, 6],
    ...     "test_accuracy": 1.0})
    >>> effects(table, ["decay", "drop"])[["factor", "level", "decay", "drop", "centre_margin"]].values.tolist()
    [['decay', 1, nan, 'a', 2.0], ['decay', 1, nan, 'b', 4.0],
     ['drop', 'b', 0.0, nan, 1.0], ['drop', 'b', 1.0, nan, 3.0]]
    """
    parts, keys = [], ["factor", "level", "against", *factors]
    for factor in factors:
        others = [name for name in factors if name != factor]
        first, *levels = dict.fromkeys(table[factor])
        cell = {level: rows.set_index([*others, "seed"])[list(MEASURES)] for level, rows in table.groupby(factor)}
        for level in levels:
            change = (cell[level] - cell[first]).dropna().reset_index()
            change = change.assign(factor=factor, level=level, against=first)
            parts.append(mean_table(change, ["factor", "level", "against", *others]))
    found = pd.concat(parts, ignore_index=True)
    return found[[*keys, *found.columns.drop(keys)]]


def figure(table: pd.DataFrame, factors: Sequence[str]) -> Chart:
    """Draw the cells: the first factor as colours, the second along the axis, the last as rows of one scale each."""
    colour, along, *others = factors
    rows = with_singles(cells(table, factors), table, list(factors))
    numbers = curves(rows.assign(density=np.nan), SCALAR, rows[colour].map(lambda level: _word(colour, level)))
    numbers = numbers.drop(columns="density").assign(level=rows[along].map("{:g}".format), axis=along.replace("_", " "))
    levels = (
        rows[others].drop_duplicates().sort_values(others[-1], key=lambda names: names.map(_order(rows[others[-1]])))
    )
    panels = [
        Panel(QUANTITY, numbers[(rows[others] == each).all(axis=1)], _title(others, each)) for each in levels.to_numpy()
    ]
    text = f"{CAPTION} {over_seeds([numbers], 'bars')}"
    columns = len(levels) // levels[others[-1]].nunique()
    return chart("factorial", text, _draw, panels, columns=columns, share_rows=True, see=_seen)


def write(runs: Sequence[Run], factors: Sequence[str], folder: Path) -> Iterator[Path]:
    """Write the tables of seeds, cells and effects and the figure, and give their paths. Raises WriteFailed."""
    table = measure(runs, factors)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteFailed(f"cannot write into {folder}: {error.strerror}") from error
    for name, each in {"seeds": table, "cells": cells(table, factors), "effects": effects(table, factors)}.items():
        write_bytes(folder / f"{name}.csv", each.to_csv(index=False).encode())
        yield folder / f"{name}.csv"
    yield from figure(table, factors).save(folder)


def _title(factors: Sequence[str], levels: Sequence[Any]) -> str:
    """Name the levels of a panel in words, the last factor's first."""
    return ", ".join(_word(*each) for each in reversed(list(zip(factors, levels, strict=True))))


def _word(factor: str, level: Any) -> str:
    """Say a level in words, methods in the papers'.

    >>> _word("method", "rigl"), _word("drop", "sign"), _word("weight_decay", 0.1)
    ('RigL', 'drops the smallest of each sign', 'weight decay 0.1')
    """
    if factor == "method":
        return METHODS[level].words
    return WORDS.get((factor, level), f"{factor.replace('_', ' ')} {level}")


def _order(levels: pd.Series) -> dict[Any, int]:
    return {level: number for number, level in enumerate(dict.fromkeys(levels))}


def _seen(panel: Panel) -> str:
    """Tell the means of a panel, label by label."""
    means = panel.numbers[panel.numbers["seed"].isna()]
    told = [f"{label} {', '.join(written(mean, 2) for mean in rows['mean'])}" for label, rows in means.groupby("label")]
    return f"{panel.title}: {'; '.join(told)}"


def _finished(run: Run) -> set[int]:
    """Return the seeds that have come to the end of their training."""
    ends = {seed: run.rounds(seed)[-1] for seed in run.seeds() if run.rounds(seed)}
    iterations = run.description["spec"]["iterations"]
    return {seed for seed, last in ends.items() if run.round(seed, last).attributes["iteration"] == iterations}


def _draw(numbers: pd.DataFrame, axes: Axes, quantity: str, *, styles: Styles) -> Axes:
    """Draw means with their intervals over levels, side by side for each label; single seeds as short lines."""
    levels, labels = list(dict.fromkeys(numbers["level"])), list(dict.fromkeys(numbers["label"]))
    means = numbers["seed"].isna()
    for number, label in enumerate(labels):
        style, own = styles[label], numbers["label"] == label
        beside = 0.2 * (number - (len(labels) - 1) / 2)
        curve, singles = numbers[own & means], numbers[own & ~means]
        places = [levels.index(level) + beside for level in curve["level"]]
        looks = {"color": style.colour, "marker": style.marker, "markersize": 4, "capsize": 2, "label": label}
        axes.errorbar(places, curve["mean"], curve["half_width"], linestyle="none", **looks)
        places = [levels.index(level) + beside for level in singles["level"]]
        axes.plot(places, singles["mean"], color=style.colour, marker="_", linestyle="none", alpha=0.6)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xticks(range(len(levels)), levels)
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_xlabel(numbers["axis"].iloc[0])
    return finished(axes, quantity, legend=True)
