"""The sparse engine does what the dense one does: losses, weights, optimizer state, evaluation, whole chains."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from conftest import contents, only_run
from ticketlab.data.dataset import batches, from_arrays, standardised
from ticketlab.errors import BadInput
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.networks import variables
from ticketlab.networks.mlp import ACTIVATIONS, DenseLayer, dense_layers
from ticketlab.sparsity import masks
from ticketlab.training.context import Context
from ticketlab.training.dense_engine import DenseEngine
from ticketlab.training.engine import EngineSettings
from ticketlab.training.sparse_engine.engine import SparseEngine

STEPS = 50
ADAM = ImpSpec(dataset="digits", eval_every=STEPS).resolved
SGD = dataclasses.replace(ADAM, optimizer="sgd", learning_rate=0.1)
OPTIMIZERS = {
    "adam": ADAM,
    "sgd": SGD,
    "momentum": dataclasses.replace(SGD, momentum=0.9, learning_rate=0.03),
    "nesterov": dataclasses.replace(SGD, momentum=0.9, nesterov=True, learning_rate=0.03),
    "penalties": dataclasses.replace(ADAM, weight_decay=0.01, l1_penalty=1e-3),
}


def network(shape, outputs, activation="relu", bias=True):
    dense = [keras.layers.Dense(width, activation, name=f"dense_{width}", use_bias=bias) for width in (30, 20)]
    stack = [keras.Input(shape), keras.layers.Flatten(), *dense, keras.layers.Dense(outputs, name="output")]
    return keras.Sequential(stack)


def both(model, dataset, spec):
    settings = EngineSettings.of(spec)
    return DenseEngine(model, dataset, settings), SparseEngine(dense_layers(model), dataset, settings)


def ticket(model, density, seed=0):
    rng, initial = np.random.default_rng(seed), variables.draw(model, seed, "initialisation")
    mask = {path: rng.random(initial[path].shape) < density for path in variables.prunable(model)}
    return masks.apply(initial, mask), mask


def agree(ours, theirs):
    assert list(ours) == list(theirs)
    for path, value in theirs.items():
        np.testing.assert_allclose(ours[path], value, rtol=1e-4, atol=1e-4 * max(np.abs(value).max(), 1e-6))


def train_both(engines, spec, density):
    dense, sparse = engines
    weights, mask = ticket(dense.model, density)
    order = batches(dense.train_indices, spec.batch_size, 0, 0, STEPS)
    losses = []
    for engine in engines:
        engine.load(weights, mask)
        losses.append(engine.train(order, spec.learning_rates(0, STEPS)))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    trained = sparse.weights()
    agree(trained, dense.weights())
    assert any((trained[path] != weights[path]).any() for path in mask)
    assert all(not trained[path][~mask[path]].any() for path in mask)
    for part in ("validation", "test"):
        (loss, accuracy), (dense_loss, dense_accuracy) = sparse.evaluate(part), dense.evaluate(part)
        assert loss == pytest.approx(dense_loss, rel=1e-4)
        assert accuracy == pytest.approx(dense_accuracy, abs=0.01)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_agrees_with_the_dense_engine(tensorflow, digits, activation):
    engines = both(network(digits.input_shape, 10, activation), digits, ADAM)
    for density in (1, 0.3, 0.05):
        train_both(engines, ADAM, density)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in ("adam", "penalties")])
def test_every_optimizer_agrees_with_the_dense_engine(tensorflow, digits, name):
    spec = OPTIMIZERS[name]
    engines = both(network(digits.input_shape, 10), digits, spec)
    for density in (1, 0.3, 0.05):
        train_both(engines, spec, density)


def test_each_step_under_penalties_agrees_with_the_dense_engine(tensorflow, digits):
    """Each from one state, without a ReLU's kink or Adam's small divisors.

    An L1 penalty's gradient jumps where a weight changes its sign, and rounding decides in which step one does.
    """
    spec = dataclasses.replace(OPTIMIZERS["momentum"], weight_decay=0.01, l1_penalty=1e-3)
    dense, sparse = both(network(digits.input_shape, 10, "tanh"), digits, spec)
    order, rates = batches(dense.train_indices, spec.batch_size, 0, 0, STEPS), spec.learning_rates(0, STEPS)
    for density in (1, 0.3, 0.05):
        weights, mask = ticket(dense.model, density)
        state = None
        for step in range(STEPS):
            losses = []
            for engine in (dense, sparse):
                engine.load(weights, mask, state)
                losses.append(engine.train(order[step : step + 1], rates[step : step + 1]))
            assert losses[1] == pytest.approx(losses[0], rel=1e-4)
            agree(sparse.weights(), dense.weights())
            weights, state = dense.weights(), dense.optimizer_state()


@pytest.mark.parametrize("batch_size", [30, 100])
def test_batches_of_any_size(tensorflow, digits, batch_size):
    """Rows of 32 lanes, of which 30 are filled, and of 64, which a batch fills almost twice."""
    spec = dataclasses.replace(ADAM, batch_size=batch_size)
    train_both(both(network(digits.input_shape, 10), digits, spec), spec, 0.3)


def test_images_that_are_mostly_0_are_listed(tensorflow, digits):
    """Such inputs take another way into the rows; on it, too, pixels without a weight and seldom ones."""
    x_train, x_test = (np.where(x > 11, x, 0).astype(np.uint8) for x in (digits.x_train, digits.x_test))
    dataset = from_arrays("sparse", x_train, digits.y_train, x_test, digits.y_test)
    engines = both(network(digits.input_shape, 10), dataset, ADAM)
    assert not engines[1]._train_samples.inputs.size
    for density in (1, 0.3, 0.05):
        train_both(engines, ADAM, density)


def test_a_regression(tensorflow):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((240, 6)).astype(np.float32)
    y = np.tanh(x[:, :2]) + 0.1 * rng.standard_normal((240, 2))
    engines = both(network((6,), 2, "tanh"), from_arrays("numbers", x[:200], y[:200], x[200:], y[200:]), ADAM)
    train_both(engines, ADAM, 0.5)


def test_layers_without_biases(tensorflow, digits):
    train_both(both(network(digits.input_shape, 10, bias=False), digits, ADAM), ADAM, 0.3)


@pytest.mark.parametrize("name", ["adam", "momentum"])
def test_weights_and_optimizer_state_go_on_where_they_were(tensorflow, digits, name):
    """The same bits with a pause as without; and from a state of the other engine, the same numbers."""
    spec = OPTIMIZERS[name]
    dense, sparse = both(network(digits.input_shape, 10), digits, spec)
    weights, mask = ticket(dense.model, 0.3)
    order, rates = batches(dense.train_indices, 60, 0, 0, STEPS), spec.learning_rates(0, STEPS)
    sparse.load(weights, mask)
    sparse.train(order, rates)
    whole = sparse.weights(), sparse.optimizer_state()
    for first in (sparse, dense):
        first.load(weights, mask)
        first.train(order[:20], rates[:20])
        sparse.load(first.weights(), mask, first.optimizer_state())
        sparse.train(order[20:], rates[20:])
        for ours, uninterrupted in zip((sparse.weights(), sparse.optimizer_state()), whole, strict=True):
            agree(ours, uninterrupted)
            if first is sparse:
                assert all(np.array_equal(ours[path], uninterrupted[path]) for path in ours)


def test_what_leads_nowhere_keeps_what_dense_training_would_give(tensorflow, digits):
    """A unit without outgoing weights, an input without any, a layer without inputs; with and without penalties."""
    for spec in (OPTIMIZERS["adam"], OPTIMIZERS["penalties"]):
        dense, sparse = both(network(digits.input_shape, 10), digits, spec)
        weights, mask = ticket(dense.model, 0.5)
        mask["dense_30/kernel"][:, :5] = False
        mask["dense_30/kernel"][:7] = False
        mask["dense_20/kernel"][10:15] = False
        mask["output/kernel"][3:6] = False
        for engine in (dense, sparse):
            engine.load(masks.apply(weights, mask), mask)
            engine.train(batches(dense.train_indices, 60, 0, 0, STEPS), spec.learning_rates(0, STEPS))
        agree(sparse.weights(), dense.weights())
    nothing = {path: np.zeros_like(each) for path, each in mask.items()}
    sparse.load(masks.apply(weights, nothing), nothing)
    assert sparse.evaluate("test")[0] == pytest.approx(np.log(10))


def test_which_networks_are_chains_of_dense_layers(tensorflow):
    layers = keras.layers
    with_activations = keras.Sequential(
        [
            keras.Input((4, 4)),
            layers.Reshape((16,)),
            layers.Dense(5, name="a", use_bias=False),
            layers.ReLU(),
            layers.Dense(3, "tanh", name="b"),
            layers.Dense(2, name="c"),
        ]
    )
    assert dense_layers(with_activations) == [
        DenseLayer("a/kernel", None, (16, 5), "relu"),
        DenseLayer("b/kernel", "b/bias", (5, 3), "tanh"),
        DenseLayer("c/kernel", "c/bias", (3, 2), "linear"),
    ]
    inputs = keras.Input((4,))
    hidden = layers.Dense(4)(inputs)
    strange = {
        "skip": keras.Model(inputs, layers.Dense(2)(layers.Add()([inputs, hidden]))),
        "normalised": keras.Model(inputs, layers.Dense(2)(layers.BatchNormalization()(hidden))),
        "scaled": keras.Model(inputs, layers.Dense(2)(layers.Rescaling(2.0)(inputs))),
        "leaky": keras.Model(inputs, layers.Dense(2)(layers.LeakyReLU()(hidden))),
        "bounded": keras.Model(inputs, layers.Dense(2)(layers.ReLU(max_value=6)(hidden))),
        "swish": keras.Model(inputs, layers.Dense(2)(layers.Dense(3, "swish")(inputs))),
        "convolution": keras.Sequential(
            [keras.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)]
        ),
        "dense on rows": keras.Sequential([keras.Input((4, 4)), layers.Dense(3), layers.Flatten(), layers.Dense(2)]),
    }
    assert [name for name, model in strange.items() if dense_layers(model)] == []


def test_the_engine_is_a_matter_of_spec_network_and_density(tensorflow, digits):
    chain = network(digits.input_shape, 10)
    other = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    other.add(keras.layers.Dense(10))
    at = {density: ticket(chain, density)[1] for density in (1, 0.5)}

    def chosen(model, density, **settings):
        return Context(ImpSpec(dataset="digits", **settings), model, digits).choose(at[density])

    assert [chosen(chain, density) for density in at] == ["dense", "sparse"]
    assert [chosen(chain, density, engine="sparse") for density in at] == ["sparse", "sparse"]
    assert [chosen(chain, density, engine="dense") for density in at] == ["dense", "dense"]
    assert chosen(chain, 0.5, break_even_density=0.4) == "dense"
    assert chosen(other, 0.5) == "dense"
    with pytest.raises(BadInput, match=r"is not a chain of dense layers\. Received: engine=sparse"):
        chosen(other, 0.5, engine="sparse")


def test_divergence_is_said_by_the_sparse_engine_too(inline, tmp_path):
    done = inline(tmp_path, *TINY, "--engine", "sparse", "--optimizer", "sgd", "--learning-rate", 1e9)
    assert done.returncode == 1
    assert "training diverged" in done.stdout + done.stderr


TINY = ("--network", "fcn_20", "--dataset", "digits", "--iterations", 40, "--eval-every", 20, "--rounds", 3)


def test_chains_record_their_engines_and_hardly_differ(inline, tmp_path):
    """Rounds above the break-even density are those of the dense engine to the bit."""
    runs = {}
    for name in ("auto", "dense", "sparse"):
        assert inline(tmp_path, *TINY, "--engine", name, "--models-dir", name).returncode == 0
        runs[name] = only_run(tmp_path / name)
    engines = {name: [record.attributes["engine"] for record in run.records()] for name, run in runs.items()}
    assert engines == {"auto": ["dense"] * 2 + ["sparse"] * 2, "dense": ["dense"] * 4, "sparse": ["sparse"] * 4}
    assert all(json.loads(run.round(0, 3).attributes["spec"])["engine"] == name for name, run in runs.items())
    for round in range(4):
        records = {name: run.round(0, round) for name, run in runs.items()}
        losses = [record.attributes["test_loss"] for record in records.values()]
        assert losses == pytest.approx([losses[0]] * 3, rel=1e-3)
        if round < 2:
            auto, dense = (records[name].weights for name in ("auto", "dense"))
            assert all(np.array_equal(auto[path], dense[path]) for path in dense)


def test_sparse_rounds_have_the_same_bits_here_and_in_two_workers(inline, tmp_path):
    line = (*TINY, "--engine", "sparse", "--seeds", "0-1")
    for name, processes in (("none", 0), ("two", 2)):
        done = inline(tmp_path, *line, "--models-dir", name, processes=processes)
        assert done.returncode == 0, done.stderr
    assert contents(only_run(tmp_path / "none")) == contents(only_run(tmp_path / "two"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--engine", "sparse"), "`engine` must be auto or dense: conv2 is not a chain of dense layers"),
        (("--engine", "fast"), "invalid choice: 'fast'"),
        (
            ("--engine", "dense", "--break-even-density", 0.5),
            "`break_even_density` must be left out without the engine",
        ),
        (("--break-even-density", 1.5), "`break_even_density` must be in (0, 1]"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(inline, images, tmp_path, flags, message):
    done = inline(
        tmp_path, "--network", "conv2", "--dataset", "small", "--data-dir", images, *flags, script="cnn_imp.py"
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("inputs", ["unit", "standardised"])
def test_gradients_of_all_weights_agree(tensorflow, digits, inputs, activation):
    """Those of weights from units without outputs as well, whose values change nothing until such a weight grows."""
    dataset = standardised(digits) if inputs == "standardised" else digits
    engines = both(network(dataset.input_shape, 10, activation), dataset, ADAM)
    for density in (1, 0.3, 0.05, 0.02):
        weights, mask = ticket(engines[0].model, density)
        (chosen,) = batches(engines[0].train_indices, ADAM.batch_size, 0, 0, 1)
        for engine in engines:
            engine.load(weights, mask)
            before = engine.weights()
            engine.train(batches(engines[0].train_indices, ADAM.batch_size, 0, 1, 20), ADAM.learning_rates(1, 20))
        engines[1].load(engines[0].weights(), mask, engines[0].optimizer_state())
        (loss, gradients), (dense_loss, dense_gradients) = (engine.gradients(chosen) for engine in engines[::-1])
        assert loss == pytest.approx(dense_loss, rel=1e-4)
        agree(gradients, dense_gradients)
        assert density == 1 or any(gradient[~mask[path]].any() for path, gradient in gradients.items())
        unchanged, states = engines[1].weights(), [engine.optimizer_state() for engine in engines]
        agree(unchanged, engines[0].weights())
        assert [state["steps"] for state in states] == [19, 19]
        assert any((unchanged[path] != before[path]).any() for path in mask)
