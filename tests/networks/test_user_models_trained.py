"""Your own networks that are no plain stacks, trained: plain Keras computes what was stored from the stored weights."""

import keras
import numpy as np
import pytest
from keras import layers

from ticketlab.data.dataset import from_arrays
from ticketlab.errors import BadInput
from ticketlab.execution import launch
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.pruning_at_init.spec import PruningAtInitSpec
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.networks import variables
from ticketlab.sparsity import masks
from ticketlab.training.dense_engine import DenseEngine
from ticketlab.training.engine import EngineSettings

pytestmark = pytest.mark.usefixtures("tensorflow")
SETTINGS = {"dataset": "mine", "network": "own", "iterations": 6, "eval_every": 6, "rounds": 6}


def squares(shape, outputs):
    inputs = keras.Input(shape)
    x = layers.Dense(20, "relu", name="one")(inputs)
    return keras.Model(inputs, layers.Dense(outputs, name="two")(keras.ops.square(x)))


def shared(shape, outputs):
    inputs, both = keras.Input(shape), layers.Dense(64, "relu", name="both")
    return keras.Model(inputs, layers.Dense(outputs, name="two")(both(both(inputs))))


def embedded(shape, outputs):
    places = [layers.Embedding(17, 3, name="grey"), layers.Flatten(), layers.Dense(12, "relu", name="one")]
    return keras.Sequential([keras.Input(shape), *places, layers.Dense(outputs, name="two")])


def channels_first(shape, outputs):
    stack = [layers.Reshape((8, 8)), layers.Flatten("channels_first"), layers.Dense(20, "tanh", name="one")]
    return keras.Sequential([keras.Input(shape), *stack, layers.Dense(outputs, name="two")])


def open_size(shape, outputs):
    """Take images of any height."""
    stack = [layers.Conv1D(6, 3, activation="relu", name="one"), layers.GlobalAveragePooling1D()]
    return keras.Sequential([keras.Input((None, *shape[1:])), *stack, layers.Dense(outputs, name="two")])


def numbers(digits, scale=1.0, shape=(64,)):
    """Return digits as floats of a shape, a table's if left out."""
    x_train, x_test = (x.reshape(-1, *shape).astype(np.float32) * scale for x in (digits.x_train, digits.x_test))
    return x_train, digits.y_train, x_test, digits.y_test


def by_plain_keras(build, arrays, weights):
    """Return loss and accuracy on the test set of the network, built anew and given the stored weights."""
    _, _, x, y = arrays
    model = build(x.shape[1:], 10)
    for layer in model.layers:
        layer.set_weights([weights[f"{layer.name}/{variable.name}"] for variable in layer.variables])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model.evaluate(x, y, batch_size=len(x), verbose=0)


@pytest.mark.parametrize("build", [squares, shared, embedded, channels_first, open_size])
def test_what_is_stored_is_what_the_network_gives(digits, tmp_path, build):
    """Six rounds with the engine left to choose, below the density where chains of dense layers change engines."""
    arrays = numbers(digits, 1 if build is embedded else 1 / 16, (8, 8) if build is open_size else (64,))
    spec = ImpSpec(**SETTINGS, engine="auto", prune_rate=0.3)
    run, failures = launch.run(spec, [0], processes=0, models_dir=tmp_path, build=build, arrays=arrays)
    assert failures == {}
    assert run.rounds(0) == list(range(7))
    for record in run.records():
        loss, accuracy = by_plain_keras(build, arrays, record.weights)
        assert record.attributes["test_accuracy"] == pytest.approx(accuracy, abs=1e-6)
        assert record.attributes["test_loss"] == pytest.approx(loss, rel=1e-4)
        assert (record.attributes["engine"], record.attributes["chain"]) == ("dense", build is open_size)
    assert record.attributes["density"] < 0.2


