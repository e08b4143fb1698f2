"""Networks by name: which there are, what data they take, how they are built.

A name is an entry of `NETWORKS`, ``fcn_<a>_<b>…`` for hidden layers of a, b, … units, or ``path/to/file.py:function``
(user_model.py). All networks end in logits; kernels are drawn from one initialiser, biases are 0. To add a network,
write its function and add its entry. Keras is imported inside the functions, so names are checked without TensorFlow.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ticketlab.errors import BadInput
from ticketlab.networks import requirements, user_model

if TYPE_CHECKING:
    import keras

Build = Callable[[tuple[int, ...], int, str, str], "keras.Model"]
ACTIVATION, INITIALISER = "relu", "glorot_normal"
FULLY_CONNECTED = r"fcn((?:_[1-9]\d{0,5})+)"


@dataclass(frozen=True)
class Network:
    """A kind of network.

    Attributes:
        build: a function of input shape, number of outputs, hidden activation, and initialiser of the kernels.
        least_side: minimum side of the images in pixels; 0 for a network that takes any input.
        widths: units of the hidden layers, where the network is one dense layer after the other; else None.
    """

    build: Build
    least_side: int = 0
    widths: tuple[int, ...] | None = None


def check(
    name: str, input_shape: tuple[int, ...], activation: str = ACTIVATION, initialiser: str = INITIALISER
) -> None:
    """Refuse a network that is unknown or does not fit the data, without loading TensorFlow.

    Raises:
        BadInput: if there is no such network, or it does not fit the data; the message says what would.

    >>> check("conv2", (6,))
    Traceback (most recent call last):
    ticketlab.errors.BadInput: `network` must be one for the data: conv2 takes images of at least 2×2 pixels.
    Received: samples of shape (6,)
    """
    check_name(name, activation, initialiser)
    least = 0 if user_model.located(name) else known(name).least_side
    if least and (len(input_shape) not in (2, 3) or min(input_shape[:2]) < least):
        raise BadInput(
            f"`network` must be one for the data: {name} takes images of at least {least}×{least} pixels. "
            f"Received: samples of shape {tuple(input_shape)}"
        )


def check_name(name: str, activation: str = ACTIVATION, initialiser: str = INITIALISER) -> None:
    """Refuse a name that no network has, whatever the data. Raises BadInput."""
    own = user_model.located(name)
    if own is None:
        known(name)
        return
    user_model.check_file(*own)
    check_own(activation, initialiser)


def check_own(activation: str = ACTIVATION, initialiser: str = INITIALISER) -> None:
    """Refuse settings that your own network decides itself. Raises BadInput."""
    for option, value, default in (("activation", activation, ACTIVATION), ("initialiser", initialiser, INITIALISER)):
        if value != default:
            raise BadInput(f"`{option}` must be left out with your own network. Received: {option}={value}")


def build(
    name: str,
    input_shape: tuple[int, ...],
    outputs: int,
    activation: str = ACTIVATION,
    initialiser: str = INITIALISER,
    *,
    regression: bool = False,
) -> "keras.Model":
    """Build a network by name.

    Args:
        name: the network's name, in one of the module's three forms.
        input_shape: shape of one sample; images as (height, width) or (height, width, channels).
        outputs: number of classes, or of numbers to predict.
        activation: Keras's name for the activation of the hidden layers.
        initialiser: Keras's name for the initialiser of the kernels.
        regression: whether the outputs predict the targets themselves rather than logits of classes.

    Raises:
        BadInput: if there is no such network, it does not fit the data, or your own network is refused.
    """
    check(name, input_shape, activation, initialiser)
    if own := user_model.located(name):
        return user_model.build_file(*own, input_shape, outputs, regression=regression)
    model = known(name).build(input_shape, outputs, activation, initialiser)
    requirements.refuse(model, input_shape, outputs, regression=regression)
    return model


def known(name: str) -> Network:
    """Look up one of the library's own networks. Raises BadInput.

    >>> known("fcn_256_32").build.args
    ('fcn_256_32', (256, 32))
    """
    if form := re.fullmatch(FULLY_CONNECTED, name):
        return fully_connected(name, *map(int, form[1].split("_")[1:]))
    if name not in NETWORKS:
        others = "fcn_<a>_<b>… (hidden layers of a, b, … units) or path/to/file.py:function"
        raise BadInput(f"`network` must be one of {', '.join(NETWORKS)}, {others}. Received: network={name}")
    return NETWORKS[name]


def mlp_shapes(name: str, input_shape: tuple[int, ...], outputs: int) -> dict[str, tuple[int, int]] | None:
    """Return the kernels' shapes by path for a network of dense layers alone; None for any other network.

    >>> mlp_shapes("lenet_300_100", (28, 28), 10)
    {'dense_1/kernel': (784, 300), 'dense_2/kernel': (300, 100), 'dense_3/kernel': (100, 10)}
    """
    widths = None if user_model.located(name) else known(name).widths
    if widths is None:
        return None
    pairs = pairwise((math.prod(input_shape), *widths, outputs))
    return {f"dense_{number}/kernel": pair for number, pair in enumerate(pairs, 1)}


def fully_connected(name: str, *widths: int) -> Network:
    """Return a network of hidden dense layers with these numbers of units; any input is flattened.

    Widths 300 and 100 give LeNet-300-100 as in Frankle & Carbin 2019 (figure 2) and their code, after LeCun et al.
    1998, with ReLU and the default initialiser: Glorot's Gaussian truncated at two standard deviations.
    """
    return Network(partial(_fully_connected, name, widths), widths=widths)


def convolutional(name: str, *channels: int) -> Network:
    """Return Conv-2, -4 or -6 of Frankle & Carbin 2019 (arXiv 1803.03635, figure 2), after VGG.

    Each number of channels gives a pair of 3×3 convolutions and a 2×2 max-pooling; dense layers of 256 and 256 units
    follow. On CIFAR-10 the layers have the figure's numbers of weights. For Conv-6, however, they add up to 2.3 M,
    where the figure says 1.7 M.
    """
    return Network(partial(_convolutional, name, channels), least_side=2 ** len(channels))


# The functions below have the form `Build`; some take further arguments first, which `partial` fills in.


def _fully_connected(name, widths, input_shape, outputs, activation, initialiser):
    from keras import Input, Sequential, layers

    flat = [Input(input_shape, name="input"), layers.Flatten(name="flatten")]
    return Sequential(flat + _dense(widths, outputs, activation, initialiser), name=name)


def _convolutional(name, channels, input_shape, outputs, activation, initialiser):
    from keras import Sequential, layers

    stack = _images(input_shape)
    for pair, width in enumerate(channels, 1):
        for number in (2 * pair - 1, 2 * pair):
            settings = {"padding": "same", "activation": activation, "kernel_initializer": initialiser}
            stack.append(layers.Conv2D(width, 3, name=f"conv_{number}", **settings))
        stack.append(layers.MaxPooling2D(2, name=f"pool_{pair}"))
    stack.append(layers.Flatten(name="flatten"))
    return Sequential(stack + _dense((256, 256), outputs, activation, initialiser), name=name)


def _lenet5(input_shape, outputs, activation, initialiser):
    """Build LeNet-5 (LeCun et al. 1998, section II.B) in its usual modern form.

    It departs from the original in four ways. Pooling takes the maximum, without weights or activation. Each of the 16
    maps of the second convolution sees all 6 of the first. The output layer is dense, not of radial basis functions.
    The activation is not a scaled tanh. The first convolution pads images of 28×28 pixels, which equals padding them to
    32×32 beforehand.
    """
    from keras import Sequential, layers

    settings = {"activation": activation, "kernel_initializer": initialiser}
    stack = [
        *_images(input_shape),
        layers.Conv2D(6, 5, padding="same", name="conv_1", **settings),
        layers.MaxPooling2D(2, name="pool_1"),
        layers.Conv2D(16, 5, name="conv_2", **settings),
        layers.MaxPooling2D(2, name="pool_2"),
        layers.Flatten(name="flatten"),
        *_dense((120, 84), outputs, activation, initialiser),
    ]
    return Sequential(stack, name="lenet5")


def _resnet20(input_shape, outputs, activation, initialiser):
    """Build ResNet-20 for CIFAR-10 (He et al. 2016, arXiv 1512.03385, section 4.2), with parameter-free shortcuts (A).

    There are three stages of three blocks of two 3×3 convolutions without biases, each followed by batch normalisation.
    Its momentum is 0.9 and its epsilon 1e-5, as in the authors' code. With Keras's 0.99 the moving statistics would lag
    hundreds of iterations behind the weights, and so would every evaluation early in training.
    """
    from keras import Model, layers

    number = 0

    def normalised(x, width, stride=1):
        nonlocal number
        number += 1
        padding = "same"
        if stride == 2:  # centred on the pixels that the shortcut takes; Keras's own padding would be one to the right
            x, padding = layers.ZeroPadding2D(1, name=f"pad_{number}")(x), "valid"
        settings = {"padding": padding, "use_bias": False, "kernel_initializer": initialiser}
        x = layers.Conv2D(width, 3, stride, name=f"conv_{number}", **settings)(x)
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm_{number}")(x)

    def active(x):
        return layers.Activation(activation, name=f"activation_{number}")(x)

    def block(x, width, stride):
        shortcut = x
        if stride == 2:
            shortcut = layers.AveragePooling2D(1, stride, name=f"subsample_{number}")(shortcut)
            # with the last two axes called width and channels, Keras's own layer pads the channels
            more = ((0, 0), (0, width - x.shape[-1]))
            shortcut = layers.ZeroPadding2D(more, "channels_first", name=f"widen_{number}")(shortcut)
        inner = normalised(active(normalised(x, width, stride)), width)
        return active(layers.Add(name=f"add_{number}")([shortcut, inner]))

    image, *reshaped = _images(input_shape)
    x = image
    for layer in reshaped:
        x = layer(x)
    x = active(normalised(x, 16))
    for stage, width in enumerate((16, 32, 64)):
        for place in range(3):
            x = block(x, width, 2 if stage and not place else 1)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    (output,) = _dense((), outputs, activation, initialiser)
    return Model(image, output(x), name="resnet20")


def _images(input_shape: tuple[int, ...]) -> list[Any]:
    """Return the first layers of a convolutional network; images without a channel axis get one."""
    from keras import Input, layers

    first = [Input(input_shape, name="input")]
    return first if len(input_shape) == 3 else [*first, layers.Reshape((*input_shape, 1), name="channel")]


def _dense(widths, outputs, activation, initialiser):
    """Return the hidden dense layers and the layer of logits, named ``dense_1`` and so on."""
    from keras import layers

    sizes, activations = (*widths, outputs), [activation] * len(widths) + [None]
    return [
        layers.Dense(size, each, kernel_initializer=initialiser, name=f"dense_{number}")
        for number, (size, each) in enumerate(zip(sizes, activations, strict=True), 1)
    ]


NETWORKS: dict[str, Network] = {
    "lenet_300_100": fully_connected("lenet_300_100", 300, 100),
    "lenet5": Network(_lenet5, least_side=12),
    "conv2": convolutional("conv2", 64),
    "conv4": convolutional("conv4", 64, 128),
    "conv6": convolutional("conv6", 64, 128, 256),
    "resnet20": Network(_resnet20, least_side=4),
}
