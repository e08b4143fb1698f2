"""Figures of weights: magnitudes and signs of the kept and the pruned, and their distributions."""

from collections.abc import Iterator

import pandas as pd

from ticketlab import plots
from ticketlab.analysis.chart import BAND, COUNT, PERCENT, Chart, Panel, chart, curves, with_numbers
from ticketlab.analysis.results import Results
from ticketlab.analysis.tables import mean_table

PARTS = {
    ("final", "kept"): "kept, final",
    ("initial", "kept"): "kept, initial",
    ("final", "pruned"): "pruned, final",
    ("initial", "pruned"): "pruned, initial",
}
ORDER = list(PARTS.values())  # the same in every panel, so that styles mean the same


def weight_charts(results: Results) -> Iterator[Chart]:
    """Draw weight statistics run by run; nothing where the files hold no weights."""
    for run in results.runs:
        weights = results.with_density("weights")
        weights = weights[weights["run"] == run.name].drop(columns="run")
        if weights[["initial_kept_magnitude", "final_kept_magnitude"]].notna().any(axis=None):
            means = mean_table(weights, ["round", "layer"])
            yield _magnitude_chart(results.file_name("weight_magnitudes", run.name), means)
            yield from _sign_chart(results.file_name("sign_changes", run.name), means[means["layer"] != "all"])
            yield _histogram_chart(results, run.name)


def _magnitude_chart(name: str, means: pd.DataFrame) -> Chart:
    panels = []
    for layer, rows in means.groupby("layer", sort=False):
        parts = [curves(rows, f"{moment}_{part}_magnitude", label) for (moment, part), label in PARTS.items()]
        panels.append(Panel("mean magnitude", pd.concat(parts), layer, COUNT))
    caption = (
        "Mean magnitude of the weights that a round's mask keeps and of those pruned before it. Initial: what rounds "
        "rewind to; final: the end of the last training that a weight took part in."
    )
    return chart(name, f"{caption} {BAND}", plots.against_density, with_numbers(panels), columns=2)


def _sign_chart(name: str, means: pd.DataFrame) -> Iterator[Chart]:
    """Draw what initial weights foretell; nothing of rounds without them, as of a branch's alone."""
    panels = [
        Panel("sign changes (% of kept)", curves(means, "sign_changes", means["layer"], 100), bounds=PERCENT),
        Panel(
            "pruned next, smallest at start (%)",
            curves(means, "small_initially", means["layer"], 100),
            bounds=PERCENT,
        ),
    ]
    caption = (
        "Left: kept weights that end with another sign than they began with. Right: of the n weights that the next "
        "round prunes, the share among the n smallest initial magnitudes of those kept; by chance it would be the "
        "pruned fraction."
    )
    if panels := with_numbers(panels):
        yield chart(name, f"{caption} {BAND}", plots.against_density, panels)


def _histogram_chart(results: Results, run: str) -> Chart:
    histograms = results.of("histograms", run)
    densities = results.of("rounds", run).groupby("round")["density"].mean()
    panels = []
    for round in results.shown[run][:3]:
        rows = histograms[(histograms["round"] == round) & (histograms["layer"] == "all")]
        keys = pd.Series(zip(rows["moment"], rows["part"], strict=True), rows.index)
        share = (
            rows["count"] / rows.groupby(["moment", "part"])["count"].transform("sum") / (rows["right"] - rows["left"])
        )
        numbers = rows.assign(label=keys.map(PARTS), share_per_unit=share)
        numbers = numbers.sort_values("label", key=lambda labels: labels.map(ORDER.index), kind="stable")
        columns = ["label", "left", "right", "count", "share_per_unit"]
        panels.append(Panel("weight", numbers[columns], f"round {round}, density {densities[round]:.2g}"))
    caption = (
        "Distribution of the weights of all layers and seeds, each curve of area 1: initial and final values of the "
        "kept weights and of those pruned before."
    )
    return chart(results.file_name("weight_histograms", run), caption, plots.weight_histogram, panels)
