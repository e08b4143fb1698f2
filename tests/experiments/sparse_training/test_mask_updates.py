"""Updates of connectivity in a real training, with both engines: the laws that every method obeys."""

import dataclasses
import functools

import numpy as np
import pytest

from ticketlab.data.dataset import batches
from ticketlab.errors import Diverged
from ticketlab.experiments.replicate import Replicate
from ticketlab.experiments.sparse_training.budgets import paper_flops, training_flops
from ticketlab.experiments.sparse_training.experiment import beginning
from ticketlab.experiments.sparse_training.mask_updates import Rules
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.networks import architectures
from ticketlab.runs.folder import Run
from ticketlab.sparsity import masks
from ticketlab.sparsity.flops import Cost
from ticketlab.training.context import Context
from ticketlab.training.engine import EngineSettings
from ticketlab.training.loop import Plan, Updates, train

SPEC = SparseTrainingSpec(
    dataset="digits", network="fcn_30_20", iterations=60, update_every=10, eval_every=30, batch_size=30, density=0.3
)
SGD = {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9}
EXCHANGES = {
    "set": {"method": "set"},
    "set, every 10 iterations": {"method": "set", "update_every": 10, "drop": "magnitude", "grown": "zero"},
    "set, initialiser": {"method": "set", "grown": "initialiser", "regrow": False, **SGD},
    "rigl": {},
    "rigl, momentum": SGD,
    "rigl, fixed fraction": {"fraction_schedule": "constant", "regrow": False, "distribution": "uniform"},
    "snfs": {"method": "snfs"},
}


@pytest.fixture(scope="session")
def make(tensorflow, digits):
    """Make a context; engines are compiled once for all specs that need the same ones."""
    model = architectures.build("fcn_30_20", digits.input_shape, digits.outputs)
    made = {}

    def of_spec(spec):
        context = Context(spec, model, digits)
        context.engines = made.setdefault(EngineSettings.of(spec), {})
        return context

    return of_spec


def spec_of(engine="dense", **changed):
    own = {each.name for each in dataclasses.fields(SPEC)} - set(changed)
    kept = ("dataset", "network", "iterations", "update_every", "eval_every", "batch_size", "density")
    values = {name: getattr(SPEC, name) for name in kept if name in own}
    if changed.get("method") == "set":
        values.pop("update_every", None)
    return SparseTrainingSpec(**{**values, "engine": engine, **changed}).resolved


def watch(context, seed=0):
    """Train, and return what each update was given and made: (iteration, weights, masks, optimizer, change, engine)."""
    spec, seen = context.spec, []
    rules = Rules(spec, context.model, context.shapes, seed)

    def change(engine, present, iteration):
        before = iteration, engine.weights(), present, engine.optimizer_state()
        seen.append((*before, rules.change(engine, present, iteration)))
        return seen[-1][-1]

    plan = Plan(
        stop=spec.iterations,
        order=functools.partial(batches, context.train_indices, spec.batch_size, seed),
        rates=spec.learning_rates,
        eval_every=spec.eval_every,
        updates=Updates(spec.updates(context.train_indices.size), change),
    )
    return seen, train(context.engine, beginning(Replicate(context, Run("unused"), seed, lambda event: None)), plan)


def slots(optimizer, path):
    """Return the optimizer's slots of a kernel, without the averages of all gradients."""
    own = {name.rpartition("/")[2]: slot for name, slot in optimizer.items() if name.rpartition("/")[0] == path}
    return {name: slot for name, slot in own.items() if name != "average"}


BOTH = [(name, engine) for name in EXCHANGES for engine in ("dense", "sparse") if (name, engine) != ("snfs", "sparse")]


