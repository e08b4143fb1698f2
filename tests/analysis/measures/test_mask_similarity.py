import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import hypergeom
from sklearn.metrics import cohen_kappa_score, f1_score, hamming_loss, jaccard_score

from ticketlab.analysis.measures import mask_similarity
from ticketlab.analysis.measures.bitmasks import MaskKey, pack, pairs
from ticketlab.errors import BadInput
from ticketlab.random_streams import stream
from ticketlab.runs.folder import Run
from ticketlab.sparsity.masks import random_masks

LABELS = ["run_a", "seed_a", "round_a", "run_b", "seed_b", "round_b", "layer", "density_a", "density_b"]
MEASURES = ["hamming", "jaccard", "jaccard_chance", "jaccard_excess", "overlap", "dice", "cosine", "kappa", "z"]
DENSITIES = {"conv/kernel": ((3, 3, 2, 7), 0.6), "dense_1/kernel": ((37, 11), 0.2), "dense_2/kernel": ((11, 5), 0.5)}


def draw(seed):
    rng = stream(seed, "test")
    return {path: rng.random(shape) < density for path, (shape, density) in DENSITIES.items()}


def packed(masks):
    return pack((MaskKey("run", seed, 0), each) for seed, each in enumerate(masks))


def compare_two(a, b):
    return mask_similarity.compare(packed([a, b]), np.array([0]), np.array([1])).set_index("layer").iloc[:, 6:]


def layers_and_all(masks):
    return {"all": np.concatenate([mask.ravel() for mask in masks.values()])} | {p: m.ravel() for p, m in masks.items()}


def drawn_masks(seed):
    return draw(seed), draw(seed + 100)


def masks_of_the_example_run(seed):
    example = Run(Path(__file__).parent.parent.parent.parent / "models" / "example")
    return example.round(seed, 7).masks, example.round(seed + 1, 7).masks


@pytest.mark.parametrize("masks", [drawn_masks, masks_of_the_example_run])
@pytest.mark.parametrize("seed", range(3))
def test_every_measure_agrees_with_scikit_learn_and_scipy(seed, masks):
    a, b = masks(seed)
    table = compare_two(a, b)
    flat_a, flat_b = layers_and_all(a), layers_and_all(b)
    for layer in ("all", *a):
        x, y, row = flat_a[layer], flat_b[layer], table.loc[layer]
        null = hypergeom(x.size, x.sum(), y.sum())
        p, q = x.mean(), y.mean()
        expected = {
            "density_a": p,
            "density_b": q,
            "hamming": hamming_loss(x, y),
            "jaccard": jaccard_score(x, y),
            "jaccard_chance": p * q / (p + q - p * q),
            "jaccard_excess": jaccard_score(x, y) - p * q / (p + q - p * q),
            "overlap": (x & y).sum() / min(x.sum(), y.sum()),
            "dice": f1_score(x, y),
            "cosine": np.dot(x / np.linalg.norm(x), y / np.linalg.norm(y)),
            "kappa": cohen_kappa_score(x, y),
            "z": ((x & y).sum() - null.mean()) / null.std(),
            "persistence": (x & y).sum() / x.sum(),
        }
        assert row[list(expected)].to_dict() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("null", ["layer", "input"])
def test_chance_by_layer_and_by_input_sums_the_parts_hypergeometric_moments(null):
    a, b = draw(0), draw(1)
    table = compare_two(a, b)
    both, kept, mean, variance = 0, 0, 0.0, 0.0
    for x, y in zip(a.values(), b.values(), strict=True):
        width = x.size if null == "layer" else x.shape[-1]
        both, kept = both + (x & y).sum(), kept + x.sum() + y.sum()
        for i, j in zip(x.reshape(-1, width), y.reshape(-1, width), strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):  # SciPy's kurtosis of an empty row
                mean += hypergeom.mean(width, i.sum(), j.sum())
                variance += hypergeom.var(width, i.sum(), j.sum())
    overall = table.loc["all"]
    chance = mean / (kept - mean)
    assert overall[f"jaccard_chance_by_{null}"] == pytest.approx(chance, abs=1e-9)
    assert overall[f"jaccard_excess_by_{null}"] == pytest.approx(both / (kept - both) - chance, abs=1e-9)
    assert overall[f"z_by_{null}"] == pytest.approx((both - mean) / np.sqrt(variance), abs=1e-9)


