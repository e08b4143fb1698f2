"""Tables of rounds: columns and values that can be checked by hand."""

import json

import numpy as np
import pandas as pd
import pytest

import ticketlab
from rounds_on_disk import write_run
from ticketlab.analysis.confidence import pairs_interval
from ticketlab.analysis.measures.bitmasks import MaskKey, pack
from ticketlab.analysis.measures.seed_similarity import all_pairs, seeds_table
from ticketlab.analysis.shown_rounds import chosen_rounds
from ticketlab.analysis.tables import history_table, mean_table, of_all_seeds, rounds_table
from ticketlab.errors import BadInput
from ticketlab.runs.folder import Record, write_file


@pytest.fixture
def run(tmp_path):
    return ticketlab.open_run(write_run(tmp_path / "run"))


def test_one_row_per_seed_and_round(run):
    table = rounds_table(run.records())
    assert list(table) == [
        *("seed", "round", "density"),
        *("early_stop_censored", "early_stop_iteration", "early_stop_test_accuracy", "seconds", "test_accuracy"),
        "untrained_test_accuracy",
        *("density_dense_1/kernel", "density_dense_2/kernel", "density_dense_3/kernel"),
    ]
    assert table[["seed", "round"]].to_numpy().tolist() == [[s, r] for s in range(3) for r in range(3)]
    masks = run.round(2, 1).masks
    row = table[(table["seed"] == 2) & (table["round"] == 1)].iloc[0]
    assert row["density_dense_2/kernel"] == masks["dense_2/kernel"].mean()
    assert row["density"] == pytest.approx(np.concatenate([mask.ravel() for mask in masks.values()]).mean())
    assert table["early_stop_iteration"].dtype == np.int64


def test_means_over_seeds_with_their_intervals(run):
    means = mean_table(rounds_table(run.records()))
    assert means["seeds"].tolist() == [3, 3, 3]
    assert means["early_stop_iteration"].tolist() == [200, 190, 180]
    # t(.975, 2) = 4.3027, standard error 100/√3
    assert means["early_stop_iteration_interval"].to_numpy() == pytest.approx(248.41, abs=0.01)
    assert means["test_accuracy_interval"].to_numpy() == pytest.approx(0, abs=1e-12)


def test_a_seed_without_a_value_leaves_the_mean_to_the_others():
    table = pd.DataFrame({"round": [0] * 4 + [1] * 3, "seed": [0, 1, 2, 3, 0, 1, 2]})
    table = table.assign(density=0.5, cost=[1.0, 2, 3, np.nan, 4, np.nan, np.nan])
    means = mean_table(table)
    assert means[["seeds", "cost", "cost_seeds"]].to_numpy().tolist() == [[4, 2, 3], [3, 4, 1]]
    assert means["cost_interval"].isna().tolist() == [False, True]
    assert "density_seeds" not in means


@pytest.mark.parametrize(
    ("stop", "patience_ended", "expected"),
    [(59, False, False), (60, False, True), (80, False, True), (80, True, False)],
)
def test_early_stops_within_an_evaluation_of_the_end_are_lower_bounds(tmp_path, stop, patience_ended, expected):
    spec = {"iterations": 200 if patience_ended else 80, "eval_every": 20}
    history = {"iteration": np.arange(1, 5) * 20}
    attributes = {"seed": 0, "round": 0, "spec": json.dumps(spec), "early_stop_iteration": stop}
    attributes["density"] = 1.0
    write_file(tmp_path / "round.h5", attributes, {"masks": {"k": np.ones((2, 2), bool)}, "history": history})
    assert rounds_table([Record(tmp_path / "round.h5")])["early_stop_censored"].tolist() == [expected]


def test_a_mean_does_not_go_on_over_the_seeds_that_train_longest():
    """Of three seeds, one ends at 200 by patience: its loss is the highest."""
    history = pd.DataFrame({"round": 0, "iteration": [100, 200, 300] * 3, "seed": np.repeat([0, 1, 2], 3)})
    history = history.assign(validation_loss=np.repeat([1.0, 1.0, 4.0], 3))
    means = of_all_seeds(mean_table(history.iloc[:-1], ["round", "iteration"]), "round")
    assert means[["iteration", "seeds", "validation_loss"]].to_numpy().tolist() == [[100, 3, 2], [200, 3, 2]]


def test_history_has_one_row_per_evaluation(run):
    table = history_table(run.records())
    assert len(table) == 3 * 3 * 3
    assert list(table) == [
        *("seed", "round", "density"),
        *("iteration", "validation_loss", "validation_accuracy", "train_loss"),
    ]


def test_nearest_is_meant_in_ratio():
    rounds = pd.DataFrame({"round": [0, 1, 2], "density": [1, 0.2, 0.02]})
    assert chosen_rounds(rounds, [0.5]) == [0]
    assert chosen_rounds(rounds, [0.05, 0.001]) == [2]


def test_a_mean_over_pairs_is_as_sure_as_that_over_seeds_where_pairs_add_nothing():
    """Of values x_i + x_j, the mean is 2·mean(x), by hand."""
    x = np.array([1.0, 2.0, 4.0, 7.0])
    first, second = np.triu_indices(4, 1)
    mean, half_width = pairs_interval(first, second, x[first] + x[second])
    assert mean == pytest.approx(7)
    assert half_width == pytest.approx(3.182446 * 2 * x.std(ddof=1) / 2, rel=1e-6)
    assert np.isnan(pairs_interval(np.array([0]), np.array([1]), np.array([1.0]))[1])


