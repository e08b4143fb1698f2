"""Figures of structure: density and dead units of layers, distributions of degrees."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ticketlab.analysis.accuracy import score
from ticketlab.analysis.confidence import PERCENT
from ticketlab.analysis.figures import alt_text
from ticketlab.analysis.figures.curves import ENDS, coinciding, curves, over_seeds, with_singles
from ticketlab.analysis.figures.distributions import degree_distribution
from ticketlab.analysis.figures.panels import Chart, Panel, chart, column_panel, with_numbers
from ticketlab.analysis.figures.plots import over_rounds
from ticketlab.analysis.figures.report_styles import report_styles
from ticketlab.analysis.figures.styles import COLOURS, Style, Styles
from ticketlab.analysis.layer_names import ALL, MOST_CURVES, MOST_PANELS, ends_and_middle, layer_names, left_out
from ticketlab.analysis.measures import MEASURES
from ticketlab.analysis.results import Results
from ticketlab.analysis.runs import FinishedRun
from ticketlab.analysis.shown_rounds import ONE, chosen_rounds
from ticketlab.analysis.tables import mean_table

DEGREE_BINS = 40
MASKS, CHANCE = "masks", "random masks, expected"
DEGREE_STYLES = {MASKS: Style(COLOURS[5]), CHANCE: Style(COLOURS[1])}
DIRECTIONS = {"in": "weights kept into a unit", "out": "weights kept from a unit", "pair": "weights kept of a window"}
WINDOW = "Window: the weights between one channel in and one channel or unit out, at all positions."
STRUCTURE = MEASURES["structure"].columns
NOTHING_DEAD = "No unit is dead, and no kept weight lies on no path."


def structure_charts(results: Results) -> Iterator[Chart]:
    """Draw what masks cut off, all runs together; densities of layers and their degrees, run by run."""
    table = results.placed(results.tables["structure"])
    table = table.assign(
        off_path=1 - table["on_path"] / table["kept"], density_of_layer=table["kept"] / table["weights"]
    )
    keys = ["run", "round", "layer"]
    rows, styles = with_singles(mean_table(table, keys), table, keys), report_styles(results)
    nothing_dead = ""
    for drawn in _dead_units(results, rows, styles):
        if isinstance(drawn, str):
            nothing_dead = f" {drawn}"
        else:
            yield drawn
    for run in results.runs:
        own = rows[(rows["run"] == run.name)]
        yield from _density_chart(results, run, own, styles, nothing_dead)
        yield from _degree_chart(results, run)


def _dead_units(results: Results, rows: pd.DataFrame, styles: Styles) -> Iterator[Chart | str]:
    """Draw units and weights without a path; say so in a sentence where there are none at all."""
    several = len(results.runs) > 1
    shown = results.together(rows[(rows["layer"] == "all") == several])
    names = layer_names(results.runs[0])
    if not several:
        shown = shown[shown["layer"].isin(_shown(names, MOST_CURVES))]
    labels = shown["run"].map(results.labels) if several else shown["layer"].map(names)
    told = score(results.runs)
    panels = with_numbers(
        [
            column_panel("dead", STRUCTURE["dead"], shown, labels, told),
            Panel("weights on no path (% of kept)", curves(shown, "off_path", labels, 100), bounds=PERCENT),
        ]
    )
    found = [panel for panel in panels if panel.numbers["mean"].any()]
    if panels and not found:
        yield NOTHING_DEAD
    elif panels:
        which = "all layers together" if several else "layer by layer"
        caption = (
            f"What masks cut off, {which}: units that lie on no path from input to output, and kept weights on none."
        )
        caption += "" if several else _left_out(names, MOST_CURVES)
        caption = f"{caption} {ENDS}" if results.mixed else caption
        numbers = [panel.numbers for panel in panels]
        text = " ".join(filter(None, [caption, coinciding(numbers), over_seeds(numbers)]))
        yield chart("dead_units", text, over_rounds, panels, styles=styles)


def _density_chart(
    results: Results, run: FinishedRun, rows: pd.DataFrame, styles: Styles, more: str
) -> Iterator[Chart]:
    """Draw each layer's density beside that of all together; nothing where all layers always have the same."""
    names = layer_names(run)
    rows = rows[rows["layer"].isin([*_shown(names, MOST_CURVES), "all"])]
    panel = column_panel("density_of_layer", STRUCTURE["density"], rows, rows["layer"].map(names), score([run]))
    numbers = panel.numbers[panel.numbers["seed"].isna() | (panel.numbers["label"] != ALL)]
    numbers = numbers.assign(reference=numbers["label"] == ALL)
    if panels := with_numbers([panel._replace(numbers=numbers)]):
        caption = f"Density of each layer; broken line: of all layers together.{_left_out(names, MOST_CURVES)}{more}"
        text = " ".join(filter(None, [caption, coinciding([numbers]), over_seeds([numbers])]))
        yield chart(results.file_name("layer_density", run.name), text, over_rounds, panels, styles=styles)


