"""What a reader would quote of the likeness of different seeds' masks, as sentences."""

import pandas as pd

from ticketlab.analysis.confidence import quoted
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import said
from ticketlab.analysis.tables import chosen_rounds

QUOTED_DENSITIES = (0.51, 0.21, 0.036)
BY_LAYER = "jaccard_excess_by_layer"
INPUTS, DEGREES = "matched_jaccard_excess_inputs", "matched_jaccard_excess_degrees"
EXCESSES = {
    "random masks with the layers' densities": (BY_LAYER, "matched_jaccard_excess_counts"),
    "random masks with the inputs' degrees too": ("jaccard_excess_by_input", INPUTS),
    "random masks with inputs' and units' degrees": ("jaccard_excess_by_degrees", DEGREES),
}
LIKENESS = "Jaccard similarity of different seeds' masks above"
WEAK = (
    "Before matching, nothing above the inputs' degrees says little, since hidden units have no order that seeds share."
)
IN_DEGREES = "Of what exceeds the inputs' degrees after matching, units' degrees (heavy ones go with heavy ones) are"


def similarity(results: Results, run: str) -> str:
    """Tell the excess over each kind of chance at the quoted densities, or in the course of training."""
    seeds, rounds = _seeds(results, run)
    sentences = []
    for chance, (before, after) in EXCESSES.items():
        rows = seeds[seeds["layer"] == "all"].set_index(["round", "measure"])
        parts = []
        for round in rounds:
            if (round, before) in rows.index:
                part = f"{_told(rows, round, before)} at {said(rows.loc[[round]])}"
                if (round, after) in rows.index:
                    part += f" ({_told(rows, round, after)} after matching hidden units)"
                parts.append(part)
        if parts:
            sentences.append(f"{LIKENESS} {chance}: {', '.join(parts)}.")
    return " ".join([*sentences, WEAK]) if len(sentences) == len(EXCESSES) else " ".join(sentences)


def beyond_degrees(results: Results, run: str) -> str:
    """Tell how much of the excess after matching is that of units' degrees, and what is left in each layer."""
    seeds, rounds = _seeds(results, run)
    rows = seeds.set_index(["layer", "round", "measure"])
    if DEGREES not in set(seeds["measure"]):
        return ""
    shares, layers = [], [layer for layer in dict.fromkeys(seeds["layer"]) if layer != "all"]
    for round in rounds:
        above, beyond = (rows.loc["all", round, measure] for measure in (INPUTS, DEGREES))
        if above["mean"] > above["interval"]:  # of two seeds no interval is known
            share = f"{1 - beyond['mean'] / above['mean']:.0%}".replace("%", " %")
            shares.append(f"{share} at {said(rows.loc[['all'], [round], :])}")
    left = [
        f"{layer} {', '.join(_told(rows.loc[layer], round, DEGREES) for round in rounds)}"
        for layer in dict.fromkeys((layers[0], layers[len(layers) // 2], layers[-1]))
    ]
    beyond = f"Above inputs' and units' degrees there is left, layer by layer, at the same places: {'; '.join(left)}."
    return f"{IN_DEGREES} {', '.join(shares)}. {beyond}" if shares else beyond


def varying(results: Results, run: str) -> str:
    """Tell likeness and density without weights from inputs that never vary, where these are known."""
    table = results.placed(results.tables["varying_similarity"])
    table = table[(table["run"] == run) & (table["layer"] == "all") & (table["measure"] == BY_LAYER)]
    _, rounds = _seeds(results, run)
    structure = results.of("structure", run)
    first = structure[structure["layer"] == structure["layer"].iloc[0]].groupby("round").mean(numeric_only=True)
    rows, parts = table.set_index(["round", "measure"]), []
    for round in rounds:
        if (round, BY_LAYER) in rows.index:
            densities = f"{first.at[round, 'varying_density']:.3f} for {first.at[round, 'density']:.3f}"
            told = f"{_told(rows, round, BY_LAYER)} at {said(rows.loc[[round]])}"
            parts.append(f"{told} (density of the first layer then {densities})")
    what = "random masks with the layers' densities, without weights from inputs that never vary"
    return f"{LIKENESS} {what}: {', '.join(parts)}." if parts else ""


def _seeds(results: Results, run: str) -> tuple[pd.DataFrame, list[int]]:
    """Return the rows of a run's pruned masks, and the rounds to be quoted: where units were matched, if any were."""
    seeds = results.placed(results.tables["seeds_similarity"])
    seeds = seeds[(seeds["run"] == run) & (seeds["density"] < 1)]
    matched = seeds[seeds["measure"] == DEGREES]
    rows = matched if len(matched) else seeds
    return seeds, chosen_rounds(rows, QUOTED_DENSITIES) if len(rows) else []


def _told(rows: pd.DataFrame, round: int, measure: str) -> str:
    return quoted(rows.at[(round, measure), "mean"], rows.at[(round, measure), "interval"], 4)
