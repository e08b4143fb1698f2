"""A figure of the report: panels, legends, caption and numbers. Knows no particular figure; looks: plots.py."""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ticketlab.analysis.accuracy import Score
from ticketlab.analysis.confidence import UNBOUNDED
from ticketlab.analysis.figures import alt_text
from ticketlab.analysis.figures.axes import beyond, share_scales
from ticketlab.analysis.figures.curves import curves
from ticketlab.analysis.figures.styles import Styles, chosen
from ticketlab.analysis.measures import Column
from ticketlab.runs.folder import write_bytes

PANEL = (3.4, 2.6)  # inches, width and height
TITLE = 42  # characters of a line of a title
TRIANGLES = {
    "below": "Triangles at the lower edge: the curve of that colour lies below the axis.",
    "above": "Triangles at the upper edge: the curve of that colour lies above the axis.",
}
SETTINGS = {"font.size": 8, "axes.titlesize": 8, "svg.hashsalt": "ticketlab", "savefig.dpi": 200}


class Panel(NamedTuple):
    """What one plot shows.

    Attributes:
        quantity: the label of the axis whose meaning changes from panel to panel.
        numbers: plotted numbers.
        title: above the panel.
        bounds: bounds of the values.
        level: value of a thin line through curves over rounds.
        sight: range of means of curves over rounds that must be visible.
    """

    quantity: str
    numbers: pd.DataFrame
    title: str = ""
    bounds: tuple[float, float] = UNBOUNDED
    level: float | None = None
    sight: tuple[float, float] = UNBOUNDED

    def options(self) -> dict[str, Any]:
        """Return what a plot is told beyond numbers and quantity, where this panel has it."""
        fields = {"bounds": UNBOUNDED, "level": None, "sight": UNBOUNDED}
        return {name: getattr(self, name) for name, usual in fields.items() if getattr(self, name) != usual}


@dataclass(frozen=True)
class Chart:
    """One figure.

    Attributes:
        name: name of its files.
        caption: caption for the reader.
        numbers: all plotted numbers.
        figure: the picture.
        moving: animation of the figure as a GIF, if any.
        alt: one sentence with numbers that describes the picture to readers who cannot see it.
    """

    name: str
    caption: str
    numbers: pd.DataFrame
    figure: Figure
    moving: bytes | None = None
    alt: str = ""

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
    panels: Sequence[Panel | None],
    *,
    columns: int = 3,
    moving: bytes | None = None,
    styles: Styles | None = None,
    see: Callable[[Panel], str] = alt_text.curves,
    share_rows: bool = False,
) -> Chart:
    """Draw panels in a grid, with one legend for all of them.

    Args:
        name: name of the files.
        caption: caption for the reader.
        plot: a function of plots.py that takes numbers, axes and quantity, what panels tell it, and styles of labels.
        panels: panels, at least one; None leaves a place in the grid free.
        columns: maximum number of columns of the grid.
        moving: animation of the figure as a GIF.
        styles: the report's styles of the labels; if left out, the labels' order in this figure decides.
        see: function that describes a panel in the alternative text.
        share_rows: whether the panels of a row have one vertical scale.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    filled = [panel for panel in panels if panel]
    labels = [label for panel in filled if "label" in panel.numbers for label in panel.numbers["label"]]
    styles = chosen([labels], styles)
    with rc_context(SETTINGS):
        figure, width = Figure(layout="constrained"), PANEL[0] * columns
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, panel in zip_longest(grid.ravel(), panels):
            if panel is None:
                axes.remove()
                continue
            options = panel.options() | ({"styles": styles} if "label" in panel.numbers else {})
            plot(panel.numbers, axes, panel.quantity, **options)
            axes.set_title(fill(panel.title, TITLE), loc="left")
        if share_rows:
            share_scales(grid)
        figure.set_size_inches(width, height := PANEL[1] * rows)
        figure.set_size_inches(width, height + _share_legend(figure))
    titles = [panel.title or panel.quantity for panel in filled]
    numbers = pd.concat([panel.numbers for panel in filled], keys=titles, names=["panel"]).reset_index(level="panel")
    if "seed" in numbers and numbers["seed"].isna().all():
        numbers = numbers.drop(columns="seed")
    caption = " ".join([caption, *(TRIANGLES[side] for side in beyond(figure))])
    return Chart(name, caption, numbers, figure, moving, alt_text.sentence(map(see, filled)))


def column_panel(name: str, column: Column, rows: pd.DataFrame, labels: pd.Series, told: Score) -> Panel:
    """Lay out one column of means, and perhaps single seeds, as its entry says it.

    Args:
        name: name of the column.
        column: entry of the column.
        rows: rows as `curves.curves` takes them.
        labels: labels of the curves, one per row.
        told: names and units of accuracies.
    """
    factor, bounds = (told.factor, told.bounds) if column.scored else (column.factor, column.bounds)
    return Panel(told.say(column.quantity), curves(rows, name, labels, factor), bounds=bounds, level=column.level)


def with_numbers(panels: Iterable[Panel]) -> list[Panel]:
    """Leave out rows without a mean, and panels that have no other."""
    filled = [panel._replace(numbers=panel.numbers.dropna(subset="mean")) for panel in panels]
    return [panel for panel in filled if len(panel.numbers)]


def _share_legend(figure: Figure) -> float:
    """Replace the axes' legends by one below them, no wider than the figure; return its height in inches."""
    legends = {axes: legend for axes in figure.axes if (legend := axes.get_legend())}
    entries: dict[str, Any] = {}
    for axes, legend in legends.items():
        handles, names = axes.get_legend_handles_labels()
        entries |= {name: handle for name, handle in zip(names, handles, strict=True) if name not in entries}
        legend.remove()
    if len(entries) < 2:
        return 0
    title = next((text for each in legends.values() if (text := each.get_title().get_text())), None)
    look = {"loc": "outside lower center", "frameon": False, "title": title}
    for columns in range(len(entries), 0, -1):
        legend = figure.legend(entries.values(), entries.keys(), ncols=columns, **look)
        extent = legend.get_window_extent()
        if columns == 1 or extent.width <= figure.bbox.width:
            break
        legend.remove()
    return extent.height / figure.dpi
