"""Runs in the formats that other tools read: masks as .npz, networks as .keras, runs without their weights.

This module knows what a ticket consists of. Only `save_keras` imports TensorFlow.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ticketlab.data import sources
from ticketlab.data.dataset import DataFacts, standardised
from ticketlab.errors import BadInput, WriteFailed
from ticketlab.networks import architectures
from ticketlab.runs.folder import Record, Run, write_bytes, write_file
from ticketlab.sparsity import masks
from ticketlab.sparsity.masks import Arrays

if TYPE_CHECKING:
    import keras

SMALLEST = 9  # gzip's level of the smallest files
SLIM = ("masks", "history")  # what a run keeps without its weights


def save_masks(record: Record, path: Path) -> None:
    """Write a round's masks as .npz, one bool array per variable path. Raises WriteFailed."""
    try:
        with open(path, "wb") as file:
            arrays: dict[str, Any] = {**record.masks}
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise WriteFailed(f"cannot write {path}: {error.strerror}") from error


def ticket(run: Run, record: Record) -> dict[str, np.ndarray]:
    """Return a round's ticket: the weights that the run rewinds to under the round's masks.

    Raises:
        BadInput: if the round began from other weights, or the run holds none.
    """
    spec = json.loads(record.attributes["spec"])
    for name, usual in (("weights_from", "rewind"), ("branch", None)):
        if spec.get(name, usual) != usual:
            raise BadInput(f"a ticket needs a run that rewinds its weights. Received: {name}={spec[name]}")
    rewind = run.round(record.attributes["seed"], 0).rewind
    if not rewind:
        raise BadInput(f"{run.folder} holds no weights to rewind to: the run was exported without weights")
    return masks.apply(rewind, record.masks)


def trained(record: Record) -> dict[str, np.ndarray]:
    """Return a round's weights at the end of training. Raises BadInput if the file holds none."""
    if not record.weights:
        raise BadInput(f"{record.path} holds no trained weights: the run was exported without weights")
    return record.weights


def save_keras(run: Run, record: Record, weights: Arrays, path: Path, data_dir: Path | None = None) -> Path:
    """Write a network with these weights as a .keras file, which Keras loads without ticketlab.

    The network takes inputs as the data set stores them, scales them itself, and gives logits or, in a regression, the
    predicted numbers. It is compiled with the loss of training and with accuracy or R², so that
    ``keras.saving.load_model(path).evaluate(x, y)`` works at once. In a classification, y holds indices of outputs,
    from 0 on: the index of a stored label among the `classes` of the JSON file.

    Args:
        run: the run whose network is exported.
        record: any round of the run.
        weights: {path: array} of all variables that are carried from round to round.
        path: file to write, its name ending in .keras.
        data_dir: folder that is searched for the data set first, which runs of earlier versions need.

    Returns:
        The JSON file beside it, ``<path>.json``: what was exported, from which data, the classes, and which samples
        were for training and for testing.

    Raises:
        BadInput: if the network cannot be rebuilt, if the weights do not fit it, or if the data set found is not the
            run's.
        WriteFailed: if the file cannot be written.
    """
    import keras

    from ticketlab.networks import variables

    spec = json.loads(record.attributes["spec"])
    facts = run.data or _facts(run, spec, data_dir)
    shape, outputs, scale, offset = _seen(facts)
    model = _network(run, spec, shape, outputs)
    places = variables.carried(model)
    wanted, received = ({key: tuple(each.shape) for key, each in group.items()} for group in (places, weights))
    if wanted != received:
        raise BadInput(f"weights must be those of {spec['network']} on {facts.name}, {wanted}. Received: {received}")
    for key, variable in places.items():
        variable.assign(weights[key])
    if (scale, offset) != (1, 0):
        front = keras.layers.Rescaling(scale, offset, name="as_in_training")
        model = keras.Sequential([keras.Input(shape), front, model], name=model.name)
    # an optimizer without state, since training from here begins afresh
    if facts.task == "regression":
        loss, metric = "mean_squared_error", keras.metrics.R2Score("variance_weighted_average", name="r2")
    else:
        loss, metric = keras.losses.SparseCategoricalCrossentropy(from_logits=True), "accuracy"
    model.compile("sgd", loss=loss, metrics=[metric])
    try:
        model.save(path)
    except OSError as error:
        raise WriteFailed(f"cannot write {path}: {error.strerror}") from error
    beside = path.with_name(f"{path.name}.json")
    write_bytes(beside, json.dumps(_described(run, record, facts), indent=2).encode())
    return beside


