"""Networks that are refused: one line for each reason."""

import keras
import numpy as np
import pytest
from keras import layers

from ticketlab.errors import BadInput
from ticketlab.networks import requirements

pytestmark = pytest.mark.usefixtures("tensorflow")


def stack(*middle, **head):
    """Return a small network of the given layers between input and output."""
    return keras.Sequential([keras.Input((6,)), *middle, layers.Dense(3, name="head", **head)], name="mine")


class Composite(layers.Layer):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.inner = layers.Dense(4, name="inner")
        self.kernel_initializer = keras.initializers.Zeros()

    def call(self, inputs):
        return self.inner(inputs)


class Own(layers.Layer):
    """A layer with a weight and a state of its own."""

    def __init__(self, state=False, **settings):
        super().__init__(**settings)
        self.state = state

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), trainable=not self.state)

    def call(self, inputs):
        return inputs * self.scale


class Penalty(layers.Layer):
    def call(self, inputs, training=False):
        if training:
            self.add_loss(keras.ops.mean(inputs))
        return inputs


class Failing(layers.Layer):
    def call(self, inputs):
        raise ValueError("never mind")

    def compute_output_shape(self, shape):
        return shape


class Anyhow(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return np.random.random(shape).astype(dtype)

    def get_config(self):
        return {}


def several_inputs():
    inputs = [keras.Input((6,)), keras.Input((6,))]
    return keras.Model(inputs, layers.Dense(3)(layers.Add()(inputs)))


def several_outputs():
    inputs = keras.Input((6,))
    return keras.Model(inputs, [layers.Dense(3)(inputs), layers.Dense(3)(inputs)])


def listed_input():
    inputs = keras.Input((6,))
    return keras.Model([inputs], layers.Dense(3)(inputs))


def listed_output():
    inputs = keras.Input((6,))
    return keras.Model(inputs, [layers.Dense(3)(inputs)])


def ends_in_an_operation():
    inputs = keras.Input((6,))
    return keras.Model(inputs, keras.ops.softmax(layers.Dense(3)(inputs)))


def ends_in(*operations):
    """Return a functional model that ends in these operations after its logits, and is a layer of another."""
    inputs = keras.Input((6,))
    x = layers.Dense(3, name="head")(inputs)
    for operation in operations:
        x = operation(x)
    return keras.Sequential([keras.Input((6,)), keras.Model(inputs, x), layers.Identity()])


def two_heads_of_probabilities():
    inputs = keras.Input((6,))
    left, right = layers.Dense(2, name="left")(inputs), layers.Dense(1, "sigmoid", name="right")(inputs)
    return keras.Model(inputs, layers.Concatenate()([left, right]))


def shared_with_an_inner_model():
    dense, inputs = layers.Dense(6, name="both"), keras.Input((6,))
    return keras.Model(
        inputs, layers.Dense(3)(keras.Sequential([keras.Input((6,)), dense], name="inner")(dense(inputs)))
    )


def of_a_class():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__(name="mine")
            self.head = layers.Dense(3)

        def call(self, inputs):
            return self.head(inputs)

    model = Mine()
    model(np.zeros((1, 6), np.float32))
    return model


def frozen_inside():
    model = stack(keras.Sequential([keras.Sequential([layers.Dense(4, name="one")], name="inner")], name="outer"))
    model.get_layer("outer").get_layer("inner").trainable = False
    return model


def adapted():
    layer = layers.Normalization(name="scaled")
    layer.adapt(np.eye(6, dtype=np.float32))
    return stack(layer)


REFUSED = {
    "a list": (
        lambda: [layers.Dense(3)],
        "a Sequential or functional model of Keras. Received: an object of type list",
    ),
    "no input": (
        lambda: keras.Sequential([layers.Dense(3)], name="mine"),
        "the Sequential mine without an input shape",
    ),
    "a class": (of_a_class, "the Mine mine without an input shape"),
    "inputs": (several_inputs, "one input and one output. Received: 2 and 1"),
    "outputs": (several_outputs, "one input and one output. Received: 1 and 2"),
    "list of inputs": (listed_input, "have a tensor as its input, not a structure of tensors. Received: a list"),
    "list of outputs": (listed_output, "have a tensor as its output, not a structure of tensors. Received: a list"),
    "list inside": (lambda: keras.Sequential([keras.Input((6,)), listed_output()]), "a tensor as its output"),
    "input shape": (
        lambda: keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)]),
        "take samples of shape (6,), a batch of shape (None, 6). Received: input of shape (None, 8, 8, 1)",
    ),
    "output shape": (
        lambda: stack(layers.Reshape((2, 3))),
        "give 3 outputs for a sample, a batch of shape (None, 3). Received: output of shape (None, 2, 3)",
    ),
    "softmax": (lambda: stack(activation="softmax"), "end in logits, without softmax or sigmoid. Received: layer head"),
    "softmax layer": (
        lambda: keras.Sequential([stack(), layers.Softmax(name="end")]),
        "layer end ends it with softmax",
    ),
    "sigmoid layer": (
        lambda: keras.Sequential([keras.Input((6,)), stack(), layers.Activation("sigmoid", name="end")]),
        "layer end ends it with sigmoid",
    ),
    "softmax inside": (
        lambda: keras.Sequential([keras.Input((6,)), stack(activation="softmax")]),
        "layer head ends it with softmax",
    ),
    "softmax operation": (ends_in_an_operation, "ends it with softmax"),
    "softmax, handed on": (
        lambda: ends_in(layers.Softmax(name="end"), layers.Reshape((3, 1)), layers.Flatten(), layers.Identity()),
        "layer end ends it with softmax",
    ),
    "softmax, arranged": (
        lambda: ends_in(layers.Softmax(name="end"), lambda x: keras.ops.expand_dims(x, 1), lambda x: x[:, 0]),
        "layer end ends it with softmax",
    ),
    "sigmoid, handed on": (
        lambda: ends_in(layers.Activation("sigmoid", name="end"), layers.Activation("linear"), layers.Permute((1,))),
        "layer end ends it with sigmoid",
    ),
    **{
        f"softmax, {name}": (
            lambda change=change: ends_in(layers.Softmax(name="end"), change),
            "layer end ends it with",
        )
        for name, change in {
            "times a number": lambda x: x * 1.0,
            "a number times": lambda x: 100.0 * x,
            "divided": lambda x: x / 2,
            "times a number for each sample": lambda x: keras.ops.max(x, 1, keepdims=True) * x,
            "normalised": lambda x: x / keras.ops.sum(x, 1, keepdims=True),
            "normalised by a layer": layers.UnitNormalization(),
            "rescaled": layers.Rescaling(3.0),
            "clipped": lambda x: keras.ops.clip(x, 1e-7, 1 - 1e-7),
            "rectified": layers.ReLU(),
            "activated": layers.Activation("relu"),
            "averaged": lambda x: layers.Average()([x, x * 1.0]),
            "added to itself": lambda x: x + x,
            "all of it": lambda x: keras.ops.reshape(keras.ops.absolute(x * 2.0), (-1, 3)) / 2.0,
        }.items()
    },
    "heads": (two_heads_of_probabilities, "layer right ends it with sigmoid"),
    "name": (lambda: stack(layers.Dense(4, name="left arm")), "as TensorFlow demands. Received: the layer left arm"),
    "name inside": (
        lambda: stack(keras.Sequential([layers.Dense(4, name="one")], name="été")),
        "as TensorFlow demands. Received: the layer été",
    ),
    "name of all": (
        lambda: keras.Sequential([keras.Input((6,)), layers.Dense(3)], name="_mine"),
        "and begin with a letter or digit. Received: the model _mine",
    ),
    "added loss": (
        lambda: stack(keras.Sequential([Penalty(name="penalty")], name="inner")),
        "have no penalties, which training would leave out. Received: inner/penalty with add_loss",
    ),
    "failing": (lambda: stack(Failing()), "a sample of zeros without an error. Received: ValueError: "),
    "nothing to prune": (
        lambda: keras.Sequential([keras.Input((3,)), layers.LayerNormalization(name="norm")]),
        "have a Dense or Conv layer to prune. Received: only norm",
    ),
    "dropout": (lambda: stack(layers.Dropout(0.5, name="drop")), "their seed is not carried. Received: layer drop"),
    "augmentation": (lambda: stack(layers.RandomFlip(name="flip")), "layer flip"),
    "adapted": (adapted, "have no state but weights and the statistics of BatchNormalization. Received: layer scaled"),
    "state": (lambda: stack(Own(state=True, name="own")), "no state but weights"),
    "frozen": (lambda: stack(layers.Dense(4, trainable=False, name="ice")), "trained as a whole. Received: layer ice"),
    "frozen inside": (frozen_inside, "trained as a whole. Received: layer outer/inner/one is frozen"),
    "composite": (
        lambda: stack(Composite(name="block")),
        "layers that hold no others. Received: layer block around inner",
    ),
    "recurrent": (
        lambda: stack(layers.Reshape((3, 2)), layers.GRU(4, name="gru")),
        "Received: layer gru around gru_cell/kernel",
    ),
    "no initialiser": (lambda: stack(Own(name="own")), "Received: layer own, which has no scale_initializer"),
    "depthwise": (
        lambda: stack(layers.Reshape((3, 2, 1)), layers.DepthwiseConv2D(2, name="deep"), layers.Flatten()),
        "Received: layer deep, which has no kernel_initializer",
    ),
    "function": (
        lambda: stack(layers.Dense(4, name="odd", kernel_initializer=lambda shape, dtype: np.ones(shape, dtype))),
        "Received: layer odd, whose kernel_initializer is a function and no keras.Initializer",
    ),
    "no seed": (
        lambda: stack(layers.Dense(4, name="odd", kernel_initializer=Anyhow())),
        "layer odd, whose kernel_initializer Anyhow has no seed in its get_config()",
    ),
    "dtype": (lambda: stack(layers.Dense(4, name="half", dtype="float16")), "layer half has kernel in float16"),
    "mixed": (lambda: stack(layers.Dense(4, name="half", dtype="mixed_float16")), "layer half computes in float16"),
    "regulariser": (
        lambda: stack(layers.Dense(4, name="small", kernel_regularizer="l2")),
        "have no regularizers, which training would leave out. Received: layer small has a kernel_regularizer",
    ),
    "constraint": (lambda: stack(layers.Dense(4, name="small", bias_constraint="non_neg")), "a bias_constraint"),
    "activity": (lambda: stack(layers.Dense(4, name="small", activity_regularizer="l1")), "an activity_regularizer"),
    "shared": (shared_with_an_inner_model, "use a layer in one model only"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_networks_that_cannot_be_done_justice_are_refused_in_one_line(case):
    make, words = REFUSED[case]
    with pytest.raises(BadInput) as refused:
        requirements.refuse(make(), (3,) if case == "nothing to prune" else (6,), 3)
    message = str(refused.value)
    assert words in message
    assert message.startswith("`network` must ")
    assert message.isprintable()


def test_names_that_tensorflow_takes_are_taken(tensorflow):
    model = keras.Sequential([keras.Input((6,), name="left arm"), layers.Dense(3, name="_a-b.c>1")], name="mine")
    requirements.refuse(model, (6,), 3)
    assert tensorflow.function(lambda: model(np.zeros((1, 6), np.float32)))().shape == (1, 3)


def test_log_probabilities_are_logits():
    requirements.refuse(ends_in(keras.ops.log_softmax, layers.Flatten()), (6,), 3)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: keras.ops.log(x * 0.5),
        lambda x: 1.0 - x,
        lambda x: layers.Rescaling(2.0, -1.0)(x),
        lambda x: x * layers.Dense(3)(x),
        lambda x: layers.Dense(3)(x) / x,
        lambda x: x + layers.Dense(3)(x),
        lambda x: layers.Dense(3)(x * 2.0),
        lambda x: layers.Dense(3)(x) * layers.Dense(1, "sigmoid")(x),
        lambda x: layers.Activation("tanh")(x),
    ],
)
def test_probabilities_on_the_way_are_no_end(change):
    """Gates, attention and logarithms of probabilities are none."""
    requirements.refuse(ends_in(layers.Softmax(), change), (6,), 3)


def test_a_layer_of_ones_own_without_penalty_is_none():
    class Silent(Penalty):
        def call(self, inputs):
            return inputs

    requirements.refuse(stack(Silent()), (6,), 3)


def test_regression_may_end_as_it_likes():
    requirements.refuse(stack(activation="sigmoid"), (6,), 3, regression=True)
