"""Your own networks and data, from a file and from Python; regression by hand; what is refused and how."""

import json
from dataclasses import replace

import numpy as np
import pytest

from conftest import contents, only_run
from ticketlab.cli import export
from ticketlab.errors import BadInput
from ticketlab.execution import launch
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.experiments.pruning_at_init.spec import PruningAtInitSpec

TINY = ("--dataset", "digits", "--iterations", 20, "--eval-every", 10, "--rounds", 1)
FILE = """
from neighbour import WIDTH
from keras import Input, Sequential, layers

def net(shape, outputs):
    hidden = layers.Dense(WIDTH, "tanh", name="one")
    return Sequential([Input(shape), layers.Flatten(), hidden, layers.Dense(outputs, name="two")])
"""


# Keras's own code, as it saves a network with the NumPy of today
saves = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def nets(tmp_path):
    """A folder with a user's network and its neighbour, and a function that writes the width."""
    (folder := tmp_path / "nets").mkdir()
    (folder / "mine.py").write_text(FILE)

    def width(number):
        (folder / "neighbour.py").write_text(f"WIDTH = {number}\n")

    width(9)
    return width


@saves
def test_a_network_from_a_file(inline, nets, tmp_path, capsys):
    """By a relative path in two workers, from another folder, changed, exported."""
    line = (*TINY, "--seeds", "0,1", "--models-dir", tmp_path / "models")
    done = inline(tmp_path, *line, "--network", "nets/mine.py:net", processes=2)
    assert (done.returncode, done.stderr) == (0, "")
    run = only_run(tmp_path / "models")
    assert run.folder.name.startswith("imp-digits-mine.net-")
    assert run.round(1, 1).masks["one/kernel"].shape == (64, 9)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    apart = (*line[:-1], tmp_path / "again", "--network", "../nets/mine.py:net")
    assert inline(elsewhere, *apart).returncode == 0
    assert contents(only_run(tmp_path / "again")) == contents(run)
    nets(10)
    more = inline(elsewhere, *line, "--network", "../nets/mine.py:net", "--rounds", 2)
    assert (more.returncode, len(more.stderr.splitlines())) == (2, 1)
    assert "was computed with another network of that name" in more.stderr
    assert run.rounds(0) == [0, 1]
    check_exports(run, tmp_path, capsys)


def check_exports(run, tmp_path, capsys):
    """Exports need neither the file nor its neighbour, since the run keeps its network."""
    import keras

    from ticketlab.data import sources

    digits = sources.load("digits")
    for form, accuracy in (("trained", "test_accuracy"), ("ticket", "untrained_test_accuracy")):
        to = str(tmp_path / f"{form}.keras")
        assert export.main("", [str(run.folder), form, "--seed", "1", "--round", "1", "--to", to]) == 0
        model = keras.saving.load_model(to)
        found = model.evaluate(digits.x_test, digits.y_test, verbose=0, return_dict=True)["accuracy"]
        assert found == pytest.approx(run.round(1, 1).attributes[accuracy], abs=1e-6)
    capsys.readouterr()


def numbers(samples, seed, outputs=2):
    x = np.random.default_rng(seed).standard_normal((samples, 5))
    return x, np.stack([np.sin(x[:, 0]) + x[:, 1], x[:, 2] * 3 - 1], 1)[:, :outputs]


def test_a_function_and_arrays_from_python(tmp_path):
    """Both travel to the workers, the function by its value; loss and R² of a regression are those by hand."""
    x_test, y_test = numbers(50, 1)
    width = 7

    def build(shape, outputs):
        import keras

        layers = [keras.layers.Dense(width, "tanh", name="one"), keras.layers.Dense(outputs, name="two")]
        return keras.Sequential([keras.Input(shape), *layers])

    spec = ImpSpec(dataset="waves", network="mine", iterations=30, eval_every=10, rounds=1, batch_size=20)
    settings = {"build": build, "arrays": (*numbers(120, 0), x_test, y_test)}
    run, failures = launch.run(spec, [0, 1], processes=2, models_dir=tmp_path / "two", **settings)
    assert failures == {}
    line, failures = launch.run(spec, [0, 1], processes=0, models_dir=tmp_path / "line", **settings)
    assert failures == {}
    assert contents(line) == contents(run)
    assert run.folder.name.startswith("imp-waves-mine-")
    last = run.round(1, 1)
    weights, attributes = last.weights, last.attributes
    hidden = np.tanh(x_test.astype(np.float32) @ weights["one/kernel"] + weights["one/bias"])
    wrong = hidden @ weights["two/kernel"] + weights["two/bias"] - y_test
    assert attributes["test_loss"] == pytest.approx((wrong**2).mean(), rel=1e-5)
    explained = 1 - (wrong**2).sum() / ((y_test - y_test.mean(0)) ** 2).sum()
    assert attributes["test_accuracy"] == pytest.approx(explained, rel=1e-4, abs=1e-5)


