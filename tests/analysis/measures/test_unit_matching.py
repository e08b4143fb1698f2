import numpy as np
import pytest

from ticketlab.analysis.measures import unit_matching
from ticketlab.analysis.measures.bitmasks import MaskKey, pack
from ticketlab.analysis.measures.nulls import NULLS
from ticketlab.errors import BadInput
from ticketlab.random_streams import stream

DENSE = {"dense_1/kernel": (40, 24), "dense_2/kernel": (24, 16), "dense_3/kernel": (16, 5)}
CONV = {"conv_1/kernel": (3, 3, 2, 8), "conv_2/kernel": (3, 3, 8, 12), "conv_3/kernel": (1, 1, 12, 6)}
CONV_THEN_DENSE = {
    "conv_1/kernel": (3, 3, 1, 8),
    "conv_2/kernel": (3, 3, 8, 6),
    "dense_1/kernel": (4 * 6, 9),
    "dense_2/kernel": (9, 4),
}
CONV_1D = {"conv/kernel": (5, 3, 8), "pooled/kernel": (8, 4), "dense/kernel": (4, 3)}


def draw(shapes, densities, seed=0):
    rng = stream(seed, "test")
    return {path: rng.random(shape) < density for (path, shape), density in zip(shapes.items(), densities, strict=True)}


def shuffled_units(masks, seed=0):
    rng = stream(seed, "shuffle")
    hidden = list(masks.items())[:-1]
    return unit_matching.reorder_units(masks, {path: rng.permutation(mask.shape[-1]) for path, mask in hidden})


def packed(masks):
    return pack((MaskKey("run", seed, 0), each) for seed, each in enumerate(masks))


def compare(masks, first, second, **how):
    return unit_matching.compare_matched(packed(masks), np.array(first), np.array(second), **how)


@pytest.mark.parametrize(
    ("shapes", "densities"),
    [
        (DENSE, (0.5, 0.5, 0.5)),
        (DENSE, (0.02, 0.1, 0.5)),  # many units without any input: their incoming masks are equal
        (DENSE, (1, 0.3, 0.5)),  # all units of the first layer have equal incoming masks
        (DENSE, (1, 1, 1)),
        (DENSE, (0, 0, 0.5)),
        (CONV, (0.5, 0.3, 0.5)),
        (CONV, (1, 0.1, 0.5)),
        (CONV_THEN_DENSE, (0.5, 0.3, 0.3, 0.5)),
        (CONV_THEN_DENSE, (0.1, 0.1, 0.1, 0.5)),
        (CONV_1D, (0.5, 0.5, 0.5)),
    ],
)
def test_a_mask_is_recognised_in_its_unit_permuted_copy(shapes, densities):
    for seed in range(5):
        masks = draw(shapes, densities, seed)
        copy = shuffled_units(masks, seed)
        back = unit_matching.reorder_units(copy, unit_matching.match_units(masks, copy))
        for path, mask in masks.items():
            np.testing.assert_array_equal(back[path], mask)


def test_the_table_shows_one_for_a_permuted_copy():
    masks = draw(DENSE, (0.3, 0.3, 0.5))
    table = compare([masks, shuffled_units(masks)], [0], [1], draws=5)
    assert (table["matched_jaccard"] == 1).all()
    assert (table["jaccard"] < 0.6).all()
    assert (table["matched_z"] > 3).all()


def test_inputs_and_classes_stay_where_they_are():
    masks = draw(DENSE, (0.3, 0.3, 0.5))
    first, *_, last = DENSE
    assert list(unit_matching.match_units(masks, masks)) == [path for path in DENSE if path != last]
    for path, turned in ((first, masks[first][::-1]), (last, masks[last][:, ::-1])):
        other = masks | {path: turned}
        table = compare([masks, other], [0], [1], draws=2).set_index("layer")
        assert table.loc[path, "matched_jaccard"] < 1


def test_the_assignment_is_the_best_and_not_the_greedy_one():
    a, b, output = np.zeros((10, 2), bool), np.zeros((10, 2), bool), np.eye(2, dtype=bool)
    a[:6, 0] = a[4:9, 1] = True
    b[:, 0] = b[:5, 1] = True  # shared with b's units: by a's unit 0 six and five, by its unit 1 five and one
    assert unit_matching.match_units({"1": a, "2": output}, {"1": b, "2": output})["1"].tolist() == [1, 0]


def test_reordered_units_leave_the_network_the_same_function():
    masks = draw(CONV_THEN_DENSE, (0.5, 0.5, 0.5, 0.5))
    other = shuffled_units(masks)
    assert any((masks[path] != other[path]).any() for path in masks)
    image = stream(0, "image").integers(0, 9, (4, 4, 1))
    for first, second in zip(forward(image, masks), forward(image, other), strict=True):
        assert first == second