def test_within_one_layer_chance_by_layer_is_the_plain_one():
    table = compare_two(draw(0), draw(1)).drop("all")
    for measure in ("jaccard_chance", "jaccard_excess", "z"):
        np.testing.assert_allclose(table[f"{measure}_by_layer"], table[measure], atol=1e-9)


def test_measures_by_hand():
    found = mask_similarity.similarities(both=1, a=2, b=4, total=8)
    expected = {
        "hamming": 0.5,
        "jaccard": 0.2,
        "jaccard_chance": 0.2,
        "jaccard_excess": 0.0,
        "overlap": 0.5,
        "dice": 1 / 3,
        "cosine": 1 / np.sqrt(8),
        "kappa": 0.0,
        "z": 0.0,
        "persistence": 0.5,
    }
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (0, 0, {"hamming": 0, "jaccard": np.nan, "overlap": np.nan, "dice": np.nan, "kappa": np.nan}),
        (0, 3, {"hamming": 0.5, "jaccard": 0, "jaccard_chance": 0, "overlap": np.nan, "cosine": np.nan, "kappa": 0}),
        (3, 6, {"hamming": 0.5, "jaccard": 0.5, "jaccard_chance": 0.5, "jaccard_excess": 0, "overlap": 1, "kappa": 0}),
        (6, 6, {"hamming": 0, "jaccard": 1, "jaccard_chance": 1, "jaccard_excess": 0, "overlap": 1, "kappa": np.nan}),
    ],
)
def test_empty_and_full_masks_leave_no_z_and_no_infinities(a, b, expected):
    first, second = ({"k": (np.arange(6) < kept).reshape(2, 3)} for kept in (a, b))
    row = compare_two(first, second).loc["k"]
    assert row[list(expected)].to_dict() == pytest.approx(expected, nan_ok=True)
    assert row[["z", "z_by_layer", "z_by_input"]].isna().all()
    assert not np.isinf(row.to_numpy(float)).any()


def test_a_layer_of_one_weight_has_no_z_and_spoils_no_other():
    rng = np.random.default_rng(0)
    masks = [{"large": rng.random((9, 4)) < 0.5, "single": np.array([[True]])} for _ in range(2)]
    table = compare_two(*masks)
    assert np.isnan(table.loc["single", "z"])
    assert table.loc["all", "z_by_layer"] == pytest.approx(table.loc["large", "z"])


def excess_in_standard_errors(masks, columns):
    """Compare masks 0 with 1, 2 with 3, …: every pair is independent of the others."""
    index = np.arange(len(masks)).reshape(-1, 2)
    table = mask_similarity.compare(packed(masks), index[:, 0], index[:, 1])
    groups = table.groupby("layer", sort=False)[columns]
    return groups.mean() / (groups.std() / np.sqrt(len(index)))


def test_independent_masks_have_no_excess_within_layers():
    like = {path: np.arange(1200).reshape(40, 30) < kept for path, kept in {"a": 800, "b": 240, "c": 60}.items()}
    masks = [random_masks(like, stream(seed, "test")) for seed in range(400)]
    standard = excess_in_standard_errors(masks, ["jaccard_excess", "z", "jaccard_excess_by_layer", "z_by_layer"])
    assert (standard.drop("all").abs() < 3).all(axis=None)
    assert (standard.loc["all", ["jaccard_excess_by_layer", "z_by_layer"]].abs() < 3).all()
    assert (standard.loc["all", ["jaccard_excess", "z"]] > 20).all()  # the layers' densities alone