@saves
def test_a_regression_from_a_file_and_its_export(inline, table_file, tmp_path, capsys):
    import keras

    (x, y), (x_test, y_test) = numbers(120, 0), numbers(30, 1)
    folder = table_file(x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    line = ("--dataset", "mine", "--data-dir", folder, *TINY[2:], "--network", "fcn_6", "--batch-size", 20)
    assert inline(tmp_path, *line).returncode == 0
    run = only_run(tmp_path / "models")
    to = str(tmp_path / "net.keras")
    assert export.main("", [str(run.folder), "trained", "--round", "1", "--to", to]) == 0
    capsys.readouterr()
    found = keras.saving.load_model(to).evaluate(x_test, y_test, verbose=0, return_dict=True)
    stored = run.round(0, 1).attributes
    assert found["loss"] == pytest.approx(stored["test_loss"], rel=1e-4)
    assert found["r2"] == pytest.approx(stored["test_accuracy"], abs=1e-4)
    before = inline(tmp_path, *line, "--method", "snip", "--scoring-samples", 20, script="pruning_before_training.py")
    assert (before.returncode, before.stderr) == (0, "")


def test_counts_are_learnt_as_numbers_from_a_table_of_uint8(inline, table_file, tmp_path):
    """Counts would be classes, and the table was once divided by 255."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (150, 5)).astype(np.uint8)
    y = np.arange(150) % 11
    folder = table_file(x_train=x[:120], y_train=y[:120], x_test=x[120:], y_test=y[120:])
    line = ("--dataset", "mine", "--data-dir", folder, *TINY[2:], "--network", "fcn_6", "--batch-size", 20)
    table = "mine: 120 samples and 30 for testing, a table of 5 numbers each (guessed; --input-kind image otherwise), "
    guessed = f"{table}taken as they are; 11 classes (guessed from whole-number targets; --task regression otherwise)"
    shown = inline(tmp_path, *line, "--dry-run")
    assert shown.stdout.splitlines()[-1] == f"{'data':20} {guessed}"
    said = ("--task", "regression", "--input-kind", "table")
    done = inline(tmp_path, *line, *said)
    table = "mine: 120 samples and 30 for testing, a table of 5 numbers each, taken as they are; 1 number to predict"
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, table)
    run = only_run(tmp_path / "models")
    assert (run.data.task, run.data.input_kind, run.data.scale) == ("regression", "table", 1.0)
    last = run.round(0, 1)
    hidden = np.maximum(x[120:] @ last.weights["dense_1/kernel"] + last.weights["dense_1/bias"], 0)
    wrong = hidden @ last.weights["dense_2/kernel"] + last.weights["dense_2/bias"] - y[120:, None]
    assert last.attributes["test_loss"] == pytest.approx((wrong**2).mean(), rel=1e-5)
    (run.folder / "data.h5").unlink()  # as of an earlier version
    written = run.path(0, 1).stat().st_mtime_ns
    assert inline(tmp_path, *line, *said).returncode == 0
    assert (run.data.task, run.path(0, 1).stat().st_mtime_ns) == ("regression", written)
    spec = ImpSpec(**{**json.loads(last.attributes["spec"]), "rounds": 1})
    again, failures = launch.run(
        spec, [0], processes=0, models_dir=tmp_path / "python", arrays=(x[:120], y[:120], x[120:], y[120:])
    )
    assert failures == {}
    assert contents(again) == contents(run)


def test_pruning_before_training_from_python(inline, tmp_path):
    spec = PruningAtInitSpec(dataset="waves", network="fcn_6", iterations=10, eval_every=5, rounds=1, batch_size=20)
    arrays = (*numbers(120, 0), *numbers(30, 1))
    with pytest.raises(BadInput, match="`scoring_samples` must be at most the 110 training samples"):
        launch.run(replace(spec, scoring_samples=111), [0], processes=0, arrays=arrays)
    run, failures = launch.run(spec, [0], processes=0, models_dir=tmp_path, arrays=arrays)
    assert (failures, run.rounds(0)) == ({}, [0, 1])
    with pytest.raises(BadInput, match="was computed on other data of the name `waves`"):
        launch.run(spec, [0], processes=0, models_dir=tmp_path, arrays=(*numbers(120, 2), *numbers(30, 1)))
    own = {"arrays": arrays, "build": lambda shape, outputs: None}
    with pytest.raises(BadInput, match="`activation` must be left out with your own network"):
        launch.run(replace(spec, activation="tanh"), [0], processes=0, models_dir=tmp_path, **own)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--network", "lenet"], "`network` must be one of lenet_300_100, lenet5, conv2, conv4, conv6, resnet20, fcn_"),
        (["--network", "fcn_0"], "`network` must be one of "),
        (["--network", "nowhere.py:net"], "`network` must be a file to read. Received: nowhere.py: No such file"),
        (["--network", "nets/mine.py:other"], "`network` must name a function that nets/mine.py defines."),
        (
            ["--network", "nets/mine.py:net", "--activation", "tanh"],
            "`activation` must be left out with your own network",
        ),
        (["--network", "lenet5"], "lenet5 takes images of at least 12×12 pixels. Received: samples of shape (8, 8)"),
        (["--network", "conv2", "--dataset", "mine"], "conv2 takes images of at least 2×2 pixels. Received: samples"),
        (["--batch-size", 1374], "`batch_size` must be at most the 1373 training samples. Received: 1374"),
        (["--preset", "frankle-carbin-2019-conv2"], "`preset` must be one for this experiment and network."),
        (["--schedule", "step"], "`schedule_steps` must be given with the schedule step"),
        (["--schedule", "step", "--schedule-steps", "9,5"], "`schedule_steps` must be greater than 0 and increasing"),
        (["--schedule", "step", "--schedule-steps", "20"], "`schedule_steps` must be less than `iterations`=20"),
        (["--warmup", 21], "`warmup` must be at most `iterations`=20"),
        (["--schedule", "cosine", "--schedule-from", "final"], "`schedule_from` must be rewind with the schedule"),
        (["--rewind-iteration", 20], "`rewind_iteration` must be less than `iterations`=20"),
        (["--rewind-iteration", 5, "--weights-from", "fresh"], "`rewind_iteration` must be 0 with `weights_from`"),
        (["--scope", "global", "--conv-prune-rate", 0.1], "`conv_prune_rate` must be left out or 0 in the"),
        (["--branch", "lucky"], "argument --branch: invalid choice: 'lucky'"),
        (["--branch", "one_shot"], "`branch` must be computed from a finished run. Received: no "),
        (["--only-rounds", "1"], "`only_rounds` must be given without `rounds`. Received: both"),
        (["--momentum", 0.9], "`momentum` must be left out with the optimizer adam"),
        (["--l1-penalty", -1], "`l1_penalty` must be 0 or greater"),
        (["--target-density", 0.5], "`target_density` must be given without `rounds`"),
    ],
)
def test_bad_combinations_are_refused_before_anything_is_written(
    inline, nets, table_file, tmp_path, monkeypatch, flags, message
):
    monkeypatch.setattr(launch.local_pool, "run", None)
    line = (*TINY, "--network", "fcn_8_6", "--data-dir", table_file(), *flags)
    refused = inline(tmp_path, *line)
    assert (refused.returncode, refused.stdout) == (2, "")
    (said,) = refused.stderr.splitlines()
    assert said.startswith("fcn_imp.py: error: ")
    assert message in said
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("network", ["conv2", "conv4", "conv6", "resnet20"])
def test_published_rates_give_way_to_what_does_not_go_with_them(inline, tmp_path, network):
    """What a dry run shows of a network by itself, of all layers together, and with another optimizer."""

    def shown(*flags):
        done = inline(tmp_path, "--dataset", "digits", "--dry-run", *flags, script="cnn_imp.py")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if len(line.split()) > 1)

    published = {
        "conv2": ("adam", "0.0002", "0.1", "-"),
        "conv4": ("adam", "0.0003", "0.1", "-"),
        "conv6": ("adam", "0.0003", "0.15", "-"),
        "resnet20": ("sgd", "0.1", "-", "0.0"),
    }[network]
    names = ("optimizer", "learning_rate", "conv_prune_rate", "output_prune_rate")
    preset = f"frankle-carbin-2019-{network.removesuffix('20')}"
    for flags in (("--network", network), ("--preset", preset)):
        plain, by_layer, everywhere = shown(*flags), *(shown(*flags, "--scope", scope) for scope in ("layer", "global"))
        assert tuple(by_layer[name] for name in names) == published
        held_out = "0.0" if "resnet" in flags[1] and "--preset" in flags else "-"
        assert tuple(everywhere[name] for name in names) == (*published[:2], "-", held_out)
        assert plain == (everywhere if held_out == "0.0" else by_layer), "the paper prunes its ResNet globally"
        assert shown(*flags, "--optimizer", published[0]) == plain
        other = shown(*flags, "--optimizer", "adam" if published[0] == "sgd" else "sgd")
        assert (other["learning_rate"], other["momentum"]) == ("0.0012", "0.0" if published[0] == "adam" else "-")
        cosine = shown(*flags, "--schedule", "cosine")
        assert (cosine["schedule"], cosine["schedule_steps"]) == ("cosine", "-")


def test_the_fully_connected_preset(inline, tmp_path):
    for script, flags in (("fcn_imp.py", ()), ("lenet_300_100_imp.py", ())):
        line = ("--preset", "frankle-carbin-2019", "--dataset", "digits", "--dry-run", *flags)
        done = inline(tmp_path, *line, script=script)
        assert done.returncode == 0, done.stderr
        assert "lenet_300_100" in done.stdout
        assert "50000" in done.stdout
