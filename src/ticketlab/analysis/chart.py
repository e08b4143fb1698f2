"""A figure of the report: panels, one legend, caption and numbers. Knows no particular figure; looks: plots.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PANEL = (3.4, 2.6)  # inches, width and height
LEGEND_INCHES = 0.17  # height of a row
BAND = "Bands: 95 % interval of the mean over seeds (Student t)."
SETTINGS = {"font.size": 8, "axes.titlesize": 8, "svg.hashsalt": "ticketlab", "savefig.dpi": 200}


class Panel(NamedTuple):
    """What one plot shows.

    Attributes:
        quantity: the label of the axis whose meaning changes from panel to panel.
        numbers: what is plotted.
        title: above the panel.
    """

    quantity: str
    numbers: pd.DataFrame
    title: str = ""


@dataclass(frozen=True)
class Chart:
    """One figure.

    Attributes:
        name: of its files.
        caption: what a reader sees in it.
        numbers: all that is plotted.
        figure: the picture.
    """

    name: str
    caption: str
    numbers: pd.DataFrame
    figure: Figure

    def save(self, folder: Path) -> list[Path]:
        """Write picture and numbers as PNG, SVG and CSV, and return the paths."""
        png, svg, csv = paths = [folder / f"{self.name}.{kind}" for kind in ("png", "svg", "csv")]
        with rc_context(SETTINGS):
            self.figure.savefig(png)
            self.figure.set_layout_engine("none")  # it is laid out now, and takes most of the time
            self.figure.savefig(svg, metadata={"Date": None})
        self.numbers.to_csv(csv, index=False)
        return paths


def chart(
    name: str,
    caption: str,
    plot: Callable[[pd.DataFrame, Axes, str], Axes],
    panels: Sequence[Panel],
    *,
    columns: int = 3,
    entries: int = 3,
) -> Chart:
    """Draw panels in a grid, with one legend for all of them.

    Args:
        name: of the files.
        caption: what a reader sees.
        plot: a function of plots.py that takes numbers, axes and quantity.
        panels: at least one.
        columns: of the grid, at most.
        entries: of the legend beside each other below one panel.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with rc_context(SETTINGS):
        figure = Figure(layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            plot(panel.numbers, axes, panel.quantity).set_title(panel.title, loc="left")
        for axes in grid[len(panels) :]:
            axes.remove()
        legend_rows = _join_legends(figure, entries * columns)
        figure.set_size_inches(PANEL[0] * columns, PANEL[1] * rows + LEGEND_INCHES * legend_rows)
    titles = [panel.title or panel.quantity for panel in panels]
    numbers = pd.concat([panel.numbers for panel in panels], keys=titles, names=["panel"]).reset_index(level="panel")
    return Chart(name, caption, numbers, figure)


def curves(means: pd.DataFrame, metric: str, labels: Any, factor: float = 1) -> pd.DataFrame:
    """Lay out a metric for `plots.against_density`.

    Args:
        means: as `tables.mean_table` makes it, with a column density.
        metric: a column; the half-width of its interval stands under ``<metric>_interval``.
        labels: of the curves, one for all rows or one per row.
        factor: 100 for percent.
    """
    values = {"mean": means[metric] * factor, "half_width": means[f"{metric}_interval"] * factor}
    return pd.DataFrame({"label": labels, "density": means["density"], **values})


def _join_legends(figure: Figure, columns: int) -> int:
    """Replace the axes' legends by one below them; return its number of rows."""
    entries: dict[str, Any] = {}
    title = None
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
        if legend := axes.get_legend():
            title = legend.get_title().get_text() or title
            legend.remove()
    if len(entries) < 2:
        return 0
    place = {"loc": "outside lower center", "ncols": min(columns, len(entries)), "frameon": False, "title": title}
    figure.legend(entries.values(), entries.keys(), **place)
    return -(-len(entries) // columns) + bool(title)
