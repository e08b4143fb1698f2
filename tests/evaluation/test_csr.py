"""Compressed rows: back bit for bit, and what SciPy makes of the file without us."""

import keras
import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
from keras import layers

from rounds_on_disk import write_run
from ticketlab.cli import export as export_command
from ticketlab.errors import BadInput, WriteFailed
from ticketlab.evaluation.csr import load_csr, save_csr
from ticketlab.networks.keras_masks import apply_masks, prune, weights
from ticketlab.runs.folder import Run

SHAPES = {"conv/kernel": (3, 2, 4, 5), "line/kernel": (7, 3, 2), "dense/kernel": (20, 300), "one/kernel": (1, 1)}
PLAIN = {"conv/bias": (5,), "norm/moving_mean": (4,), "scale/factor": ()}


def network(density, seed=0, dtype=np.float32):
    """Return weights of several shapes, zeros of either sign among them, and masks; a row and a unit are empty."""
    rng = np.random.default_rng(seed)
    arrays = {path: rng.normal(size=shape).astype(dtype) for path, shape in {**SHAPES, **PLAIN}.items()}
    for path in SHAPES:
        arrays[path][rng.random(SHAPES[path]) < 0.1] = -0.0
    masks = {path: rng.random(shape) < density for path, shape in SHAPES.items()}
    masks["dense/kernel"][3] = masks["dense/kernel"][:, 7] = False
    return arrays, masks


def bits(arrays):
    return {path: (array.dtype, array.shape, array.tobytes()) for path, array in arrays.items()}


