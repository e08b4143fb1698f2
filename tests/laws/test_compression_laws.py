"""Laws of what is compressed: it holds every kept weight, and gives back what was put in, bit by bit."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ticketlab.analysis.measures.bitmasks import MaskKey, pack
from ticketlab.data.dataset import from_arrays
from ticketlab.networks.mlp import DenseLayer
from ticketlab.sparsity import masks
from ticketlab.training.engine import EngineSettings
from ticketlab.training.sparse_engine.engine import SparseEngine
from ticketlab.training.sparse_engine.tiled_csr import wire

WIDTHS = st.lists(st.integers(1, 9), min_size=2, max_size=5)
SHAPE = {"one/kernel": (6, 5), "two/kernel": (5, 4), "three/kernel": (4, 3)}


@given(st.data(), st.lists(arrays.array_shapes(max_dims=3, max_side=9), min_size=1, max_size=3))
def test_packed_masks_are_the_masks_and_count_as_they_do(data, shapes):
    drawn = [
        {f"layer_{number}": data.draw(arrays.arrays(bool, shape)) for number, shape in enumerate(shapes)}
        for _ in range(2)
    ]
    packed = pack((MaskKey("run", seed, 0), each) for seed, each in enumerate(drawn))
    for number, each in enumerate(drawn):
        assert all(np.array_equal(mask, each[path]) for path, mask in packed.masks(number).items())
        assert packed.kept[number].tolist() == list(masks.counts(each).values())
    both = packed.both(np.array([0]), np.array([1]))[0].tolist()
    assert both == list(masks.counts(masks.intersect(*drawn)).values())


@given(WIDTHS, st.data())
def test_wiring_holds_each_kept_weight_once_and_each_unit_its_own(widths, data):
    drawn = [data.draw(arrays.arrays(bool, pair)) for pair in itertools.pairwise(widths)]
    presence = data.draw(arrays.arrays(float, widths[0], elements=st.floats(0, 1)))
    wiring = wire(drawn, presence, everything=True)
    kept = np.concatenate([mask.ravel() for mask in drawn])
    back = np.zeros_like(kept)
    back[wiring.entry] = True
    assert (len(wiring.entry), len(wiring.place)) == (kept.sum(), kept.sum())
    assert np.array_equal(back, kept)
    assert sorted(wiring.place) == list(range(kept.sum()))
    offsets = np.cumsum([0, *(mask.size for mask in drawn)])
    for layer, mask in enumerate(drawn):
        rows = wiring.row_of if layer == 0 else np.arange(wiring.first[layer], wiring.first[layer + 1])
        inside = (wiring.entry >= offsets[layer]) & (wiring.entry < offsets[layer + 1])
        inputs, _ = np.divmod(wiring.entry[inside] - offsets[layer], mask.shape[1])
        assert np.array_equal(wiring.source[inside], rows[inputs])


@pytest.fixture(scope="module")
def engine():
    rng = np.random.default_rng(0)
    parts = [(rng.random((size, 6)), np.arange(size) % 3) for size in (60, 20)]
    layers = [
        DenseLayer(path, path.replace("kernel", "bias") if path != "two/kernel" else None, shape, "relu")
        for path, shape in SHAPE.items()
    ]
    return SparseEngine(layers, from_arrays("mine", *parts[0], *parts[1]), EngineSettings(batch_size=10))


@given(st.tuples(*(arrays.arrays(bool, shape) for shape in SHAPE.values())), st.integers(0, 2**32))
def test_an_engine_gives_back_the_weights_and_slots_that_it_was_given(engine, drawn, seed):
    kept, rng = dict(zip(SHAPE, drawn, strict=True)), np.random.default_rng(seed)
    shapes = SHAPE | {"one/bias": (5,), "three/bias": (3,)}
    weights = {path: rng.standard_normal(shape).astype(np.float32) for path, shape in shapes.items()}
    slots = {f"{path}/{slot}": weights[path] * 2 for path in shapes for slot in ("momentum", "velocity")}
    engine.load(weights, kept, {"steps": np.array(7), **slots})
    found, expected = engine.weights(), masks.apply(weights, kept)
    assert all(np.array_equal(found[path], expected[path]) for path in shapes)
    state = engine.optimizer_state()
    assert set(state) == {"steps", *slots}
    assert state["steps"] == 7
    for path, slot in itertools.product(shapes, ("momentum", "velocity")):
        assert np.array_equal(state[f"{path}/{slot}"], expected[path] * 2)