def _described(run: Run, record: Record, facts: DataFacts) -> dict[str, Any]:
    """Return the facts that a user of an exported network needs, as JSON can write them."""
    names = ("seed", "round", "iteration", "density")
    where = {name: record.attributes[name] for name in names if name in record.attributes}
    known = ("name", "sha256", "task", "input_kind", "outputs", "scale", "offset")
    of_data = {name: getattr(facts, name) for name in known}
    found = {"run": run.folder.resolve().name, **where, "data": of_data, "classes": facts.classes.tolist()}
    return {**found, "samples": _samples(facts)}


def _samples(facts: DataFacts) -> dict[str, Any]:
    """Say which samples of a data set are for what: arrays of its file, or rows of scikit-learn's digits."""
    if facts.name == "digits":
        train, test = sources.digits_split()
        source, places = "sklearn.datasets.load_digits", ({"rows": train.tolist()}, {"rows": test.tolist()})
    else:
        source = f"{facts.name}.npz"
        places = tuple({"arrays": [f"{array}_{part}" for array in "xy"]} for part in ("train", "test"))
    train, test = places
    return {
        "source": source,
        "train": {**train, "for_training": facts.samples, "others": "for validation"},
        "test": {**test, "samples": facts.test_samples},
    }


def _facts(run: Run, spec: Mapping[str, Any], data_dir: Path | None) -> DataFacts:
    """Find the data set of a run of an early version, which keeps no facts of its data. Raises BadInput."""
    name, _ = sources.resolve(spec["dataset"], data_dir)
    dataset = sources.load(name, data_dir, task=spec.get("task"), input_kind=spec.get("input_kind") or "image")
    if dataset.digest != run.description.get("data_sha256"):
        raise BadInput(f"the data set `{name}` must be the one that {run.folder} was computed on. Received: another")
    return (standardised(dataset) if spec.get("inputs") == "standardised" else dataset).facts()


def _seen(facts: DataFacts) -> tuple[tuple[int, ...], int, float, float]:
    """Return a sample's shape, the number of outputs, and scale and offset of the inputs."""
    if facts.constant is None or facts.outputs is None or facts.scale is None or facts.offset is None:
        raise BadInput(f"data.h5 must say of `{facts.name}` what networks see of it. Received: less")
    return facts.constant.shape, facts.outputs, facts.scale, facts.offset


def _network(run: Run, spec: Mapping[str, Any], shape: tuple[int, ...], outputs: int) -> "keras.Model":
    """Build a run's network from network.json, or by name for a run of an early version without that file."""
    import keras

    if run.network is None:
        settings = {name: spec[name] for name in ("activation", "initialiser") if name in spec}
        return architectures.build(spec["network"], shape, outputs, **settings)
    try:
        return keras.models.model_from_json(json.dumps(run.network["model"]))
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadInput(f"{run.folder}/network.json must be a network that Keras can build: {reason}") from error


def slim_copy(run: Run, folder: Path) -> None:
    """Copy a run without its weights: masks, histories and attributes suffice for all analysis but that of weights.

    Args:
        run: the run whose complete rounds are copied.
        folder: folder to make; its name becomes the copy's.

    Raises:
        BadInput: if the folder is not empty or cannot be made.
        Damaged: if a file cannot be read.
        WriteFailed: if a file cannot be written.
    """
    make_empty(folder)
    write_bytes(folder / "spec.json", json.dumps(run.description, indent=2).encode())
    if run.network is not None:
        write_bytes(folder / "network.json", json.dumps(run.network, indent=1).encode())
    if (facts := run.folder / "data.h5").exists():
        write_bytes(folder / "data.h5", facts.read_bytes())
    for record in run.records():
        copy = folder / record.path.relative_to(run.folder)
        copy.parent.mkdir(exist_ok=True)
        attributes = {name: value for name, value in record.attributes.items() if name != "format"}
        write_file(copy, attributes, {group: record.arrays(group) for group in SLIM}, SMALLEST)


def make_empty(folder: Path) -> None:
    """Make a folder, which must be empty if it exists. Raises BadInput."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        filled = any(folder.iterdir())
    except OSError as error:
        raise BadInput(f"cannot write into {folder}: {error.strerror}") from error
    if filled:
        raise BadInput(f"{folder} must be empty or must not exist yet")
