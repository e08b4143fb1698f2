"""Figures of similarity: masks of different seeds against chance, every two masks of a round, run against run."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ticketlab import plots
from ticketlab.analysis.chart import SHARE, Chart, Panel, chart
from ticketlab.analysis.results import Results
from ticketlab.analysis.tables import chosen_rounds
from ticketlab.positions import PLACES, position, said

LIKENESS = {
    "jaccard": "seeds compared",
    "matched_jaccard": "seeds compared, units matched",
    "jaccard_chance_by_layer": "chance: layers' densities",
    "jaccard_chance_by_input": "chance: inputs' degrees",
    "matched_jaccard_chance_counts": "chance, units matched: layers' densities",
    "matched_jaccard_chance_inputs": "chance, units matched: inputs' degrees",
    "matched_jaccard_chance_degrees": "chance, units matched: inputs' and units' degrees",
}
EXCESS = {
    "jaccard_excess_by_layer": "above layers' densities",
    "matched_jaccard_excess_counts": "units matched, above layers' densities",
    "jaccard_excess_by_input": "above inputs' degrees",
    "matched_jaccard_excess_inputs": "units matched, above inputs' degrees",
    "matched_jaccard_excess_degrees": "units matched, above inputs' and units' degrees",
}
MATRIX_DENSITY = 0.21
SEEDS = "equal seeds", "different seeds"
ABOVE_CHANCE = "Jaccard similarity above chance"


def similarity_charts(results: Results) -> Iterator[Chart]:
    """Draw how alike masks of different seeds are, run by run, then every two masks of one round, then runs."""
    seeds = results.placed(results.tables["seeds_similarity"])
    seeds = seeds[(seeds["layer"] == "all") & (seeds["density"] < 1)]
    for run in results.runs:
        if len(own := seeds[seeds["run"] == run.name]):
            yield _seeds_chart(results.file_name("similarity", run.name), own)
    pairs = results.tables["similarity"]
    alike = (pairs["round_a"] == pairs["round_b"]) | (pairs["run_a"] != pairs["run_b"])
    densities = pairs[["density_a", "density_b"]]
    pairs = pairs[(pairs["layer"] == "all") & alike & (densities.max(axis=1) < 1)]
    pairs = results.placed(pairs.rename(columns={"run_a": "run", "round_a": "round"}))
    pairs = pairs.assign(similarity=pairs["jaccard_excess_by_layer"], density=pairs[densities.columns].mean(axis=1))
    during_training = pairs["iteration"].notna() if "iteration" in pairs else pairs["round"] < 0
    for one_training, each in pairs.groupby(during_training):
        ending = "-sparse_training" if one_training and results.mixed else ""
        yield _matrix_chart(f"similarity_matrix{ending}", results, each)
        between = each[each["run"] != each["run_b"]]
        if len(between):
            yield _runs_chart(f"similarity_between_runs{ending}", results, between)


def _seeds_chart(name: str, seeds: pd.DataFrame) -> Chart:
    columns = ["label", *(name for name in PLACES if name in seeds), "mean", "half_width", "reference"]
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
        "Bands: 95 % intervals, by the variances of seeds and of pairs."
    )
    return chart(name, caption, plots.over_rounds, panels)


def _matrix_chart(name: str, results: Results, pairs: pd.DataFrame) -> Chart:
    (round,) = chosen_rounds(pairs, [MATRIX_DENSITY])
    shared = _shared(pairs)
    pairs = pairs[pairs[shared] == pairs.loc[pairs["round"] == round, shared].iloc[0]]
    short, legend = _short_names(results)
    pairs = pairs.rename(columns={"run": "run_a"}).assign(order=pairs["run"].map(list(short).index))
    pairs = pairs.sort_values(["order", "seed_a", "seed_b"], kind="stable")
    shown = {run: f"{name} " if len(short) > 1 else "" for run, name in short.items()}
    names = {side: pairs[f"run_{side}"].map(shown) + "seed " + pairs[f"seed_{side}"].astype(str) for side in ("a", "b")}
    numbers = pairs.assign(**names)[["a", "b", "density", "similarity"]]
    caption = (
        f"Every two masks of {said(pairs) if shared == 'iteration' else f'round {round} ({said(pairs)})'}, all layers "
        "together: Jaccard similarity above that of random masks with the same density of each layer; grey: not "
        f"compared. {legend}"
    )
    drawn = chart(name, caption, plots.similarity_matrix, [Panel(ABOVE_CHANCE, numbers)])
    masks = min(len({*numbers["a"], *numbers["b"]}), 20)
    drawn.figure.set_size_inches(1.6 + 0.4 * masks, 1.2 + 0.4 * masks)
    return drawn


def _runs_chart(name: str, results: Results, pairs: pd.DataFrame) -> Chart:
    short, legend = _short_names(results)
    shared = _shared(pairs)
    columns = [name for name in (*PLACES, "similarity") if name in pairs and name != shared]
    pairs = pairs.assign(label=pairs["run"].map(short) + " × " + pairs["run_b"].map(short))
    panels = []
    for title, rows in pairs.groupby(np.where(pairs["seed_a"] == pairs["seed_b"], *SEEDS), sort=False):
        means = rows.groupby(["label", shared], sort=False)[columns].mean()
        numbers = means.reset_index().rename(columns={"similarity": "mean"}).assign(half_width=np.nan)
        panels.append(Panel(ABOVE_CHANCE, numbers, title))
    caption = (
        f"Masks of one run and of another at equal {shared}, all layers together: mean Jaccard similarity above that "
        f"of random masks with the same density of each layer, between equal and between different seeds. {legend}"
    )
    return chart(name, caption, plots.over_rounds, panels)


def _shared(pairs: pd.DataFrame) -> str:
    """Name what masks of different runs have in common: the iteration, in one training each, or the round."""
    return "iteration" if position(pairs) == "iteration" else "round"


def _short_names(results: Results) -> tuple[dict[str, str], str]:
    """Give each run a short name, and explain them; one run needs no explanation."""
    short = {run.name: f"R{number}" for number, run in enumerate(results.runs, 1)}
    legend = "; ".join(f"{name}: {results.labels[run]}" for run, name in short.items())
    return short, f"{legend}." if len(short) > 1 else ""
