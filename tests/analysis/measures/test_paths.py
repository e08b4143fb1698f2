import networkx as nx
import numpy as np
import pytest

from ticketlab.analysis.measures.paths import chained, connections, on_path, way_in, way_out
from ticketlab.sparsity import masks as masking

DENSE = {"dense_1/kernel": (6, 5), "dense_2/kernel": (5, 4), "dense_3/kernel": (4, 3)}
CONVOLUTIONAL = {"conv_1": (2, 2, 2, 3), "conv_2": (1, 2, 3, 3), "dense_1": (2 * 3, 4), "dense_2": (4, 2)}


def draw(shapes, density, seed):
    rng = np.random.default_rng(seed)
    return {path: rng.random(shape) < density for path, shape in shapes.items()}


def graph_of(masks):
    """One edge per kept weight, keyed by layer and index; written from the layouts, not from `connections`."""
    graph, paths = nx.MultiDiGraph(), list(masks)
    for level, path in enumerate(paths):
        channels = masks[paths[level - 1]].shape[-1] if level else masks[path].shape[-2]
        graph.add_nodes_from((level, unit) for unit in range(channels))
        graph.add_nodes_from((level + 1, unit) for unit in range(masks[path].shape[-1]))
        for index in np.argwhere(masks[path]).tolist():
            graph.add_edge((level, index[-2] % channels), (level + 1, index[-1]), key=(path, *index))
    for unit in range(next(iter(masks.values())).shape[-2]):
        graph.add_edge("input", (0, unit))
    for unit in range(masks[paths[-1]].shape[-1]):
        graph.add_edge((len(paths), unit), "output")
    return graph


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("density", [0.15, 0.3, 0.5])
@pytest.mark.parametrize("shapes", [DENSE, CONVOLUTIONAL])
def test_units_and_weights_on_paths_agree_with_networkx(shapes, density, seed):
    masks = draw(shapes, density, seed)
    graph = graph_of(masks)
    reached, reaching = nx.descendants(graph, "input"), nx.ancestors(graph, "output")
    for level, path in enumerate(masks, start=1):
        units = [(level, unit) for unit in range(masks[path].shape[-1])]
        assert way_in(masks)[path].tolist() == [unit in reached for unit in units]
        assert way_out(masks)[path].tolist() == [unit in reaching for unit in units]
    walked = {key for route in nx.all_simple_edge_paths(graph, "input", "output") for _, _, key in route}
    kept = {(path, *index) for path, mask in on_path(masks).items() for index in np.argwhere(mask).tolist()}
    assert kept == {key for key in walked if isinstance(key, tuple)}


def test_a_unit_whose_inputs_are_all_dead_is_dead():
    masks = {
        "a": np.array([[True, False, True]]),
        "b": np.array([[True, False], [False, True], [False, False]]),
        "c": np.array([[True], [True]]),
    }
    assert way_in(masks)["a"].tolist() == [True, False, True]
    assert way_in(masks)["b"].tolist() == [True, False]
    assert way_out(masks)["a"].tolist() == [True, True, False]
    assert masking.kept(on_path(masks)) == 3


def test_nothing_is_on_a_path_of_a_cut_network_and_everything_in_a_dense_one():
    cut = {"a": np.ones((3, 2), bool), "b": np.zeros((2, 4), bool), "c": np.ones((4, 1), bool)}
    whole = {"a": np.ones((3, 2), bool), "b": np.ones((2, 1), bool)}
    assert masking.kept(on_path(cut)) == 0
    assert masking.density(on_path(whole)) == 1


def test_flattened_inputs_have_the_channel_fastest():
    flattened = np.zeros((3 * 2, 1), bool)
    flattened[[1, 3, 5]] = True  # the second channel at each of three positions
    masks = {"conv_1": np.ones((3, 3, 1, 2), bool), "dense_1": flattened}
    assert connections(masks)["dense_1"][:, :, 0].tolist() == [[False, True]] * 3
    assert way_out(masks)["conv_1"].tolist() == [False, True]


def test_layers_that_do_not_chain_are_refused():
    masks = {"main": np.ones((3, 3, 4, 8), bool), "shortcut": np.ones((1, 1, 4, 8), bool)}
    assert not chained(masks)
    with pytest.raises(ValueError, match=r"must chain.*shortcut \(1, 1, 4, 8\)"):
        on_path(masks)


def test_without_a_chain_no_layer_is_taken_to_follow_a_flattened_image():
    masks = {"conv_1/kernel": np.ones((3, 3, 1, 8), bool), "dense_1/kernel": np.ones((32, 10), bool)}
    assert connections(masks)["dense_1/kernel"].shape == (4, 8, 10)
    assert connections(masks, chain=False)["dense_1/kernel"].shape == (1, 32, 10)
