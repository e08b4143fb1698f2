"""Figures of weights: magnitudes and signs of the kept and the pruned, and their distributions."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from ticketlab.analysis.confidence import COUNT, PERCENT
from ticketlab.analysis.figures import alt_text, distributions, plots
from ticketlab.analysis.figures.curves import curves, over_seeds, with_singles
from ticketlab.analysis.figures.panels import Chart, Panel, chart, with_numbers
from ticketlab.analysis.figures.report_styles import numbered, report_styles
from ticketlab.analysis.layer_names import MOST_CURVES, MOST_PANELS, ends_and_middle, layer_names, left_out
from ticketlab.analysis.results import Results
from ticketlab.analysis.runs import FinishedRun
from ticketlab.analysis.shown_rounds import SHOWN, chosen_rounds
from ticketlab.analysis.tables import mean_table


class Wording(NamedTuple):
    """What figures say of rounds that begin anew, and of those of one training.

    Attributes:
        parts: {(moment, part): label}, in the same order in every panel, so that styles mean the same.
        next: the axis of what happens to weights next.
        magnitudes: a caption.
        signs: a caption.
        histograms: a caption.
    """

    parts: dict[tuple[str, str], str]
    next: str
    magnitudes: str
    signs: str
    histograms: str


ROUNDS = Wording(
    {
        ("final", "kept"): "kept, final",
        ("initial", "kept"): "kept, initial",
        ("final", "pruned"): "pruned, final",
        ("initial", "pruned"): "pruned, initial",
    },
    "pruned next, smallest at start (%)",
    "Mean magnitude of the weights that a round's mask keeps and of those pruned before it. Initial: what rounds "
    "rewind to; final: the end of the last training that a weight took part in.",
    "Left: kept weights that end with another sign than they began with. Right: of the n weights that the next "
    "round prunes, the share among the n smallest initial magnitudes of those kept; broken line in a layer's colour: "
    "chance, which is the pruned fraction.",
    "Distribution of the weights of all layers and seeds, each curve of area 1: initial and final values of the "
    "kept weights and of those pruned before.",
)
ONE_TRAINING = Wording(
    {
        ("final", "kept"): "kept, now",
        ("initial", "kept"): "kept all along, initial",
        ("final", "pruned"): "dropped, when last seen",
        ("initial", "pruned"): "dropped of the first mask, initial",
    },
    "dropped next, smallest at start (%)",
    "Mean magnitude of the weights that are kept at an iteration, of those kept in every round since the first mask at "
    "their beginning, and of those that are not kept any more: at the end of the last round that kept them, and, of "
    "the first mask's, at their beginning.",
    "Of the weights kept in every round since the first mask. Left: those whose sign is another than at their "
    "beginning. Right: of the n among them that the next round lacks, the share among the n smallest initial "
    "magnitudes; broken line in a layer's colour: chance, which is the fraction that is dropped.",
    "Distribution of the weights of all layers and seeds, each curve of area 1: of all that are kept and of those kept "
    "in every round since the first mask at their beginning; of those that are not kept any more, at the end of the "
    "last round that kept them, and, of the first mask's, at their beginning.",
)


def weight_charts(results: Results) -> Iterator[Chart]:
    """Draw weight statistics run by run; nothing where the files hold no weights."""
    table = results.placed(results.tables["weights"])
    for run in results.runs:
        weights = table[table["run"] == run.name].drop(columns="run")
        wording = ONE_TRAINING if run.one_training else ROUNDS
        if weights[["initial_kept_magnitude", "final_kept_magnitude"]].notna().any(axis=None):
            keys = ["round", "layer"]
            rows = with_singles(mean_table(weights, keys), weights, keys)
            yield from _magnitude_chart(results, run, rows, wording)
            yield from _sign_chart(results, run, rows[rows["layer"] != "all"], wording)
            yield _histogram_chart(results, run, wording)


def _magnitude_chart(results: Results, run: FinishedRun, rows: pd.DataFrame, wording: Wording) -> Iterator[Chart]:
    names, panels = layer_names(run), []
    layers = [path for path in names if path != "all"]
    for layer in [*ends_and_middle(layers, MOST_PANELS), "all"]:
        own = rows[rows["layer"] == layer]
        parts = [curves(own, f"{moment}_{part}_magnitude", label) for (moment, part), label in wording.parts.items()]
        panels.append(Panel("mean magnitude", pd.concat(parts, ignore_index=True), names[layer], COUNT))
    if panels := with_numbers(panels):
        caption = f"{wording.magnitudes}{left_out(layers, MOST_PANELS)}"
        text = f"{caption} {over_seeds(panel.numbers for panel in panels)}"
        name = results.file_name("weight_magnitudes", run.name)
        styles = numbered(wording.parts.values())
        yield chart(name, text, plots.over_rounds, panels, columns=2, styles=styles)


def _sign_chart(results: Results, run: FinishedRun, rows: pd.DataFrame, wording: Wording) -> Iterator[Chart]:
    """Draw what initial weights foretell; nothing of rounds without them, as of a branch's alone."""
    names = layer_names(run)
    layers = [path for path in names if path != "all"]
    rows = rows[rows["layer"].isin(ends_and_middle(layers, MOST_CURVES))]
    labels = rows["layer"].map(names)
    foretold = curves(rows, "small_initially", labels, 100)
    chance = curves(rows, "prune_fraction", labels, 100)
    chance = chance[chance["seed"].isna() & foretold["mean"].notna()]
    foretold = pd.concat([foretold.assign(reference=False), chance.assign(reference=True, half_width=np.nan)])
    panels = [
        Panel("sign changes (% of kept)", curves(rows, "sign_changes", labels, 100), bounds=PERCENT),
        Panel(wording.next, foretold, bounds=PERCENT),
    ]
    if panels := with_numbers(panels):
        text = f"{wording.signs}{left_out(layers, MOST_CURVES)} {over_seeds(panel.numbers for panel in panels)}"
        name = results.file_name("sign_changes", run.name)
        yield chart(name, text, plots.over_rounds, panels, styles=report_styles(results))


def _histogram_chart(results: Results, run: FinishedRun, wording: Wording) -> Chart:
    histograms = results.of("histograms", run.name)
    order = list(wording.parts.values())
    panels = []
    for round in chosen_rounds(results.of("rounds", run.name), SHOWN[:3]):
        rows = histograms[(histograms["round"] == round) & (histograms["layer"] == "all")]
        keys = pd.Series(zip(rows["moment"], rows["part"], strict=True), rows.index)
        share = (
            rows["count"] / rows.groupby(["moment", "part"])["count"].transform("sum") / (rows["right"] - rows["left"])
        )
        numbers = rows.assign(label=keys.map(wording.parts), share_per_unit=share)
        numbers = numbers.sort_values("label", key=lambda labels: labels.map(order.index), kind="stable")
        columns = ["label", "left", "right", "count", "share_per_unit"]
        panels.append(Panel("weight", numbers[columns], results.said(run.name, round)))
    name, styles = results.file_name("weight_histograms", run.name), numbered(order)
    return chart(
        name, wording.histograms, distributions.weight_histogram, panels, styles=styles, see=alt_text.distributions
    )