def test_dead_border_pixels_are_excess_by_layer_and_none_by_input():
    rng = np.random.default_rng(0)
    chance = np.where(np.arange(60) < 30, 0.02, 0.4)[:, None]  # half of the inputs are hardly used
    masks = [{"dense/kernel": rng.random((60, 40)) < chance} for _ in range(200)]
    standard = excess_in_standard_errors(masks, ["jaccard_excess_by_layer", "jaccard_excess_by_input", "z_by_input"])
    assert (standard["jaccard_excess_by_layer"] > 20).all()
    assert (standard[["jaccard_excess_by_input", "z_by_input"]].abs() < 3).all(axis=None)


def test_table_has_the_agreed_columns_pair_by_pair_all_first():
    table = mask_similarity.compare(packed([draw(0), draw(1), draw(2)]), np.array([0, 1]), np.array([2, 2]))
    assert list(table.columns[:18]) == LABELS + MEASURES
    assert list(table["layer"]) == ["all", *DENSITIES] * 2
    assert list(table["seed_a"]) == [0] * 4 + [1] * 4
    assert set(table["seed_b"]) == {2}
    assert table["seed_a"].dtype.kind == "i"


def test_no_pairs_make_an_empty_table():
    none = np.array([], int)
    table = mask_similarity.compare(packed([draw(0)]), none, none)
    assert len(table) == 0
    assert list(table.columns[:18]) == LABELS + MEASURES


def test_packing_keeps_every_bit_and_counts_as_plain_arrays_do():
    masks = [draw(seed) for seed in range(5)]
    together = packed(masks)
    for index, each in enumerate(masks):
        for path, mask in together.masks(index).items():
            np.testing.assert_array_equal(mask, each[path])
    first, second = np.triu_indices(5)
    expected = [[(masks[i][p] & masks[j][p]).sum() for p in DENSITIES] for i, j in zip(first, second, strict=True)]
    np.testing.assert_array_equal(together.both(first, second), expected)
    np.testing.assert_array_equal(together.kept, [[mask.sum() for mask in each.values()] for each in masks])


def test_packing_holds_one_mask_at_a_time():
    read = []

    def rounds():
        for round in range(4):
            assert sum(mask() is not None for mask in read) <= 1
            masks = draw(round)
            read.append(weakref.ref(masks["dense_1/kernel"]))
            yield MaskKey("run", 0, round), masks
            del masks

    assert len(pack(rounds()).keys) == 4


def test_pairs_of_seeds_of_rounds_and_of_runs():
    labels = [MaskKey(run, seed, round) for run in "xy" for seed in (0, 1) for round in (0, 1, 2)]

    def chosen(**how):
        return [(labels[i], labels[j]) for i, j in zip(*pairs(labels, **how), strict=True)]

    seeds, rounds = chosen(equal=("run", "round")), chosen(equal=("run", "seed"))
    runs = chosen(equal=("round",), differ=("run",))
    assert (len(seeds), len(rounds), len(runs)) == (6, 12, 12)
    assert all(a.run == b.run and a.round == b.round and a.seed < b.seed for a, b in seeds)
    assert all(a.run == b.run and a.seed == b.seed and a.round < b.round for a, b in rounds)
    assert all(a.round == b.round and (a.run, b.run) == ("x", "y") for a, b in runs)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"k": np.ones((64, 3), bool)}, r"k \(784, 3\) in run seed 0 round 0, k \(64, 3\) in run seed 1 round 0"),
        ({"l": np.ones((784, 3), bool)}, r"k \(784, 3\) in run seed 0 round 0, k missing in run seed 1 round 0"),
    ],
)
def test_masks_of_different_networks_are_refused_in_one_line(other, message):
    with pytest.raises(BadInput, match=message) as caught:
        packed([{"k": np.ones((784, 3), bool)}, other])
    assert "\n" not in str(caught.value)


def test_nothing_to_compare_is_refused():
    with pytest.raises(BadInput, match="no masks"):
        pack([])


def test_measures_take_arrays_and_numbers_without_warning():
    counts = np.arange(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        together = mask_similarity.similarities(counts, np.full(4, 3), np.full(4, 5), np.full(4, 9))
    for index in counts.tolist():
        one = mask_similarity.similarities(index, 3, 5, 9)
        assert one == pytest.approx({name: values[index] for name, values in together.items()})
