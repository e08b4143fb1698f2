"""A figure of the report: panels, legends, caption and numbers. Knows no particular figure; looks: plots.py."""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ticketlab.plot_axes import UNBOUNDED
from ticketlab.positions import PLACES
from ticketlab.storage import write_bytes

PANEL = (3.4, 2.6)  # inches, width and height
LEGEND_INCHES = 0.17  # height of a row
ENTRY_INCHES = 0.5, 0.062  # width of an entry: without its text, and of a character
BAND = "Bands: 95 % interval of the mean over seeds (Student t)."
ENDS = "Of sparse training, the end alone is shown."  # beside other runs
COUNT, PERCENT, SHARE = (0, np.inf), (0, 100), (0, 1)  # bounds; of means of what is no less than 0, as well
SETTINGS = {"font.size": 8, "axes.titlesize": 8, "svg.hashsalt": "ticketlab", "savefig.dpi": 200}


class Panel(NamedTuple):
    """What one plot shows.

    Attributes:
        quantity: the label of the axis whose meaning changes from panel to panel.
        numbers: what is plotted.
        title: above the panel.
        bounds: between which values can lie, of curves over rounds.
    """

    quantity: str
    numbers: pd.DataFrame
    title: str = ""
    bounds: tuple[float, float] = UNBOUNDED


@dataclass(frozen=True)
class Chart:
    """One figure.

    Attributes:
        name: of its files.
        caption: what a reader sees in it.
        numbers: all that is plotted.
        figure: the picture.
        moving: the same as a GIF, where there is one.
    """

    name: str
    caption: str
    numbers: pd.DataFrame
    figure: Figure
    moving: bytes | None = None

    def save(self, folder: Path) -> list[Path]:
        """Write picture and numbers as PNG, SVG, CSV and perhaps GIF, each whole or not at all, and return the paths.

        Raises:
            WriteFailed: if the disk refuses.
        """
        png, svg, csv = paths = [folder / f"{self.name}.{kind}" for kind in ("png", "svg", "csv")]
        with rc_context(SETTINGS):
            write_bytes(png, self._picture("png"))
            self.figure.set_layout_engine("none")  # it is laid out now, and takes most of the time
            write_bytes(svg, self._picture("svg", metadata={"Date": None}))
        write_bytes(csv, self.numbers.to_csv(index=False).encode())
        if self.moving:
            paths.append(folder / f"{self.name}.gif")
            write_bytes(paths[-1], self.moving)
        return paths

    def _picture(self, kind: str, **settings: Any) -> memoryview:
        self.figure.savefig(image := io.BytesIO(), format=kind, **settings)
        return image.getbuffer()


def chart(
    name: str,
    caption: str,
    plot: Callable[..., Axes],
    panels: Sequence[Panel],
    *,
    columns: int = 3,
    moving: bytes | None = None,
) -> Chart:
    """Draw panels in a grid, with one legend for all of them, or one each where they show different things.

    Args:
        name: of the files.
        caption: what a reader sees.
        plot: a function of plots.py that takes numbers, axes and quantity, and bounds where a panel has them.
        panels: at least one.
        columns: of the grid, at most.
        moving: the same as a GIF.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with rc_context(SETTINGS):
        figure = Figure(layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            bounds = {} if panel.bounds == UNBOUNDED else {"bounds": panel.bounds}
            plot(panel.numbers, axes, panel.quantity, **bounds).set_title(panel.title, loc="left")
        for axes in grid[len(panels) :]:
            axes.remove()
        legend_rows = _place_legends(figure, PANEL[0] * columns)
        figure.set_size_inches(PANEL[0] * columns, PANEL[1] * rows + LEGEND_INCHES * legend_rows)
    titles = [panel.title or panel.quantity for panel in panels]
    numbers = pd.concat([panel.numbers for panel in panels], keys=titles, names=["panel"]).reset_index(level="panel")
    return Chart(name, caption, numbers, figure, moving)


def curves(means: pd.DataFrame, metric: str, labels: Any, factor: float = 1) -> pd.DataFrame:
    """Lay out a metric for `plots.over_rounds`.

    Args:
        means: as `tables.mean_table` makes it, with a column density, and iteration where there is one.
        metric: a column; the half-width of its interval stands under ``<metric>_interval``.
        labels: of the curves, one for all rows or one per row.
        factor: 100 for percent.
    """
    values = {"mean": means[metric] * factor, "half_width": means[f"{metric}_interval"] * factor}
    places = {name: means[name] for name in PLACES if name in means}
    return pd.DataFrame({"label": labels, **places, **values})


def with_numbers(panels: Iterable[Panel]) -> list[Panel]:
    """Leave out rows without a mean, and panels that have no other."""
    filled = [panel._replace(numbers=panel.numbers.dropna(subset="mean")) for panel in panels]
    return [panel for panel in filled if len(panel.numbers)]


def _place_legends(figure: Figure, width: float) -> int:
    """Replace the axes' legends by one below them; return its number of rows.

    Where no two axes have an entry in common, colours mean something else in each, and each keeps its legend, below it.

    Args:
        figure: with its axes drawn.
        width: of the figure, in inches.
    """
    legends = {axes: legend for axes in figure.axes if (legend := axes.get_legend())}
    found = [dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True)) for axes in legends]
    if len(found) > 1 and not any(set(one) & set(other) for one, other in combinations(found, 2)):
        for axes in legends:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False)
        return max(map(len, found))
    entries: dict[str, Any] = {}
    for axes, each in zip(legends, found, strict=True):
        entries |= each
        axes.get_legend().remove()
    if len(entries) < 2:
        return 0
    title = next((text for each in legends.values() if (text := each.get_title().get_text())), None)
    around, character = ENTRY_INCHES
    columns = min(max(int(width / (around + character * max(map(len, entries)))), 1), len(entries))
    place = {"loc": "outside lower center", "ncols": columns, "frameon": False, "title": title}
    figure.legend(entries.values(), entries.keys(), **place)
    return -(-len(entries) // columns) + bool(title)
