"""Handmade rounds as files, for tests of what reads them."""

import json
from pathlib import Path

import numpy as np

from ticketlab.storage import Record, write_file

SHAPES = {"dense_1/kernel": (16, 12), "dense_2/kernel": (12, 6), "dense_3/kernel": (6, 3)}


def write_round(folder: Path, seed: int, round: int, **groups: dict[str, np.ndarray]) -> Record:
    path = folder / f"seed_{seed}_round_{round:02d}.h5"
    write_file(path, {"seed": seed, "round": round}, groups)
    return Record(path)


def write_run(folder: Path, seeds=3, rounds=3, shapes=SHAPES, only=None, change=None, kind="imp", **spec) -> Path:
    """Write a run of nested random masks, whose metrics are simple functions of seed and round.

    Of the rounds, those in `only`, if it is given; `change` turns a file's attributes into those that differ.
    """
    folder.mkdir(parents=True)
    spec = {"dataset": "digits", "network": "lenet_300_100", "weights_from": "rewind", **spec}
    (folder / "spec.json").write_text(json.dumps({"kind": kind, "spec": spec}))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        initial = {path: rng.normal(size=shape).astype(np.float32) for path, shape in shapes.items()}
        masks = {path: np.ones(shape, bool) for path, shape in shapes.items()}
        (folder / f"seed_{seed}").mkdir()
        for round in range(rounds):
            kept = sum(np.count_nonzero(mask) for mask in masks.values())
            attributes = {
                "spec": json.dumps(spec),
                "seed": seed,
                "round": round,
                "density": kept / sum(mask.size for mask in masks.values()),
                "seconds": 1.5,
                "test_accuracy": 0.9 + 0.01 * round,
                "early_stop_iteration": 100 * (seed + 1) - 10 * round,
                "early_stop_test_accuracy": 0.91 + 0.01 * round + 0.001 * seed,
                "untrained_test_accuracy": 0.1 * (round + 1),
            }
            attributes |= change(attributes) if change else {}
            history = {
                "iteration": np.arange(1, 4) * 20,
                "validation_loss": np.array([0.9, 0.4, 0.5]) - 0.01 * seed,
                "validation_accuracy": np.array([0.7, 0.85, 0.9]),
                "train_loss": np.array([1.0, 0.5, 0.3]),
            }
            groups = {"masks": masks, "history": history}
            groups["weights"] = {path: np.where(mask, initial[path] * 2, 0) for path, mask in masks.items()}
            if round == 0:
                groups["rewind"] = initial
            if only is None or round in only:
                write_file(folder / f"seed_{seed}" / f"round_{round:02d}.h5", attributes, groups)
            masks = {path: mask & (rng.random(mask.shape) < 0.7) for path, mask in masks.items()}
    return folder


def write_branch(run: Path, branch: str, only=(1, 2), **settings) -> Path:
    """Write a branch beside a run of three rounds."""
    return write_run(run.with_name(f"{run.name}-{branch}"), only=only, branch=branch, **settings)
