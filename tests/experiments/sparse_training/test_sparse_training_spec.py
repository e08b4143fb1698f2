"""The spec of sparse training: what methods fill in, what is refused, which updates and rounds there are."""

import pytest

from ticketlab.errors import BadInput
from ticketlab.experiments.sparse_training.budgets import counts_at, final_counts
from ticketlab.experiments.sparse_training.methods import METHODS
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec

LENET = {"dense_1/kernel": (784, 300), "dense_2/kernel": (300, 100), "dense_3/kernel": (100, 10)}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"method": "dense", "density": 0.1},
            "`density` must be left out with the method dense. Received: density=0.1",
        ),
        ({"method": "static", "drop_fraction": 0.3}, "`drop_fraction` must be left out with the method static. "),
        ({"method": "gradual", "grown": "zero"}, "`grown` must be left out with the method gradual. "),
        ({"drop_fraction": 1.0}, "`drop_fraction` must be in (0, 1). Received: drop_fraction=1.0"),
        ({"drop_fraction": 0.0}, "`drop_fraction` must be in (0, 1). Received: drop_fraction=0.0"),
        ({"density": 0.0}, "`density` must be in (0, 1]. Received: density=0.0"),
        ({"density": 0.1, "epsilon": 11.0}, "`density` must be left out with `epsilon`. Received: density=0.1"),
        ({"epsilon": -1.0}, "`epsilon` must be greater than 0. "),
        ({"epsilon": 11.0, "distribution": "erk"}, "`distribution` must be er with `epsilon`. "),
        ({"update_until": 8001}, "`update_until` must be at most `iterations`=8000. Received: update_until=8001"),
        ({"update_every": 6000}, "`update_every` must be less than `update_until`=6000. Received: update_every=6000"),
        ({"method": "gradual", "update_until": 8000}, "`update_until` must be less than `iterations`=8000 with the "),
        ({"save_every": 9000}, "`save_every` must be at most `iterations`=8000. "),
        ({"method": "static", "save_every": 0}, "`save_every` must be greater than 0 with the method static, which "),
        ({"patience": 3}, "`patience` must be left out in sparse training, which ends at `iterations`. "),
        ({"method": "snfs", "engine": "sparse"}, "`engine` must be auto or dense with the method snfs, which needs "),
        ({"method": "deep_r"}, "`method` must be one of dense, static, set, rigl, snfs, gradual, cut. "),
    ],
)
def test_what_a_method_cannot_do_is_refused_in_one_line(fields, message):
    with pytest.raises(BadInput) as caught:
        SparseTrainingSpec(**fields)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_left_out_is_the_methods_own_and_has_the_same_key(method):
    spec = SparseTrainingSpec(method=method).resolved
    again = SparseTrainingSpec(method=method, **{name: getattr(spec, name) for name in METHODS[method].options})
    assert spec == again.resolved == SparseTrainingSpec.from_json(spec.to_json())
    assert spec.key() == again.key()


def test_keys_of_all_methods_differ_and_some_are_pinned():
    keys = {method: SparseTrainingSpec(method=method).key() for method in METHODS}
    assert len(set(keys.values())) == len(METHODS)
    assert (keys["set"], keys["rigl"]) == ("40f869ac65", "618d5dd321")


def test_updates_stop_at_t_end():
    spec = SparseTrainingSpec(iterations=1000, update_every=100)
    assert spec.updates(55_000) == [100, 200, 300, 400, 500, 600, 700]
    assert SparseTrainingSpec(iterations=1000, update_every=100, update_until=701).updates(55_000)[-1] == 700
    assert SparseTrainingSpec(iterations=1000, update_every=100, update_until=700).updates(55_000)[-1] == 600
    assert SparseTrainingSpec(method="static").updates(55_000) == []


def test_set_updates_after_every_epoch_but_the_last():
    """An epoch of 100 samples is 8⅓ iterations of 12; 25 iterations are three of them."""
    assert SparseTrainingSpec(method="set", iterations=25, batch_size=12).updates(100) == [9, 17]
    assert SparseTrainingSpec(method="set", iterations=26, batch_size=12).updates(100) == [9, 17, 25]
    assert SparseTrainingSpec(method="set", iterations=60, batch_size=12, update_until=17).updates(100) == [9]
    assert SparseTrainingSpec(method="set", iterations=300, batch_size=305).updates(1647)[44] == 243, (
        "45 · 5.4, without rounding"
    )


