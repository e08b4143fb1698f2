"""Figures of similarity: masks of different seeds against chance, every two masks of a round, run against run."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ticketlab import plots
from ticketlab.analysis.chart import Chart, Panel, chart
from ticketlab.analysis.results import Results
from ticketlab.analysis.tables import nearest_rounds

LIKENESS = {
    "jaccard": "seeds compared",
    "matched_jaccard": "seeds compared, units matched",
    "jaccard_chance_by_layer": "chance: layers' densities",
    "jaccard_chance_by_input": "chance: inputs' degrees",
    "matched_jaccard_chance_counts": "chance, units matched: layers' densities",
    "matched_jaccard_chance_degrees": "chance, units matched: inputs' degrees",
}
EXCESS = {
    "jaccard_excess_by_layer": "above layers' densities",
    "matched_jaccard_excess_counts": "units matched, above layers' densities",
    "jaccard_excess_by_input": "above inputs' degrees",
    "matched_jaccard_excess_degrees": "units matched, above inputs' degrees",
}
MATRIX_DENSITY = 0.21
ABOVE_CHANCE = "Jaccard similarity above chance"


def similarity_charts(results: Results) -> Iterator[Chart]:
    """Draw how alike masks of different seeds are, run by run, then every two masks of one round, then runs."""
    for run in results.runs:
        seeds = results.of("seeds_similarity", run.name)
        seeds = seeds[(seeds["layer"] == "all") & (seeds["density"] < 1)]
        if len(seeds):
            yield _seeds_chart(results.file_name("similarity", run.name), seeds)
    pairs = results.tables["similarity"]
    pairs = pairs[(pairs["layer"] == "all") & (pairs["round_a"] == pairs["round_b"])]
    pairs = pairs.assign(
        similarity=pairs["jaccard_excess_by_layer"], density=pairs[["density_a", "density_b"]].mean(axis=1)
    )
    pairs = pairs[pairs["density"] < 1]
    if len(pairs):
        yield _matrix_chart(results, pairs)
    between = pairs[pairs["run_a"] != pairs["run_b"]]
    if len(between):
        yield _runs_chart(results, between)


def _seeds_chart(name: str, seeds: pd.DataFrame) -> Chart:
    columns = ["label", "density", "mean", "half_width", "chance"]
    tables = []
    for names in (LIKENESS, EXCESS):
        chosen = seeds.set_index("measure").loc[[measure for measure in names if measure in set(seeds["measure"])]]
        chosen = chosen.rename(columns={"interval": "half_width"}).reset_index()
        tables.append(
            chosen.assign(label=chosen["measure"].map(names), chance=chosen["measure"].str.contains("chance"))
        )
    panels = [Panel("Jaccard similarity", tables[0][columns]), Panel(ABOVE_CHANCE, tables[1][columns])]
    caption = (
        "Masks of different seeds at equal round, all layers together. Left: their Jaccard similarity as stored and "
        "after matching hidden units, and that of random masks with the same density of each layer, or with the same "
        "number of kept weights leaving each input unit. Right: what exceeds chance; 0 is chance. "
        "Bands: 95 % intervals, jackknife over seeds."
    )
    return chart(name, caption, plots.against_density, panels, entries=1)


def _matrix_chart(results: Results, pairs: pd.DataFrame) -> Chart:
    (round,) = nearest_rounds(pairs.rename(columns={"round_a": "round", "round_b": ""}), [MATRIX_DENSITY])
    pairs = pairs[pairs["round_a"] == round]
    shown = {run: f"{label}, seed " if len(results.runs) > 1 else "seed " for run, label in results.labels.items()}
    names = {side: pairs[f"run_{side}"].map(shown) + pairs[f"seed_{side}"].astype(str) for side in ("a", "b")}
    numbers = pairs.assign(**names)[["a", "b", "density", "similarity"]]
    caption = (
        f"Every two masks of round {round} (density {pairs['density'].mean():.3f}), all layers together: Jaccard "
        "similarity above that of random masks with the same density of each layer; grey: not compared."
    )
    return chart("similarity_matrix", caption, plots.similarity_matrix, [Panel(ABOVE_CHANCE, numbers)])


def _runs_chart(results: Results, pairs: pd.DataFrame) -> Chart:
    seeds = np.where(pairs["seed_a"] == pairs["seed_b"], "equal seeds", "different seeds")
    label = pairs["run_a"].map(results.labels) + " × " + pairs["run_b"].map(results.labels) + ": " + seeds
    means = pairs.assign(label=label).groupby(["label", "round_a"], sort=False)[["density", "similarity"]].mean()
    numbers = (
        means.rename(columns={"similarity": "mean"}).reset_index().drop(columns="round_a").assign(half_width=np.nan)
    )
    caption = (
        "Masks of one run and of another at equal round, all layers together: mean Jaccard similarity above that of "
        "random masks with the same density of each layer, between equal seeds and between different ones."
    )
    return chart("similarity_between_runs", caption, plots.against_density, [Panel(ABOVE_CHANCE, numbers)], entries=1)
