"""How networks are wired: which are chains, which of dense layers alone, which layers give the output."""

from itertools import pairwise

import keras
import numpy as np
import pytest
from keras import layers

from ticketlab.networks import architectures, graph, variables
from ticketlab.networks.mlp import dense_layers

pytestmark = pytest.mark.usefixtures("tensorflow")
IMAGE = (6, 6, 2)


def model(*operations, shape=(6,)):
    """Return a functional model of operations, one after the other, and a dense layer."""
    inputs = x = keras.Input(shape)
    for operation in operations:
        x = operation(x)
    return keras.Model(inputs, layers.Dense(3, name="head")(x))


def images(*operations):
    return model(layers.Conv2D(4, 3), *operations, shape=IMAGE)


def hidden():
    return layers.Dense(6, "relu")


class Squared(layers.Dense):
    def call(self, inputs):
        return keras.ops.square(super().call(inputs))


class Backwards(keras.Sequential):
    def call(self, inputs, training=None, mask=None):
        return keras.ops.flip(super().call(inputs), axis=1)


def patched():
    layer = layers.Dense(4)
    layer.call = lambda inputs: keras.ops.square(inputs[:, :4])
    return layer


def patched_model():
    """A model whose call is another than its wiring says."""
    found = model(hidden())
    found.call = lambda inputs, training=None, mask=None: inputs[:, ::-1]
    return found


OF_DENSE_LAYERS = {
    "plain": lambda: model(hidden()),
    "flattened": lambda: model(layers.Flatten(), hidden(), shape=(4, 4)),
    "flat already": lambda: model(layers.Flatten("channels_first"), hidden()),
    "reshaped": lambda: model(layers.Reshape((2, 8)), layers.Flatten(), hidden(), shape=(4, 4)),
    "activation": lambda: model(layers.Dense(6), layers.Activation("tanh"), hidden()),
    "operations": lambda: model(layers.Dense(6), keras.ops.relu, layers.Dense(6), keras.ops.tanh),
    "Sequential inside": lambda: model(keras.Sequential([hidden(), hidden()])),
    "model inside": lambda: model(model(layers.Dense(6)), layers.ReLU()),
    "models inside": lambda: keras.Sequential([keras.Input((6,)), keras.Sequential([hidden()]), model(hidden())]),
}
OTHER_CHAINS = {
    "normalised": lambda: model(hidden(), layers.BatchNormalization()),
    "leaky": lambda: model(layers.Dense(6), layers.LeakyReLU()),
    "bounded": lambda: model(layers.Dense(6), layers.ReLU(max_value=6)),
    "silu": lambda: model(layers.Dense(6, "silu")),
    "images": lambda: images(layers.MaxPooling2D(2), layers.ZeroPadding2D(1), layers.Conv2D(2, 3), layers.Flatten()),
    "pooled": lambda: images(layers.GlobalAveragePooling2D(), hidden()),
    "flattened by reshaping": lambda: images(layers.Reshape((64,)), hidden()),
    "table of pixels": lambda: model(layers.Reshape(IMAGE), layers.Conv2D(4, 3), layers.Flatten(), shape=(72,)),
    "dense on channels": lambda: images(layers.Dense(5), layers.GlobalMaxPooling2D()),
}
NO_CHAINS = {
    "square": lambda: model(hidden(), keras.ops.square, hidden()),
    "square inside": lambda: model(model(hidden(), keras.ops.square)),
    "square in a Sequential": lambda: keras.Sequential([keras.Input((6,)), model(hidden(), keras.ops.square)]),
    "softmax between": lambda: model(layers.Dense(6), keras.activations.softmax),
    "softmax activation": lambda: model(layers.Dense(6, "softmax")),
    "softmax layer": lambda: model(hidden(), layers.Softmax()),
    "with a number": lambda: model(hidden(), lambda x: keras.ops.add(x, 2)),
    "with itself": lambda: model(hidden(), lambda x: layers.Add()([x, x])),
    "sliced": lambda: model(hidden(), lambda x: x[:, ::-1]),
    "channels first": lambda: model(layers.Flatten("channels_first"), hidden(), shape=(4, 4)),
    "channels first later": lambda: images(layers.Flatten("channels_first")),
    "pooled over channels": lambda: images(layers.MaxPooling2D(2, data_format="channels_first"), layers.Flatten()),
    "padded channels": lambda: images(layers.ZeroPadding2D(1, "channels_first"), layers.Flatten()),
    "overridden call": lambda: model(Squared(6)),
    "overridden model": lambda: model(Backwards([keras.Input((6,)), hidden()])),
    "overridden at the top": lambda: Backwards([keras.Input((6,)), hidden(), layers.Dense(3)]),
    "patched call": lambda: model(patched()),
    "patched model": patched_model,
    "permuted": lambda: images(layers.Permute((3, 1, 2)), layers.Flatten()),
    "rolled": lambda: model(hidden(), layers.Lambda(lambda x: keras.ops.roll(x, 1, axis=1), (6,))),
    "layer normalisation": lambda: model(hidden(), layers.LayerNormalization()),
    "another axis": lambda: images(layers.BatchNormalization(axis=1), layers.Flatten()),
    "dense on rows": lambda: model(layers.Dense(3), layers.Flatten(), hidden(), shape=(4, 4)),
    "folded": lambda: model(layers.Dense(16), layers.Reshape((4, 4)), layers.Conv1D(4, 2), layers.Flatten()),
    "embedding": lambda: model(layers.Embedding(9, 2), layers.Flatten(), hidden()),
    "whole numbers": lambda: keras.Sequential([keras.Input((6,), dtype="int32"), layers.Dense(3)]),
    "whole numbers inside": lambda: model(keras.Sequential([keras.Input((6,), dtype="int32"), hidden()])),
    "half precision": lambda: model(layers.Dense(6), layers.Activation("tanh", dtype="float16")),
}


