"""Sparse training as commands: every method, saved in rounds, resumed to the same bits, refused in one line."""

import itertools

import numpy as np
import pytest

from conftest import contents, only_run
from ticketlab.evaluation import export
from ticketlab.execution import launch
from ticketlab.experiments import replicate
from ticketlab.experiments.events import Evaluated
from ticketlab.experiments.sparse_training.methods import METHODS
from ticketlab.runs.folder import Record
from ticketlab.sparsity import masks

SCRIPT = "sparse_training.py"
DIGITS = ("--dataset", "digits", "--network", "fcn_30_20")
TINY = (*DIGITS, "--iterations", 60, "--eval-every", 10, "--batch-size", 30, "--save-every", 20)
OFTEN = ("--update-every", 8)


def flags_of(method, *flags):
    updated = "update_every" in METHODS[method].options
    return (*TINY, "--method", method, *(OFTEN if updated else ()), *flags)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_as_a_command(inline, tmp_path, method):
    done = inline(tmp_path, *flags_of(method), script=SCRIPT)
    assert (done.returncode, done.stderr) == (0, "")
    run = only_run(tmp_path / "models")
    records = list(run.records())
    final = 1.0 if method == "dense" else 0.1
    last = records[-1].attributes
    assert last["density"] == pytest.approx(final, abs=1e-3)
    assert [each.attributes["iteration"] for each in records] == [0, 20, 40, 60, *([60] if method == "cut" else [])]
    begins = 1 if method in ("dense", "gradual", "cut") else 0.1
    assert records[0].attributes["density"] == pytest.approx(begins, abs=1e-3)
    for record in records:
        assert all(not record.weights[path][~mask].any() for path, mask in record.masks.items())
        assert record.attributes["inference_flops"] == 2 * masks.kept(record.masks) + 60
    changed = any((records[0].masks[path] != records[-1].masks[path]).any() for path in records[0].masks)
    assert changed == (method not in ("dense", "static"))
    assert [each.attributes["training_flops"] > 0 for each in records[:4]] == [False, True, True, True]
    assert ("training_flops_paper" in last) == (method == "rigl")
    assert records[0].history["iteration"].tolist() == [0]
    assert records[2].history["iteration"].tolist() == [30, 40]
    nothing_left = inline(tmp_path, *flags_of(method), script=SCRIPT)
    assert (nothing_left.returncode, nothing_left.stderr) == (0, "")


ANY = [("rigl",), ("set", "--engine", "sparse"), ("snfs", "--optimizer", "sgd"), ("gradual",)]


@pytest.mark.parametrize("flags", ANY)
def test_interrupted_anywhere_it_comes_to_the_same_bits(inline, tmp_path, monkeypatch, uncut, flags):
    line = flags_of(*flags)
    assert inline(tmp_path, *line, "--models-dir", "whole", script=SCRIPT).returncode == 0
    monkeypatch.setattr(replicate, "PARTIAL_SECONDS", 0.0)
    event, cuts, left_off = launch.Display.event, [10, 20, 40, 60], []

    def pressed(self, seed, said):
        event(self, seed, said)
        if isinstance(said, Evaluated) and said.iteration in cuts[:1]:
            path = only_run(tmp_path / "cut").partial_path(seed, said.number)
            left_off.append(Record(path).attributes["iteration"])
            raise KeyboardInterrupt(cuts.pop(0))

    monkeypatch.setattr(launch.Display, "event", pressed)
    codes = [inline(tmp_path, *line, "--models-dir", "cut", script=SCRIPT).returncode for _ in range(5)]
    assert codes == [130, 130, 130, 130, 0]
    assert left_off == [0, 10, 30, 50], "at the beginning of a round, and in the middle of rounds"
    whole, cut = only_run(tmp_path / "whole"), only_run(tmp_path / "cut")
    assert contents(whole) == contents(cut)
    assert not list(cut.folder.rglob("*.partial.h5"))


def test_rounds_that_are_lost_are_computed_again_and_others_stay(inline, tmp_path):
    """Nothing but finished rounds is left of a training, so it begins anew, and comes to the same."""
    line = flags_of("rigl")
    assert inline(tmp_path, *line, script=SCRIPT).returncode == 0
    run = only_run(tmp_path / "models")
    before = contents(run)
    run.path(0, 2).write_bytes(b"damaged")
    kept = {round: run.path(0, round).stat().st_mtime_ns for round in (0, 1, 3)}
    done = inline(tmp_path, *line, script=SCRIPT)
    assert done.returncode == 0
    assert "cannot be read" in done.stderr
    assert contents(run) == before
    assert {round: run.path(0, round).stat().st_mtime_ns for round in (0, 1, 3)} == kept
    assert not list(run.folder.rglob("*.partial.h5"))


def test_processes_change_no_bit_and_seeds_differ(inline, tmp_path):
    line = flags_of("set", "--drop", "magnitude")
    for processes in (0, 2):
        settings = ("--models-dir", f"with_{processes}", "--seeds", "0,1")
        done = inline(tmp_path, *line, *settings, processes=processes, script=SCRIPT)
        assert (done.returncode, done.stderr) == (0, "")
    one, two = (only_run(tmp_path / f"with_{processes}") for processes in (0, 2))
    assert contents(one) == contents(two)
    for round in (0, 3):
        first, second = (one.round(seed, round).masks["dense_1/kernel"] for seed in (0, 1))
        assert not np.array_equal(first, second)


