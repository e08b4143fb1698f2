"""A figure of the report: panels, legends, caption and numbers. Knows no particular figure; looks: plots.py."""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ticketlab.analysis.figures import alt_text
from ticketlab.analysis.figures.axes import UNBOUNDED, beyond, share_scales
from ticketlab.analysis.figures.styles import Styles, chosen
from ticketlab.runs.folder import write_bytes

PANEL = (3.4, 2.6)  # inches, width and height
TITLE = 42  # characters of a line of a title
TRIANGLES = {
    "below": "Triangles at the lower edge: the curve of that colour lies below the axis.",
    "above": "Triangles at the upper edge: the curve of that colour lies above the axis.",
}
LEGEND_INCHES = 0.17  # height of a row
ENTRY_INCHES = 0.5, 0.062  # width of an entry: without its text, and of a character
SETTINGS = {"font.size": 8, "axes.titlesize": 8, "svg.hashsalt": "ticketlab", "savefig.dpi": 200}


class Panel(NamedTuple):
    """What one plot shows.

    Attributes:
        quantity: the label of the axis whose meaning changes from panel to panel.
        numbers: what is plotted.
        title: above the panel.
        bounds: between which values can lie.
        level: where a thin line runs through curves over rounds.
        sight: between which means of curves over rounds need to be seen.
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
        name: of its files.
        caption: what a reader sees in it.
        numbers: all that is plotted.
        figure: the picture.
        moving: the same as a GIF, where there is one.
        alt: one sentence that says what is seen, in numbers, to those who do not see it.
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
    """Draw panels in a grid, with one legend for all of them, or one each where they show different things.

    Args:
        name: of the files.
        caption: what a reader is told.
        plot: a function of plots.py that takes numbers, axes and quantity, what panels tell it, and styles of labels.
        panels: at least one; None leaves a place in the grid free.
        columns: of the grid, at most.
        moving: the same as a GIF.
        styles: of the labels, those of the report; if left out, the labels' order in this figure decides.
        see: what the alternative text says of a panel.
        share_rows: whether the panels of a row have one vertical scale.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    filled = [panel for panel in panels if panel]
    labels = [label for panel in filled if "label" in panel.numbers for label in panel.numbers["label"]]
    styles = chosen([labels], styles)
    with rc_context(SETTINGS):
        figure = Figure(layout="constrained")
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
        legend_rows = _place_legends(figure, PANEL[0] * columns)
        figure.set_size_inches(PANEL[0] * columns, PANEL[1] * rows + LEGEND_INCHES * legend_rows)
    titles = [panel.title or panel.quantity for panel in filled]
    numbers = pd.concat([panel.numbers for panel in filled], keys=titles, names=["panel"]).reset_index(level="panel")
    if "seed" in numbers and numbers["seed"].isna().all():
        numbers = numbers.drop(columns="seed")
    caption = " ".join([caption, *(TRIANGLES[side] for side in beyond(figure))])
    return Chart(name, caption, numbers, figure, moving, alt_text.sentence(map(see, filled)))


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
        entries |= {name: handle for name, handle in each.items() if name not in entries}
        axes.get_legend().remove()
    if len(entries) < 2:
        return 0
    title = next((text for each in legends.values() if (text := each.get_title().get_text())), None)
    around, character = ENTRY_INCHES
    columns = min(max(int(width / (around + character * max(map(len, entries)))), 1), len(entries))
    place = {"loc": "outside lower center", "ncols": columns, "frameon": False, "title": title}
    figure.legend(entries.values(), entries.keys(), **place)
    return -(-len(entries) // columns) + bool(title)