@pytest.mark.parametrize("name", [*OF_DENSE_LAYERS, *OTHER_CHAINS, *NO_CHAINS])
def test_only_what_is_known_for_certain_is_a_chain(name):
    made = {**OF_DENSE_LAYERS, **OTHER_CHAINS, **NO_CHAINS}[name]()
    assert variables.chained(made) == (name not in NO_CHAINS)
    found = dense_layers(made)
    assert (found is not None) == (name in OF_DENSE_LAYERS)
    if found:
        carried = variables.carried(made)
        assert [layer.kernel for layer in found] == variables.prunable(made)
        assert [layer.shape for layer in found] == [tuple(carried[path].shape) for path in variables.prunable(made)]


def moves(made, cut):
    """Tell of each layer that feeds another whether its second unit can move the outputs, its weights onward cut."""
    rng = np.random.default_rng(0)
    weights = {
        path: np.float32(0.3) * np.abs(rng.standard_normal(variable.shape, np.float32))  # so that no ReLU is always 0
        for path, variable in variables.carried(made).items()
    }
    x = rng.random((5, *made.input_shape[1:]), np.float32)

    def outputs(**changed):
        return np.asarray(variables.called(made, {**weights, **changed}, x, training=False)[0])

    found = []
    for before, after in pairwise(variables.prunable(made)):
        more, less = weights[before].copy(), weights[after].copy()
        more[..., 1] *= 2
        less[..., 1 :: more.shape[-1], :] *= not cut  # of a flattened image, each position's
        found.append(not np.allclose(outputs(**{after: less}), outputs(**{before: more, after: less})))
    return found


@pytest.mark.parametrize("name", [*OF_DENSE_LAYERS, *OTHER_CHAINS])
def test_units_of_a_chain_act_through_their_own_weights_alone(name):
    made = {**OF_DENSE_LAYERS, **OTHER_CHAINS}[name]()
    assert all(moves(made, cut=False))
    assert not any(moves(made, cut=True))


@pytest.mark.parametrize("name", ["permuted", "rolled", "layer normalisation", "softmax layer", "channels first later"])
def test_units_of_what_is_no_chain_need_not(name):
    assert any(moves(NO_CHAINS[name](), cut=True))


def test_calls_of_models_stand_in_line_with_all_others():
    found = graph.calls(model(keras.Sequential([hidden()], name="inner"), keras.ops.relu))
    assert [call.path.partition("_")[0] for call in found] == ["input", "inner/input", "inner/dense", "relu", "head"]
    assert [call.sources for call in found] == [(), (0,), (1,), (2,), (3,)]
    assert found[-1].taken == ((None, 6),)
    assert found[-1].given == (None, 3)


def heads(*operations, join=layers.Concatenate):
    """Return a network whose output is put together from several layers' results."""
    inputs = keras.Input((6,))
    x = layers.Dense(6, name="trunk")(inputs)
    return keras.Model(inputs, join()([operation(x) for operation in operations]))


def twice():
    inputs, dense = keras.Input((6,)), layers.Dense(6, name="both")
    return keras.Model(inputs, dense(layers.Dense(6, name="middle")(dense(inputs))))


@pytest.mark.parametrize(
    ("make", "outputs"),
    [
        (lambda: model(hidden()), ["head"]),
        (lambda: heads(layers.Dense(2, name="left"), layers.Dense(1, name="right")), ["left", "right"]),
        (lambda: heads(layers.Dense(3, name="left"), model(hidden()), join=layers.Add), ["left", "functional/head"]),
        (lambda: heads(layers.Dense(3, name="left"), lambda x: x[:, :3], join=layers.Add), ["left"]),
        (lambda: model(model(hidden()), layers.LayerNormalization()), ["head"]),
        (twice, ["both"]),
        (lambda: Backwards([keras.Input((6,)), hidden(), layers.Dense(3, name="last")]), ["last"]),
        (
            lambda: heads(layers.Dense(3, name="left"), Backwards([hidden(), layers.Dense(3, name="end")], name="own")),
            ["left", "own/end"],
        ),
        (lambda: architectures.build("resnet20", (8, 8), 10), ["dense_1"]),
    ],
)
def test_output_layers_are_those_from_which_no_other_is_reached(make, outputs):
    keras.backend.clear_session()
    assert variables.output_kernels(make()) == [f"{name}/kernel" for name in outputs]
