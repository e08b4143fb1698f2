"""Densities of the layers: published values, the equation they solve, counts that add up."""

import math

import pytest

from ticketlab.errors import BadInput
from ticketlab.sparsity.distributions import DISTRIBUTIONS, er, er_of_epsilon, erk, kept_count, layer_counts, uniform

LENET = {"dense_1": (784, 300), "dense_2": (300, 100), "dense_3": (100, 10)}
CONV = {"conv_1": (3, 3, 3, 64), "conv_2": (3, 3, 64, 64), "dense_1": (16384, 256), "dense_2": (256, 10)}
UNEVEN = {"wide": (50, 40), "thin": (40, 1), "one": (1, 1), "last": (1, 3)}
ALL_DENSITIES = (1.0, 0.9, 0.5, 0.2107, 0.1, 0.05, 0.02, 0.01)

everything = pytest.mark.parametrize(
    ("distribution", "shapes", "density"),
    [
        (name, shapes, density)
        for name in DISTRIBUTIONS
        for shapes in (LENET, CONV, UNEVEN)
        for density in ALL_DENSITIES
    ],
)


def total(shapes):
    return sum(math.prod(shape) for shape in shapes.values())


@pytest.mark.parametrize(
    ("sparsity", "layers"),
    [
        (0.8, (0.83776, 0.53064, 0.0)),
        (0.9, (0.92043, 0.76981, 0.0)),
        (0.95, (0.96152, 0.88867, 0.08149)),
        (0.98, (0.98461, 0.95547, 0.63260)),
    ],
)
@pytest.mark.parametrize("distribution", [er, erk])
def test_sparsities_of_lenet_300_100(distribution, sparsity, layers):
    """As the RigL authors' code computes them (Evci et al. 2020); on dense layers ER and ERK are one."""
    found = distribution(LENET, 1 - sparsity)
    assert [1 - found[path] for path in LENET] == pytest.approx(layers, abs=1e-5)


@everything
def test_layers_add_up_to_the_overall_density(distribution, shapes, density):
    found = DISTRIBUTIONS[distribution](shapes, density)
    assert list(found) == list(shapes)
    assert all(0 < each <= 1 for each in found.values())
    assert sum(found[path] * math.prod(shape) for path, shape in shapes.items()) == pytest.approx(
        density * total(shapes)
    )


def test_convolutions_count_their_channels_alone_or_all_axes():
    """Evci et al. 2020, section 3: (64 + 128) / (64 · 128) in ER, (3 + 3 + 64 + 128) / (9 · 64 · 128) in ERK."""
    shapes = {"conv": (3, 3, 64, 128), "dense": (128, 256)}
    by_channels, by_axes = er(shapes, 0.05), erk(shapes, 0.05)
    assert by_channels["conv"] / by_channels["dense"] == pytest.approx((192 / 8192) / (384 / 32768))
    assert by_axes["conv"] / by_axes["dense"] == pytest.approx((198 / 73728) / (384 / 32768))


def test_layers_above_1_are_dense_and_leave_the_equation():
    found = erk({"a": (100, 100), "b": (100, 4), "c": (4, 2)}, 0.1)
    assert (found["b"], found["c"]) == (pytest.approx(found["a"] * (104 / 400) / (200 / 10_000)), 1.0)
    assert found["a"] == pytest.approx((0.1 * 10_408 - 8 - 400 * found["b"]) / 10_000)


def test_a_layer_too_small_for_epsilon_is_dense():
    """The network of SET's authors (Mocanu et al. 2018) with their ε: 13·1010 connections to 10·1000 weights."""
    widths = (784, 1000, 1000, 1000, 10)
    found = er_of_epsilon({f"dense_{i}": widths[i - 1 : i + 1] for i in range(1, 5)}, 13)
    sizes = dict(zip(found, (784_000, 1_000_000, 1_000_000, 10_000), strict=True))
    kept = [found[path] * size for path, size in sizes.items()]
    assert kept == pytest.approx([13 * 1784, 13 * 2000, 13 * 2000, 10_000])
    with pytest.raises(BadInput, match=r"`epsilon` must be less than 500, where all layers are dense. Received: eps"):
        er_of_epsilon({"dense_1": (1000, 1000), "dense_2": (1000, 10)}, 500)


@everything
def test_counts_add_up(distribution, shapes, density):
    kept = max(round(density * total(shapes)), len(shapes))
    densities = DISTRIBUTIONS[distribution](shapes, density)
    counts = layer_counts(shapes, densities, kept)
    assert sum(counts.values()) == kept
    for path, shape in shapes.items():
        assert 1 <= counts[path] <= math.prod(shape)
        if shapes is not UNEVEN:  # where no layer is given a weight that its density does not have
            assert abs(counts[path] - densities[path] * math.prod(shape)) < 1


def test_largest_remainders_get_the_missing_weights():
    shapes = {"a": (1, 10), "b": (1, 10), "c": (1, 10)}
    assert layer_counts(shapes, {"a": 0.24, "b": 0.37, "c": 0.39}, 10) == {"a": 2, "b": 4, "c": 4}
    assert layer_counts(shapes, {"a": 0.5, "b": 0.55, "c": 0.55}, 16) == {"a": 5, "b": 6, "c": 5}


def test_no_layer_is_left_without_a_weight():
    shapes = {"wide": (100, 100), "last": (5, 2)}
    assert layer_counts(shapes, uniform(shapes, 0.001), kept_count(shapes, 0.001)) == {"wide": 9, "last": 1}


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("density", [0.0, -0.1, 1.5, math.nan])
def test_densities_outside_the_unit_interval_are_refused(distribution, density):
    with pytest.raises(BadInput, match=r"`density` must be in \(0, 1\]\. Received: density="):
        DISTRIBUTIONS[distribution](LENET, density)
    with pytest.raises(BadInput, match=r"in \(0, 1\]"):
        kept_count(LENET, density)


def test_a_density_without_a_weight_for_each_layer_is_refused():
    assert kept_count(LENET, 1.2e-5) == 3
    with pytest.raises(BadInput, match="a weight for each of 3 layers"):
        kept_count(LENET, 0.9e-5)
