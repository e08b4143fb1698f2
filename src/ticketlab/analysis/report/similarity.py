"""How alike different seeds' masks are, as a table of a few rounds: what random masks keep, below each other."""

import pandas as pd

from ticketlab.analysis.confidence import quoted
from ticketlab.analysis.measures.seed_similarity import EXCESSES
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import said
from ticketlab.analysis.shown_rounds import QUOTED, chosen_rounds

LAYERS, INPUTS, UNITS = EXCESSES
WHAT = (
    "Jaccard similarity of different seeds' masks above that of random masks with the same …, all layers together; "
    "matched: after the hidden units of one mask have been put in the order that fits the other best."
)
WEAK = (
    "Before matching, nothing above the weights from each input says little, since hidden units have no order that "
    "seeds share."
)


def seeds_masks(results: Results, run: str) -> pd.DataFrame:
    """Tabulate what seeds' masks have in common beyond chance, one column per round; empty where there is nothing."""
    seeds = results.placed(results.tables["seeds_similarity"])
    seeds = seeds[(seeds["run"] == run) & (seeds["density"] < 1)]
    matched = seeds[seeds["measure"] == UNITS.after]
    found = matched if len(matched) else seeds  # of rounds that were matched, if any were
    rounds = chosen_rounds(found, QUOTED) if len(found) else []
    columns = {said(seeds[seeds["round"] == number]): _column(results, run, seeds, number) for number in rounds}
    table = pd.DataFrame(columns).dropna(how="all").fillna("")
    return table.rename_axis("above random masks with the same").reset_index()


def _column(results: Results, run: str, seeds: pd.DataFrame, number: int) -> dict[str, str | None]:
    """Write one round's numbers, {what: text}; None where they are not known."""
    rows = seeds[seeds["round"] == number].set_index(["layer", "measure"])
    cells = {each.kept: _told(rows, "all", each.before) for each in EXCESSES}
    cells |= {f"matched: {each.kept}": _told(rows, "all", each.after) for each in EXCESSES}
    for layer in dict.fromkeys(rows.index.get_level_values("layer")):
        if layer != "all":
            cells[f"matched: {UNITS.kept}, {layer} alone"] = _told(rows, layer, UNITS.after)
    cells["matched: share that weights to each unit explain of what exceeds weights from each input"] = _explained(rows)
    varying = results.placed(results.tables["varying_similarity"])
    varying = varying[(varying["run"] == run) & (varying["round"] == number)].set_index(["layer", "measure"])
    cells[f"{LAYERS.kept}, without weights from inputs that never vary"] = _told(varying, "all", LAYERS.before)
    return cells


def _explained(rows: pd.DataFrame) -> str | None:
    """Tell how much of what exceeds the inputs' degrees the units' degrees are; of two seeds no interval is known."""
    if ("all", UNITS.after) not in rows.index:
        return None
    above, beyond = (rows.loc[[("all", each.after)]].iloc[0] for each in (INPUTS, UNITS))
    if not above["mean"] > above["interval"]:
        return None
    return f"{1 - beyond['mean'] / above['mean']:.0%}".replace("%", " %")


def _told(rows: pd.DataFrame, layer: str, measure: str) -> str | None:
    if (layer, measure) not in rows.index:
        return None
    return quoted(rows.at[(layer, measure), "mean"], rows.at[(layer, measure), "interval"], 4)
