"""Data sets: where they are found, how they are split and ordered, and which files are refused."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from ticketlab.data import sources
from ticketlab.data.dataset import batches, split
from ticketlab.errors import BadInput


def test_digits_are_always_there(digits):
    assert digits.x_train.shape == (1498, 8, 8)
    assert digits.x_test.shape == (299, 8, 8)
    assert digits.x_train.max() * digits.scale == 1.0
    assert digits.classes.tolist() == list(range(10))
    assert digits.digest == "ae3f83cf68627a13d86fb4b034838a8e199809de514740f412e017a71b04ec66"  # as of older runs


def test_mnist_is_whole(mnist_dir):
    mnist = sources.load("mnist", mnist_dir)
    assert mnist.x_train.shape == (60_000, 28, 28)
    assert mnist.x_train.dtype == np.uint8
    assert mnist.scale == 1 / 255
    assert mnist.digest == "adf6e21ec42947ab256c93ea01bfaf12545d19bb4b156329fcf81f77862161e9"  # as of older runs
    assert np.bincount(mnist.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_split_is_fixed_and_leaves_nothing_out():
    train, validation = split(60_000)
    assert (train.size, validation.size) == (55_000, 5_000)
    assert np.array_equal(np.sort(np.concatenate([train, validation])), np.arange(60_000))
    assert np.array_equal(validation, split(60_000)[1])


def test_every_sample_is_used_once_per_epoch():
    """Earlier systems skipped a tenth of the training data at random each epoch."""
    indices = np.arange(100, 140, dtype=np.int32)
    order = batches(indices, 7, seed=0, start=0, stop=40).ravel()
    for epoch in range(7):
        assert np.array_equal(np.sort(order[epoch * 40 : (epoch + 1) * 40]), indices)


def test_order_depends_on_seed_and_epoch_alone():
    indices = np.arange(50, dtype=np.int32)
    whole = batches(indices, 8, seed=3, start=0, stop=30)
    pieces = [batches(indices, 8, seed=3, start=start, stop=start + 5) for start in range(0, 30, 5)]
    assert np.array_equal(whole, np.concatenate(pieces))
    assert not np.array_equal(whole, batches(indices, 8, seed=4, start=0, stop=30))
    assert not np.array_equal(whole[:6], whole[6:12])


def test_own_tables_and_labels_work(table_file):
    mine = sources.load("mine", table_file(y_train=np.arange(120)[:, None] % 2 * 7 + 3, y_test=np.full(30, 10.0)))
    assert mine.x_train.dtype == np.float32
    assert (mine.scale, mine.input_shape, mine.classes.tolist()) == (1.0, (5,), [3, 10])
    assert mine.y_train[:3].tolist() == [0, 1, 0]
    assert set(mine.y_test.tolist()) == {1}


def test_targets_that_are_not_whole_make_a_regression(table_file):
    folder = table_file(y_train=np.arange(120) / 7, y_test=np.arange(30.0))
    mine = sources.load("mine", folder)
    assert (mine.task, mine.outputs, mine.y_train.shape, mine.y_train.dtype) == ("regression", 1, (120, 1), np.float32)
    assert sources.load("mine", table_file(y_train=np.full((120, 2), 0.5), y_test=np.full((30, 2), 0.5))).outputs == 2


def test_whole_numbers_are_a_regression_where_that_is_said(table_file):
    counts = np.minimum(np.random.default_rng(0).poisson(3, (150, 2)), 10)
    folder = table_file(y_train=counts[:120, 0], y_test=counts[120:, 0])
    assert sources.load("mine", folder).task == "classification"
    said = sources.load("mine", folder, task="regression")
    assert (said.task, said.outputs, said.classes.size) == ("regression", 1, 0)
    assert np.array_equal(said.y_train, counts[:120, :1].astype(np.float32))
    assert said.y_train.dtype == np.float32
    two = table_file(y_train=counts[:120], y_test=counts[120:])
    assert sources.load("mine", two, task="regression").outputs == 2
    rare = table_file(y_train=counts[:120, 0], y_test=np.full(30, 12))
    with pytest.raises(BadInput, match=r"Received: \[12\] \(of numbers to predict, `task` must be regression\)"):
        sources.load("mine", rare)
    assert sources.load("mine", rare, task="regression").y_test.max() == 12
    with pytest.raises(BadInput, match=r"whole numbers for a classification. Received: others, and task='classif"):
        sources.load("mine", table_file(y_train=counts[:120, 0] / 7, y_test=counts[120:, 0]), task="classification")


def test_a_table_of_uint8_is_taken_as_it_is_and_images_are_scaled(table_file):
    ages = np.random.default_rng(0).integers(18, 90, (150, 5)).astype(np.uint8)
    folder = table_file(x_train=ages[:120], x_test=ages[120:])
    table, image = sources.load("mine", folder), sources.load("mine", folder, input_kind="image")
    assert (table.scale, table.input_kind) == (1.0, "table")
    assert (image.scale, image.input_kind) == (1 / 255, "image")
    assert table.digest != image.digest, "their numbers differ"
    square = table_file(x_train=ages[:120, :4].reshape(-1, 2, 2), x_test=ages[120:, :4].reshape(-1, 2, 2))
    assert (sources.load("mine", square).scale, sources.load("mine", square, input_kind="table").scale) == (
        1 / 255,
        1.0,
    )


def test_changed_data_has_another_digest(table_file):
    first = sources.load("mine", table_file()).digest
    assert first == sources.load("mine", table_file()).digest
    assert first != sources.load("mine", table_file(y_test=np.zeros(30, int))).digest


def test_folders_are_searched_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("TICKETLAB_DATA", "/from/environment")
    monkeypatch.setenv("KERAS_HOME", "/keras")
    expected = [Path("/given"), Path("/from/environment"), Path("/keras/datasets")]
    assert sources.folders(Path("/given")) == expected
    with pytest.raises(BadInput, match="`data_dir` must be a folder"):
        sources.resolve("mnist", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_test": None}, "must hold x_train, y_train, x_test, y_test. Missing: y_test"),
        ({"x_train": np.full((120, 5), np.nan)}, "`x_train` must be finite numbers. Received: 600 NaN"),
        ({"y_train": np.zeros(119, int)}, "must have at least 2 classes"),
        ({"y_train": np.arange(119) % 3}, "`y_train` must have one label per sample, 120. Received: 119"),
        ({"y_train": np.zeros(120, int)}, "`y_train` must have at least 2 classes. Received: [0]"),
        ({"y_test": np.full(30, 9)}, "`y_test` must have the classes of `y_train`. Received: [9]"),
        ({"y_train": np.full(120, "a")}, "`y_train` must be (samples,) integer labels, or for regression (samples, "),
        ({"y_train": np.eye(120)}, "not all whole unless `task` is regression. Received: float64 of shape (120, 120)"),
        ({"y_train": np.full(120, np.nan)}, "`y_train` must be (samples,) integer labels, or for regression"),
        ({"y_test": np.arange(30) / 7}, "`y_test` must have the classes of `y_train`. Received: numbers that are not"),
        (
            {"y_train": np.arange(120) / 7, "y_test": np.full((30, 2), 0.5)},
            "`y_test` must be like `y_train`, (120,). Received: (30, 2)",
        ),
        ({"x_test": np.zeros((30, 6))}, "samples of `x_test` must be like those of `x_train`"),
        ({"x_train": np.full((120, 5), "a")}, "`x_train` must be numbers. Received: <U1"),
        ({"x_train": np.zeros(120)}, "`x_train` must be (samples, ...) with at least one sample. "),
        ({"x_test": np.zeros((0, 5)), "y_test": np.zeros(0, int)}, "`x_test` must be (samples, ...) with at least one"),
    ],
)
def test_bad_arrays_are_refused_in_one_line(table_file, changed, message):
    with pytest.raises(BadInput) as caught:
        sources.load("mine", table_file(**changed))
    assert message in str(caught.value)
    assert "mine.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_and_foreign_files_are_refused(table_file):
    path = table_file() / "mine.npz"
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not a zip file", whole[:-100]):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"mine\.npz must be a readable \.npz file without pickles"):
            sources.load("mine", path.parent)


def test_pickles_are_refused(table_file):
    folder = table_file(y_train=np.array([{"a": 1}] * 120, dtype=object))
    with pytest.raises(BadInput, match="without pickles"):
        sources.load("mine", folder)


def test_where_no_host_answers_keras_is_not_asked(tmp_path, monkeypatch, capsys):
    """It would be loaded, for seconds, to find out as much; but it may have files of its own that need no host."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("TICKETLAB_DATA", raising=False)
    asked = []

    def run(*line, **settings):
        asked.append(line)
        return subprocess.CompletedProcess(line, 1, "", "Keras's reason")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(BadInput, match=r"its download failed \(storage\.googleapis\.com: .*refused"):
        sources.resolve("mnist")
    assert asked == []
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "fashion-mnist").mkdir()
    with pytest.raises(BadInput, match="Keras's reason"):
        sources.resolve("fashion_mnist")
    assert len(asked) == 1
