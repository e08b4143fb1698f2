"""The numbers of a run that a reader would quote, as sentences. Every number is computed from the tables.

What is compared is compared seed by seed, of the seeds that have both. An early stop at the end of training is a lower
bound, marked as such; no ratio is built on one.
"""

from typing import Any

import pandas as pd

from ticketlab.analysis.accuracy import Score, score
from ticketlab.analysis.confidence import COUNT, UNBOUNDED, quoted_seeds
from ticketlab.analysis.control_names import UNTRAINED, control_name
from ticketlab.analysis.report.training_findings import centre_margin, cost, outcome, persistence
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import said
from ticketlab.analysis.runs import FinishedRun
from ticketlab.analysis.shown_rounds import ONE, QUOTED, chosen_rounds

BOTH = ["early_stop_test_accuracy", "early_stop_iteration", "early_stop_censored"]


def findings(results: Results, run: str) -> list[tuple[str, str]]:
    """Write one sentence or two on each thing worth quoting of a run: pairs of subject and text."""
    (found,) = (each for each in results.runs if each.name == run)
    sentences = {"outcome": outcome, "cost": cost, "masks over time": persistence}
    if not found.one_training:
        sentences = {"accuracy": _accuracy, "speed": _learning, "controls": _controls}
    sentences["input pixels"] = centre_margin if found.one_training else _centre
    sentences |= {"dead units": _dead, "size": _size, "test samples": _sampling}
    texts = {subject: sentence(results, run) for subject, sentence in sentences.items()}
    return [(subject, text) for subject, text in texts.items() if text]


def _accuracy(results: Results, run: str) -> str:
    """Tell the dense accuracy, that of the round which validation finds best, and from where on the mean is lower."""
    rounds = results.of("rounds", run)
    if "early_stop_test_accuracy" not in rounds or 0 not in set(rounds["round"]):
        return ""
    told = _score(results, run)
    test = rounds.pivot(index="seed", columns="round", values="early_stop_test_accuracy") * told.factor
    density = rounds.groupby("round")["density"].mean()
    gains, dense = test.sub(test[0], axis=0).drop(columns=0), test[0].dropna()
    text = (
        f"The dense network reaches {quoted_seeds(dense, told.digits, told.bounds)}{told.behind} {told.words} at early "
        f"stop (seeds: {len(dense)})"
    )
    paired = gains.columns[2 * gains.count() > len(dense)]  # of fewer seeds, too little is known
    if not len(paired):
        return f"{text}."
    validation = _validation(results, run)
    better = validation.sub(validation[0], axis=0)[paired].mean()
    if not better.max() > 0:
        return f"{text}; by validation, no pruned round is better."
    best: Any = better.idxmax()
    gain = gains[best].dropna()
    text += (
        f"; of {len(paired)} pruned rounds, validation finds round {best} best, density {density[best]:.3f}: it has "
        f"{quoted_seeds(test.loc[gain.index, best], told.digits, told.bounds)}{told.behind}, seed by seed "
        f"{quoted_seeds(gain, told.digits)} {told.points} above the dense network (seeds: {len(gain)})"
    )
    below = [round for round in paired if round > best and gains[round].mean() < 0]
    if not below:
        last = density[paired].iloc[-1]
        return f"{text}. No later mean difference is below 0; the last round has density {last:.3f}."
    least = gains[below[0]].dropna()
    return (
        f"{text}. After that round, the mean difference first falls below 0 at density {density[below[0]]:.3f}: "
        f"{quoted_seeds(least, told.digits)} {told.points} (seeds: {len(least)})."
    )


def _validation(results: Results, run: str) -> pd.DataFrame:
    """Return the validation accuracy where the validation loss is least, seeds × rounds."""
    history = results.of("history", run).dropna(subset="validation_loss").reset_index(drop=True)
    chosen = history.loc[history.groupby(["seed", "round"])["validation_loss"].idxmin()]
    return chosen.pivot(index="seed", columns="round", values="validation_accuracy")


def _learning(results: Results, run: str) -> str:
    """Compare the early-stop iteration with the dense one's."""
    rounds = results.of("rounds", run)
    if "early_stop_iteration" not in rounds or 0 not in set(rounds["round"]):
        return ""
    dense = rounds[rounds["round"] == 0].set_index("seed")[BOTH].add_suffix("_dense")
    pruned = rounds[rounds["round"] > 0].join(dense, on="seed", how="inner")
    if pruned.empty:
        return ""
    (round,) = chosen_rounds(pruned, [ONE])
    both = pruned[pruned["round"] == round]
    text = (
        f"Early stop comes at iteration {_stops(both)} at density {both['density'].mean():.3f}, at "
        f"{_stops(both, '_dense')} in the dense network (seeds: {len(both)})"
    )
    ratio, left_out = _ratio(both, "", "_dense")
    if ratio.empty:
        return f"{text}."
    return f"{text}: {quoted_seeds(ratio, 2, COUNT)} times the dense network's iterations, seed by seed{left_out}."


def _stops(rows: pd.DataFrame, suffix: str = "") -> str:
    """Write early-stop iterations, as a lower bound where any is one."""
    sign = "≥ " if rows[f"early_stop_censored{suffix}"].any() else ""
    return sign + quoted_seeds(rows[f"early_stop_iteration{suffix}"], 0, COUNT)


