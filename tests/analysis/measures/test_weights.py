import numpy as np
import pytest

from rounds_on_disk import write_round
from ticketlab.analysis.measures import MEASURES
from ticketlab.analysis.measures.weights import magnitude_correlation, small_initially
from ticketlab.analysis.tables import measured

WEIGHT_COLUMNS = ["seed", "round", *MEASURES["weights"].columns]
HISTOGRAM_COLUMNS = ["round", *MEASURES["distributions of weights"].columns]

INITIAL = np.array([[0.1, -0.2], [0.3, -0.4]], np.float32)
FINALS = [[[0.05, 0.5], [0.6, -0.7]], [[0, -0.1], [0.9, -0.8]], [[0, 0], [1.1, -1.2]]]
MASKS = [[[1, 1], [1, 1]], [[0, 1], [1, 1]], [[0, 0], [1, 1]]]


def chain(folder, rounds=(0, 1, 2), with_weights=(0, 1, 2), seed=0):
    for round in rounds:
        groups = {"masks": {"a": np.array(MASKS[round], bool)}}
        if round in with_weights:
            groups["weights"] = {"a": np.array(FINALS[round], np.float32), "bias": np.zeros(2, np.float32)}
        if round == 0 and with_weights:
            groups["rewind"] = {"a": INITIAL, "bias": np.zeros(2, np.float32)}
        yield write_round(folder, seed, round, **groups)


def weight_tables(records):
    records = list(records)
    return measured(records, "weights"), measured(records, "histograms")


def row(table, round, layer="a"):
    return table[(table["round"] == round) & (table["layer"] == layer)].iloc[0]


def test_statistics_of_a_chain_checked_by_hand(tmp_path):
    table, _ = weight_tables(chain(tmp_path))
    assert list(table) == WEIGHT_COLUMNS
    dense, last = row(table, 0), row(table, 2)
    assert dense["initial_kept_magnitude"] == pytest.approx(0.25)
    assert dense["final_kept_positive"] == 0.75
    assert dense["sign_changes"] == 0.25
    assert np.isnan([dense["initial_pruned_magnitude"], dense["final_pruned_positive"]]).all()
    assert (last["weights"], last["kept"]) == (4, 2)
    assert last["initial_pruned_magnitude"] == pytest.approx(0.15)
    assert last["initial_pruned_positive"] == 0.5
    # one weight went after round 0, where it ended at .05, the other after round 1, where it ended at −.1
    assert last["final_pruned_magnitude"] == pytest.approx((0.05 + 0.1) / 2)
    assert last["final_pruned_positive"] == 0.5
    assert last["magnitude_correlation"] == pytest.approx(1)
    assert dense["magnitude_correlation"] == pytest.approx(np.corrcoef([1, 2, 3, 4], [0.05, 0.5, 0.6, 0.7])[0, 1])


def test_pruning_is_traced_to_the_initial_magnitudes(tmp_path):
    table, _ = weight_tables(chain(tmp_path))
    columns = ["pruned_next", "prune_fraction", "small_initially", "initial_percentile"]
    assert row(table, 0)[columns].tolist() == [1, 0.25, 1, 0.125]
    assert row(table, 1)[columns].tolist() == pytest.approx([1, 1 / 3, 1, 1 / 6])
    assert row(table, 2)[columns].isna().all()


def test_all_layers_are_joined(tmp_path):
    masks = {"a": np.array([[True, False]]), "b": np.array([[True], [True]])}
    weights = {"a": np.array([[2.0, 0.0]]), "b": np.array([[-4.0], [-6.0]])}
    record = write_round(tmp_path, 0, 0, masks=masks, weights=weights, rewind=weights)
    table, histograms = weight_tables([record])
    everything = row(table, 0, "all")
    assert everything[["weights", "kept", "final_kept_magnitude"]].tolist() == [4, 3, 4]
    assert everything["final_kept_positive"] == pytest.approx(1 / 3)
    assert np.isnan(everything["magnitude_correlation"])
    assert histograms.query("layer == 'all' and moment == 'initial'")["count"].sum() == 4


