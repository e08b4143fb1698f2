"""Figures of weights: magnitudes and signs of the kept and the pruned, and their distributions."""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from ticketlab import plots
from ticketlab.analysis.chart import BAND, COUNT, PERCENT, Chart, Panel, chart, curves, with_numbers
from ticketlab.analysis.results import Results
from ticketlab.analysis.tables import chosen_rounds, mean_table

HISTOGRAM_DENSITIES = (1, 0.51, 0.21)


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
    "round prunes, the share among the n smallest initial magnitudes of those kept; by chance it would be the "
    "pruned fraction.",
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
    "magnitudes; by chance it would be the fraction that is dropped.",
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
            means = mean_table(weights, ["round", "layer"])
            yield _magnitude_chart(results.file_name("weight_magnitudes", run.name), means, wording)
            name = results.file_name("sign_changes", run.name)
            yield from _sign_chart(name, means[means["layer"] != "all"], wording)
            yield _histogram_chart(results, run.name, wording)


def _magnitude_chart(name: str, means: pd.DataFrame, wording: Wording) -> Chart:
    panels = []
    for layer, rows in means.groupby("layer", sort=False):
        parts = [curves(rows, f"{moment}_{part}_magnitude", label) for (moment, part), label in wording.parts.items()]
        panels.append(Panel("mean magnitude", pd.concat(parts), layer, COUNT))
    return chart(name, f"{wording.magnitudes} {BAND}", plots.over_rounds, with_numbers(panels), columns=2)


def _sign_chart(name: str, means: pd.DataFrame, wording: Wording) -> Iterator[Chart]:
    """Draw what initial weights foretell; nothing of rounds without them, as of a branch's alone."""
    panels = [
        Panel("sign changes (% of kept)", curves(means, "sign_changes", means["layer"], 100), bounds=PERCENT),
        Panel(wording.next, curves(means, "small_initially", means["layer"], 100), bounds=PERCENT),
    ]
    if panels := with_numbers(panels):
        yield chart(name, f"{wording.signs} {BAND}", plots.over_rounds, panels)


def _histogram_chart(results: Results, run: str, wording: Wording) -> Chart:
    histograms = results.of("histograms", run)
    order = list(wording.parts.values())
    panels = []
    for round in chosen_rounds(results.of("rounds", run), HISTOGRAM_DENSITIES):
        rows = histograms[(histograms["round"] == round) & (histograms["layer"] == "all")]
        keys = pd.Series(zip(rows["moment"], rows["part"], strict=True), rows.index)
        share = (
            rows["count"] / rows.groupby(["moment", "part"])["count"].transform("sum") / (rows["right"] - rows["left"])
        )
        numbers = rows.assign(label=keys.map(wording.parts), share_per_unit=share)
        numbers = numbers.sort_values("label", key=lambda labels: labels.map(order.index), kind="stable")
        columns = ["label", "left", "right", "count", "share_per_unit"]
        panels.append(Panel("weight", numbers[columns], results.said(run, round)))
    return chart(results.file_name("weight_histograms", run), wording.histograms, plots.weight_histogram, panels)
