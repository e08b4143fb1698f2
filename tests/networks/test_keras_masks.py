"""Masks for any Keras model: exact counts, weights that are and stay zero in Keras's own training, files without us."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops
from sklearn.datasets import load_wine

from ticketlab.data.dataset import from_arrays
from ticketlab.errors import BadInput
from ticketlab.networks import architectures, variables
from ticketlab.networks.keras_masks import apply_masks, keep_masks, kernels, prune
from ticketlab.sparsity import distributions
from ticketlab.sparsity.criteria import CRITERIA
from ticketlab.sparsity.masks import kept, total
from ticketlab.training.engine import EngineSettings

pytestmark = pytest.mark.usefixtures("tensorflow")

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
DENSITIES = (1.0, 0.73, 0.5, 0.21, 0.1, 0.04)
OF_INITIAL = [name for name in CRITERIA if "initial" in name or name in ("movement", "magnitude_increase")]
adam = keras.optimizers.Adam


@keras.saving.register_keras_serializable("tests")
class Block(layers.Layer):
    """A layer that holds others, as those of transformers do."""

    def __init__(self, units, **settings):
        super().__init__(**settings)
        self.one, self.two = layers.Dense(units, "relu", name="one"), layers.Dense(units, name="two")

    def call(self, inputs):
        return inputs + self.two(self.one(inputs))


class Mine(keras.Model):
    """A model of a class of its own; its layers have no order but that of their attributes."""

    def __init__(self):
        super().__init__(name="mine")
        self.block = Block(13, name="block")
        self.unused = layers.Dropout(0.5)
        self.head = layers.Dense(3, use_bias=False, name="head")

    def call(self, inputs):
        return self.head(self.block(inputs))


def wine():
    """Return 178 wines as 13 numbers each, standardised, and which of 3 cultivars they are of."""
    x, y = load_wine(return_X_y=True)
    return ((x - x.mean(0)) / x.std(0)).astype(np.float32), y.astype(np.int32)


def sequential(**settings):
    keras.utils.set_random_seed(3)
    hidden = [
        layers.Dense(24, "relu", name="one", **settings),
        layers.BatchNormalization(),
        layers.Dense(10, name="two"),
    ]
    return keras.Sequential([keras.Input((13,)), *hidden, layers.ReLU(), layers.Dense(3, name="head")], name="wines")


def subclassed():
    keras.utils.set_random_seed(3)
    model = Mine()
    model(np.zeros((1, 13), np.float32))
    return model


def shared():
    """Two towers of one layer, in a model inside a model."""
    keras.utils.set_random_seed(3)
    inputs, tower = keras.Input((13,)), layers.Dense(9, "tanh", name="tower")
    both = layers.Concatenate()([tower(inputs), tower(-inputs)])
    inner = keras.Model(inputs, layers.Dense(8, "relu", name="joined")(both), name="inner")
    outer = keras.Input((13,))
    return keras.Model(outer, layers.Dense(3, name="head")(inner(outer)), name="outer")


MODELS = {"sequential": sequential, "subclassed": subclassed, "shared": shared}
everywhere = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def not_zero(model, masks):
    """Count the masked weights that are anything but +0."""
    found = kernels(model)
    return sum(np.count_nonzero(found[path].numpy()[~mask].view(np.uint32)) for path, mask in masks.items())


class Watch(keras.callbacks.Callback):
    """Look at the masked weights after every batch, before and after every evaluation, and at the end."""

    def __init__(self, masks):
        super().__init__()
        self.masks, self.looks, self.grown = masks, 0, 0

    def look(self, *_, **__):
        self.looks += 1
        self.grown += not_zero(self.model, self.masks)

    on_train_batch_end = on_test_begin = on_test_end = on_epoch_end = on_train_end = look


# which weights


def test_paths_are_those_of_the_laboratory():
    for name in ("lenet_300_100", "conv2", "lenet5", "resnet20"):
        if name in architectures.NETWORKS:
            model = architectures.build(name, (32, 32, 3), 10)
            assert list(kernels(model)) == variables.prunable(model)
    assert list(kernels(shared())) == ["inner/tower/kernel", "inner/joined/kernel", "head/kernel"]
    assert list(kernels(subclassed())) == ["block/one/kernel", "block/two/kernel", "head/kernel"]


def test_prunable_are_kernels_of_dense_and_convolutions_alone():
    """Of the others, the axes are not (…, inputs, outputs), by which densities are spread and papers count."""
    volume = keras.Input((4, 4, 4, 2))
    plane = layers.Reshape((8, 8, 2))(layers.Conv3D(2, 1, name="volume")(volume))
    plane = layers.Conv2DTranspose(2, 2, name="transposed")(layers.DepthwiseConv2D(2, name="depthwise")(plane))
    plane = layers.SeparableConv2D(2, 2, name="separable")(layers.Conv2D(3, 2, use_bias=False, name="plane")(plane))
    words = keras.Input((6,), dtype="int32")
    line = layers.Conv1D(4, 2, name="line")(layers.Embedding(7, 4, name="words")(words))
    line = layers.MultiHeadAttention(2, 3, name="attention")(line, line)
    line = layers.TimeDistributed(layers.Dense(4, name="each"), name="times")(layers.LayerNormalization()(line))
    line = layers.Bidirectional(layers.LSTM(3), name="both")(line)
    ends = layers.Concatenate()([layers.Flatten()(plane), line])
    model = keras.Model([volume, words], layers.Dense(2, use_bias=False, name="head")(ends))
    wanted = {"volume": (1, 1, 1, 2, 2), "plane": (2, 2, 2, 3), "line": (2, 4, 4), "times/each": (4, 4)}
    wanted["head"] = (model.get_layer("head").kernel.shape[0], 2)
    masks = prune(model, 0.3, distribution="erk")
    assert {path: mask.shape for path, mask in masks.items()} == {f"{k}/kernel": v for k, v in wanted.items()}
    assert kept(masks) == round(0.3 * total(masks))
    before = model.get_weights()
    apply_masks(model, masks)
    masked = {id(kernel): masks[path] for path, kernel in kernels(model).items()}
    for variable, value in zip(model.weights, before, strict=True):
        assert np.array_equal(variable.numpy(), np.where(masked.get(id(variable), True), value, 0))


# how many


@everywhere
@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize(
    "how", [{"scope": "global"}, *({"distribution": each} for each in distributions.DISTRIBUTIONS)], ids=str
)
def test_counts_are_exact_and_masks_nested(make, criterion, how):
    """Down a chain of densities with other weights each time; of equal scores as well."""
    rng = np.random.default_rng(0)
    for ties in (False, True):
        model, masks = make(), None
        initial = {path: rng.standard_normal(kernel.shape) for path, kernel in kernels(model).items()}
        for density in DENSITIES:
            for kernel in kernels(model).values():
                kernel.assign(np.ones(kernel.shape) if ties else rng.standard_normal(kernel.shape))
            smaller = prune(model, density, criterion=criterion, initial=initial, masks=masks, **how)
            assert kept(smaller) == round(density * total(smaller))
            assert masks is None or all((smaller[path] <= masks[path]).all() for path in masks)
            assert "scope" in how or all(mask.any() for mask in smaller.values())
            masks = smaller


def test_layers_have_the_counts_of_their_distribution():
    model = sequential()
    shapes = {path: kernel.shape for path, kernel in kernels(model).items()}
    for name, distribution in distributions.DISTRIBUTIONS.items():
        found = {path: int(mask.sum()) for path, mask in prune(model, 0.3, distribution=name).items()}
        assert found == distributions.layer_counts(shapes, distribution(shapes, 0.3), round(0.3 * 582))


def test_the_largest_stay():
    model = sequential()
    sizes = {path: np.abs(kernel.numpy()) for path, kernel in kernels(model).items()}
    masks = prune(model, 0.25, scope="global")
    joined, chosen = (np.concatenate([each[path].ravel() for path in sizes]) for each in (sizes, masks))
    assert joined[chosen].min() > joined[~chosen].max()
    for path, mask in prune(model, 0.25).items():
        assert sizes[path][mask].min() > sizes[path][~mask].max()


def test_each_layer_may_have_a_density_of_its_own():
    model = sequential()
    masks = prune(model, {"one/kernel": 0.25, "head/kernel": 0.5})
    assert {path: int(mask.sum()) for path, mask in masks.items()} == {
        "one/kernel": 78,
        "two/kernel": 240,
        "head/kernel": 15,
    }
    further = prune(model, {"two/kernel": 0.1}, masks=masks)
    assert [int(mask.sum()) for mask in further.values()] == [78, 24, 15]
    assert all(np.array_equal(further[path], masks[path]) for path in ("one/kernel", "head/kernel"))


def test_a_layer_that_has_less_than_its_share_leaves_the_rest_to_others():
    """Masks of one scope, pruned further in the other."""
    model = sequential()
    kernels(model)["one/kernel"].assign(np.full((13, 24), 1e-9))
    masks = prune(model, 0.5, scope="global")
    assert masks["one/kernel"].sum() == 291 - 270
    further = prune(model, 0.4, masks=masks)
    assert kept(further) == round(0.4 * 582)
    assert further["one/kernel"].sum() == 21
    assert further["two/kernel"].sum() / further["head/kernel"].sum() == pytest.approx(240 / 30, rel=0.05)


@pytest.mark.parametrize("exclude", ["head", ("head",), ["head/kernel"]])
def test_excluded_layers_are_not_counted_and_keep_their_masks(exclude):
    model = sequential()
    masks = prune(model, 0.5, exclude=exclude)
    assert list(masks) == ["one/kernel", "two/kernel"]
    assert kept(masks) == 276
    whole = prune(model, 0.5)
    further = prune(model, 0.1, masks=whole, exclude=exclude)
    assert list(further) == list(whole)
    assert np.array_equal(further["head/kernel"], whole["head/kernel"])
    assert sum(further[path].sum() for path in masks) == round(0.1 * 552)
    assert list(prune(shared(), 0.5, exclude="inner")) == ["head/kernel"]


def test_initial_weights_are_a_dict_or_what_get_weights_gave():
    model = sequential()
    first = model.get_weights()
    by_path = {path: kernel.numpy() for path, kernel in kernels(model).items()}
    rng = np.random.default_rng(1)
    for kernel in kernels(model).values():
        kernel.assign(kernel + rng.standard_normal(kernel.shape))
    moved = {path: np.abs(kernel.numpy() - by_path[path]) for path, kernel in kernels(model).items()}
    for initial in (first, by_path):
        masks = prune(model, 0.3, criterion="movement", initial=initial)
        assert all(moved[path][mask].min() > moved[path][~mask].max() for path, mask in masks.items())


def test_the_seed_draws_the_random_masks():
    model = sequential()
    one, again, other = (prune(model, 0.5, criterion="random", seed=seed)["one/kernel"] for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


# what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(({"criterion": each}, "`initial` must be the weights from which training began") for each in OF_INITIAL),
        ({"criterion": "large"}, "`criterion` must be one of large_final, small_final"),
        ({"scope": "all"}, "`scope` must be one of layer, global"),
        ({"distribution": "ERK"}, "`distribution` must be one of uniform, er, erk"),
        ({"distribution": "erk", "scope": "global"}, "`distribution` spreads one density over layers"),
        ({"density": {"one/kernel": 0.5}, "distribution": "erk"}, "`distribution` spreads one density over layers"),
        ({"density": {"one/kernel": 0.5}, "scope": "global"}, "`density` must be one number in the scope global"),
        ({"density": {"one": 0.5}}, "`density` must name kernels that are pruned, one/kernel, two/kernel, head/kernel"),
        ({"density": {"one/kernel": 1.1}}, "`density` of one/kernel must keep 1 to 312 weights. Received: 1.1, which"),
        ({"density": {"one/kernel": 0.0}}, "must keep 1 to 312 weights"),
        ({"density": 0}, r"`density` must be in (0, 1]. Received: density=0"),
        ({"density": 1.5}, r"`density` must be in (0, 1]"),
        ({"density": "0.5"}, r"`density` must be a number in (0, 1]. Received: density='0.5'"),
        ({"density": 0.004}, "`density` must keep a weight for each of 3 layers"),
        ({"masks": "half", "density": 0.9}, "`density` must be at most the 0.5 of `masks`. Received: density=0.9"),
        ({"masks": {"three/kernel": np.ones((2, 2), bool)}}, "`masks` must be of prunable kernels, one/kernel"),
        ({"masks": {"head/kernel": np.ones((10, 3))}}, "the mask of head/kernel must be bool of shape (10, 3). Rec"),
        ({"exclude": "three"}, "`exclude` must name layers with a prunable kernel, one/kernel"),
        ({"exclude": ["one", "two", "head"]}, "`exclude` must leave a layer to prune. Received: one, two, head"),
        ({"criterion": "movement", "initial": {}}, "`initial` must hold one/kernel of shape (13, 24). Received: not"),
        ({"criterion": "movement", "initial": [np.ones(3)]}, "`initial` must be 10 arrays, as model.get_weights()"),
        ({"initial": {"one/kernel": np.ones(3)}}, "`initial` must hold one/kernel of shape (13, 24). Received: shape"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_one_line(arguments, message):
    model = sequential()
    arguments = {"density": 0.5, **arguments}
    if arguments.get("masks") == "half":
        arguments["masks"] = prune(model, 0.5)
    with pytest.raises(BadInput) as refused:
        prune(model, **arguments)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_models_that_cannot_be_pruned_are_refused():
    twins = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="a")], name="inner")

    class Twins(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = layers.Dense(4, name="same"), layers.Dense(4, name="same")

        def call(self, inputs):
            return self.two(self.one(inputs))

    same = Twins()
    same(np.zeros((1, 4)))
    unbuilt = keras.Sequential([layers.Dense(4)], name="later")
    empty = keras.Sequential([keras.Input((4,)), layers.ReLU()], name="plain")
    for model, message in [
        (twins.layers[0], "`model` must be a Keras model. Received: an object of type Dense"),
        (unbuilt, "`model` must be built, by a call on a batch for instance. Received: later, which is not"),
        (empty, "`model` must have a Dense or Conv layer to prune. Received: plain, which has none"),
        (same, "`model` must have different names for its layers. Received: two of the path same"),
    ]:
        for refuses in (lambda model: prune(model, 0.5), lambda model: keep_masks(model, {})):
            with pytest.raises(BadInput, match=message.replace("(", r"\(")):
                refuses(model)


def test_weights_that_are_no_numbers_are_refused():
    model = sequential()
    kernels(model)["two/kernel"].assign(np.full((24, 10), np.nan))
    with pytest.raises(BadInput, match=r"weights must be numbers\. Received: NaN in two/kernel"):
        prune(model, 0.5)
    apply_masks(model, {"two/kernel": np.zeros((24, 10), bool)})
    assert not_zero(model, {"two/kernel": np.zeros((24, 10), bool)}) == 0


@pytest.mark.parametrize("act", [apply_masks, keep_masks])
def test_masks_that_do_not_fit_change_nothing(act):
    model = sequential()
    before = model.get_weights()
    masks = prune(model, 0.5)
    for wrong, message in [
        ({"one/kernel": masks["one/kernel"], "one/bias": np.ones(24, bool)}, "Received: one/bias"),
        ({**masks, "head/kernel": masks["head/kernel"].T}, r"shape \(10, 3\)\. Received: bool of shape \(3, 10\)"),
        ({"one/kernel": masks["one/kernel"].astype(int)}, "must be bool"),
    ]:
        with pytest.raises(BadInput, match=message):
            act(model, wrong)
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))


# they stay zero


AVERAGING = {"use_ema": True, "ema_momentum": 0.9}


@pytest.mark.parametrize(
    ("optimizer", "settings", "callbacks"),
    [
        (lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1), {"jit_compile": False}, []),
        (lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1), {"steps_per_execution": 10}, []),
        (lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), {}, []),
        (lambda: adam(0.01, **AVERAGING), {}, [keras.callbacks.SwapEMAWeights]),
        (lambda: adam(0.01, **AVERAGING, ema_overwrite_frequency=3), {"steps_per_execution": 10}, []),
        (lambda: keras.optimizers.LossScaleOptimizer(adam(0.01, **AVERAGING)), {}, []),
    ],
    ids=["decay", "decay, 10 steps", "momentum", "averages swapped", "averages overwrite", "averages scaled"],
)
def test_masked_weights_are_zero_at_every_look(optimizer, settings, callbacks):
    """After every batch and at every evaluation; at the end of `fit`, averages become the weights."""
    x, y = wine()
    model = sequential()
    masks, before = prune(model, 0.2, scope="global"), model.get_weights()
    keep_masks(model, masks)
    model.compile(optimizer(), LOSS, **settings)
    watch = Watch(masks)
    called = [*(each() for each in callbacks), watch]
    model.fit(x, y, epochs=2, batch_size=8, validation_split=0.1, verbose=0, callbacks=called)
    assert watch.looks >= 2 * (2 if "steps_per_execution" in settings else 20) + 7
    assert watch.grown == not_zero(model, masks) == 0
    model.train_on_batch(x[:8], y[:8])
    assert not_zero(model, masks) == 0
    kernel, bias = model.get_weights()[:2]
    assert not np.allclose(kernel[masks["one/kernel"]], before[0][masks["one/kernel"]], atol=1e-3)
    assert not np.allclose(bias, 0, atol=1e-3)


def test_steps_between_two_reports_are_masked_as_well():
    """A callback would let pruned weights grow for as long as one execution takes."""
    x, y = wine()
    found = []
    for steps in (1, 20):
        model = sequential()
        keep_masks(model, prune(model, 0.2))
        model.compile(adam(0.01), LOSS, steps_per_execution=steps, jit_compile=False)
        model.fit(x[:160], y[:160], batch_size=8, shuffle=False, verbose=0)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@everywhere
def test_own_loops_keep_masks_by_the_optimizer(make, tensorflow):
    """A step that is compiled once obeys the masks of today and those of tomorrow."""
    x, y = wine()
    model, optimizer = make(), adam(0.01)
    masks = prune(model, 0.5)
    keep_masks(model, masks)

    @tensorflow.function(jit_compile=True)
    def step():
        with tensorflow.GradientTape() as tape:
            loss = LOSS(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    step()
    assert not_zero(model, masks) == 0
    smaller = prune(model, 0.1, masks=masks)
    assert not_zero(model, smaller) > 0
    keep_masks(model, smaller)
    for _ in range(3):
        step()
    assert not_zero(model, smaller) == 0


def test_the_last_masks_hold_and_none_frees_all():
    """In a model that has been trained before, whose compiled step knows nothing of masks."""
    x, y = wine()
    model = sequential(kernel_constraint=keras.constraints.MaxNorm(0.5))
    model.compile(adam(0.05), LOSS)
    step = {"batch_size": 60, "verbose": 0}
    model.fit(x, y, **step)
    masks = prune(model, 0.3)
    for given in (masks, {path: masks[path] for path in ("one/kernel", "two/kernel")}):
        keep_masks(model, given)
        model.fit(x, y, **step)
        assert not_zero(model, given) == 0
    assert not_zero(model, {"head/kernel": masks["head/kernel"]}) > 0
    keep_masks(model, {})
    model.fit(x, y, **step)
    assert all(not_zero(model, {path: mask}) > 0 for path, mask in masks.items())
    norms = np.linalg.norm(kernels(model)["one/kernel"].numpy(), axis=0)  # the layer's own constraint was in force
    assert norms.max() <= 0.5 + 1e-4
    assert isinstance(kernels(model)["one/kernel"].constraint, keras.constraints.MaxNorm)
    assert kernels(model)["head/kernel"].constraint is None


def test_training_is_that_of_the_laboratory(tensorflow):
    """100 steps of SGD in `fit` under masks, and in the engine under the same: equal up to rounding."""
    from ticketlab.training.dense_engine import DenseEngine

    x, y = wine()
    dataset = from_arrays("wine", x[::2], y[::2], x[1::2], y[1::2])
    model = sequential()
    engine = DenseEngine(model, dataset, EngineSettings(batch_size=8, optimizer="sgd"))
    masks, initial = prune(model, 0.3, distribution="erk"), engine.weights()
    order = np.random.default_rng(0).integers(0, len(dataset.x_train), (100, 8)).astype(np.int32)
    engine.load(initial, masks)
    engine.train(order, np.full(100, 0.05, np.float32))
    ours = engine.weights()

    for path, variable in variables.carried(model).items():
        variable.assign(initial[path])
    keep_masks(model, masks)
    model.compile(keras.optimizers.SGD(0.05), LOSS, steps_per_execution=10)
    batches = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model.fit(dataset.x_train[order.ravel()], dataset.y_train[order.ravel()], **batches)
    for path, variable in variables.carried(model).items():
        assert not np.allclose(ours[path], initial[path], atol=1e-3)
        np.testing.assert_allclose(variable.numpy(), ours[path], rtol=1e-4, atol=1e-5)


# files


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, when it saves
def test_saved_models_need_no_ticketlab(tmp_path):
    """Another process loads one in which ours cannot be imported; loaded again here, masks are kept anew."""
    x, y = wine()
    model = sequential()
    masks = prune(model, 0.2)
    keep_masks(model, masks)
    model.compile(adam(0.01, use_ema=True), LOSS, metrics=["accuracy"])
    model.fit(x, y, batch_size=16, verbose=0)
    model.save(tmp_path / "sparse.keras")
    code = (
        "import sys; sys.modules['ticketlab'] = None; import keras; "
        f"model = keras.saving.load_model({str(tmp_path / 'sparse.keras')!r}); "
        "print(sum(int((w.numpy() != 0).sum()) for w in model.weights if w.name == 'kernel'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, str(kept(masks))), done.stderr
    loaded = keras.saving.load_model(tmp_path / "sparse.keras")
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    keep_masks(loaded, masks)
    watch = Watch(masks)
    loaded.fit(x, y, batch_size=16, validation_split=0.1, verbose=0, callbacks=[watch])
    assert watch.looks > 10
    assert watch.grown == 0


def test_half_precision_weights(tensorflow):
    """What NumPy cannot sort is scored in float32."""
    model = keras.Sequential([keras.Input((13,)), layers.Dense(8, dtype="bfloat16"), layers.Dense(3, dtype="float16")])
    masks = prune(model, 0.4, scope="global")
    keep_masks(model, masks)
    model.compile(keras.optimizers.SGD(0.1), LOSS, jit_compile=False)
    model.fit(*wine(), batch_size=60, verbose=0)
    for path, kernel in kernels(model).items():
        values = ops.convert_to_numpy(ops.cast(kernel, "float32"))
        assert np.count_nonzero(values[~masks[path]]) == 0 < np.count_nonzero(values[masks[path]])