def test_histograms_count_every_weight_of_every_seed_in_shared_bins(tmp_path):
    records = [record for seed in (0, 1) for record in chain(tmp_path, seed=seed)]
    _, histograms = weight_tables(records)
    assert list(histograms) == HISTOGRAM_COLUMNS
    counts = histograms.groupby(["layer", "moment", "round", "part"])["count"].sum()
    assert counts["a", "final"].to_dict() == {
        **{(0, "kept"): 8, (1, "kept"): 6, (2, "kept"): 4},
        **{(1, "pruned"): 2, (2, "pruned"): 4},
    }
    last = histograms.query("layer == 'a' and moment == 'final' and part == 'kept' and round == 2")
    assert last[["left", "right"]].to_numpy() == pytest.approx(np.array([[-1, -0.995], [0.995, 1]]))
    pruned = histograms.query("layer == 'a' and moment == 'initial' and part == 'pruned' and round == 1")
    assert pruned["left"].item() <= 0.1 <= pruned["right"].item()


def test_masks_alone_still_tell_the_counts(tmp_path):
    table, histograms = weight_tables(chain(tmp_path, with_weights=()))
    assert table["kept"].tolist() == [4, 4, 3, 3, 2, 2]
    assert row(table, 1)["prune_fraction"] == pytest.approx(1 / 3)
    assert table.filter(regex="magnitude|positive|sign|initial").isna().all(axis=None)
    assert list(histograms) == HISTOGRAM_COLUMNS
    assert histograms.empty


def test_weights_of_some_rounds_are_used_where_they_are(tmp_path):
    table, _ = weight_tables(chain(tmp_path, with_weights=(0, 2)))
    assert np.isnan(row(table, 1)["final_kept_magnitude"])
    assert row(table, 1)["final_pruned_magnitude"] == pytest.approx(0.05)
    assert row(table, 2)["final_pruned_magnitude"] == pytest.approx(0.05)  # that of round 1 is not known
    assert row(table, 2)["initial_pruned_magnitude"] == pytest.approx(0.15)


def test_a_missing_round_leaves_unknown_what_it_knew(tmp_path):
    table, _ = weight_tables(chain(tmp_path, rounds=(0, 2)))
    assert np.isnan([row(table, 0)["pruned_next"], row(table, 2)["final_pruned_magnitude"]]).all()
    assert row(table, 2)["initial_pruned_magnitude"] == pytest.approx(0.15)
    table, _ = weight_tables(chain(tmp_path, rounds=(1, 2)))
    assert np.isnan(row(table, 1)["initial_kept_magnitude"])
    assert row(table, 1)["final_kept_magnitude"] == pytest.approx(0.6)


def test_no_rounds_give_empty_tables():
    table, histograms = weight_tables([])
    assert (list(table), list(histograms)) == (WEIGHT_COLUMNS, HISTOGRAM_COLUMNS)


def test_pruning_by_initial_magnitude_is_foretold_and_random_pruning_is_not():
    rng = np.random.default_rng(0)
    initial = rng.normal(size=20_000)
    smallest = np.abs(initial) <= np.quantile(np.abs(initial), 0.2)
    assert small_initially(initial, smallest) == pytest.approx((1, 0.1), abs=1e-4)
    assert small_initially(initial, rng.random(initial.size) < 0.2) == pytest.approx((0.2, 0.5), abs=0.02)


def test_equal_initial_magnitudes_foretell_nothing():
    pruned = np.array([True, True, False, False, False])
    assert small_initially(np.array([1.0, -1, 1, -1, 1]), pruned) == pytest.approx((0.4, 0.5))
    assert np.isnan(small_initially(np.ones(3), np.zeros(3, bool))).all()


def test_constant_magnitudes_have_no_correlation():
    assert np.isnan(magnitude_correlation(np.array([0.5, -0.5]), np.array([1.0, 2.0])))
    assert np.isnan(magnitude_correlation(np.empty(0), np.empty(0)))
    assert np.isnan(magnitude_correlation(np.ones(1), np.ones(1)))
