"""Variables by path: what travels, what is pruned, how it is drawn."""

import keras
import numpy as np
import pytest
from keras import layers

from ticketlab.networks import architectures, requirements, variables
from ticketlab.sparsity import flops

pytestmark = pytest.mark.usefixtures("tensorflow")


def stack(*middle, **head):
    """Return a small network of the given layers between input and output."""
    return keras.Sequential([keras.Input((6,)), *middle, layers.Dense(3, name="head", **head)], name="mine")


def nested():
    inner = keras.Sequential([layers.Dense(4, name="one"), layers.BatchNormalization(name="norm")], name="inner")
    return stack(keras.Sequential([inner, layers.Dense(5, name="two")], name="outer"))


def test_paths_go_into_models_that_are_layers():
    model = nested()
    assert list(variables.carried(model)) == [
        "outer/inner/one/kernel",
        "outer/inner/one/bias",
        "outer/inner/norm/gamma",
        "outer/inner/norm/beta",
        "outer/inner/norm/moving_mean",
        "outer/inner/norm/moving_variance",
        "outer/two/kernel",
        "outer/two/bias",
        "head/kernel",
        "head/bias",
    ]
    statistics = {path for path in variables.carried(model) if "moving" in path}
    assert set(variables.carried(model)) - set(variables.trained(model)) == statistics
    assert variables.prunable(model) == ["outer/inner/one/kernel", "outer/two/kernel", "head/kernel"]
    assert variables.chained(model)
    assert not variables.dense_only(model)
    requirements.refuse(model, (6,), 3)


def test_prunable_layers_are_found_by_type():
    """Earlier systems matched names, so that renamed layers silently stayed dense."""

    class Mine(layers.Conv2D):
        pass

    model = keras.Sequential(
        [
            keras.Input((9, 9, 1)),
            Mine(3, 3, name="anything"),
            layers.BatchNormalization(name="dense_like_name"),
            layers.Conv2DTranspose(2, 2, name="transposed"),
            layers.Reshape((-1, 2)),
            layers.Conv1D(2, 2, name="line"),
            layers.Flatten(),
            layers.Dense(4, name="kernelless"),
            layers.Dense(2, name="head"),
        ]
    )
    assert variables.prunable(model) == ["anything/kernel", "line/kernel", "kernelless/kernel", "head/kernel"]
    assert "transposed/kernel" in variables.trained(model)
    assert not variables.chained(model)  # what the transposed convolution mixes stands in no mask
    requirements.refuse(model, (9, 9, 1), 2)


@pytest.mark.parametrize("name", ["lenet_300_100", "fcn_4", "lenet5", "conv2", "conv4", "conv6"])
def test_networks_of_the_house_are_chained(name):
    assert variables.chained(architectures.build(name, (16, 16), 10))


def branched(inputs):
    left, right = layers.Dense(4)(inputs), layers.Dense(4)(inputs)
    return layers.Concatenate()([left, right])


def added_by_an_operation(inputs):
    return keras.ops.add(layers.Dense(6)(inputs), inputs)


def used_twice(inputs):
    dense = layers.Dense(6)
    return dense(dense(inputs))


def model_used_twice(inputs):
    inner = keras.Sequential([layers.Dense(6)])
    return inner(inner(inputs))


def grouped(inputs):
    return layers.Flatten()(layers.Conv1D(4, 1, groups=2)(layers.Reshape((3, 2))(inputs)))


@pytest.mark.parametrize("wire", [branched, added_by_an_operation, used_twice, model_used_twice, grouped])
def test_what_is_no_plain_chain_is_not_chained(wire):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(3)(wire(inputs)))
    assert not variables.chained(model)
    requirements.refuse(model, (6,), 3)


def grows(sizes):
    images = keras.Input((*sizes, 2))
    line = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, strides=2, padding="same", name="image")(images))
    return keras.Model(images, layers.Dense(3, name="head")(line))


class Twice(keras.Sequential):
    """Calls all layers but the last twice, which its wiring does not say."""

    def call(self, inputs, training=None):
        for layer in self.layers[:-1]:
            inputs = layer(layer(inputs))
        return self.layers[-1](inputs)


@pytest.mark.parametrize(
    ("model", "shape", "layer", "head"),
    [
        (lambda: keras.Sequential([keras.Input((6,)), layers.Dense(6), layers.Dense(3)]), (6,), (1, 6), (1, 3)),
        (lambda: wired(used_twice), (6,), (2, 12), (1, 3)),
        (lambda: wired(model_used_twice), (6,), (2, 12), (1, 3)),
        (lambda: Twice([keras.Input((6,)), layers.Dense(6), layers.Dense(3)]), (6,), (2, 12), (1, 3)),
        (lambda: grows((10, 14)), (10, 14, 2), (5 * 7, 5 * 7 * 4), (1, 3)),
        (lambda: grows((None, None)), (10, 14, 2), (5 * 7, 5 * 7 * 4), (1, 3)),
    ],
)
def test_each_call_of_a_layer_costs(model, shape, layer, head):
    """By hand: (positions, outputs) of every call, added up; TensorFlow's profiler counts the same."""
    model = model()
    assert list(variables.costs(model, shape).values()) == [layer, head]
    assert list(variables.costs(model, shape).values()) == [layer, head], "the layers are left as they were"


