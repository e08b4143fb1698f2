"""Pruning before training: scores against direct differentiation and by hand; exact, nested, repeatable masks."""

import itertools
import math

import keras
import numpy as np
import pytest

from ticketlab.errors import BadInput, TicketlabError
from ticketlab.experiments.pruning_at_init.saliency import (
    DISTRIBUTIONS,
    SALIENCIES,
    prune_before_training,
    saliency_scores,
)
from ticketlab.networks import variables
from ticketlab.sparsity import distributions, masks

pytestmark = pytest.mark.usefixtures("tensorflow")


def network(inputs=(6, 6, 1), units=(7, 5), activation="relu", classes=3):
    """A convolution where the input has channels, then dense layers."""
    entry = keras.Input(inputs)
    hidden = keras.layers.Conv2D(4, 3, activation=activation, name="conv")(entry) if len(inputs) == 3 else entry
    hidden = keras.layers.Flatten()(hidden)
    for number, size in enumerate(units):
        hidden = keras.layers.Dense(size, activation, kernel_initializer="glorot_normal", name=f"dense_{number}")(
            hidden
        )
    return keras.Model(entry, keras.layers.Dense(classes, name="out")(hidden))


def kernels_of(model, seed=0):
    drawn = variables.draw(model, seed, "initialisation")
    return {path: drawn[path] for path in variables.prunable(model)}


def batch(model, samples=20, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((samples, *model.input_shape[1:])).astype(np.float32)
    return x, rng.integers(model.output_shape[1], size=samples)


def functions(model, data=None):
    """The mean loss on a batch and the flow of an all-ones input, as functions of the kernels; biases are 0."""
    import tensorflow as tf

    x, y = batch(model) if data is None else data
    zeros = {path: tf.zeros(variable.shape) for path, variable in variables.carried(model).items()}
    ones = tf.ones((1, *model.input_shape[1:]))

    def logits(kernels, inputs):
        return model.stateless_call(list({**zeros, **kernels}.values()), [], inputs)[0]

    def loss(kernels):
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits(kernels, x)))

    return loss, lambda kernels: tf.reduce_sum(logits(kernels, ones))


def scores_of(method, model, weights, present=None, data=None):
    present = present or masks.all_kept(weights, weights)
    return saliency_scores(method, weights, present, *functions(model, data), np.random.default_rng(0))


def half(weights, seed=0):
    rng = np.random.default_rng(seed)
    return {path: rng.random(value.shape) < 0.5 for path, value in weights.items()}


def direct(model, weights):
    """Gradient and Hessian–gradient product of the batch's loss, by two nested tapes on the model's own variables."""
    import tensorflow as tf

    places, (x, y) = variables.carried(model), batch(model)
    for path, variable in places.items():
        variable.assign(weights.get(path, np.zeros(variable.shape)))
    kernels = [places[path].value for path in weights]
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, model(x), from_logits=True))
        gradient = inner.gradient(loss, kernels)
    product = outer.gradient(gradient, kernels, output_gradients=[tf.constant(each.numpy()) for each in gradient])
    return tuple(
        {path: each.numpy() for path, each in zip(weights, parts, strict=True)} for parts in (gradient, product)
    )


def close(found, expected):
    for path, values in expected.items():
        np.testing.assert_allclose(found[path], values, rtol=1e-5, atol=1e-5 * np.abs(values).max())


def test_snip_and_grasp_agree_with_direct_differentiation():
    model = network()
    weights = kernels_of(model)
    gradient, product = direct(model, weights)
    assert all(np.abs(each).max() > 0 for each in product.values())
    close(scores_of("snip", model, weights), {path: abs(gradient[path] * weights[path]) for path in weights})
    close(scores_of("grasp", model, weights), {path: weights[path] * product[path] for path in weights})


def test_grasp_agrees_with_an_explicit_hessian():
    """All second derivatives of a network of 17 smooth weights, and of the same network half masked."""
    import tensorflow as tf

    model = network(inputs=(3,), units=(3,), activation="tanh", classes=2)
    weights = kernels_of(model)
    (loss, _), sizes = functions(model), [value.size for value in weights.values()]
    shapes = [value.shape for value in weights.values()]
    for present in (masks.all_kept(weights, weights), half(weights)):
        flat = tf.constant(np.concatenate([each.ravel() for each in masks.apply(weights, present).values()]))
        kept = np.concatenate([mask.ravel() for mask in present.values()])
        with tf.GradientTape() as outer:
            outer.watch(flat)
            with tf.GradientTape() as inner:
                inner.watch(flat)
                parts = zip(weights, tf.split(flat, sizes), shapes, strict=True)
                value = loss({path: tf.reshape(part, shape) for path, part, shape in parts})
            gradient = inner.gradient(value, flat)
        hessian = outer.jacobian(gradient, flat).numpy()[np.ix_(kept, kept)]
        expected = flat.numpy()[kept] * (hessian @ gradient.numpy()[kept])
        found = scores_of("grasp", model, weights, present)
        np.testing.assert_allclose(
            np.concatenate([each.ravel() for each in found.values()])[kept], expected, rtol=1e-5, atol=1e-8
        )


