"""Figures of similarity: masks of different seeds above chance, every two masks of a round, run against run."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ticketlab.analysis.figures import alt_text, plots
from ticketlab.analysis.figures.curves import over_seeds
from ticketlab.analysis.figures.matrices import similarity_matrix
from ticketlab.analysis.figures.panels import Chart, Panel, chart, with_numbers
from ticketlab.analysis.figures.report_styles import numbered, report_styles
from ticketlab.analysis.figures.styles import in_order
from ticketlab.analysis.measures.seed_similarity import EXCESSES
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import PLACES, position, said
from ticketlab.analysis.shown_rounds import ONE, chosen_rounds

LEGEND = "above random masks with the same"
PANELS = {
    "masks as they stand": {each.before: each.kept for each in EXCESSES},
    "hidden units matched": {each.after: each.kept for each in EXCESSES},
}
STYLES = in_order(each.kept for each in EXCESSES)
FEWEST_SEEDS = 4  # of a matrix; fewer are said in a sentence
SEEDS = "equal seeds", "different seeds"
ABOVE_CHANCE = "Jaccard similarity above chance"


def similarity_charts(results: Results) -> Iterator[Chart]:
    """Draw how alike masks of different seeds are, run by run, then every two masks of one round, then runs."""
    seeds = results.placed(results.tables["seeds_similarity"])
    seeds = seeds[(seeds["layer"] == "all") & (seeds["density"] < 1)]
    for run in results.runs:
        yield from _seeds_chart(results.file_name("similarity", run.name), seeds[seeds["run"] == run.name])
    pairs = results.tables["similarity"]
    alike = (pairs["round_a"] == pairs["round_b"]) | (pairs["run_a"] != pairs["run_b"])
    densities = pairs[["density_a", "density_b"]]
    pairs = pairs[(pairs["layer"] == "all") & alike & (densities.max(axis=1) < 1)]
    pairs = results.placed(pairs.rename(columns={"run_a": "run", "round_a": "round"}))
    pairs = pairs.assign(similarity=pairs[EXCESSES[0].before], density=pairs[densities.columns].mean(axis=1))
    during_training = pairs["iteration"].notna() if "iteration" in pairs else pairs["round"] < 0
    for one_training in (False, True):
        each = pairs[during_training == one_training]
        if each.empty:
            continue
        ending = "-sparse_training" if one_training and results.mixed else ""
        if each[["seed_a", "seed_b"]].stack().nunique() >= FEWEST_SEEDS:
            yield _matrix_chart(f"similarity_matrix{ending}", results, each)
        between = each[each["run"] != each["run_b"]]
        if len(between):
            yield _runs_chart(f"similarity_between_runs{ending}", results, between)


def _seeds_chart(name: str, seeds: pd.DataFrame) -> Iterator[Chart]:
    panels, rounds = [], seeds["round"].nunique()
    for title, measures in PANELS.items():
        rows = seeds[seeds["measure"].isin(list(measures))].rename(columns={"interval": "half_width"})
        rows = rows.sort_values("measure", key=lambda names: names.map(list(measures).index), kind="stable")
        some = rows.groupby("measure")["round"].transform("nunique") < rounds
        rows = rows.assign(label=rows["measure"].map(measures), apart=some, seed=np.nan, legend=LEGEND)
        if "seeds" not in rows:  # n seeds make n·(n − 1) / 2 pairs
            rows = rows.assign(seeds=(1 + np.sqrt(1 + 8 * rows["pairs"])) / 2)
        columns = [
            "label",
            *(name for name in PLACES if name in rows),
            "seed",
            "seeds",
            "mean",
            "half_width",
            "apart",
            "legend",
        ]
        panels.append(Panel(ABOVE_CHANCE, rows[columns], title, level=0))
    panels = with_numbers(panels)
    if not panels:
        return
    count = int(max(panel.numbers["seeds"].max() for panel in panels))
    compared = f"all pairs of {count} seeds" if count > 2 else "two seeds"
    caption = (
        "How much more alike masks of different seeds are than random ones, at equal round, all layers together: mean "
        f"Jaccard similarity of {compared}, less that of random masks with the same density of each "
        "layer, with as many weights leaving each of its inputs besides, and with as many reaching each of its units, "
        "too; 0, the thin line, is chance."
    )
    if len(panels) > 1:
        caption += " Right: after the hidden units of one mask have been put in the order that fits the other best."
    if any(panel.numbers["apart"].any() for panel in panels):
        caption += " Points without lines: some rounds only."
    if any(panel.numbers["half_width"].notna().any() for panel in panels):
        caption += " Bands and bars: 95 % interval over seeds."
    yield chart(name, caption, plots.over_rounds, panels, styles=STYLES, share_rows=True)


def _matrix_chart(name: str, results: Results, pairs: pd.DataFrame) -> Chart:
    (round,) = chosen_rounds(pairs, [ONE])
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
        "together: Jaccard similarity above that of random masks with the same density of each layer. Colours begin at "
        f"0, or at the least value below; grey: not compared. {legend}"
    )
    drawn = chart(name, caption, similarity_matrix, [Panel(ABOVE_CHANCE, numbers)], see=alt_text.matrix)
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
        groups = rows.groupby(["label", shared], sort=False)
        means = groups[columns].mean().assign(seeds=groups["seed_a"].nunique())
        numbers = means.reset_index().rename(columns={"similarity": "mean"}).assign(half_width=np.nan, seed=np.nan)
        panels.append(Panel(ABOVE_CHANCE, numbers, title, level=0))
    caption = (
        f"Masks of one run and of another at equal {shared}, all layers together: mean Jaccard similarity above that "
        f"of random masks with the same density of each layer, between equal and between different seeds; 0 is chance. "
        f"{legend}"
    )
    text = f"{caption} {over_seeds(panel.numbers for panel in panels)}"
    labels = pairs["label"].drop_duplicates()
    styles = report_styles(results) | numbered(labels)
    return chart(name, text, plots.over_rounds, panels, styles=styles, share_rows=True)


def _shared(pairs: pd.DataFrame) -> str:
    """Name what masks of different runs have in common: the iteration, in one training each, or the round."""
    return "iteration" if position(pairs) == "iteration" else "round"


def _short_names(results: Results) -> tuple[dict[str, str], str]:
    """Give each run a short name, and explain them; one run needs no explanation."""
    short = {run.name: f"R{number}" for number, run in enumerate(results.runs, 1)}
    legend = "; ".join(f"{name}: {results.labels[run]}" for run, name in short.items())
    return short, f"{legend}." if len(short) > 1 else ""
