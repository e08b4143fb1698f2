"""Specs: validation, JSON, the run key, named random streams, presets."""

import json

import numpy as np
import pytest

from ticketlab.errors import BadInput
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.presets import PRESETS
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec
from ticketlab.random_streams import stream, stream_seed
from ticketlab.runs.defaults import DATASET_DEFAULTS


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prune_rate": 20}, "`prune_rate` must be in (0, 1). Received: prune_rate=20.0"),
        ({"iterations": 0}, "`iterations` must be greater than 0. Received: iterations=0"),
        ({"iterations": 10.5}, "`iterations` must be of type int. Received: iterations=10.5"),
        ({"nesterov": 1}, "`nesterov` must be of type bool. Received: nesterov=1"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be a finite number. Received: learning_rate=nan"),
        ({"criterion": "largest"}, "`criterion` must be one of large_final, small_final, large_initial"),
        ({"dataset": "../etc"}, "`dataset` must be a name of letters"),
        ({"rounds": -1}, "`rounds` must be 0 or greater. "),
        ({"momentum": 0.9}, "`momentum` must be left out with the optimizer adam. Received: momentum=0.9"),
        ({"nesterov": True}, "`nesterov` must be left out with the optimizer adam. Received: nesterov=True"),
        ({"optimizer": "sgd", "nesterov": True}, "`momentum` must be greater than 0 with `nesterov`. "),
        ({"rewind_iteration": 8000}, "`rewind_iteration` must be less than `iterations`=8000. "),
        ({"rewind_iteration": 10, "weights_from": "fresh"}, "`rewind_iteration` must be 0 with `weights_from`=fresh. "),
        (
            {"scope": "global", "conv_prune_rate": 0.1},
            "`conv_prune_rate` must be left out or 0 in the scope `global`. ",
        ),
        ({"schedule": "step"}, "`schedule_steps` must be given with the schedule step. Received: schedule_steps=()"),
        ({"schedule_steps": (5,)}, "`schedule_steps` must be left out without the schedule step. "),
        ({"schedule": "step", "schedule_steps": (9, 5)}, "`schedule_steps` must be greater than 0 and increasing. "),
        ({"schedule": "step", "schedule_steps": (8000,)}, "`schedule_steps` must be less than `iterations`=8000. "),
        ({"schedule_factor": 0.5}, "`schedule_factor` must be left out without the schedule step. "),
        ({"warmup": 8001}, "`warmup` must be at most `iterations`=8000. Received: warmup=8001"),
        ({"schedule_from": "final", "schedule": "cosine"}, "`schedule_from` must be rewind with the schedule cosine"),
        ({"branch": "nothing"}, "`branch` must be one of random_reinit, "),
        ({"branch": "one_shot", "weights_from": "final"}, "`branch` must be of a run with `weights_from`=rewind. "),
        ({"only_rounds": (3,)}, "`only_rounds` must be given with a `branch`, since rounds rest on those before. "),
        ({"weight_decay": -1}, "`weight_decay` must be 0 or greater. Received: weight_decay=-1.0"),
        ({"activation": "elu"}, "`activation` must be one of relu, tanh, sigmoid, gelu. Received: activation=elu"),
        ({"network": "../nets.py:2"}, "`network` must be a network's name or path/to/file.py:function. "),
        (
            {"scope": "global", "output_prune_rate": 0.1},
            "`output_prune_rate` must be left out or 0 in the scope `global`. ",
        ),
    ],
)
def test_bad_values_are_refused_with_what_was_expected_and_received(fields, message):
    with pytest.raises(BadInput) as caught:
        ImpSpec(**fields)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_json_round_trip_and_unknown_fields():
    spec = ImpSpec(optimizer="sgd", momentum=0.9, nesterov=True, target_density=0.1, patience=3)
    assert ImpSpec.from_json(spec.to_json()) == spec.resolved
    with pytest.raises(BadInput, match="Received: colour"):
        ImpSpec.from_json(json.dumps({"colour": "red"}))


def test_keys_are_stable_across_versions():
    """If this fails, old runs are no longer found: what keys leave out must be the old behaviour."""
    assert ImpSpec(engine="dense").folder_name() == "imp-mnist-lenet_300_100-20565609a5"
    assert ImpSpec(engine="dense", weights_from="fresh").key() == "55f922f329"
    assert ImpSpec(engine="dense", dataset="digits", **DATASET_DEFAULTS["digits"]).key() == "6d54c0e5af"
    assert ImpSpec().folder_name() == "imp-mnist-lenet_300_100-fae841bfa4"


def test_a_spec_of_a_version_without_a_field_is_read_as_what_it_was():
    stored = {name: value for name, value in ImpSpec().described().items() if name not in ("engine", "schedule")}
    assert ImpSpec.from_json(json.dumps(stored)) == ImpSpec(engine="dense").resolved


def test_key_ignores_only_what_extends_a_run():
    same = [ImpSpec(rounds=3), ImpSpec(target_density=0.5), ImpSpec(learning_rate=0.0012)]
    assert {spec.key() for spec in same} == {ImpSpec().key()}
    different = [ImpSpec(learning_rate=1e-3), ImpSpec(threads=2), ImpSpec(eval_every=50), ImpSpec(dataset="digits")]
    assert len({spec.key() for spec in [ImpSpec(), *different]}) == 5


def test_integers_and_floats_give_one_key():
    assert ImpSpec(learning_rate=1).key() == ImpSpec(learning_rate=1.0).key()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid(name):
    (SparseTrainingSpec if "method" in PRESETS[name] else ImpSpec)(**PRESETS[name])


def test_the_papers_column():
    spec = ImpSpec(**PRESETS["frankle-carbin-2019"]).resolved
    assert (spec.iterations, spec.batch_size, spec.learning_rate) == (50_000, 60, 1.2e-3)
    assert (spec.prune_rate, spec.output_prune_rate, spec.eval_every) == (0.2, None, 100)  # None: half of it


def test_streams_are_named_and_stable():
    assert stream_seed(0, "order", 1) == 273055945516765692986413579769164473595
    names = [(0, "order", 0), (0, "order", 1), (1, "order", 0), (0, "pruning", 0), (0, "order/0")]
    assert len({stream_seed(*name) for name in names}) == 4  # the last is the first, written in one word


def test_streams_do_not_touch_global_state():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    stream(0, "anything").random(100)
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize(
    ("chosen", "without"),
    [
        ({"epsilon": 4.0}, {"density", "distribution"}),
        ({"density": 0.2}, {"epsilon"}),
        ({"distribution": "erk"}, {"epsilon"}),
        ({"method": "static"}, {"update_every", "drop_fraction", "fraction_schedule"}),
        ({"optimizer": "adam"}, {"momentum", "learning_rate", "optimizer"}),
    ],
)
@pytest.mark.parametrize("name", ["set-mlp", "rigl-mlp"])
def test_what_is_given_puts_a_presets_own_aside(name, chosen, without):
    kept = SparseTrainingSpec.compatible(PRESETS[name], chosen)
    assert not without & set(kept)
    SparseTrainingSpec(**{**kept, **chosen})
