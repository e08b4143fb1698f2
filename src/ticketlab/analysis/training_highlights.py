"""What a reader would quote of one sparse training, as sentences: its outcome, its cost, where its masks went."""

import pandas as pd

from ticketlab.analysis.intervals import quoted
from ticketlab.analysis.results import Results
from ticketlab.means import mean_interval
from ticketlab.positions import said


def outcome(results: Results, run: str) -> str:
    """Tell the accuracy and the density at the end."""
    last = _last(results.of("rounds", run))
    text = (
        f"At the end of training, {said(last)}, the network of density {last['density'].mean():.3f} has "
        f"{quoted(*mean_interval(last['test_accuracy'] * 100), 2)} % test accuracy (seeds: {len(last)})"
    )
    if "early_stop_test_accuracy" not in last:
        return f"{text}."
    accuracy = mean_interval(last["early_stop_test_accuracy"] * 100)
    iteration = mean_interval(last["early_stop_iteration"])
    return f"{text}; at early stop, iteration {quoted(*iteration, 0)}, it has {quoted(*accuracy, 2)} %."


def cost(results: Results, run: str) -> str:
    """Tell the operations relative to those of the dense network; nothing where they are not known."""
    last = _last(results.of("efficiency", run)).dropna()
    if last.empty:
        return ""
    inference, training = (mean_interval(last[name]) for name in ("inference_ratio", "total_training_ratio"))
    return (
        f"Floating-point operations, counted by kept weights: inference takes {quoted(*inference, 3)} of the dense "
        f"network's, all of the training {quoted(*training, 3)} of one dense training's."
    )


def persistence(results: Results, run: str) -> str:
    """Tell how much of the first mask the last one keeps, and how much of each the next; nothing where all is kept."""
    pairs = results.tables["similarity"]
    pairs = pairs[(pairs["run_a"] == run) & (pairs["run_b"] == run) & (pairs["seed_a"] == pairs["seed_b"])]
    pairs = pairs[(pairs["layer"] == "all") & (pairs["round_a"] < pairs["round_b"])]
    whole = pairs[(pairs["round_a"] == pairs["round_a"].min()) & (pairs["round_b"] == pairs["round_b"].max())]
    steps = pairs[pairs["round_a"] + 1 == pairs["round_b"]].groupby("seed_a")["persistence"].mean()
    if whole.empty or whole["density_b"].min() == 1:
        return ""
    first, next = mean_interval(whole["persistence"] * 100), mean_interval(steps * 100)
    most = (whole["density_b"] / whole["density_a"]).mean()
    room = f" (its density leaves room for {most:.1%})".replace("%", " %") if most < 1 else ""
    return (
        f"Of the first mask's weights, the last mask keeps {quoted(*first, 1)} %{room}; of each saved mask, the next "
        f"keeps {quoted(*next, 1)} % on average."
    )


def centre_margin(results: Results, run: str) -> str:
    """Tell the centre–margin scalar of the input's connections at start and end."""
    pixels = results.placed(results.tables["pixels"])
    pixels = pixels[pixels["run"] == run].dropna(subset="centre_margin")
    if pixels.empty:
        return ""
    ends = [pixels[pixels["round"] == round] for round in (pixels["round"].min(), pixels["round"].max())]
    first, last = (f"{quoted(*mean_interval(each['centre_margin']), 2)} at {said(each)}" for each in ends)
    return f"Centre–margin scalar of the input's connections (0: spread evenly): {first}, {last}."


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["round"] == rows["round"].max()]
