"""What a reader would quote of one sparse training, as sentences: its outcome, its cost, where its masks went."""

from typing import Any

import numpy as np
import pandas as pd

from ticketlab.analysis.accuracy import score
from ticketlab.analysis.confidence import COUNT, PERCENT, quoted_seeds
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import said
from ticketlab.analysis.runs import FinishedRun
from ticketlab.sparsity.density_schedules import update_iterations


def outcome(results: Results, run: str) -> str:
    """Tell the accuracy and the density at the end."""
    last, told = _last(results.of("rounds", run)), score([_run(results, run)])
    text = (
        f"At the end of training, {said(last)}, the network of density {last['density'].mean():.3f} has "
        f"{quoted_seeds(last['test_accuracy'] * told.factor, told.digits, told.bounds)}{told.behind} {told.words} "
        f"(seeds: {len(last)})"
    )
    if "early_stop_test_accuracy" not in last:
        return f"{text}."
    accuracy = quoted_seeds(last["early_stop_test_accuracy"] * told.factor, told.digits, told.bounds)
    iteration = quoted_seeds(last["early_stop_iteration"], 0, COUNT)
    bound = "≥ " if last["early_stop_censored"].any() else ""
    return f"{text}; at early stop, iteration {bound}{iteration}, it has {accuracy}{told.behind}."


def cost(results: Results, run: str) -> str:
    """Tell the operations relative to those of the dense network; nothing where they are not known."""
    last = _last(results.of("efficiency", run)).dropna()
    if last.empty:
        return ""
    inference, training = (quoted_seeds(last[name], 3, COUNT) for name in ("inference_ratio", "total_training_ratio"))
    return (
        f"Floating-point operations, counted by kept weights: inference takes {inference} of the dense "
        f"network's, all of the training {training} of one dense training's (seeds: {len(last)})."
    )


def persistence(results: Results, run: str) -> str:
    """Tell how much of the first mask the last one keeps, and of each mask an update; nothing where all is kept."""
    pairs = results.tables["similarity"]
    pairs = pairs[(pairs["run_a"] == run) & (pairs["run_b"] == run) & (pairs["seed_a"] == pairs["seed_b"])]
    pairs = pairs[(pairs["layer"] == "all") & (pairs["round_a"] < pairs["round_b"])]
    whole = pairs[(pairs["round_a"] == pairs["round_a"].min()) & (pairs["round_b"] == pairs["round_b"].max())]
    if whole.empty or whole["density_b"].min() == 1:
        return ""
    first = quoted_seeds(whole["persistence"] * 100, 1, PERCENT)
    most = (whole["density_b"] / whole["density_a"]).mean()
    room = f" (its density leaves room for {most:.1%})".replace("%", " %") if most < 1 else ""
    text = f"Of the first mask's weights, the last mask keeps {first} %{room}"
    steps = per_update(pairs, _ends(results, run), _updates(_run(results, run)))
    if steps.empty:
        return f"{text}."
    kept = quoted_seeds(steps.groupby("seed_a")["kept"].mean() * 100, 1, PERCENT)
    most = steps["updates"].max()
    if most == 1:
        return f"{text}; of each mask, an update keeps {kept} % on average."
    return (
        f"{text}; of each mask, an update keeps about {kept} % on average (the share that is left after a round's "
        f"updates, up to {most}, taken as a power)."
    )


def per_update(pairs: pd.DataFrame, ends: dict[int, int], updates: list[int]) -> pd.DataFrame:
    """Share out over updates what successive saved masks keep of each other.

    An update stands before its iteration, after the save there. Where there is one between two saves, what it keeps is
    exact; of several, it is the root of the share that is left, too high where weights come back. Stretches without
    updates are left out.

    Args:
        pairs: table with the columns seed_a, round_a, round_b and persistence.
        ends: {round: the iteration at its end}.
        updates: iterations.

    Returns:
        The pairs of successive rounds, with `updates`, their number, and `kept`, the share that each keeps.
    """
    steps = pairs[pairs["round_a"] + 1 == pairs["round_b"]]
    begin, end = (steps[f"round_{side}"].map(ends).to_numpy() for side in "ab")
    number = np.searchsorted(updates, end) - np.searchsorted(updates, begin)
    steps = steps.assign(updates=number)[number > 0]
    return steps.assign(kept=steps["persistence"] ** (1 / steps["updates"]))


def centre_margin(results: Results, run: str) -> str:
    """Tell the centre–margin scalar of the input's connections at start and end."""
    pixels = results.placed(results.tables["pixels"])
    pixels = pixels[pixels["run"] == run].dropna(subset="centre_margin")
    if pixels.empty:
        return ""
    ends = [pixels[pixels["round"] == round] for round in (pixels["round"].min(), pixels["round"].max())]
    first, last = (f"{quoted_seeds(each['centre_margin'], 2)} at {said(each)}" for each in ends)
    return f"Centre–margin scalar of the input's connections (0: spread evenly): {first}, {last}."


def _run(results: Results, run: str) -> FinishedRun:
    (found,) = (each for each in results.runs if each.name == run)
    return found


def _ends(results: Results, run: str) -> dict[int, int]:
    ends: Any = results.of("rounds", run).groupby("round")["iteration"].max().to_dict()
    return ends


def _updates(run: FinishedRun) -> list[int]:
    """List the iterations before which masks change, as far as they are known: none where an epoch's length is not."""
    spec: dict[str, Any] = run.description["spec"]
    every, until, samples = spec.get("update_every"), spec.get("update_until"), run.data.samples
    if every is None or until is None or (every == 0 and samples is None):
        return []
    times = update_iterations(every, until, samples or 1, spec["batch_size"])
    return [*times, until] if spec["method"] == "gradual" else times


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["round"] == rows["round"].max()]
