import numpy as np
import pytest

from rounds_on_disk import write_round, write_run
from ticketlab.analysis.measures import MEASURES, input_pixels
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs
from ticketlab.analysis.tables import measured
from ticketlab.data.dataset import DataFacts

IMAGES = DataFacts("mine", None, "classification", "image")


def test_a_map_counts_each_pixels_kept_weights():
    mask = np.zeros((784, 300), bool)
    mask[28 * 2 + 5, :7] = True
    counts = input_pixels.heat_map({"dense_1/kernel": mask, "dense_2/kernel": np.ones((300, 10), bool)})
    assert counts.shape == (28, 28)
    assert counts[2, 5] == counts.sum() == 7


def test_a_colour_image_counts_its_channels_together():
    mask = np.zeros((32 * 32 * 3, 4), bool)
    mask[3 * (32 * 1 + 2) : 3 * (32 * 1 + 2) + 3] = True
    counts = input_pixels.heat_map({"dense_1/kernel": mask})
    assert counts.shape == (32, 32)
    assert counts[1, 2] == counts.sum() == 12


@pytest.mark.parametrize("shape", [(3, 3, 1, 8), (16, 16, 16, 8), (40, 8), (4, 8), (12, 8)])
def test_other_inputs_have_no_map(shape):
    assert input_pixels.heat_map({"first": np.ones(shape, bool)}) is None


@pytest.mark.parametrize("side", [28, 27, 8, 5])
def test_the_trend_curve_ends_at_the_overall_mean(side):
    counts = np.random.default_rng(0).integers(0, 20, (side, side))
    sides, means = input_pixels.trend_curve(counts)
    assert sides.tolist() == list(range(2 - side % 2, side + 1, 2))
    assert means[-1] == counts.mean()
    assert means[-2] == counts[1:-1, 1:-1].mean()


@pytest.mark.parametrize("side", [28, 27, 10, 4])
def test_a_uniform_map_has_no_centre(side):
    counts = np.full((side, side), 3)
    assert input_pixels.centre_margin(counts) == 0


def test_the_centre_of_28_is_14_wide():
    counts = np.ones((28, 28))
    counts[7:21, 7:21] = 3
    assert input_pixels.centre_margin(counts) == pytest.approx((3 - 1) / 1.5)


def test_a_map_of_zeros_has_no_centre_but_a_trend():
    nothing = np.zeros((8, 8), int)
    assert np.isnan(input_pixels.centre_margin(nothing))
    assert not input_pixels.trend_curve(nothing)[1].any()


def test_tables_have_a_row_per_round_and_per_side(tmp_path):
    mask = np.ones((64, 10), bool)
    mask[:16] = False
    records = [write_round(tmp_path, 4, round, masks={"dense_1/kernel": mask}) for round in (0, 1)]
    table, trend = (measured(records, name, IMAGES) for name in ("pixels", "pixel_trend"))
    assert list(table) == ["seed", "round", *MEASURES["input pixels"].columns]
    assert table.iloc[1].tolist()[:5] == [4, 1, 480, 64, 16]
    assert trend["side"].tolist() == [2, 4, 6, 8] * 2
    assert trend["connections_per_pixel"].iloc[-1] == 7.5


def test_runs_without_images_have_empty_tables(tmp_path):
    records = [write_round(tmp_path, 0, 0, masks={"conv_1/kernel": np.ones((3, 3, 1, 4), bool)})]
    table, trend = (measured(records, name, IMAGES) for name in ("pixels", "pixel_trend"))
    assert list(table) == ["seed", "round", *MEASURES["input pixels"].columns]
    assert list(trend) == ["seed", "round", *MEASURES["trend of input pixels"].columns]
    assert table.empty
    assert trend.empty
    assert input_pixels.heat_maps(records) == {}


def test_only_what_the_data_calls_an_image_has_maps(tmp_path):
    folders = [write_run(tmp_path / name, 1, 2, dataset=name) for name in ("digits", "sixteen_features")]
    results, _ = measure(read_runs(folders)[0])
    assert set(results.tables["pixels"]["run"]) == {"digits"}
    assert {name: len(maps) for name, maps in results.maps.items()} == {"digits": 2, "sixteen_features": 0}


def test_the_shape_of_an_image_is_taken_where_it_is_known():
    masks = {"first": np.ones((576, 2), bool)}
    assert input_pixels.heat_map(masks).shape == (24, 24)
    assert input_pixels.heat_map(masks, (12, 48)) is None
    assert input_pixels.heat_map(masks, (24, 24, 1)).shape == (24, 24)
    assert input_pixels.heat_map(masks, (576,)) is None