def _ratio(both: pd.DataFrame, above: str, below: str) -> tuple[pd.Series, str]:
    """Return the ratios of early stops that are no bounds, and words on how many are left out."""
    bound = both[f"early_stop_censored{above}"].astype(bool) | both[f"early_stop_censored{below}"].astype(bool)
    free = both[~bound & (both[f"early_stop_iteration{below}"] > 0)]
    without = len(both) - len(free)
    left_out = f" ({without} seed{'s' * (without > 1)} left out, whose early stop is a lower bound)" * bool(bound.any())
    return free[f"early_stop_iteration{above}"] / free[f"early_stop_iteration{below}"], left_out


def _controls(results: Results, run: str) -> str:
    """Compare each control with the run at equal seed and round, where both are."""
    if not set(BOTH) <= set(results.tables["rounds"]):
        return ""
    (branches,) = (each.branches for each in results.runs if each.name == run)
    parts = list(filter(None, (_control(results, run, branch) for branch in branches)))
    return f"Controls against this run, at equal seed and round: {'; '.join(parts)}." if parts else ""


def _control(results: Results, run: str, branch: FinishedRun) -> str:
    theirs, own = (
        results.of("rounds", name).set_index(["seed", "round"])[["density", *BOTH]].dropna()
        for name in (branch.name, run)
    )
    both = theirs.join(own.add_suffix("_own"), how="inner").reset_index()
    if both.empty:
        return ""
    told = _score(results, run)
    (round,) = chosen_rounds(both, [ONE])
    both = both[both["round"] == round]
    text = f"{control_name(branch.branch)} at density {both['density'].mean():.3f} (seeds: {len(both)}):"
    if branch.branch not in UNTRAINED:
        ratio, left_out = _ratio(both, "", "_own")
        if len(ratio):
            text += f" early stop after {quoted_seeds(ratio, 2, COUNT)} times the iterations{left_out},"
        elif left_out:
            text += f" early stop after {_stops(both)} iterations,"
    points = (both["early_stop_test_accuracy"] - both["early_stop_test_accuracy_own"]) * told.factor
    return f"{text} difference of {told.words} there {quoted_seeds(points, told.digits)} {told.points}"


def _sampling(results: Results, run: str) -> str:
    """Tell how sure an accuracy on so many test samples is by itself; nothing where their number is not known."""
    (found,) = (each for each in results.runs if each.name == run)
    samples, rounds = found.data.test_samples, results.of("rounds", run)
    if not samples or found.regression or "test_accuracy" not in rounds:
        return ""
    whole = rounds["round"].max() if found.one_training else rounds["round"].min()  # a training from start to end
    accuracy = rounds.loc[rounds["round"] == whole, "test_accuracy"].mean()
    half_width = 1.96 * (accuracy * (1 - accuracy) / samples) ** 0.5
    return (
        f"Intervals are over seeds. All accuracies are of the same {samples:,} test samples, by whose choice alone "
        f"{accuracy * 100:.1f} % is uncertain by ± {half_width * 100:.2f} points (95 %, binomial); differences on the "
        "same samples are so by less, as a rule."
    )


def _score(results: Results, run: str) -> Score:
    (found,) = (each for each in results.runs if each.name == run)
    return score([found])


def _centre(results: Results, run: str) -> str:
    """Tell how much denser the input's connections are inside the centred square than outside."""
    pixels = results.placed(results.tables["pixels"])
    pixels = pixels[pixels["run"] == run]
    if pixels.empty:
        return ""
    scalars = _by_round(pixels, "centre_margin", chosen_rounds(pixels, (1, *QUOTED)), 2, UNBOUNDED)
    side = round(pixels["pixels"].iloc[0] ** 0.5)
    inner = side - 2 * (side // 4)
    return (
        "Centre–margin scalar of the input's connections (per pixel inside the centred "
        f"{inner}×{inner} of {side}×{side} pixels, less those outside, in units of the mean; 0 by chance): {scalars}."
    )


def _dead(results: Results, run: str) -> str:
    """Tell how many units lie on no path."""
    structure = results.placed(results.tables["structure"])
    structure = structure[(structure["run"] == run) & (structure["layer"] == "all") & structure["dead"].notna()]
    if structure.empty:
        return ""
    units = structure["units"].iloc[0]
    dead = _by_round(structure, "dead", chosen_rounds(structure, (1, *QUOTED)), 1, (0.0, units))
    return f"Dead units, of {units:,}: {dead}."


def _size(results: Results, run: str) -> str:
    """Tell what masks and kept weights take at the end."""
    ends = results.tables["summary"]
    ends = ends[ends["run"] == run]
    if ends.empty:
        return ""
    end = ends.iloc[0]
    return (
        f"In the end, at density {end.density:.3f}, the mask of a seed takes {end.mask_bytes:,} bytes with a bit for "
        f"each weight, its kept weights {end.compressed_weight_bytes:,.0f} bytes as compressed sparse rows."
    )


def _by_round(table: pd.DataFrame, metric: str, rounds: list[int], digits: int, bounds: tuple[float, float]) -> str:
    parts = []
    for round in rounds:
        rows = table[table["round"] == round]
        parts.append(f"{quoted_seeds(rows[metric], digits, bounds)} at {said(rows)}")
    return ", ".join(parts)