def test_synflow_sums_the_products_along_all_paths():
    """Tanaka et al. 2020: a linear network of 4-3-2 units, its paths written out, one of its weights masked."""
    model = network(inputs=(4,), units=(3,), activation="linear", classes=2)
    weights = kernels_of(model)
    first, last = weights
    present = masks.all_kept(weights, weights)
    present[first][1, 2] = False
    expected = {path: np.zeros(value.shape) for path, value in weights.items()}
    for i, j, k in itertools.product(range(4), range(3), range(2)):
        product = abs(weights[first][i, j] * present[first][i, j] * weights[last][j, k])
        expected[first][i, j] += product
        expected[last][j, k] += product
    close(scores_of("synflow", model, weights, present), expected)


@pytest.mark.parametrize("method", SALIENCIES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_counts_are_exact(method, distribution):
    model = network()
    weights, (loss, flow) = kernels_of(model), functions(model)
    shapes = {path: value.shape for path, value in weights.items()}
    for density, steps in ((1.0, 1), (0.37, 2), (0.05, 5)):
        settings = {"method": method, "density": density, "distribution": distribution, "steps": steps}
        found = prune_before_training(weights, loss, flow, **settings, rng=np.random.default_rng(0))
        assert {path: mask.shape for path, mask in found.items()} == shapes
        assert masks.kept(found) == round(density * masks.total(found))
        if distribution != "global":
            wanted = distributions.DISTRIBUTIONS[distribution](shapes, density)
            assert all(abs(mask.sum() - wanted[path] * mask.size) < 1 for path, mask in found.items())


@pytest.mark.parametrize("method", SALIENCIES)
def test_the_same_twice_and_nothing_given_is_changed(method):
    model = network()
    weights, (loss, flow) = kernels_of(model), functions(model)

    def found():
        settings = {"method": method, "density": 0.2, "steps": 2, "rng": np.random.default_rng(3)}
        return prune_before_training(weights, loss, flow, **settings)

    first, second, untouched = found(), found(), kernels_of(model)
    assert all((first[path] == second[path]).all() and (weights[path] == untouched[path]).all() for path in weights)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_steps_are_nested_and_geometric_and_masked_weights_are_exact_zeros(distribution):
    """Seen from inside the flow: what is 0 in a step stays 0, and step k keeps a share d^(k/n)."""
    model = network()
    weights, (loss, flow) = kernels_of(model), functions(model)
    seen = []

    def watched(kernels):
        seen.append({path: value.numpy() != 0 for path, value in kernels.items()})
        return flow(kernels)

    settings = {"method": "synflow", "density": 0.1, "distribution": distribution, "steps": 5}
    seen.append(prune_before_training(weights, loss, watched, **settings, rng=np.random.default_rng(0)))
    assert len(seen) == 6
    for larger, smaller in itertools.pairwise(seen):
        assert all((smaller[path] <= larger[path]).all() for path in weights)
    for step, present in enumerate(seen):
        if distribution == "global":
            assert masks.kept(present) == round(
                masks.total(present) * (masks.kept(seen[-1]) / masks.total(present)) ** (step / 5)
            )
        for path, mask in present.items() if distribution != "global" else ():
            assert mask.sum() == round(mask.size * (seen[-1][path].sum() / mask.size) ** (step / 5))


def test_synflow_in_100_steps_collapses_no_layer_where_one_step_does():
    """Tanaka et al. 2020, figure 1: at density .01 of seven layers one step keeps the last layer alone."""
    model = network(inputs=(8, 8), units=(100,) * 6, classes=10)
    weights, (loss, flow) = kernels_of(model), functions(model)
    settings = {"method": "synflow", "density": 0.01, "rng": np.random.default_rng(0)}
    at_once = prune_before_training(weights, loss, flow, **settings, steps=1)
    assert [bool(mask.any()) for mask in at_once.values()] == [False] * 6 + [True]
    found = prune_before_training(weights, loss, flow, **settings)
    assert masks.kept(found) == masks.kept(at_once) == 574
    assert min(mask.sum() for mask in found.values()) > 50


def test_synflow_is_conserved_at_hidden_units():
    """Tanaka et al. 2020, theorem 1: the scores into a hidden unit add up to the scores out of it."""
    model = network(inputs=(8,), units=(7, 5))
    found = list(scores_of("synflow", model, kernels_of(model)).values())
    for into, out in itertools.pairwise(found):
        np.testing.assert_allclose(into.sum(axis=0), out.sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("method", ["snip", "grasp"])
def test_scores_that_are_no_numbers_are_told_in_one_line(method):
    model = network()
    x, y = batch(model)
    with pytest.raises(TicketlabError, match=f"^scores of the method {method} must be finite .* nan in conv/kernel$"):
        scores_of(method, model, kernels_of(model), data=(x * np.float32(math.inf), y))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "snap"}, "`method` must be one of random, magnitude, snip, grasp, synflow. Received: method=snap"),
        ({"distribution": "erx"}, "`distribution` must be one of global, uniform, er, erk. Received: distribution=erx"),
        ({"density": 0.0}, "`density` must be in (0, 1]. Received: density=0.0"),
        ({"density": 0.005}, "`density` must keep a weight for each of 4 layers. Received: density=0.005"),
        ({"steps": 0}, "`steps` must be greater than 0. Received: steps=0"),
    ],
)
def test_mistakes_are_told_in_one_line(settings, message):
    model = network()
    settings = {"method": "magnitude", "density": 0.5, "rng": np.random.default_rng(0), **settings}
    with pytest.raises(BadInput) as raised:
        prune_before_training(kernels_of(model), *functions(model), **settings)
    assert str(raised.value) == message