@pytest.mark.parametrize(("name", "engine"), BOTH)
def test_the_laws_of_an_exchange(make, name, engine):
    spec = spec_of(**{"engine": engine, **EXCHANGES[name]})
    context = make(spec)
    seen, done = watch(context)
    assert [each[0] for each in seen] == spec.updates(context.train_indices.size)
    assert len(seen) >= 1
    for iteration, weights, present, optimizer, change in seen:
        share = 0.3
        if spec.fraction_schedule == "cosine":
            share *= (1 + np.cos(np.pi * iteration / spec.update_until)) / 2
        for path, mask in present.items():
            after, survivors = change.masks[path], mask & change.masks[path]
            assert np.count_nonzero(after) == np.count_nonzero(mask)
            assert not change.weights[path][~after].any()
            same = survivors & (change.weights[path] == weights[path])  # others were dropped and grown again
            negative = mask & (weights[path] < 0)
            parts = (mask.sum() - negative.sum(), negative.sum()) if spec.drop == "sign" else (mask.sum(),)
            gone, wanted = (mask & ~same).sum(), min(sum(round(share * part) for part in parts), (~mask).sum())
            unseen = (same & (weights[path] == 0)).sum()  # a 0 may have been dropped and grown again as 0
            assert wanted - unseen <= gone <= wanted
            assert unseen == 0 or spec.grown == "zero"
            if spec.averages:
                average = f"{path}/average"
                np.testing.assert_array_equal(change.optimizer[average], optimizer[average])
            new = after & ~same
            assert bool(spec.regrow) or not (new & mask).any()
            for slot, values in slots(change.optimizer, path).items():
                assert not values[new].any()
                np.testing.assert_array_equal(values[same], slots(optimizer, path)[slot][same])
            if spec.grown == "zero":
                assert not change.weights[path][new].any()
            elif new.sum() > 100:
                found = change.weights[path][new]
                expected = 0.1 if spec.grown == "normal" else np.sqrt(2 / sum(mask.shape))  # Glorot's
                assert found.std() == pytest.approx(expected, rel=0.3)
                assert found.all()
        for path in set(weights) - set(present):
            np.testing.assert_array_equal(change.weights[path], weights[path])
    assert any((change.masks[path] != present[path]).any() for _, _, present, _, change in seen for path in present)
    for path, mask in done.masks.items():
        assert not done.weights[path][~mask].any()
        np.testing.assert_array_equal(mask, seen[-1][-1].masks[path])


@pytest.mark.parametrize("engine", ["dense", "sparse"])
def test_rigl_grows_where_automatic_differentiation_finds_the_largest_gradients(make, engine, digits):
    import tensorflow as tf

    context = make(spec_of(engine, regrow=False))
    seen, _ = watch(context)
    model, place = context.model, {}
    for layer in model.layers[1:]:
        place |= {f"{layer.name}/{variable.name}": variable for variable in layer.variables}
    for iteration, weights, present, _, change in seen:
        (chosen,) = batches(context.train_indices, 30, 0, iteration, iteration + 1)
        for path, variable in place.items():
            variable.assign(weights[path])
        with tf.GradientTape() as tape:
            outputs = model(digits.x_train[chosen] * np.float32(digits.scale), training=True)
            labels = digits.y_train[chosen]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs))
        found = tape.gradient(loss, {path: place[path].value for path in present})
        for path, mask in present.items():
            new, gradient = change.masks[path] & ~mask, np.abs(found[path].numpy())
            rest = ~mask & ~new
            assert new.any()
            assert gradient[new].min() >= gradient[rest].max() * (1 - 1e-4)  # equal but for rounding


def test_an_update_by_gradients_takes_the_place_of_a_step(make):
    """Training goes on after the batch whose gradients an update took, and its loss counts."""
    context = make(spec_of())
    seen, done = watch(context)
    assert seen[0][3]["steps"] == 10
    assert seen[1][3]["steps"] == 19
    assert done.optimizer["steps"] == 60 - len(seen)
    assert done.iteration == 60
    context = make(spec_of(method="set", update_every=10))
    assert watch(context)[1].optimizer["steps"] == 60


def test_averaged_gradients_are_those_of_all_weights(make):
    """SNFS: after the first step the average is a tenth of its gradients, of weights that are not kept as well."""
    context = make(spec_of(method="snfs"))
    start = beginning(Replicate(context, Run("unused"), 0, print))
    engine = context.engine(start.masks)
    engine.load(start.weights, start.masks)
    order = batches(context.train_indices, 30, 0, 0, 1)
    _, gradients = engine.gradients(order[0])
    engine.train(order, context.spec.learning_rates(0, 1))
    for path, gradient in gradients.items():
        average = engine.optimizer_state()[f"{path}/average"]
        np.testing.assert_allclose(average, gradient / 10, rtol=1e-4, atol=1e-7)
        assert average[~start.masks[path]].any()


@pytest.mark.parametrize("engine", ["dense", "auto"])
def test_gradual_pruning_keeps_the_largest_and_stays_nested(make, engine):
    spec = spec_of(engine, method="gradual", density=0.1, distribution="uniform", break_even_density=0.8)
    context = make(spec)
    seen, done = watch(context)
    for _, weights, present, _, change in seen:
        for path, mask in present.items():
            after = change.masks[path]
            assert not (after & ~mask).any()
            gone = mask & ~after
            assert np.abs(weights[path][gone]).max(initial=0) <= np.abs(weights[path][after]).min()
            for values in slots(change.optimizer, path).values():
                assert not values[~after].any()
    assert masks.kept(done.masks) == round(0.1 * masks.total(done.masks))
    assert done.early_stop[0] > seen[-1][0], "what was best with more weights is not what comes of it"


