"""Figures of similarity: masks of different seeds against chance, every two masks of a round, run against run."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ticketlab import plots
from ticketlab.analysis.chart import SHARE, Chart, Panel, chart
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
    columns = ["label", "density", "mean", "half_width", "reference"]
    tables = []
    for names in (LIKENESS, EXCESS):
        chosen = seeds.set_index("measure").loc[[measure for measure in names if measure in set(seeds["measure"])]]
        chosen = chosen.rename(columns={"interval": "half_width"}).reset_index()
        tables.append(
            chosen.assign(label=chosen["measure"].map(names), reference=chosen["measure"].str.contains("chance"))
        )
    panels = [Panel("Jaccard similarity", tables[0][columns], bounds=SHARE), Panel(ABOVE_CHANCE, tables[1][columns])]
    caption = (
        "Masks of different seeds at equal round, all layers together. Left: their Jaccard similarity as stored and "
        "after matching hidden units, and that of random masks with the same density of each layer, or with the same "
        "number of kept weights leaving each input unit. Right: what exceeds chance; 0 is chance. "
        "Bands: 95 % intervals, jackknife over seeds."
    )
    return chart(name, caption, plots.against_density, panels)


def _matrix_chart(results: Results, pairs: pd.DataFrame) -> Chart:
    rounds = pairs[["round_a", "density"]].rename(columns={"round_a": "round"})
    (round,) = nearest_rounds(rounds, [MATRIX_DENSITY])
    short, legend = _short_names(results)
    pairs = pairs[pairs["round_a"] == round].assign(order=pairs["run_a"].map(list(short).index))
    pairs = pairs.sort_values(["order", "seed_a", "seed_b"], kind="stable")
    shown = {run: f"{name} " if len(short) > 1 else "" for run, name in short.items()}
    names = {side: pairs[f"run_{side}"].map(shown) + "seed " + pairs[f"seed_{side}"].astype(str) for side in ("a", "b")}
    numbers = pairs.assign(**names)[["a", "b", "density", "similarity"]]
    caption = (
        f"Every two masks of round {round} (density {pairs['density'].mean():.3f}), all layers together: Jaccard "
        f"similarity above that of random masks with the same density of each layer; grey: not compared. {legend}"
    )
    drawn = chart("similarity_matrix", caption, plots.similarity_matrix, [Panel(ABOVE_CHANCE, numbers)])
    masks = min(len({*numbers["a"], *numbers["b"]}), 20)
    drawn.figure.set_size_inches(1.6 + 0.4 * masks, 1.2 + 0.4 * masks)
    return drawn


def _runs_chart(results: Results, pairs: pd.DataFrame) -> Chart:
    short, legend = _short_names(results)
    seeds = np.where(pairs["seed_a"] == pairs["seed_b"], "equal seeds", "different seeds")
    labels = pairs["run_a"].map(short) + " × " + pairs["run_b"].map(short) + ", " + seeds
    means = pairs.assign(label=labels).groupby(["label", "round_a"], sort=False)[["density", "similarity"]].mean()
    numbers = means.reset_index("label").rename(columns={"similarity": "mean"}).assign(half_width=np.nan)
    caption = (
        "Masks of one run and of another at equal round, all layers together: mean Jaccard similarity above that of "
        f"random masks with the same density of each layer, between equal and between different seeds. {legend}"
    )
    panel = Panel(ABOVE_CHANCE, numbers)
    return chart("similarity_between_runs", caption, plots.against_density, [panel])


def _short_names(results: Results) -> tuple[dict[str, str], str]:
    """Give each run a short name, and explain them; one run needs no explanation."""
    short = {run.name: f"R{number}" for number, run in enumerate(results.runs, 1)}
    legend = "; ".join(f"{name}: {results.labels[run]}" for run, name in short.items())
    return short, f"{legend}." if len(short) > 1 else ""