def test_a_shared_layer_of_digits_by_hand():
    inputs = keras.Input((8, 8))
    shared, flat = layers.Dense(64, "relu"), layers.Flatten()(inputs)
    model = keras.Model(inputs, layers.Dense(10)(shared(shared(flat))))
    kept = {path: variables.carried(model)[path].value.numpy().size for path in variables.prunable(model)}
    assert flops.inference(variables.costs(model, (8, 8)), kept) == 2 * (2 * 64 * 64 + 64) + 2 * 64 * 10 + 10 == 17_802


def wired(wire):
    inputs = keras.Input((6,))
    return keras.Model(inputs, layers.Dense(3)(wire(inputs)))


def test_a_functional_chain_with_operations_is_chained():
    inputs = keras.Input((6,))
    hidden = keras.ops.relu(layers.BatchNormalization()(layers.Dense(4)(inputs)))
    assert variables.chained(keras.Model(inputs, layers.Dense(3)(hidden)))


def test_residual_networks_are_not_chained():
    model = architectures.build("resnet20", (8, 8), 10)
    assert not variables.chained(model)
    assert len(variables.prunable(model)) == 20
    assert len(variables.carried(model)) - len(variables.trained(model)) == 2 * 19


def test_all_that_is_carried_is_drawn_by_its_own_initialiser():
    model = stack(
        layers.Dense(200, name="wide", kernel_initializer=keras.initializers.RandomNormal(2.0, 0.5, seed=1)),
        layers.BatchNormalization(name="norm", gamma_initializer=keras.initializers.Constant(0.5)),
        layers.PReLU(name="slope"),
    )
    requirements.refuse(model, (6,), 3)
    for variable in model.variables:
        variable.assign(variable + 7)
    first, again, other = (variables.draw(model, seed, "initialisation") for seed in (0, 0, 1))
    assert list(first) == list(variables.carried(model))
    for path, array in first.items():
        assert array.dtype == np.float32
        assert array.shape == tuple(variables.carried(model)[path].shape)
        assert np.array_equal(array, again[path])
    assert not np.array_equal(first["wide/kernel"], other["wide/kernel"])  # whatever seed the layer's own was given
    assert not np.array_equal(first["wide/kernel"], variables.draw(model, 0, "fresh draw 1")["wide/kernel"])
    assert first["wide/kernel"].mean() == pytest.approx(2, abs=0.05)
    assert first["wide/kernel"].std() == pytest.approx(0.5, rel=0.1)
    assert (first["norm/gamma"] == 0.5).all()
    assert (first["norm/moving_variance"] == 1).all()
    assert not first["norm/moving_mean"].any()


def test_counting_costs_leaves_the_network_as_it_is():
    """A call that someone put in place of a layer's own, too; and sizes that a network leaves open are the sample's."""
    layer = layers.Conv1D(4, 3, name="line")
    call = layer.call = lambda inputs: keras.ops.square(layers.Conv1D.call(layer, inputs))
    stack = [keras.Input((None, 2)), layer, layers.GlobalAveragePooling1D(), layers.Dense(3, name="head")]
    costs = variables.costs(keras.Sequential(stack), (8, 2))
    assert {path: (cost.positions, cost.outputs) for path, cost in costs.items()} == {
        "line/kernel": (6, 24),
        "head/kernel": (1, 3),
    }
    assert layer.call is call


def test_lenets_initial_weights_are_gaussian_glorot_and_pinned():
    """Earlier systems gave all replicates the same initial weights; a finished run must find its own again."""
    drawn = variables.draw(architectures.build("lenet_300_100", (8, 8), 10), 0, "initialisation")
    kernel = drawn["dense_1/kernel"]
    assert kernel.std() == pytest.approx((2 / (64 + 300)) ** 0.5, rel=0.02)
    assert kernel.mean() == pytest.approx(0, abs=0.002)
    assert not drawn["dense_1/bias"].any()
    assert abs(np.corrcoef(kernel.ravel(), drawn["dense_2/kernel"].ravel()[: kernel.size])[0, 1]) < 0.05
    assert kernel[0, :3] == pytest.approx([0.01778480, -0.04172366, 0.15832282], rel=1e-5)
