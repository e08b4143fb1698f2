"""The position of a round on an axis: its density or, for a stretch of one training, its last iteration.

Rounds of pruning are told apart by their densities. Those of one sparse training may all have the same; their files
say at which iteration each ends, and so do the rows that come from them.
"""

import pandas as pd

PLACES = ("density", "iteration")


def position(rows: pd.DataFrame) -> str:
    """Name the column that rounds are drawn against and ordered by: the iteration where every row has one.

    Args:
        rows: rows with a column density and, for sparse training, iteration; NaN where files do not have it.

    >>> position(pd.DataFrame({"density": [0.1, 0.1], "iteration": [0, 100]}))
    'iteration'
    >>> position(pd.DataFrame({"density": [1, 0.8]})), position(pd.DataFrame({"density": [1], "iteration": [None]}))
    ('density', 'density')
    """
    return "iteration" if "iteration" in rows and rows["iteration"].notna().all() else "density"


def said(rows: pd.DataFrame) -> str:
    """Say where the rows of one round stand.

    >>> said(pd.DataFrame({"density": [0.512, 0.512]})), said(pd.DataFrame({"density": [0.1], "iteration": [2000]}))
    ('density 0.512', 'iteration 2,000')
    """
    place = position(rows)
    return f"{place} {rows[place].mean():{',.0f' if place == 'iteration' else '.3f'}}"
