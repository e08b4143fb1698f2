"""The compiled loop: equal to plain Keras training, exactly sparse, with the optimizer that was asked for."""

import dataclasses

import keras
import numpy as np
import pytest

from ticketlab import data, masks, networks
from ticketlab.engine import Engine
from ticketlab.kinds import ImpSpec

ADAM = ImpSpec(dataset="digits", eval_every=20)
SGD = ImpSpec(dataset="digits", eval_every=20, optimizer="sgd", learning_rate=0.1)
MOMENTUM = dataclasses.replace(SGD, momentum=0.9, nesterov=True)


def start(engine, seed=0):
    initial = networks.draw(engine.model, seed, "initialisation")
    return initial, masks.all_kept(initial, engine.paths)


def half(initial, engine, seed=0):
    rng = np.random.default_rng(seed)
    return {path: rng.random(initial[path].shape) < 0.5 for path in engine.paths}


@pytest.fixture
def make(digits, tensorflow):
    """Make an engine of a small network for a spec."""

    def small(spec, dataset=digits):
        inputs = keras.Input(dataset.input_shape)
        hidden = keras.layers.Dense(12, "relu", name="one")(keras.layers.Flatten()(inputs))
        return Engine(keras.Model(inputs, keras.layers.Dense(len(dataset.classes), name="two")(hidden)), dataset, spec)

    return small


