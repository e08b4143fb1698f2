"""The compiled loop: equal to plain Keras training, exactly sparse, with the optimizer that was asked for."""

import dataclasses

import keras
import numpy as np
import pytest

from ticketlab.data.dataset import batches, from_arrays, split
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.networks import variables
from ticketlab.runs import spec as runs_spec
from ticketlab.sparsity import masks
from ticketlab.training.context import ENGINES
from ticketlab.training.dense_engine import DenseEngine
from ticketlab.training.engine import EngineSettings

ADAM = ImpSpec(dataset="digits", eval_every=20).resolved
SGD = ImpSpec(dataset="digits", eval_every=20, optimizer="sgd", learning_rate=0.1).resolved
MOMENTUM = dataclasses.replace(SGD, momentum=0.9, nesterov=True)


def start(engine, seed=0):
    initial = variables.draw(engine.model, seed, "initialisation")
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
        model = keras.Model(inputs, keras.layers.Dense(len(dataset.classes), name="two")(hidden))
        return DenseEngine(model, dataset, EngineSettings.of(spec))

    return small


@pytest.mark.parametrize("spec", [ADAM, SGD, MOMENTUM], ids=["adam", "sgd", "nesterov"])
def test_density_1_equals_plain_keras_training(make, digits, spec):
    """The same batches through Keras's own train_on_batch give the same weights."""
    engine = make(spec)
    initial, all_kept = start(engine)
    order = batches(engine.train_indices, spec.batch_size, 0, 0, 20)
    engine.load(initial, all_kept)
    engine.train(order, spec.learning_rates(0, 20))
    ours = engine.weights()

    plain = make(spec).model
    for path, variable in variables.carried(plain).items():
        variable.assign(initial[path])
    rate = {"adam": keras.optimizers.Adam(1.2e-3)}.get(
        spec.optimizer, keras.optimizers.SGD(0.1, momentum=spec.momentum, nesterov=spec.nesterov)
    )
    plain.compile(rate, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    for batch in order:
        plain.train_on_batch(digits.x_train[batch].astype(np.float32) / 16, digits.y_train[batch])
    for path, variable in variables.carried(plain).items():
        np.testing.assert_allclose(ours[path], variable.numpy(), rtol=2e-4, atol=2e-6)


def test_learning_rate_and_momentum_reach_the_optimizer(make):
    """One SGD step moves by the rate times the gradient; a second one with momentum moves further."""
    weights = {}
    for spec in (SGD, dataclasses.replace(SGD, learning_rate=0.2), dataclasses.replace(SGD, momentum=0.9)):
        engine = make(spec)
        initial, all_kept = start(engine)
        order = np.tile(engine.train_indices[: spec.batch_size], (2, 1))
        engine.load(initial, all_kept)
        engine.train(order[:1], spec.learning_rates(0, 1))
        once = engine.weights()["one/kernel"] - initial["one/kernel"]
        engine.train(order[1:], spec.learning_rates(1, 2))
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
    engine.train(batches(engine.train_indices, spec.batch_size, 0, 0, 20), spec.learning_rates(0, 20))
    trained, slots, mask = engine.weights(), engine.optimizer_state(), half(initial, engine)
    engine.load(trained, mask, slots)  # momentum from dense training
    for _ in range(3):
        engine.train(batches(engine.train_indices, spec.batch_size, 0, 20, 30), spec.learning_rates(20, 30))
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
        engine.train(batches(engine.train_indices, 60, 0, 0, steps), ADAM.learning_rates(0, steps))
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
    _, validation = split(len(digits.x_train))
    x_train = digits.x_train.copy()
    x_train[validation] = 16 - x_train[validation]
    results = []
    for dataset in (digits, dataclasses.replace(digits, x_train=x_train)):
        engine = make(ADAM, dataset)
        engine.load(*start(engine))
        loss = engine.train(batches(engine.train_indices, 60, 0, 0, 20), ADAM.learning_rates(0, 20))
        results.append((loss, engine.evaluate("validation"), engine.evaluate("test")))
    assert results[0][0] == results[1][0]
    assert results[0][1] != results[1][1]
    assert results[0][2] == results[1][2]


def test_both_parts_are_evaluated_by_one_function_and_steps_by_another(tensorflow):
    """Though they differ in their number of samples, which would compile it twice."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8000, 4)).astype(np.float32), np.arange(8000) % 3
    dataset = from_arrays("mine", x[:7200], y[:7200], x[7200:], y[7200:])
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="one")])
    engine = DenseEngine(model, dataset, EngineSettings())
    engine.load(*start(engine))
    validation = split(7200)[1]
    for part, (inputs, labels) in {"validation": (x[validation], y[validation]), "test": (x[7200:], y[7200:])}.items():
        logits = model(inputs).numpy().astype(np.float64)
        expected = (np.log(np.exp(logits).sum(1)) - logits[np.arange(len(logits)), labels]).mean()
        loss, accuracy = engine.evaluate(part)
        assert loss == pytest.approx(expected, rel=1e-5)
        assert accuracy == (logits.argmax(1) == labels).mean()
    assert engine._evaluate.experimental_get_tracing_count() == 1
    assert engine._train.experimental_get_tracing_count() == 1


def test_specs_that_compute_alike_have_the_same_settings_and_others_do_not():
    same = [ADAM, dataclasses.replace(ADAM, iterations=77, eval_every=3, learning_rate=0.5, patience=2, prune_rate=0.1)]
    assert len({EngineSettings.of(spec) for spec in same}) == 1
    changes = [{"batch_size": 7}, {"weight_decay": 0.1}, {"l1_penalty": 0.1}, {"optimizer": "sgd"}]
    changes += [{"optimizer": "sgd", "momentum": 0.9}, {"optimizer": "sgd", "momentum": 0.9, "nesterov": True}]
    other = {EngineSettings.of(dataclasses.replace(ADAM, **each)) for each in changes}
    assert len(other | {EngineSettings.of(ADAM)}) == 7
    assert EngineSettings.of(SparseTrainingSpec(method="snfs", density=0.1).resolved).averages


def test_each_engine_that_a_spec_may_name_has_its_entry():
    assert {"auto", *ENGINES} == set(runs_spec.ENGINES)
