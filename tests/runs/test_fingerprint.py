"""A run goes on with its own network alone: what it computes decides, not what its code looks like."""

import json

import numpy as np
import pytest

from conftest import only_run
from ticketlab.data.dataset import standardised
from ticketlab.errors import BadInput
from ticketlab.networks import architectures
from ticketlab.runs import fingerprint
from ticketlab.runs.folder import Run
from ticketlab.training import context

pytestmark = pytest.mark.usefixtures("tensorflow")
FILE = """
import keras
from keras import layers

SLOPE = 0.5
CAP = 6.0
PASSING = True

class Bent(layers.Layer):
    def call(self, inputs):
        return keras.ops.maximum(inputs, SLOPE * inputs)

class Capped(layers.Layer):
    def call(self, inputs):
        return keras.ops.minimum(inputs, CAP)

class Stopped(layers.Layer):
    def call(self, inputs):
        return inputs if PASSING else keras.ops.stop_gradient(inputs)

def net(shape, outputs):
    return keras.Sequential([
        keras.Input(shape), layers.Flatten(),
        layers.Dense(20, name="one"), Bent(), Capped(),
        layers.BatchNormalization(momentum=0.9, name="norm"), Stopped(),
        layers.Lambda(lambda x: x * 2),
        layers.Dense(outputs, name="two"),
    ])
"""
OTHERS = {
    "a constant": ("SLOPE = 0.5", "SLOPE = 0.4", "other outputs"),
    "a bound that initial weights do not reach": ("CAP = 6.0", "CAP = 7.0", "other outputs of larger weights"),
    "a layer's code": ("ops.maximum", "ops.minimum", "other outputs"),
    "a lambda": ("x * 2", "x * 3", "other outputs"),
    "what it learns": ("PASSING = True", "PASSING = False", "other gradients"),
    "what it remembers": ("momentum=0.9", "momentum=0.99", "other statistics"),
    "its width": ("Dense(20", "Dense(21", "other variables"),
    "a name": ('name="one"', 'name="eins"', "other variables"),
    "initial weights": ('name="one"', 'name="one", kernel_initializer="he_normal"', "other outputs"),
}
SAME = {
    "nothing": ("", ""),
    "a line more": ("class Bent", "# a comment\nclass Bent"),
    "other words": ("Bent", "Crooked"),
    "another way to say it": ("ops.maximum(inputs, SLOPE * inputs)", "ops.where(inputs > 0, inputs, SLOPE * inputs)"),
}


@pytest.fixture
def described(tmp_path, digits):
    """Write a file with a change in its text and describe its network as a run keeps it."""

    def describe(old="", new="", folder="nets"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "mine.py").write_text(FILE.replace(old, new) if old else FILE)
        model = architectures.build(f"{tmp_path / folder / 'mine.py'}:net", digits.input_shape, 10)
        return json.loads(json.dumps(context.described(model, digits)))

    return describe


@pytest.mark.parametrize("change", OTHERS)
def test_what_computes_something_else_is_refused(described, tmp_path, change):
    run = Run(tmp_path)
    run.keep_network(described())
    kept = (tmp_path / "network.json").read_bytes()
    *texts, word = OTHERS[change]
    with pytest.raises(BadInput, match=rf"was computed with another network of that name \(it has {word}\): move it"):
        run.check_network(described(*texts))
    assert (tmp_path / "network.json").read_bytes() == kept


@pytest.mark.parametrize("change", SAME)
def test_what_computes_the_same_goes_on(described, tmp_path, change):
    run = Run(tmp_path)
    run.keep_network(described())
    kept = run.network
    found = described(*SAME[change], folder="elsewhere")
    run.check_network(found)
    run.check_network({**found, "keras": "4.0", "model": {}})  # as another version of Keras might describe it
    run.keep_network(found)
    assert run.network == kept


def test_runs_of_earlier_versions_keep_what_they_lacked(described, tmp_path):
    """They have Keras's description alone, in which the lines of a lambda count for nothing, and its code does."""
    run, found = Run(tmp_path), described()
    run.keep_network({name: found[name] for name in ("keras", "model")})
    with pytest.raises(BadInput, match="it is described otherwise"):
        run.check_network(described("x * 2", "x * 3"))
    with pytest.raises(BadInput, match="it is described otherwise"):
        run.check_network(described("Dense(20", "Dense(21"))
    later = described("class Bent", "# a comment\nclass Bent")
    assert later["model"] != found["model"]
    run.check_network(later)
    run.keep_network(later)
    assert run.network == {**found, "model": found["model"]}
    other = described("SLOPE = 0.5", "SLOPE = 0.4")
    assert other["model"] == found["model"]
    with pytest.raises(BadInput, match="it has other outputs"):
        run.check_network(other)


def test_networks_are_tried_on_what_they_see(digits):
    model = architectures.build("fcn_7", digits.input_shape, 10)
    first, second = (context.described(model, dataset)["computed"] for dataset in (digits, standardised(digits)))
    assert not fingerprint.close(np.array(first["outputs"]), np.array(second["outputs"]), 1e-2)


def test_a_changed_network_is_refused_before_a_round_of_it(inline, tmp_path):
    line = ("--dataset", "digits", "--iterations", 4, "--eval-every", 4, "--seeds", 0, "--network", "mine.py:net")
    (tmp_path / "mine.py").write_text(FILE)
    assert inline(tmp_path, *line, "--rounds", 0).returncode == 0
    run = only_run(tmp_path / "models")
    (tmp_path / "mine.py").write_text(FILE.replace("class Bent", "# a comment\nclass Bent"))
    done = inline(tmp_path, *line, "--rounds", 1)
    assert (done.returncode, done.stderr, run.rounds(0)) == (0, "", [0, 1])
    (tmp_path / "mine.py").write_text(FILE.replace("SLOPE = 0.5", "SLOPE = 0.4"))
    done = inline(tmp_path, *line, "--rounds", 2)
    assert (done.returncode, run.rounds(0)) == (2, [0, 1])
    (said,) = done.stderr.splitlines()
    assert "another network of that name (it has other outputs)" in said
