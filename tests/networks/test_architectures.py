"""Networks by name: the papers' sizes, any images, your own; every mistake in one line."""

import subprocess
import sys

import numpy as np
import pytest

from ticketlab.errors import BadInput
from ticketlab.networks import architectures, user_model, variables

CIFAR = (32, 32, 3)


def sizes(model, paths):
    carried = variables.carried(model)
    return [int(np.prod(carried[path].shape)) for path in paths]


def said(call, *arguments, **settings):
    """Return the one line of a refusal."""
    with pytest.raises(BadInput) as refused:
        call(*arguments, **settings)
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith("`")
    assert "Received: " in message
    return message


def test_lenet_has_the_papers_weights(tensorflow):
    model = architectures.build("lenet_300_100", (28, 28), 10)
    assert variables.prunable(model) == ["dense_1/kernel", "dense_2/kernel", "dense_3/kernel"]
    assert sizes(model, variables.prunable(model)) == [235_200, 30_000, 1_000]
    assert variables.dense_only(model)


@pytest.mark.parametrize(
    ("name", "convolutions", "all_weights"),
    [("conv2", 38_592, 4_300_992), ("conv4", 259_776, 2_425_024), ("conv6", 1_144_512, 2_261_184)],
)
def test_convolutional_networks_have_the_papers_weights(tensorflow, name, convolutions, all_weights):
    """Frankle & Carbin 2019, figure 2: 38 K and 4.3 M, 260 K and 2.4 M, 1.1 M and 1.7 M.

    The last number is not that of the layers in the same figure: the first dense layer alone has 4·4·256 × 256 weights.
    """
    model = architectures.build(name, CIFAR, 10)
    kernels = variables.prunable(model)
    assert sum(sizes(model, [path for path in kernels if "conv" in path])) == convolutions
    assert sum(sizes(model, kernels)) == all_weights


def test_lenet5_has_the_known_number_of_parameters(tensorflow):
    model = architectures.build("lenet5", (28, 28, 1), 10)
    assert sum(sizes(model, variables.trained(model))) == 61_706
    assert sizes(model, variables.prunable(model)) == [150, 2_400, 48_000, 10_080, 840]


def test_resnet20_has_the_known_number_of_parameters(tensorflow):
    """0.27 M in the paper's table 6; option A's shortcuts have none."""
    model = architectures.build("resnet20", CIFAR, 10)
    assert sum(sizes(model, variables.trained(model))) == 269_722
    assert sum(sizes(model, variables.prunable(model))) == 268_336
    assert [path for path in variables.trained(model) if path.endswith("bias")] == ["dense_1/bias"]


def test_resnet20s_shortcuts_subsample_and_pad_with_zeros(tensorflow):
    """With all kernels zero only the shortcuts speak."""
    import keras

    model = architectures.build("resnet20", (8, 8, 1), 10)
    drawn = variables.draw(model, 0, "initialisation")
    for path, variable in variables.carried(model).items():
        variable.assign(drawn[path] if path.startswith("norm") else np.zeros(variable.shape))
    stem = np.zeros(model.get_layer("conv_1").kernel.shape, np.float32)
    stem[1, 1, 0, :] = np.arange(1, 17)  # each channel the image times its number
    model.get_layer("conv_1").kernel.assign(stem)
    inner = keras.Model(model.input, [model.get_layer("activation_1").output, model.get_layer("pool").input])
    image = np.random.default_rng(0).random((2, 8, 8, 1)).astype(np.float32)
    first, last = (each.numpy() for each in inner(image))
    assert last.shape == (2, 2, 2, 64)
    np.testing.assert_allclose(last[..., :16], first[:, ::4, ::4], rtol=1e-6)
    assert not last[..., 16:].any()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # TensorFlow's, when Keras saves
@pytest.mark.parametrize("name", [*architectures.NETWORKS, "fcn_128_128", "fcn_256_32", "fcn_7"])
def test_networks_survive_json_and_keras_files_without_custom_objects(tensorflow, tmp_path, name):
    import keras

    model = architectures.build(name, (14, 13), 10)
    text = model.to_json()
    assert architectures.build(name, (14, 13), 10).to_json() == text  # every layer is named, whatever was built before
    images = np.random.default_rng(0).random((2, 14, 13)).astype(np.float32)
    assert keras.models.model_from_json(text)(images).shape == (2, 10)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))
    assert list(variables.carried(loaded)) == list(variables.carried(model))