def test_gradual_pruning_follows_its_cubic_and_ends_exact():
    spec = SparseTrainingSpec(
        method="gradual", density=0.1, distribution="uniform", iterations=1000, update_every=100
    ).resolved
    final = final_counts(spec, LENET)
    counts = [sum(counts_at(spec, LENET, each).values()) / 266_200 for each in (0, *spec.updates(55_000))]
    wanted = [1 - 0.9 * (1 - (1 - min(1, each / 750)) ** 3) for each in (0, *range(100, 750, 100), 750)]
    assert counts == pytest.approx(wanted, abs=1e-4)
    assert counts_at(spec, LENET, spec.updates(55_000)[-1]) == final
    assert sum(final.values()) == 26_620


def test_rounds_are_stretches_between_saves():
    assert SparseTrainingSpec(method="static", iterations=25, save_every=10).stretches(100) == [
        (0, 0),
        (0, 10),
        (10, 20),
        (20, 25),
    ]
    assert SparseTrainingSpec(iterations=1000, update_every=300, save_every=0).stretches(100) == [
        (0, 0), (0, 300), (300, 600), (600, 1000),
    ]  # fmt: skip
    assert SparseTrainingSpec(method="cut", iterations=20, save_every=10).stretches(100)[-2:] == [(10, 20), (20, 20)]


def test_epsilon_11_of_the_reference_network_has_23226_parameters():
    shapes = {"dense_1/kernel": (784, 512), "dense_2/kernel": (512, 128), "dense_3/kernel": (128, 10)}
    counts = final_counts(SparseTrainingSpec(method="set", epsilon=11, dense_output=True).resolved, shapes)
    assert sum(counts.values()) + 512 + 128 + 10 == 23_226
    assert final_counts(SparseTrainingSpec(method="set", epsilon=11).resolved, shapes) == counts, (
        "11·138 connections are more than 1280"
    )
    with pytest.raises(BadInput, match=r"`epsilon` must be less than 309.7, where all layers are dense. Received: eps"):
        final_counts(SparseTrainingSpec(method="set", epsilon=310).resolved, shapes)


@pytest.mark.parametrize(
    ("sparsity", "layers"),
    [
        (0.8, (0.83776, 0.53064, 0)),
        (0.9, (0.92043, 0.76981, 0)),
        (0.95, (0.96152, 0.88867, 0.08149)),
        (0.98, (0.98461, 0.95547, 0.63260)),
    ],
)
def test_erk_agrees_with_the_oracle(sparsity, layers):
    counts = final_counts(SparseTrainingSpec(density=1 - sparsity).resolved, LENET)
    sizes = (235_200, 30_000, 1_000)
    for count, size, wanted in zip(counts.values(), sizes, layers, strict=True):
        assert 1 - count / size == pytest.approx(wanted, abs=1 / size + 5e-6)
    assert sum(counts.values()) == round((1 - sparsity) * 266_200)


def test_dense_layers_leave_the_equation():
    counts = final_counts(SparseTrainingSpec(density=0.1, distribution="uniform", dense_output=True).resolved, LENET)
    assert (counts["dense_3/kernel"], sum(counts.values())) == (1000, 26_620)
    assert counts["dense_1/kernel"] / 235_200 == pytest.approx(counts["dense_2/kernel"] / 30_000, abs=1e-4)
    with pytest.raises(BadInput, match=r"`density` must be at least the 0.8835 of dense layers. Received: density=0.1"):
        final_counts(SparseTrainingSpec(density=0.1, dense_first=True).resolved, LENET)
    with pytest.raises(BadInput, match=r"`density` must be more, for a weight in each layer beside the dense ones. "):
        final_counts(
            SparseTrainingSpec(density=0.7059, dense_first=True).resolved, {"a": (64, 30), "b": (30, 20), "c": (20, 10)}
        )
    assert final_counts(SparseTrainingSpec(density=1.0, dense_first=True).resolved, {"a": (64, 10)}) == {"a": 640}
    with pytest.raises(BadInput, match=r"`density` must be at least the 1 of dense layers. Received: density=0.3"):
        final_counts(SparseTrainingSpec(density=0.3, dense_first=True).resolved, {"a": (64, 10)})
    with pytest.raises(BadInput, match=r"`density` must keep a weight for each of 3 layers. Received: density=1e-06"):
        final_counts(SparseTrainingSpec(density=1e-6).resolved, LENET)