def forward(image, masks):
    """Run a network of integer weights: two 3×3 convolutions with padding, pooling to 2×2, flattening, two layers."""
    for path in ("conv_1/kernel", "conv_2/kernel"):
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, ((1, 1), (1, 1), (0, 0))), (3, 3), axis=(0, 1))
        image = np.einsum("xyihw,hwio->xyo", windows, masks[path].astype(int)) % 7
    pooled = image.reshape(2, 2, 2, 2, -1).max(axis=(1, 3))
    return (pooled.ravel() @ masks["dense_1/kernel"] % 7) @ masks["dense_2/kernel"]


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"1": (6, 4), "2": (8, 3)}, r"2 must take the 4 units .* \(8, 3\)"),
        ({"1": (3, 3, 1, 4), "2": (10, 3)}, r"2 must take the 4 units .* \(10, 3\)"),
        ({"1": (3, 3, 1, 4), "2": (3, 3, 8, 3)}, r"2 must take the 4 units .* \(3, 3, 8, 3\)"),
    ],
)
def test_layers_that_do_not_chain_are_refused(shapes, message):
    masks = draw(shapes, [0.5] * len(shapes))
    with pytest.raises(BadInput, match=message):
        unit_matching.match_units(masks, masks)


def test_different_networks_are_refused_with_both_shapes():
    with pytest.raises(BadInput, match=r"1 \(6, 4\) in a, 1 \(5, 4\) in b"):
        unit_matching.match_units({"1": np.ones((6, 4), bool)}, {"1": np.ones((5, 4), bool)})


def test_random_masks_keep_what_their_null_says():
    masks = draw(CONV_THEN_DENSE, (0.5, 0.2, 0.3, 0.5))
    for null, axis in (("counts", None), ("inputs", -1)):
        drawn = NULLS[null](masks, stream(0, "test"))
        for path, mask in masks.items():
            np.testing.assert_array_equal(drawn[path].sum(axis=axis), mask.sum(axis=axis))
            assert (drawn[path] != mask).any()


def excess_in_standard_errors(masks, null, draws=40):
    """Compare masks 0 with 1, 2 with 3, …; the expectations' own error is part of the standard error."""
    table = compare(masks, range(0, len(masks), 2), range(1, len(masks), 2), null=null, draws=draws)
    groups = table.groupby("layer")
    pairs = len(masks) / 2
    error = np.sqrt(groups["matched_jaccard"].var() / pairs + groups["matched_jaccard_chance_sd"].mean() ** 2 / draws)
    return groups["matched_jaccard_excess"].mean() / error


def test_independent_masks_have_no_excess_after_matching_though_matching_makes_them_alike():
    rng = np.random.default_rng(0)
    like = draw(DENSE, (0.2, 0.3, 0.5))
    masks = [NULLS["counts"](like, rng) for _ in range(60)]
    assert (excess_in_standard_errors(masks, "counts").abs() < 3).all()
    table = compare(masks, [0], [1]).set_index("layer")
    assert table.loc["all", "matched_jaccard"] > table.loc["all", "jaccard"] + 0.05


def test_dead_border_pixels_are_excess_over_the_counts_and_not_over_the_inputs():
    rng = np.random.default_rng(0)
    like = draw(DENSE, (0.4, 0.3, 0.5))
    like["dense_1/kernel"][:20] = False
    masks = [NULLS["inputs"](like, rng) for _ in range(20)]
    assert excess_in_standard_errors(masks, "counts")["dense_1/kernel"] > 20
    assert (excess_in_standard_errors(masks, "inputs").abs() < 3).all()


def test_heavy_units_are_excess_over_the_inputs_and_not_over_both_degrees():
    rng = np.random.default_rng(0)
    chances = {path: np.linspace(0.02, 0.7, units) for path, (_, units) in DENSE.items()}
    masks = [
        {path: rng.random(shape) < rng.permutation(chances[path]) for path, shape in DENSE.items()} for _ in range(20)
    ]
    assert excess_in_standard_errors(masks, "inputs", draws=20)["dense_1/kernel"] > 5
    assert (excess_in_standard_errors(masks, "degrees", draws=20).abs() < 3).all()
    table = compare(masks[:2], [0], [1], null="degrees").set_index("layer")
    assert table.loc["all", "jaccard_excess"] == pytest.approx(0, abs=0.05), "before matching"


def test_the_table_is_the_same_each_time_and_full_masks_have_no_z():
    masks = [draw(DENSE, (1, 0.3, 0.5), seed) for seed in range(2)]
    table = compare(masks, [0], [1], draws=3)
    assert table.equals(compare(masks, [0], [1], draws=3))
    full = table.set_index("layer").loc["dense_1/kernel"]
    assert full["matched_jaccard_excess"] == 0
    assert np.isnan(full["matched_z"])