@pytest.mark.parametrize("shape", [(8, 8), (8, 9, 2), (28, 28), (28, 28, 1), CIFAR])
@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_images_of_any_size_are_taken_or_refused(tensorflow, name, shape):
    if min(shape[:2]) < architectures.NETWORKS[name].least_side:
        assert "takes images of at least 12×12 pixels" in said(architectures.build, name, shape, 3)
    else:
        assert architectures.build(name, shape, 3)(np.zeros((5, *shape), np.float32)).shape == (5, 3)


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_the_least_side_is_the_least_side(tensorflow, name):
    side = architectures.NETWORKS[name].least_side or 1
    assert architectures.build(name, (side, side), 3)(np.zeros((1, side, side), np.float32)).shape == (1, 3)
    if side > 1:
        said(architectures.check, name, (side - 1, side))


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_activation_and_initialiser_reach_every_hidden_layer(tensorflow, name, activation):
    import keras

    model = architectures.build(name, (12, 12), 10, activation, "he_uniform")
    *hidden, last = [layer for layer in model.layers if hasattr(layer, "activation")]
    linear = {"linear"} if name == "resnet20" else set()  # its convolutions, which normalisation follows
    assert {keras.activations.serialize(layer.activation) for layer in hidden} == {activation} | linear
    assert keras.activations.serialize(last.activation) == "linear"
    kernels = [layer for layer in model.layers if hasattr(layer, "kernel_initializer")]
    assert {type(layer.kernel_initializer).__name__ for layer in kernels} == {"HeUniform"}
    assert not any(array.any() for path, array in variables.draw(model, 0, "x").items() if path.endswith("bias"))


def test_tables_pass_through_dense_networks_only(tensorflow):
    assert architectures.build("fcn_5_4", (6,), 2).output_shape == (None, 2)
    message = said(architectures.check, "conv2", (6,))
    assert message.endswith("conv2 takes images of at least 2×2 pixels. Received: samples of shape (6,)")
    said(architectures.check, "resnet20", (8, 8, 8, 8))


@pytest.mark.parametrize(
    "name", ["lenet", "fcn", "fcn_", "fcn_0", "fcn_10_", "fcn_1_x", "fcn_99999999", "net.py", "a.py:1"]
)
def test_unknown_names_are_told_what_is_known(name):
    message = said(architectures.check, name, (8, 8))
    assert message.endswith(f"Received: network={name}")
    for known in (*architectures.NETWORKS, "fcn_<a>_<b>", "path/to/file.py:function"):
        assert known in message


OWN = """
import keras
from keras import layers
import blocks

print("ran")

def small(input_shape, outputs):
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), blocks.block(), layers.Dense(outputs)])

def broken(input_shape, outputs):
    import later
    later.fail(
        input_shape)

def probabilities(input_shape, outputs):
    return keras.Sequential([small(input_shape, outputs), layers.Softmax()])

def changes(input_shape, outputs):
    keras.config.set_floatx("float64")
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_float16")
    exit("enough")

if True:
    same = small
"""
BLOCKS = """
from keras import layers
def block():
    return layers.Dense(WIDTH, "relu")
"""


@pytest.fixture
def own(tmp_path):
    """Write a file with networks and its neighbours; return a function from a function's name to the network's name."""

    def write(width=5, folder="mine", text=OWN):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "blocks.py").write_text(BLOCKS.replace("WIDTH", str(width)))
        (tmp_path / folder / "later.py").write_text("def fail(shape):\n    raise OSError('first line\\n  second')\n")
        (tmp_path / folder / "nets.py").write_text(text)
        return lambda function: f"{tmp_path / folder / 'nets.py'}:{function}"

    return write


def test_a_network_of_ones_own_has_the_same_names_whatever_was_built_before(tensorflow, own):
    name = own()("small")
    first = architectures.build(name, (8, 8), 3)
    architectures.build("lenet5", (28, 28), 3)
    second = architectures.build(name, (8, 8), 3)
    assert list(variables.carried(first)) == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    assert second.to_json() == first.to_json()
    drawn = [variables.draw(model, 0, "initialisation") for model in (first, second)]
    assert all(np.array_equal(drawn[0][path], drawn[1][path]) for path in drawn[0])
    assert architectures.build(own()("same"), (8, 8), 3).to_json() == first.to_json()