def test_both_engines_agree_on_a_whole_sparse_training(make):
    found = [
        watch(make(spec_of(engine, method="set", epsilon=4, density=None, dense_output=True)))[1]
        for engine in ("dense", "sparse")
    ]
    dense, sparse = found
    assert masks.kept(dense.masks) == masks.kept(sparse.masks)
    assert sparse.history[-1][1] == pytest.approx(dense.history[-1][1], rel=0.02)


def test_every_update_grows_elsewhere(make):
    context = make(spec_of(method="set"))
    start = beginning(Replicate(context, Run("unused"), 0, print))
    engine, rules = context.engine(start.masks), Rules(context.spec, context.model, context.shapes, 0)
    engine.load(start.weights, start.masks)
    first, again, second = (rules.change(engine, start.masks, iteration) for iteration in (10, 10, 20))
    for path in start.masks:
        np.testing.assert_array_equal(first.masks[path], again.masks[path])
    assert (first.masks["dense_1/kernel"] != second.masks["dense_1/kernel"]).any()
    values = [change.weights["dense_1/kernel"][change.masks["dense_1/kernel"]] for change in (first, second)]
    assert not np.array_equal(*values)


@pytest.mark.parametrize("method", ["set", "rigl", "gradual"])
def test_divergence_before_an_update_is_said(make, method):
    context = make(spec_of(method=method))
    start = beginning(Replicate(context, Run("unused"), 0, print))
    engine, rules = context.engine(start.masks), Rules(context.spec, context.model, context.shapes, 0)
    broken = np.where(start.masks["dense_2/kernel"], np.float32(np.nan), np.float32(0))
    engine.load({**start.weights, "dense_2/kernel": broken}, start.masks)
    with pytest.raises(Diverged, match=r"training diverged: dense_2/kernel is nan before the update at iteration 10"):
        rules.change(engine, start.masks, 10)


def test_training_flops_by_hand():
    shapes, costs = {"a": (10, 5), "b": (5, 2)}, {"a": Cost(1, 5), "b": Cost(1, 2)}
    settings = {"density": 0.5, "distribution": "uniform", "iterations": 100, "batch_size": 2, "update_every": 4}

    def cost(**changed):
        return training_flops(SparseTrainingSpec(**{**settings, **changed}).resolved, costs, shapes, 20, 0, 100) / 200

    none = dict.fromkeys(["density", "distribution", "update_every"])
    dense, sparse = 2 * 60 + 7, 2 * 30 + 7
    assert cost(method="dense", **none) == 3 * dense
    assert cost(method="static", update_every=None) == cost(method="set") == 3 * sparse
    # of 100 iterations, those before 75 that are multiples of 4 or 10 are updates, and not the first
    update = 2 * sparse + dense
    assert cost() == pytest.approx((82 * 3 * sparse + 18 * update) / 100)
    assert cost(update_until=9) == pytest.approx((98 * 3 * sparse + 2 * update) / 100)
    assert cost(update_every=0) == pytest.approx((93 * 3 * sparse + 7 * update) / 100)  # an epoch is 10 iterations
    assert cost(method="snfs") == cost(method="snfs", update_until=9) == update
    assert cost(method="cut", update_every=None) == 3 * dense
    until = {"method": "gradual", "update_every": 50, "update_until": 99}
    assert paper_flops(SparseTrainingSpec(**settings, method="set").resolved, costs, shapes, 20, 100) is None
    for every, steps in ((4, 4), (0, 10)):
        spec = SparseTrainingSpec(**{**settings, "update_every": every}).resolved
        average = (3 * sparse * steps + update) / (steps + 1)
        assert paper_flops(spec, costs, shapes, 20, 100) == pytest.approx(200 * average)
        parts = [training_flops(spec, costs, shapes, 20, *each) for each in ((0, 0), (0, 20), (20, 75), (75, 100))]
        assert parts[0] == 0
        assert parts[3] == 25 * 2 * 3 * sparse, "none after the last update"
        assert sum(parts) == pytest.approx(training_flops(spec, costs, shapes, 20, 0, 100))
    halfway = 2 * sum(round(size * (1 - 0.5 * (1 - (49 / 99) ** 3))) for size in (50, 10)) + 7
    assert cost(**until) == pytest.approx(3 * (0.5 * dense + 0.49 * halfway + 0.01 * sparse))