@pytest.mark.parametrize("spec", [ADAM, SGD, MOMENTUM], ids=["adam", "sgd", "nesterov"])
def test_density_1_equals_plain_keras_training(make, digits, spec):
    """The same batches through Keras's own train_on_batch give the same weights."""
    engine = make(spec)
    initial, all_kept = start(engine)
    order = data.batches(engine.train_indices, spec.batch_size, 0, 0, 20)
    engine.load(initial, all_kept)
    engine.train(order)
    ours = engine.weights()

    plain = make(spec).model
    for path, variable in networks.variables(plain).items():
        variable.assign(initial[path])
    rate = {"adam": keras.optimizers.Adam(1.2e-3)}.get(
        spec.optimizer, keras.optimizers.SGD(0.1, momentum=spec.momentum, nesterov=spec.nesterov)
    )
    plain.compile(rate, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    for batch in order:
        plain.train_on_batch(digits.x_train[batch].astype(np.float32) / 16, digits.y_train[batch])
    for path, variable in networks.variables(plain).items():
        np.testing.assert_allclose(ours[path], variable.numpy(), rtol=2e-4, atol=2e-6)


def test_learning_rate_and_momentum_reach_the_optimizer(make):
    """One SGD step moves by the rate times the gradient; a second one with momentum moves further."""
    weights = {}
    for spec in (SGD, dataclasses.replace(SGD, learning_rate=0.2), dataclasses.replace(SGD, momentum=0.9)):
        engine = make(spec)
        initial, all_kept = start(engine)
        order = np.tile(engine.train_indices[: spec.batch_size], (2, 1))
        engine.load(initial, all_kept)
        engine.train(order[:1])
        once = engine.weights()["one/kernel"] - initial["one/kernel"]
        engine.train(order[1:])
        weights[spec] = once, engine.weights()["one/kernel"] - initial["one/kernel"]
    (once, twice), (doubled, _), (same, further) = weights.values()
    np.testing.assert_allclose(doubled, 2 * once, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(same, once, rtol=1e-4, atol=1e-7)
    assert np.abs(further).sum() > 1.3 * np.abs(twice).sum()


@pytest.mark.parametrize("spec", [ADAM, MOMENTUM], ids=["adam", "momentum"])
def test_masked_weights_stay_exactly_zero(make, spec):
    """Not through momentum, not through weights that were not masked when they were loaded."""
    engine = make(spec)
    initial, all_kept = start(engine)
    engine.load(initial, all_kept)
    engine.train(data.batches(engine.train_indices, spec.batch_size, 0, 0, 20))
    trained, slots, mask = engine.weights(), engine.optimizer_state(), half(initial, engine)
    engine.load(trained, mask, slots)  # momentum from dense training
    for _ in range(3):
        engine.train(data.batches(engine.train_indices, spec.batch_size, 0, 20, 30))
        for path, value in engine.weights().items():
            if path in mask:
                assert not value[~mask[path]].any()
                assert not np.signbit(value[~mask[path]]).any()
                assert value[mask[path]].all()


def test_new_masks_and_shorter_stretches_cost_no_retracing(make):
    engine = make(ADAM)
    initial, all_kept = start(engine)
    for seed, steps in enumerate((20, 7, 1, 20)):
        engine.load(initial, half(initial, engine, seed) if seed else all_kept)
        engine.train(data.batches(engine.train_indices, 60, 0, 0, steps))
        engine.evaluate("validation")
    assert engine._train.experimental_get_tracing_count() == 1


def test_evaluation_is_the_mean_over_every_sample(make, digits):
    """Neither the padding nor a short last chunk changes loss and accuracy."""
    engine = make(ADAM)
    initial, all_kept = start(engine)
    engine.load(initial, all_kept)
    logits = engine.model(digits.x_test.astype(np.float32) / 16).numpy().astype(np.float64)
    log_sums = np.log(np.exp(logits).sum(1))
    expected = (log_sums - logits[np.arange(len(logits)), digits.y_test]).mean()
    loss, accuracy = engine.evaluate("test")
    assert loss == pytest.approx(expected, rel=1e-5)
    assert accuracy == (logits.argmax(1) == digits.y_test).mean()


def test_validation_uses_the_validation_samples(make, digits):
    """Other values in the validation samples change nothing but the validation loss."""
    _, validation = data.split(len(digits.x_train))
    x_train = digits.x_train.copy()
    x_train[validation] = 16 - x_train[validation]
    results = []
    for dataset in (digits, dataclasses.replace(digits, x_train=x_train)):
        engine = make(ADAM, dataset)
        engine.load(*start(engine))
        loss = engine.train(data.batches(engine.train_indices, 60, 0, 0, 20))
        results.append((loss, engine.evaluate("validation"), engine.evaluate("test")))
    assert results[0][0] == results[1][0]
    assert results[0][1] != results[1][1]
    assert results[0][2] == results[1][2]


def test_prunable_layers_are_found_by_type(tensorflow):
    """Earlier systems matched names, so that renamed layers silently stayed dense."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(3, 3, name="anything"),
            layers.BatchNormalization(name="dense_like_name"),
            layers.Flatten(),
            layers.Dense(4, name="kernelless"),
            layers.Dense(2, name="head"),
        ]
    )
    assert networks.prunable(model) == ["anything/kernel", "kernelless/kernel", "head/kernel"]
    assert not networks.dense_only(model)


def test_lenet_has_the_papers_weights(engine, tensorflow):
    model = networks.lenet_300_100((28, 28), 10)
    sizes = [int(np.prod(networks.variables(model)[path].shape)) for path in networks.prunable(model)]
    assert sizes == [235_200, 30_000, 1_000]
    assert networks.lenet_300_100((6,), 2).output_shape == (None, 2)


def test_initial_weights_are_gaussian_glorot_and_a_replicates_own(engine):
    """Earlier systems gave all replicates the same initial weights."""
    first, again, other = (networks.draw(engine.model, seed, "initialisation") for seed in (0, 0, 1))
    for path in first:
        assert np.array_equal(first[path], again[path])
    kernel = first["dense_1/kernel"]
    assert not np.array_equal(kernel, other["dense_1/kernel"])
    assert not np.array_equal(kernel, networks.draw(engine.model, 0, "fresh draw 1")["dense_1/kernel"])
    assert kernel.std() == pytest.approx((2 / (64 + 300)) ** 0.5, rel=0.02)
    assert kernel.mean() == pytest.approx(0, abs=0.002)
    assert not first["dense_1/bias"].any()
    assert abs(np.corrcoef(kernel.ravel(), first["dense_2/kernel"].ravel()[: kernel.size])[0, 1]) < 0.05
