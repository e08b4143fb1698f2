"""What an entry of `MEASURES` says: how something is measured of a round, and where its numbers stand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ticketlab.analysis.confidence import UNBOUNDED
from ticketlab.analysis.measures.loaded import LoadedRound

Rows = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        meaning: what outputs/README.md says of it.
        quantity: what axes and tables of the report call it; without one, it stands in the CSV file alone.
        factor: what its numbers are multiplied by there, 100 for percent.
        digits: decimals in the report's table.
        bounds: between which its numbers lie there.
        level: what random masks give, where figures have a thin line.
        nothing: what is said in place of curves that are 0 throughout.
        scored: whether it is an accuracy, whose words, unit, factor, digits and bounds stand in accuracy.py.
        listed: title of the report's table that has it as a column; none has the others.
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
        name: of its files.
        columns: what its panels show, in their order.
        caption: what a reader is told of them.
        of_layers: whether each run has a figure of its own, with a curve for each layer; else a curve is a run.
    """

    name: str
    columns: Sequence[str]
    caption: str
    of_layers: bool = False


class Measure(NamedTuple):
    """What is measured of every round.

    Attributes:
        function: of a round to a row of {column: value}, to several such rows, or to {column: array}. `BadInput` says
            why it does not apply to a run.
        table: name of the CSV file. Measures of one table share its rows, by the columns that they have in common.
        columns: {name: column}, in their order, those that tell rows apart among them, as `layer`. Without `varying`, a
            column of which nothing is known is left empty.
        varying: whether a run has only those columns of which something is known, and perhaps others.
        keys: what tells its rows apart, beside columns.
        finish: what is made of all rows of a run, as sums along them.
        figures: over the rounds.
    """

    function: Callable[[LoadedRound], Rows]
    table: str
    columns: Mapping[str, Column]
    varying: bool = False
    keys: Sequence[str] = ("seed", "round")
    finish: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    figures: Sequence[Curves] = ()
