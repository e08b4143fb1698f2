"""Exports: what other tools read is what the run says."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits

from conftest import TINY, contents, only_run
from rounds_on_disk import write_run
from ticketlab.cli import export as export_command
from ticketlab.data import sources
from ticketlab.errors import BadInput
from ticketlab.evaluation import export
from ticketlab.runs.folder import Run


@pytest.fixture
def handmade(tmp_path):
    return Run(write_run(tmp_path / "mine", seeds=2, rounds=2))


def export_run(capsys, *arguments) -> tuple[int, str]:
    try:
        status = export_command.main("", [*map(str, arguments)])
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr().err


def test_masks_as_npz(handmade, tmp_path, capsys):
    to = tmp_path / "masks.npz"
    assert export_run(capsys, handmade.folder, "masks", "--seed", 1, "--round", 1, "--to", to) == (0, "")
    with np.load(to) as found:
        masks = handmade.round(1, 1).masks
        assert list(found) == list(masks)
        assert all(np.array_equal(found[path], masks[path]) for path in masks)


def test_a_slim_copy_is_the_run_without_its_weights(handmade, tmp_path, capsys):
    assert export_run(capsys, handmade.folder, "slim", "--to", tmp_path / "slim") == (0, "")
    copy = Run(tmp_path / "slim")
    assert copy.description == handmade.description
    heavy = [key for key in contents(handmade) if key[2:3] in (("weights",), ("rewind",))]
    assert heavy
    assert contents(copy) == {key: value for key, value in contents(handmade).items() if key not in heavy}
    with pytest.raises(BadInput, match="holds no weights to rewind to"):
        export.ticket(copy, copy.round(0, 1))
    with pytest.raises(BadInput, match="holds no trained weights"):
        export.trained(copy.round(0, 1))


def test_a_ticket_is_what_the_run_rewinds_to_under_the_mask(handmade):
    ticket = export.ticket(handmade, handmade.round(1, 1))
    initial, masks = handmade.round(1, 0).rewind, handmade.round(1, 1).masks
    assert all(np.array_equal(ticket[path], initial[path] * masks[path]) for path in masks)


def test_bad_input_gets_one_line_and_exit_status_2(handmade, tmp_path, capsys):
    fresh = write_run(tmp_path / "fresh", 1, 1, weights_from="fresh")
    for arguments, message in [
        ([tmp_path / "nowhere", "masks", "--to", "x.npz"], "must be a run's folder"),
        ([handmade.folder, "masks", "--round", 9, "--to", "x.npz"], "holds no round 9 of seed 0"),
        ([handmade.folder, "masks", "--to", "x.txt"], "`to` must end in .npz"),
        ([handmade.folder, "everything", "--to", "x"], "invalid choice: 'everything'"),
        ([handmade.folder, "slim", "--to", handmade.folder], "must be empty or must not exist yet"),
        ([fresh, "ticket", "--to", "x.keras"], "Received: weights_from=fresh"),
    ]:
        status, problems = export_run(capsys, *arguments)
        assert (status, len(problems.splitlines())) == (2, 1)
        assert message in problems


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, when it saves
def test_plain_keras_loads_a_network_with_the_stored_accuracy(inline, tmp_path, capsys):
    import keras

    assert inline(tmp_path, *TINY[:-1], "1", "--seeds", "3", script="lenet_300_100_imp.py").returncode == 0
    run = only_run(tmp_path / "models")
    stored = run.round(3, 1).attributes
    dataset = sources.load("digits")
    for form, accuracy in (("trained", "test_accuracy"), ("ticket", "untrained_test_accuracy")):
        to = tmp_path / f"{form}.keras"
        line = (run.folder, form, "--seed", 3, "--round", 1, "--to", to)
        assert export_command.main("", [*map(str, line)]) == 0
        assert capsys.readouterr() == (f"{to}\n{to}.json\n", "")
        model = keras.saving.load_model(to)
        found = model.evaluate(dataset.x_test, dataset.y_test, verbose=0, return_dict=True)
        assert found["accuracy"] == pytest.approx(stored[accuracy], abs=1e-6)
    samples = json.loads((tmp_path / "ticket.keras.json").read_text())["samples"]
    x, y = load_digits(return_X_y=True)
    for part, inputs, labels in (("train", dataset.x_train, dataset.y_train), ("test", dataset.x_test, dataset.y_test)):
        assert np.array_equal(x[samples[part]["rows"]].reshape(-1, 8, 8), inputs)
        assert np.array_equal(y[samples[part]["rows"]], labels)
    assert (samples["source"], samples["test"]["samples"]) == ("sklearn.datasets.load_digits", 299)
    assert samples["train"]["for_training"] == len(dataset.x_train) - 125


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, when it saves
def test_arrays_as_they_are_stored_give_the_stored_accuracy(inline, table_file, tmp_path, capsys):
    """Scaling and labels come along; a run that keeps no facts of its data takes that data alone."""
    import keras

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (150, 4, 5)).astype(np.uint8), rng.choice([3, 7, 12], 150)
    y[:3] = 3, 7, 12
    arrays = {"x_train": x[:120], "y_train": y[:120], "x_test": x[120:], "y_test": y[120:]}
    folder = table_file(**arrays)
    line = ("--dataset", "mine", "--data-dir", folder, "--network", "fcn_6", "--batch-size", 20, "--iterations", 20)
    assert inline(tmp_path, *line, "--eval-every", 10, "--rounds", 1).returncode == 0
    run, to = only_run(tmp_path / "models"), tmp_path / "net.keras"
    (folder / "mine.npz").unlink()
    assert export_run(capsys, run.folder, "trained", "--round", 1, "--to", to) == (0, "")
    beside = json.loads((tmp_path / "net.keras.json").read_text())
    assert (beside["classes"], beside["seed"], beside["round"]) == ([3, 7, 12], 0, 1)
    assert beside["data"]["sha256"] == run.description["data_sha256"]
    assert beside["samples"] == {
        "source": "mine.npz",
        "train": {"arrays": ["x_train", "y_train"], "for_training": 110, "others": "for validation"},
        "test": {"arrays": ["x_test", "y_test"], "samples": 30},
    }
    stored = run.round(0, 1).attributes

    def evaluated():
        places = np.searchsorted(beside["classes"], y[120:])
        found = keras.saving.load_model(to).evaluate(x[120:], places, verbose=0, return_dict=True)
        return found["accuracy"], found["loss"]

    assert evaluated() == pytest.approx((stored["test_accuracy"], stored["test_loss"]), abs=1e-5)
    (run.folder / "data.h5").unlink()  # as of an earlier version
    old = (run.folder, "trained", "--round", 1, "--to", to, "--data-dir", table_file(**arrays))
    to.unlink()
    assert export_run(capsys, *old) == (0, "")
    assert evaluated() == pytest.approx((stored["test_accuracy"], stored["test_loss"]), abs=1e-5)
    table_file(**{**arrays, "x_test": x[:30]})
    status, problems = export_run(capsys, *old)
    assert (status, len(problems.splitlines())) == (2, 1)
    assert "the data set `mine` must be the one that" in problems