def test_building_another_network_leaves_what_computes_already_alone(tensorflow, own):
    """Names begin anew for the new network; a compiled step of an older one stays as it is."""
    model = architectures.build("conv2", (8, 8), 3)
    drawn = variables.draw(model, 0, "initialisation")
    carried = variables.carried(model)
    images = tensorflow.constant(np.random.default_rng(0).random((20, 8, 8)), tensorflow.float32)

    @tensorflow.function
    def step():
        with tensorflow.GradientTape() as tape:
            loss = tensorflow.reduce_mean(tensorflow.nn.log_softmax(model(images, training=True)))
        moved = {path: variable.value for path, variable in carried.items()}
        for path, gradient in tape.gradient(loss, moved).items():
            carried[path].assign_sub(0.1 * gradient)
        return loss

    results = []
    for _ in range(3):
        for path, variable in carried.items():
            variable.assign(drawn[path])
        results.append((*(float(step()) for _ in range(5)), carried["conv_1/kernel"].numpy().tobytes()))
        architectures.build(own()("small"), (8, 8), 3)
    assert results[0] == results[1] == results[2]
    assert step.experimental_get_tracing_count() == 1


def test_files_of_the_same_names_in_two_folders_are_two(tensorflow, own):
    """So are their neighbours."""
    names = [own(width, folder)("small") for width, folder in ((5, "mine"), (70, "yours"))]
    assert [architectures.build(name, (4,), 3).layers[1].units for name in names] == [5, 70]
    assert not {"blocks", "later"} & set(sys.modules)


def test_check_runs_nothing_and_loads_no_tensorflow(own):
    code = (
        "import sys; from ticketlab.networks import architectures as a; a.check(sys.argv[1], (8, 8))"
        "; a.check('conv2', (8, 8))"
        "; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, own()("small")], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_mistakes_of_ones_own_file_are_told_in_one_line(tensorflow, own, tmp_path):
    name = own()
    assert said(architectures.check, f"{tmp_path}/none.py:f", (8,)).endswith("none.py: No such file or directory")
    assert said(architectures.check, name("layers_of"), (8,)).endswith("nets.py defines. Received: layers_of")
    assert "your own network. Received: activation=tanh" in said(architectures.check, name("small"), (8,), "tanh")
    assert "initialiser=he_normal" in said(architectures.build, name("small"), (8,), 2, "relu", "he_normal")
    assert said(architectures.build, name("broken"), (8,), 2).endswith("nets.py, line 13: OSError: first line second")
    assert "layer softmax ends it with softmax" in said(architectures.build, name("probabilities"), (8,), 2)
    architectures.build(name("probabilities"), (8,), 2, regression=True)
    assert "type int" in said(architectures.build, own(text="small = 3")("small"), (8,), 2)
    assert "nets.py, line 2: NameError: name 'nets'" in said(
        architectures.build, own(text="\nsmall = nets")("small"), (8,), 2
    )
    assert "nets.py, line 1: SyntaxError" in said(architectures.check, own(text="def small(:")("small"), (8,))
    assert "Python" in said(architectures.check, own(text="small = '\0'")("small"), (8,))


def test_settings_that_ones_own_code_changes_are_set_back(tensorflow, own):
    import keras

    assert said(architectures.build, own()("changes"), (8,), 2).endswith("line 23: SystemExit: enough")
    assert keras.config.floatx() == "float32"
    assert keras.config.image_data_format() == "channels_last"
    assert keras.config.dtype_policy().name == "float32"
    assert architectures.build("conv2", (8, 8), 3)(np.zeros((1, 8, 8))).dtype == "float32"


def test_a_function_of_python_is_built_in_the_same_way(tensorflow):
    import keras

    def small(input_shape, outputs):
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(outputs)])

    class Small:
        def __call__(self, input_shape, outputs):
            return small(input_shape, outputs)

    for function in (small, Small(), lambda *arguments: small(*arguments)):
        assert list(variables.carried(user_model.finished(function, (6,), 2))) == ["dense/kernel", "dense/bias"]
    assert "test_architectures.py: TypeError" in said(user_model.finished, lambda: None, (6,), 2)
    assert "test_architectures.py, line" in said(user_model.finished, lambda *_: small(), (6,), 2)
    assert "an object of type NoneType" in said(user_model.finished, lambda *_: None, (6,), 2)
    assert "must be a function" in said(user_model.finished, small((6,), 2).name, (6,), 2)