def test_of_three_seeds_the_interval_is_the_jackknifes():
    first, second = np.triu_indices(3, 1)
    values = np.array([1.0, 4.0, 2.0])
    left_out = values[::-1]  # the pair without seed 0 is the last, …
    _, half_width = pairs_interval(first, second, values)
    assert half_width == pytest.approx(4.302653 * np.sqrt(2 * left_out.var()))


@pytest.mark.parametrize("pairs_add", [0.3, 5.0])
def test_what_seeds_and_pairs_add_is_told_apart(pairs_add):
    """Against the analysis of variance by least squares."""
    rng = np.random.default_rng(3)
    first, second = np.triu_indices(6, 1)
    x = rng.normal(size=6)
    values = x[first] + x[second] + pairs_add * rng.normal(size=15)
    design = np.zeros((15, 6))
    design[np.arange(15), first] = design[np.arange(15), second] = 1
    residual = np.sum((values - design @ np.linalg.lstsq(design, values)[0]) ** 2)
    total = np.sum((values - values.mean()) ** 2)
    of_seeds, of_pairs = (total - residual) / 5, residual / 9
    if of_seeds < of_pairs:
        of_seeds = of_pairs = total / 14
    variance = 4 / 6 * (of_seeds - of_pairs) / 4 + 2 / 30 * of_pairs
    assert pairs_interval(first, second, values)[1] == pytest.approx(2.570582 * np.sqrt(variance))


def test_the_error_of_shared_draws_is_part_of_the_interval():
    pairs = pd.DataFrame({"run_a": "r", "run_b": "r", "round_a": 1, "round_b": 1, "layer": "all"}, index=range(3))
    pairs = pairs.assign(seed_a=[0, 0, 1], seed_b=[1, 2, 2], density_a=0.5, density_b=0.5, null="counts", draws=10)
    names = ("jaccard_chance", "jaccard_excess", "matched_jaccard", "matched_jaccard_chance", "matched_jaccard_excess")
    pairs = pairs.assign(**dict.fromkeys(names, 0.2), matched_jaccard_chance_sd=0.1)
    for name in (f"jaccard_{kind}{null}" for kind in ("chance", "excess") for null in ("", "_by_layer", "_by_input")):
        pairs[name] = pairs["jaccard"] = 0.1
    intervals = seeds_table(pairs, pairs).set_index("measure")["interval"]
    assert intervals["matched_jaccard_excess_counts"] == pytest.approx(2.262157 * 0.1 / np.sqrt(10))
    assert intervals["matched_jaccard"] == pytest.approx(0, abs=1e-12)
    own = seeds_table(pairs, pairs.assign(null="degrees")).set_index("measure")["interval"]
    assert own["matched_jaccard_excess_degrees"] == pytest.approx(0, abs=1e-12)


def test_similarity_between_seeds_averages_over_pairs():
    pairs = pd.DataFrame({"run_a": "r", "run_b": "r", "round_a": 1, "round_b": [1, 1, 1, 2], "layer": "all"})
    pairs = pairs.assign(seed_a=[0, 0, 1, 0], seed_b=[1, 2, 2, 0], density_a=0.5, density_b=0.5)
    for name in (
        "jaccard",
        *(f"jaccard_{kind}{null}" for kind in ("chance", "excess") for null in ("", "_by_layer", "_by_input")),
    ):
        pairs[name] = [0.1, 0.2, 0.3, 9.0]
    table = seeds_table(pairs, pd.DataFrame(columns=["null"]))
    jaccard = table[table["measure"] == "jaccard"]
    assert jaccard[["round", "density", "seeds", "pairs"]].to_numpy().tolist() == [[1, 0.5, 3, 3]]
    assert jaccard["mean"].item() == pytest.approx(0.2)


def masks_of(run, rate, rounds, seeds=2, size=1000):
    for seed in range(seeds):
        for round in range(rounds):
            kept = np.random.default_rng(seed).permutation(size) < size * (1 - rate) ** round
            yield MaskKey(run, seed, round), {"k": kept[:, None]}


def test_runs_are_compared_where_their_densities_are_near():
    packed = pack([*masks_of("a", 0.2, 8), *masks_of("b", 0.5, 4), *masks_of("c", 0.2, 3)])
    first, second = all_pairs(packed, [np.nan] * len(packed.keys))
    between = {(packed.keys[i], packed.keys[j]) for i, j in zip(first, second, strict=True)}
    rounds = {(a.round, b.round) for a, b in between if (a.run, b.run) == ("a", "b")}
    assert rounds == {(0, 0), (3, 1), (6, 2)}, "1, .51 beside .5, .26 beside .25; .8 and .4 have nothing near"
    assert {(a.round, b.round) for a, b in between if (a.run, b.run) == ("a", "c")} == {(0, 0), (1, 1), (2, 2)}
    assert sum(a.run != b.run for a, b in between) == 4 * (3 + 3 + 1), (
        "every seed with every seed; .5 is near none of c"
    )


def test_a_folder_that_is_no_run_does_not_open(tmp_path):
    with pytest.raises(BadInput, match="must be a run's folder"):
        ticketlab.open_run(tmp_path)
