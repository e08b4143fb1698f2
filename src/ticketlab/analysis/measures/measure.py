"""The form of an entry of `MEASURES`: how a quantity is measured, and where its numbers stand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ticketlab.analysis.confidence import UNBOUNDED
from ticketlab.analysis.measures.loaded import LoadedRound

Rows = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        meaning: meaning of the column in outputs/README.md.
        quantity: name in axes and tables of the report; without one, the column stands in the CSV file alone.
        factor: factor on its numbers in the report, 100 for percent.
        digits: number of decimals in the report's table.
        bounds: bounds of its numbers in the report.
        level: value of random masks, where figures have a thin line.
        nothing: sentence in place of curves that are 0 throughout.
        scored: whether it is an accuracy, whose words, unit, factor, digits and bounds stand in accuracy.py.
        listed: title of the report's table that has it as a column, if any.
    """

    meaning: str
    quantity: str = ""
    factor: float = 1
    digits: int = 1
    bounds: tuple[float, float] = UNBOUNDED
    level: float | None = None
    nothing: str = ""
    scored: bool = False
    listed: str = ""


class Curves(NamedTuple):
    """A figure of columns over the rounds, a panel each.

    Attributes:
        name: name of its files.
        columns: columns that its panels show, in their order.
        caption: caption of the figure.
        of_layers: whether each run has its own figure, with a curve for each layer; else each run is a curve.
    """

    name: str
    columns: Sequence[str]
    caption: str
    of_layers: bool = False


class Measure(NamedTuple):
    """A measure of every round.

    Attributes:
        function: function from a round to a row {column: value}, to several such rows, or to {column: array}. It raises
            `BadInput` with the reason if it does not apply to a run.
        table: name of the CSV file. Measures of one table share its rows, by the columns that they have in common.
        columns: {name: column}, in their order, including those that identify rows, such as `layer`. Without `varying`,
            an unknown column is left empty.
        varying: whether a run has only the columns that are known, and perhaps others.
        keys: attributes that identify its rows, beside columns.
        finish: function of all rows of a run, for sums along them.
        figures: figures of columns over the rounds.
    """

    function: Callable[[LoadedRound], Rows]
    table: str
    columns: Mapping[str, Column]
    varying: bool = False
    keys: Sequence[str] = ("seed", "round")
    finish: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    figures: Sequence[Curves] = ()