@pytest.mark.parametrize("density", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
def test_all_comes_back_bit_for_bit(tmp_path, density, dtype):
    arrays, masks = network(density, dtype=dtype)
    save_csr(tmp_path / "net.npz", arrays, masks)
    found, found_masks = load_csr(tmp_path / "net.npz")
    masked = {path: np.where(masks.get(path, True), array, dtype(0)) for path, array in arrays.items()}
    assert list(found) == list(arrays)
    assert bits(found) == bits(masked)
    assert bits(found_masks) == bits(masks)
    save_csr(tmp_path / "again.npz", found, found_masks)
    again = [bits(each) for each in load_csr(tmp_path / "again.npz")]
    assert again == [bits(masked), bits(masks)]


@pytest.mark.parametrize("path", SHAPES)
def test_scipy_reads_the_file_alone(tmp_path, path):
    """As the module's first lines say."""
    arrays, masks = network(0.3)
    save_csr(tmp_path / "net.npz", arrays, masks)
    with np.load(tmp_path / "net.npz", allow_pickle=False) as file:
        parts = tuple(file[f"{path}/{name}"] for name in ("data", "indices", "indptr"))
        *_, units = shape = file[f"{path}/shape"]
        matrix = scipy.sparse.csr_array(parts, shape=(shape.prod() // units, units))
        assert np.array_equal(file["conv/bias"], arrays["conv/bias"])
    assert matrix.has_canonical_format
    assert matrix.nnz == masks[path].sum()
    kernel = np.where(masks[path], arrays[path], 0)
    assert np.array_equal(matrix.toarray().reshape(shape), kernel)
    inputs = np.random.default_rng(1).normal(size=(4, matrix.shape[0]))
    np.testing.assert_allclose(inputs @ matrix, inputs @ kernel.reshape(-1, units), rtol=1e-5, atol=1e-6)


def test_masks_alone_are_matrices_of_booleans(tmp_path):
    _, masks = network(0.2)
    save_csr(tmp_path / "masks.npz", masks, masks)
    assert [bits(each) for each in load_csr(tmp_path / "masks.npz")] == [bits(masks)] * 2


def test_half_precision_becomes_float32(tmp_path):
    """SciPy has no matrices of 16 bits, and NumPy's files do not know bfloat16."""
    for half in (np.float16, ml_dtypes.bfloat16):
        arrays, masks = network(0.5)
        arrays = {path: np.asarray(array).astype(half) for path, array in arrays.items()}
        save_csr(tmp_path / "half.npz", arrays, masks)
        found, _ = load_csr(tmp_path / "half.npz")
        for path, array in arrays.items():
            assert found[path].dtype == np.float32
            assert np.array_equal(found[path], np.where(masks.get(path, True), array.astype(np.float32), 0))


def test_a_keras_model_is_written_by_its_paths(tmp_path, tensorflow):
    inner = keras.Sequential([keras.Input((9, 2)), layers.Conv1D(4, 3, name="line"), layers.LSTM(3, name="memory")])
    inner.name = "inner"
    model = keras.Sequential(
        [keras.Input((9, 2)), inner, layers.BatchNormalization(name="norm"), layers.Dense(2, name="head")]
    )
    masks = prune(model, 0.4)
    save_csr(tmp_path / "net.npz", model, masks)
    found, found_masks = load_csr(tmp_path / "net.npz")
    assert bits(found_masks) == bits(masks)
    apply_masks(model, masks)
    assert list(found) == list(weights(model))
    assert [each.tobytes() for each in found.values()] == [each.tobytes() for each in model.get_weights()]
    assert {"inner/line/kernel", "inner/memory/lstm_cell/recurrent_kernel", "norm/gamma", "head/bias"} <= set(found)


def test_what_does_not_fit_is_refused_in_one_line(tmp_path):
    arrays, masks = network(0.5)
    for wrong, message in [
        ({"other/kernel": masks["conv/kernel"]}, "`masks` must be of weights with two axes or more, conv/kernel, line"),
        ({"line/kernel": masks["conv/kernel"]}, r"the mask of line/kernel must be bool of shape \(7, 3, 2\). Received"),
        ({"line/kernel": arrays["line/kernel"]}, "Received: float32 of shape"),
        ({"conv/bias": np.ones(5, bool)}, "with two axes or more, .* Received: conv/bias"),
    ]:
        with pytest.raises(BadInput, match=message):
            save_csr(tmp_path / "net.npz", arrays, wrong)
    assert not list(tmp_path.iterdir())
    with pytest.raises(WriteFailed, match="cannot write"):
        save_csr(tmp_path / "nowhere" / "net.npz", arrays, masks)


def test_damaged_files_are_refused_in_one_line(tmp_path):
    arrays, masks = network(0.5)
    save_csr(tmp_path / "net.npz", arrays, masks)
    content = (tmp_path / "net.npz").read_bytes()
    (tmp_path / "short.npz").write_bytes(content[:-100])
    (tmp_path / "text.npz").write_text("no arrays")
    with np.load(tmp_path / "net.npz") as file:
        parts = dict(file)
    np.savez(tmp_path / "missing.npz", **{name: each for name, each in parts.items() if name != "line/kernel/shape"})
    np.savez(tmp_path / "wide.npz", **{**parts, "line/kernel/shape": np.array([7, 3, 1])})
    np.savez(tmp_path / "pickled.npz", thing=np.array([{}], object))
    for name in ("short", "text", "missing", "wide", "pickled", "absent"):
        with pytest.raises(BadInput, match="must be a file of save_csr") as refused:
            load_csr(tmp_path / f"{name}.npz")
        assert "\n" not in str(refused.value)


def test_a_round_is_exported_with_its_weights_or_its_masks_alone(tmp_path, capsys):
    run = Run(write_run(tmp_path / "mine", seeds=2, rounds=2))
    assert export_command.main("", [str(run.folder), "slim", "--to", str(tmp_path / "slim")]) == 0
    record, to = run.round(1, 1), tmp_path / "round.npz"
    for folder, stored in ((run.folder, record.weights), (tmp_path / "slim", record.masks)):
        assert export_command.main("", [str(folder), "csr", "--seed", "1", "--round", "1", "--to", str(to)]) == 0
        assert [bits(each) for each in load_csr(to)] == [bits(stored), bits(record.masks)]
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "slim"), str(to), str(to)]