def test_a_lookup_is_trained_by_each_way_of_compiling(digits, monkeypatch):
    """Its gradient comes as rows; by hand, only the rows looked up move."""
    arrays = numbers(digits)
    dataset, spec = from_arrays("mine", *arrays), ImpSpec(**SETTINGS).resolved
    found = []
    for compiled in (False, True):
        monkeypatch.setattr(variables, "dense_only", lambda model, compiled=compiled: compiled)
        engine = DenseEngine(embedded((64,), 10), dataset, EngineSettings.of(spec))
        weights = variables.draw(engine.model, 0, "initialisation")
        engine.load(weights, masks.all_kept(weights, engine.paths))
        order = np.arange(spec.batch_size, dtype=np.int32)[np.newaxis]
        engine.train(order, np.ones(1, np.float32))
        found.append(engine.weights()["grey/embeddings"])
        moved = (found[-1] != weights["grey/embeddings"]).any(axis=1)
        seen = np.unique(dataset.x_train[order])
        assert set(np.flatnonzero(moved)) <= set(seen.astype(int))
        assert moved.any()
        _, gradients = engine.gradients(order[0])
        assert list(gradients) == engine.paths
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", ["snip", "grasp", "synflow"])
def test_a_network_with_a_lookup_is_pruned_before_training(digits, tmp_path, method):
    spec = PruningAtInitSpec(**{**SETTINGS, "rounds": 1}, method=method, prune_rate=0.5, scoring_samples=50)
    settings = {"models_dir": tmp_path, "build": embedded, "arrays": numbers(digits)}
    run, failures = launch.run(spec, [0], processes=0, **settings)
    assert (failures, run.rounds(0)) == ({}, [0, 1])


def test_engines_that_differ_are_noticed(digits, tmp_path, monkeypatch, capsys):
    """Code that changes what Keras's own layers do is beyond what can be read off a network."""
    call = layers.Dense.call
    monkeypatch.setattr(layers.Dense, "call", lambda self, inputs: keras.ops.sin(call(self, inputs)))

    def build(shape, outputs):
        return keras.Sequential([keras.Input(shape), layers.Dense(9, name="one"), layers.Dense(outputs, name="two")])

    arrays = numbers(digits, 1 / 16)
    settings = {"processes": 0, "models_dir": tmp_path, "build": build, "arrays": arrays}
    with pytest.raises(BadInput, match=r"`engine` must be auto or dense: own gives other outputs .*engine=sparse"):
        launch.run(ImpSpec(**{**SETTINGS, "rounds": 1}, engine="sparse"), [0], **settings)
    run, failures = launch.run(ImpSpec(**{**SETTINGS, "rounds": 3}, prune_rate=0.3), [0, 1], **settings)
    assert failures == {}
    assert {record.attributes["engine"] for record in run.records()} == {"dense"}
    assert capsys.readouterr().err.count("the dense engine trains every round: own gives other outputs") == 1
    for record in run.records():
        assert record.attributes["test_accuracy"] == pytest.approx(by_plain_keras(build, arrays, record.weights)[1])


def two_heads(shape, outputs):
    inputs = keras.Input(shape)
    x = layers.Dense(20, "relu", name="trunk")(inputs)
    left, right = (layers.Dense(outputs // 2, name=name)(x) for name in ("left", "right"))
    return keras.Model(inputs, layers.Concatenate()([left, right]))


def test_all_heads_have_the_output_layers_rate(digits, tmp_path):
    settings = {"processes": 0, "models_dir": tmp_path, "build": two_heads, "arrays": numbers(digits, 1 / 16)}
    run, _ = launch.run(ImpSpec(**{**SETTINGS, "rounds": 1}, prune_rate=0.4), [0], **settings)
    kept = {path: float(mask.mean()) for path, mask in run.round(0, 1).masks.items()}
    assert kept == {"trunk/kernel": 0.6, "left/kernel": 0.8, "right/kernel": 0.8}
    sparse = SparseTrainingSpec(dataset="mine", network="heads", iterations=6, update_every=2, dense_output=True)
    with pytest.raises(BadInput, match="`dense_output` must be left out with the 2 output layers left/kernel, right"):
        launch.run(sparse, [0], **settings)
