"""The numbers of a run that a reader would quote, as sentences. Every number is computed from the tables."""

import pandas as pd

from ticketlab.analysis.intervals import quoted
from ticketlab.analysis.results import Results
from ticketlab.analysis.runs import FinishedRun
from ticketlab.analysis.similarity_highlights import QUOTED_DENSITIES, beyond_degrees, similarity, varying
from ticketlab.analysis.tables import chosen_rounds
from ticketlab.analysis.training_highlights import centre_margin, cost, outcome, persistence
from ticketlab.analysis.words import UNTRAINED, words
from ticketlab.means import mean_interval
from ticketlab.positions import said

QUOTED_CENTRE = (1, *QUOTED_DENSITIES)
LEARNING_DENSITY = 0.21


def highlights(results: Results, run: str) -> list[tuple[str, str]]:
    """Write one sentence or two on each thing worth quoting of a run: pairs of subject and text."""
    (one_training,) = (each.one_training for each in results.runs if each.name == run)
    found = {}
    if one_training:
        found |= {"outcome": outcome(results, run), "cost": cost(results, run)}
        found |= {"masks over time": persistence(results, run), **_likeness(results, run)}
        found |= {"input pixels": centre_margin(results, run), "dead units": _dead(results, run)}
        return [(subject, text) for subject, text in found.items() if text]
    rounds = results.of("rounds", run)
    if "early_stop_test_accuracy" in rounds and 0 in set(rounds["round"]):
        found |= {"accuracy": _accuracy(rounds), "speed": _learning(rounds)}
    found |= {"controls": _controls(results, run), **_likeness(results, run)}
    found |= {"input pixels": _centre(results, run), "dead units": _dead(results, run)}
    return [(subject, text) for subject, text in found.items() if text]


def _likeness(results: Results, run: str) -> dict[str, str]:
    return {
        "seeds' masks": similarity(results, run),
        "beyond degrees": beyond_degrees(results, run),
        "inputs that vary": varying(results, run),
    }


def _accuracy(rounds: pd.DataFrame) -> str:
    """Tell the dense accuracy, the best one, and from where on it is below the dense one."""
    accuracy = rounds.pivot(index="seed", columns="round", values="early_stop_test_accuracy") * 100
    density = rounds.groupby("round")["density"].mean()
    mean = accuracy.mean()
    best, dense = mean.idxmax(), mean[0]
    text = (
        f"The dense network reaches {quoted(*mean_interval(accuracy[0]), 2)} % test accuracy at early stop "
        f"({accuracy[0].count()} seeds)"
    )
    if best == 0:
        return f"{text}; no pruned round is better."
    gain = mean_interval((accuracy[best] - accuracy[0]).dropna())
    text += (
        f"; the best mean is {quoted(*mean_interval(accuracy[best].dropna()), 2)} % at density {density[best]:.3f} "
        f"(round {best}), {quoted(*gain, 2)} points above it seed by seed"
    )
    below = [round for round in mean.index if round > best and mean[round] < dense]
    if not below:
        return f"{text}. No later round falls below the dense network; the last has density {density.iloc[-1]:.3f}."
    return (
        f"{text}. The mean first falls below the dense network's at density {density[below[0]]:.3f} "
        f"({quoted(*mean_interval(accuracy[below[0]].dropna()), 2)} %)."
    )


def _learning(rounds: pd.DataFrame) -> str:
    """Compare the early-stop iteration with the dense one's."""
    (round,) = chosen_rounds(rounds, [LEARNING_DENSITY])
    if round == 0:
        return ""
    stop = rounds.pivot(index="seed", columns="round", values="early_stop_iteration")
    density = rounds.loc[rounds["round"] == round, "density"].mean()
    change = stop[round].mean() / stop[0].mean() - 1
    return (
        f"Early stop comes at iteration {quoted(*mean_interval(stop[round].dropna()), 0)} at density {density:.3f}, at "
        f"{quoted(*mean_interval(stop[0].dropna()), 0)} in the dense network: {abs(change):.0%} "
        f"{'earlier' if change < 0 else 'later'}."
    )


def _controls(results: Results, run: str) -> str:
    """Compare each control with the run at equal seed and round, where both are."""
    if not {"early_stop_test_accuracy", "early_stop_iteration"} <= set(results.tables["rounds"]):
        return ""
    (branches,) = (each.branches for each in results.runs if each.name == run)
    parts = list(filter(None, (_control(results, run, branch) for branch in branches)))
    return f"Controls against this run, at equal seed and round: {'; '.join(parts)}." if parts else ""


def _control(results: Results, run: str, branch: FinishedRun) -> str:
    metrics = ["early_stop_test_accuracy", "early_stop_iteration"]
    theirs, own = (
        results.of("rounds", name).set_index(["seed", "round"])[["density", *metrics]].dropna()
        for name in (branch.name, run)
    )
    both = theirs.join(own.add_suffix("_own"), how="inner").reset_index()
    if both.empty:
        return ""
    (round,) = chosen_rounds(both, [LEARNING_DENSITY])
    both = both[both["round"] == round]
    text = f"{words(branch.branch)} at density {both['density'].mean():.3f} (seeds: {len(both)}):"
    if branch.branch not in UNTRAINED and (both["early_stop_iteration_own"] > 0).all():
        ratio = both["early_stop_iteration"] / both["early_stop_iteration_own"]
        text += f" early stop after {quoted(*mean_interval(ratio), 2)} times the iterations,"
    points = (both["early_stop_test_accuracy"] - both["early_stop_test_accuracy_own"]) * 100
    return f"{text} difference of test accuracy there {quoted(*mean_interval(points), 2)} points"


def _centre(results: Results, run: str) -> str:
    """Tell the share of the input's connections inside the centred square."""
    pixels = results.placed(results.tables["pixels"])
    pixels = pixels[pixels["run"] == run]
    if pixels.empty:
        return ""
    shares = _by_round(pixels, "centre_share", chosen_rounds(pixels, QUOTED_CENTRE), 100, 1, " %")
    side = round(pixels["pixels"].iloc[0] ** 0.5)
    inner = side - 2 * (side // 4)
    return f"Input connections inside the centred {inner}×{inner} of {side}×{side} pixels: {shares}."


def _dead(results: Results, run: str) -> str:
    """Tell how many units lie on no path."""
    structure = results.placed(results.tables["structure"])
    structure = structure[(structure["run"] == run) & (structure["layer"] == "all") & structure["dead"].notna()]
    if structure.empty:
        return ""
    dead = _by_round(structure, "dead", chosen_rounds(structure, QUOTED_CENTRE), 1, 1, "")
    return f"Dead units, of {structure['units'].iloc[0]:,}: {dead}."


def _by_round(table: pd.DataFrame, metric: str, rounds: list[int], factor: float, digits: int, unit: str) -> str:
    parts = []
    for round in rounds:
        rows = table[table["round"] == round]
        value = quoted(*mean_interval(rows[metric] * factor), digits)
        parts.append(f"{value}{unit} at {said(rows)}")
    return ", ".join(parts)