def test_the_early_stop_so_far_is_that_of_its_own_masks(inline, tmp_path):
    """Every evaluation is saved here, so an early stop's accuracy stands in the file of its own iteration as well."""
    line = (*flags_of("set", "--drop-fraction", 0.9, "--update-every", 3), "--save-every", 10)
    assert inline(tmp_path, *line, script=SCRIPT).returncode == 0
    found = {each.attributes["iteration"]: each.attributes for each in only_run(tmp_path / "models").records()}
    older = [each for iteration, each in found.items() if each["early_stop_iteration"] < iteration]
    assert older, "some early stop lies before updates that followed"
    for each in older:
        assert each["early_stop_test_accuracy"] == found[each["early_stop_iteration"]]["test_accuracy"]


def test_a_save_at_every_update_shows_every_mask(inline, tmp_path):
    line = (*flags_of("rigl", "--update-until", 40), "--save-every", 0)
    assert inline(tmp_path, *line, script=SCRIPT).returncode == 0
    records = list(only_run(tmp_path / "models").records())
    assert [each.attributes["iteration"] for each in records] == [0, 8, 16, 24, 32, 60]
    pairs = itertools.pairwise(each.masks["dense_1/kernel"] for each in records)
    assert [bool((first != second).any()) for first, second in pairs] == [False, True, True, True, True]


@pytest.mark.parametrize("method", ["rigl", "gradual"])
def test_networks_with_convolutions_and_normalisation(inline, images, tmp_path, method):
    line = ("--dataset", "small", "--data-dir", images, "--network", "resnet20", "--iterations", 6, "--eval-every", 3)
    line = (*line, "--batch-size", 16, "--update-every", 2, "--save-every", 3, "--method", method)
    done = inline(tmp_path, *line, "--update-until", 5, "--density", 0.2, script=SCRIPT)
    assert (done.returncode, done.stderr) == (0, "")
    record = only_run(tmp_path / "models").round(0, 2)
    assert masks.kept(record.masks) == round(0.2 * masks.total(record.masks))
    assert record.attributes["engine"] == "dense"
    shares = {path: mask.mean() for path, mask in record.masks.items()}
    assert shares["dense_1/kernel"] > shares["conv_19/kernel"], "ERK: small layers are denser"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, when it saves
def test_inputs_may_be_standardised(inline, tmp_path, digits):
    """Both engines see the same, and a border pixel, which is 0 throughout, is a constant other than 0.

    A network that is exported standardises its inputs itself.
    """
    import keras

    losses = {}
    for engine in ("dense", "sparse"):
        line = flags_of("static", "--inputs", "standardised", "--engine", engine, "--models-dir", engine)
        assert inline(tmp_path, *line, script=SCRIPT).returncode == 0
        record = only_run(tmp_path / engine).round(0, 3)
        losses[engine] = record.history["validation_loss"]
        first = only_run(tmp_path / engine).round(0, 0).weights["dense_1/kernel"]
        assert (record.weights["dense_1/kernel"][0] != first[0]).any(), "weights of the corner's pixel move"
        export.save_keras(only_run(tmp_path / engine), record, record.weights, tmp_path / "net.keras")
        model = keras.saving.load_model(tmp_path / "net.keras")
        found = model.evaluate(digits.x_test, digits.y_test, verbose=0, return_dict=True)
        assert found["accuracy"] == pytest.approx(record.attributes["test_accuracy"], abs=1e-6)
    np.testing.assert_allclose(losses["sparse"], losses["dense"], rtol=1e-3)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--density", "1e-9"], "`density` must keep a weight for each of 3 layers. Received: density=1e-09"),
        (["--density", "0.05", "--dense-first"], "`density` must be at least the"),
        (
            ["--update-every", "0", "--update-until", "45"],
            "`update_until` must be more than an epoch, 45.77 iterations",
        ),
        (["--epsilon", "400"], "`epsilon` must be less than"),
        (
            ["--update-every", "0", "--update-until", "46"],
            "`update_until` must be more than an epoch, 45.77 iterations",
        ),
        (["--density", "0.1", "--epsilon", "4"], "`density` must be given without `epsilon`. Received: both"),
        (["--drop-fraction", "1"], "`drop_fraction` must be in (0, 1). Received: drop_fraction=1.0"),
        (["--update-until", "61"], "`update_until` must be at most `iterations`=60. Received: update_until=61"),
        (["--method", "static", "--update-every", "5"], "`update_every` must be left out with the method static."),
        (["--method", "deep"], "argument --method: invalid choice: 'deep'"),
        (["--rounds", "3"], "unrecognized arguments: --rounds 3"),
        (["--preset", "frankle-carbin-2019"], "`preset` must be one for this experiment and network."),
    ],
)
def test_bad_combinations_are_refused_before_anything_is_written(inline, tmp_path, flags, message):
    refused = inline(tmp_path, *flags_of("rigl"), *flags, script=SCRIPT)
    assert (refused.returncode, refused.stdout) == (2, "")
    (said,) = refused.stderr.splitlines()
    assert message in said
    assert not (tmp_path / "models").exists()
