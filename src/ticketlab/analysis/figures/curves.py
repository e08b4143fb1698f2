"""Tables as curves: what plots.py draws of means, single seeds and what they are compared with, and a sentence on it.

Knows that fewer than three seeds have no interval, so that they are drawn one by one.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ticketlab.analysis.round_axis import PLACES, position
from ticketlab.means import FEWEST

ENDS = "Of sparse training, the end alone is shown."  # beside other runs
NEAR = 0.005  # of a panel's range: curves that are no farther apart cannot be told apart
KEPT = ("side", "early_stop", "bound", "passed", "cost")  # columns that plots want beside those of all curves


def with_singles(means: pd.DataFrame, table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Add the rows of single seeds where there are too few for an interval, but more than one.

    Args:
        means: table that `tables.mean_table` made.
        table: table that was averaged, one row per seed and key.
        keys: columns that both have.

    Returns:
        The means, whose `seed` is NaN, and below them the single seeds.
    """
    few = means.loc[means["seeds"].between(2, FEWEST - 1), list(keys)]
    names = [name for name in table if name in means or name == "seed"]
    singles = table[names].merge(few, on=list(keys))
    if singles.empty:
        return means.assign(seed=np.nan)
    return pd.concat([means.assign(seed=np.nan), singles], ignore_index=True)


def curves(rows: pd.DataFrame, metric: str, labels: Any, factor: float = 1) -> pd.DataFrame:
    """Lay out a metric for plots.py.

    Args:
        rows: means, and perhaps single seeds, as `with_singles` gives them, with a column density, and iteration where
            there is one; what plots want besides stays.
        metric: a column; the half-width of its interval stands under ``<metric>_interval``, and the number of seeds
            that have it, where some have not, under ``<metric>_seeds``.
        labels: labels of the curves, one for all rows or one per row.
        factor: 100 for percent.
    """
    nothing = pd.Series(np.nan, rows.index)
    seeds = rows.get(f"{metric}_seeds", nothing).fillna(rows.get("seeds", nothing))
    half_width = rows.get(f"{metric}_interval", nothing).where(seeds >= FEWEST)
    values = {
        "seed": rows.get("seed", nothing),
        "seeds": seeds,
        "mean": rows[metric].astype(float) * factor,
        "half_width": half_width * factor,
    }
    places = {name: rows[name] for name in PLACES if name in rows}
    return pd.DataFrame({"label": labels, **places, **values} | {name: rows[name] for name in KEPT if name in rows})


def level(numbers: pd.DataFrame, label: str, value: float) -> pd.DataFrame:
    """Add a level line that the curves are compared with, from their first place to their last; nothing if unknown."""
    if not np.isfinite(value) or numbers.empty:
        return numbers
    if "reference" not in numbers:
        numbers = numbers.assign(reference=False)
    place = position(numbers)
    ends = sorted({numbers[place].min(), numbers[place].max()}, reverse=place == "density")
    row = {"label": label, "mean": value, "half_width": np.nan, "reference": True}
    places = {name: ends if name == place else np.nan for name in PLACES if name in numbers}
    return pd.concat([numbers, pd.DataFrame({**row, **places})], ignore_index=True)


def coinciding(numbers: Sequence[pd.DataFrame]) -> str:
    """Say which curves lie on each other in some panel; nothing where none do.

    >>> rows = pd.DataFrame({"label": ["a", "a", "b"], "density": [1, 0.5, 0.5], "mean": [2.0, 1, 1], "seed": None})
    >>> coinciding([rows])
    'Curves that coincide: a and b.'
    """
    groups: list[set[str]] = []
    for panel in numbers:
        means = panel[panel["seed"].isna()]
        wide = means.pivot_table(index=position(panel), columns="label", values="mean", sort=False)
        if "reference" in means:  # a level line is drawn by its ends, but lies at every place
            levels = list(dict.fromkeys(means.loc[means["reference"].astype(bool), "label"]))
            wide[levels] = wide[levels].ffill().bfill()
        near = NEAR * np.ptp(means["mean"])
        for one, other in combinations(wide, 2):
            gaps = (wide[one] - wide[other]).abs().dropna()
            if len(gaps) == wide[[one, other]].count().min() and gaps.max() <= near:
                group = next((each for each in groups if one in each or other in each), None)
                groups.append({one, other}) if group is None else group.update((one, other))
    order = list(dict.fromkeys(label for panel in numbers for label in panel["label"]))
    said = [sorted(group, key=order.index) for group in groups]
    return f"Curves that coincide: {'; '.join(map(_listed, said))}." if said else ""


def over_seeds(numbers: Iterable[pd.DataFrame], mark: str = "bands") -> str:
    """Say how many seeds stand behind the means, and how their spread is drawn.

    Args:
        numbers: numbers of a figure's panels.
        mark: word for the marks that show intervals.

    >>> rows = pd.DataFrame({"label": "a", "seed": [None], "seeds": [5], "half_width": [0.1]})
    >>> over_seeds([rows]), over_seeds([rows.assign(seeds=1, half_width=None)])
    ('Means over 5 seeds; bands: 95 % interval of the mean (Student t).', 'One seed.')
    """
    rows = pd.concat(numbers, ignore_index=True)
    means = rows[rows["seed"].isna() & rows["seeds"].notna()]
    if means.empty:
        return ""
    least, most = int(means["seeds"].min()), int(means["seeds"].max())
    if most == 1:
        return "One seed."
    parts = [f"Means over {most if least == most else _each(means)} seeds"]
    if means["half_width"].notna().any():
        parts.append(f"{mark}: 95 % interval of the mean (Student t)")
    if rows["seed"].notna().any():
        parts.append("of two seeds, thin lines show each" if most > 2 else "thin lines: each of the two")
    return "; ".join(parts) + "."


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _each(means: pd.DataFrame) -> str:
    """Say how many seeds each curve has, where they differ."""
    ends = means.groupby("label", sort=False)["seeds"].agg(["min", "max"]).astype(int)
    whole = f"{ends['min'].min()} to {ends['max'].max()}"
    if len(ends) == 1 or (ends["min"] != ends["max"]).any():
        return whole
    usual = ends["max"].mode().max()
    others = [f"{label}: {count}" for label, count in ends["max"].items() if count != usual]
    return f"{usual} ({', '.join(others)})"
