import networkx as nx
import numpy as np
import pytest

from ticketlab.analysis.measures.degrees import (
    chance_variance,
    degree_distribution,
    in_degrees,
    kept_per_pair,
    out_degrees,
)
from ticketlab.sparsity.masks import random_masks


def test_degrees_agree_with_networkx():
    mask = np.random.default_rng(0).random((7, 5)) < 0.4
    graph = nx.DiGraph([(f"in{i}", f"out{o}") for i, o in np.argwhere(mask)])
    graph.add_nodes_from([f"in{i}" for i in range(7)] + [f"out{o}" for o in range(5)])
    assert out_degrees(mask).tolist() == [graph.out_degree(f"in{i}") for i in range(7)]
    assert in_degrees(mask).tolist() == [graph.in_degree(f"out{o}") for o in range(5)]


def test_a_convolution_counts_over_its_window():
    kernel = np.zeros((3, 3, 2, 4), bool)
    kernel[:, :, 0, 1] = True
    kernel[1, 1, 1, :] = True
    assert in_degrees(kernel).tolist() == [1, 10, 1, 1]
    assert out_degrees(kernel).tolist() == [9, 4]
    assert kept_per_pair(kernel).tolist() == [[0, 9, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize(("degrees", "axis"), [(in_degrees, 0), (out_degrees, 1)])
def test_random_masks_have_the_variance_and_distribution_of_chance(degrees, axis):
    rng = np.random.default_rng(0)
    like = {"k": np.arange(40 * 30).reshape(40, 30) < 250}
    fan = like["k"].shape[axis]
    draws = np.array([degrees(random_masks(like, rng)["k"]) for _ in range(1000)])
    variances = draws.var(axis=1)
    assert abs(variances.mean() - chance_variance(draws[0], fan)) < 4 * variances.std() / np.sqrt(len(draws))
    shown, _, expected = degree_distribution(draws[0], fan)
    observed = np.array([np.count_nonzero(draws == degree) for degree in shown]) / len(draws)
    assert np.abs(observed - expected).max() < 0.4
    assert expected.sum() == pytest.approx(draws.shape[1], abs=1e-3)
    assert expected @ shown == pytest.approx(250, abs=1e-2)


@pytest.mark.parametrize("full", [True, False])
def test_masks_without_choice_vary_neither_here_nor_by_chance(full):
    degrees = in_degrees(np.full((4, 3), full))
    shown, units, expected = degree_distribution(degrees, 4)
    assert chance_variance(degrees, 4) == degrees.var() == 0
    assert (shown.tolist(), units.tolist(), expected.tolist()) == ([4 * full], [3], [3])


def test_a_single_weight_has_no_variance():
    assert chance_variance(np.array([1]), 1) == 0


def test_distribution_counts_every_unit_however_far_from_chance():
    degrees = np.array([0, 0, 0, 100])
    shown, units, _ = degree_distribution(degrees, 100)
    assert (shown[0], shown[-1], units.sum(), units[0], units[-1]) == (0, 100, 4, 3, 1)