def _degree_chart(results: Results, run: FinishedRun) -> Iterator[Chart]:
    """Draw the distributions of one round; nothing of inputs or outputs that are one alone."""
    (round,) = chosen_rounds(results.of("rounds", run.name), [ONE])
    degrees, names = results.of("degrees", run.name), layer_names(run)
    degrees = degrees[(degrees["round"] == round) & degrees["layer"].isin(_shown(names, MOST_PANELS))]
    counted = degrees.groupby(["layer", "direction"])["units"].transform("sum")
    single = counted <= degrees["seed"].nunique()
    groups = dict(list(degrees[~single].groupby(["layer", "direction"], sort=False)))
    ways = [way for way in DIRECTIONS if way in set(degrees["direction"])]
    panels = [
        Panel(DIRECTIONS[way], _binned(groups[layer, way]), names[layer]) if (layer, way) in groups else None
        for layer in dict.fromkeys(degrees["layer"])
        for way in ways
    ]
    if not groups:
        return
    alone = [names[layer] for layer in dict.fromkeys(degrees.loc[single, "layer"])]
    caption = (
        f"How many weights units keep ({results.said(run.name, round)}), {_seeds(degrees['seed'].nunique())}; line: in "
        "random masks with the same density of the layer, in expectation."
        f"{_left_out(names, MOST_PANELS)}"
    )
    if alone:
        caption += f" Not drawn: the single input or output of {', '.join(alone)}."
    if "pair" in set(degrees["direction"]):
        caption = f"{caption} {WINDOW}"
    name = results.file_name("degrees", run.name)
    yield chart(name, caption, _draw_degrees, panels, columns=len(ways), styles=DEGREE_STYLES, see=alt_text.degrees)


def _draw_degrees(counts: pd.DataFrame, axes: Axes, quantity: str, *, styles: Styles) -> Axes:
    counted = "windows" if quantity == DIRECTIONS["pair"] else "units"
    return degree_distribution(counts, axes, quantity, counted=counted, styles=styles)


def _binned(degrees: pd.DataFrame) -> pd.DataFrame:
    """Sum over seeds and over as many degrees as make at most `DEGREE_BINS` bins."""
    least, greatest = degrees["degree"].min(), degrees["degree"].max()
    width = -(-(greatest - least + 1) // DEGREE_BINS)
    edges = np.arange(least, greatest + width + 1, width)
    parts = []
    for label, name in ((MASKS, "units"), (CHANCE, "units_chance")):
        units = np.histogram(degrees["degree"], edges, weights=degrees[name])[0]
        parts.append(pd.DataFrame({"label": label, "left": edges[:-1], "right": edges[1:], "units": units}))
    return pd.concat(parts, ignore_index=True)


def _shown(names: dict[str, str], most: int) -> list[str]:
    return ends_and_middle([path for path in names if path != "all"], most)


def _left_out(names: dict[str, str], most: int) -> str:
    return left_out([path for path in names if path != "all"], most)


def _seeds(count: int) -> str:
    return f"{count} seeds together" if count > 1 else "one seed"
