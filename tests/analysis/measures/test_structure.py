import numpy as np
import pytest

from rounds_on_disk import write_round
from ticketlab.analysis.measures import MEASURES
from ticketlab.analysis.tables import measured
from ticketlab.data.dataset import DataFacts

STRUCTURE_COLUMNS = ["seed", "round", *MEASURES["structure"].columns]
DEGREE_COLUMNS = ["seed", "round", *MEASURES["degrees"].columns]


def structure_table(records, constant=None):
    return measured(records, "structure", DataFacts("mine", None, "classification", "table", constant))


def degree_table(records):
    return measured(records, "degrees")


def test_every_column_of_a_network_checked_by_hand(tmp_path):
    first = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]], bool)  # pixel 2 unseen, unit 2 has no way in
    second = np.array([[1, 1], [0, 0], [1, 0]], bool)  # unit 1 has no way out
    record = write_round(tmp_path, 3, 7, masks={"dense_1/kernel": first, "dense_2/kernel": second})
    table = structure_table([record]).set_index("layer")
    assert list(table.reset_index()[STRUCTURE_COLUMNS]) == STRUCTURE_COLUMNS
    assert (table[["seed", "round"]] == [3, 7]).all(axis=None)
    counts = ["weights", "kept", "on_path", "inputs", "unused_inputs", "units", "no_way_in", "no_way_out", "dead"]
    assert table[counts].loc["dense_1/kernel"].tolist() == [12, 4, 3, 4, 1, 3, 1, 1, 2]
    assert table[counts].loc["dense_2/kernel"].tolist() == [6, 3, 2, 3, 1, 2, 0, 0, 0]
    assert table[counts].loc["all"].tolist() == [18, 7, 5, 4, 1, 5, 1, 1, 2]
    assert table.loc["all", ["density", "effective_density"]].tolist() == [7 / 18, 5 / 18]
    degrees = table.loc["dense_1/kernel"]
    assert degrees["in_degree_mean"] == pytest.approx(4 / 3)
    assert degrees["in_degree_variance"] == pytest.approx(np.var([3, 1, 0]))
    assert degrees["in_degree_variance_chance"] == pytest.approx(4 * (1 / 3) * (2 / 3) * 8 / 11)
    assert degrees["out_degree_variance_ratio"] == pytest.approx(
        np.var([2, 1, 0, 1]) / (3 * (1 / 3) * (2 / 3) * 9 / 11)
    )
    assert table.loc["all"].filter(like="degree").isna().all()


def test_inputs_that_never_vary_are_left_out(tmp_path):
    first = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]], bool)
    second = np.array([[1, 1], [0, 0], [1, 0]], bool)  # unit 1 has no way out
    record = write_round(tmp_path, 3, 7, masks={"dense_1/kernel": first, "dense_2/kernel": second})
    columns = ["varying_weights", "varying_kept", "varying_on_path"]
    table = structure_table([record], np.array([[True, False], [True, False]])).set_index("layer")
    assert table[columns].loc["dense_1/kernel"].tolist() == [6, 2, 2]
    assert table[columns].loc["all"].tolist() == [12, 5, 4]
    assert table.loc["all", ["varying_density", "varying_effective_density"]].tolist() == [5 / 12, 4 / 12]
    for unknown in (None, np.zeros(9, bool)):
        assert structure_table([record], unknown)[columns].isna().all(axis=None)


def test_a_dense_round_has_no_variance_to_compare(tmp_path):
    table = structure_table([write_round(tmp_path, 0, 0, masks={"a": np.ones((4, 3), bool)})])
    assert table["in_degree_variance_ratio"].isna().all()
    assert (table["effective_density"] == 1).all()


def test_convolutions_count_channels_and_windows(tmp_path):
    kernel = np.zeros((3, 3, 2, 4), bool)
    kernel[:, :, 0, 1] = True
    kernel[1, 1, 1, 2] = True
    masks = {"conv_1/kernel": kernel, "dense_1/kernel": np.ones((5 * 4, 3), bool)}
    record = write_round(tmp_path, 0, 1, masks=masks)
    table = structure_table([record]).set_index("layer")
    assert table.loc["conv_1/kernel", ["units", "no_way_in", "pairs", "kept_pairs"]].tolist() == [4, 2, 8, 2]
    assert table.loc["dense_1/kernel", ["inputs", "on_path", "out_degree_mean"]].tolist() == [4, 5 * 2 * 3, 5 * 3]
    windows = degree_table([record]).query("layer == 'conv_1/kernel' and direction == 'pair' and units > 0")
    assert windows[["degree", "units"]].to_numpy().tolist() == [[0, 6], [1, 1], [9, 1]]


def test_degree_table_counts_every_unit_once(tmp_path):
    rng = np.random.default_rng(0)
    masks = {"a": rng.random((20, 10)) < 0.3, "b": rng.random((10, 5)) < 0.5}
    table = degree_table([write_round(tmp_path, seed, 1, masks=masks) for seed in (0, 1)])
    assert list(table) == DEGREE_COLUMNS
    units = table.groupby(["seed", "layer", "direction"])[["units", "units_chance"]].sum()
    assert units.loc[(1, "a", "in")].tolist() == pytest.approx([10, 10], abs=1e-3)
    assert units.loc[(1, "a", "out")].tolist() == pytest.approx([20, 20], abs=1e-3)
    assert len(units) == 8


def test_without_a_chain_degrees_remain_and_paths_are_unknown(tmp_path):
    masks = {"main": np.ones((3, 3, 4, 8), bool), "shortcut": np.ones((1, 1, 4, 8), bool)}
    table = structure_table([write_round(tmp_path, 0, 0, masks=masks)])
    assert table[["on_path", "effective_density", "no_way_in", "no_way_out", "dead"]].isna().all(axis=None)
    assert table["kept"].tolist() == [288, 32, 320]
    assert table["in_degree_mean"].tolist()[:2] == [36, 4]


def test_no_rounds_give_empty_tables():
    assert list(structure_table([])) == STRUCTURE_COLUMNS
    assert list(degree_table([])) == DEGREE_COLUMNS
