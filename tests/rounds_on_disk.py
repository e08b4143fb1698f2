"""Handmade rounds as files, for tests of what reads them."""

import json
from pathlib import Path

import numpy as np

from ticketlab.runs.folder import Record, write_file

SHAPES = {"dense_1/kernel": (16, 12), "dense_2/kernel": (12, 6), "dense_3/kernel": (6, 3)}

TRAINING = {"iterations": 60, "batch_size": 10}


def write_round(folder: Path, seed: int, round: int, **groups: dict[str, np.ndarray]) -> Record:
    path = folder / f"seed_{seed}_round_{round:02d}.h5"
    write_file(path, {"seed": seed, "round": round}, groups)
    return Record(path)


def write_run(folder: Path, seeds=3, rounds=3, shapes=SHAPES, only=None, change=None, kind="imp", **spec) -> Path:
    """Write a run of nested random masks, whose metrics are simple functions of seed and round.

    Of the rounds, those in `only`, if it is given; `change` turns a file's attributes into those that differ.
    """
    folder.mkdir(parents=True)
    spec = {"dataset": "digits", "network": "lenet_300_100", "weights_from": "rewind", **TRAINING, **spec}
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
                "validation_accuracy": np.array([0.7, 0.85, 0.9]) + 0.001 * round,
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


def write_training(folder: Path, method="rigl", seeds=3, rounds=6, shapes=SHAPES, change=None, **spec) -> Path:
    """Write a sparse training as its method would save it, with 10 iterations in each round after the first.

    Accuracies grow by .1 a round, from .2 on; each seed's accuracies are .01 above those of the seed before.
    """
    folder.mkdir(parents=True)
    spec = {"dataset": "digits", "network": "lenet_300_100", **TRAINING, "method": method, **spec}
    spec |= {} if method == "dense" else {"density": 0.25}
    (folder / "spec.json").write_text(json.dumps({"kind": "sparse_training", "spec": spec}))
    iterations = [10 * round for round in range(rounds)]
    iterations += iterations[-1:] if method == "cut" else []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        initial = {path: rng.normal(size=shape).astype(np.float32) for path, shape in shapes.items()}
        kept = {path: np.ones(shape, bool) for path, shape in shapes.items()}
        for round, iteration in enumerate(iterations):
            cut = method == "cut" and round == rounds
            if method in ("set", "rigl", "snfs") or cut or (method == "static" and round == 0):
                kept = {
                    path: rng.permutation(mask.size).reshape(mask.shape) * 4 < mask.size for path, mask in kept.items()
                }
            elif method == "gradual" and round:
                kept = {path: mask & (rng.random(mask.shape) < 0.7) for path, mask in kept.items()}
            total, size = (sum(map(of, kept.values())) for of in (np.count_nonzero, np.size))
            attributes = {
                **{"spec": json.dumps(spec), "seed": seed, "round": round, "iteration": iteration},
                **{"density": total / size, "seconds": 1.5, "early_stop_iteration": iteration},
                **{"test_accuracy": 0.2 + 0.1 * round + 0.01 * seed, "early_stop_test_accuracy": 0.2 + 0.1 * round},
                **{"inference_flops": 2 * total + 21, "training_flops": 600.0 * total * (round > 0 and not cut)},
            }
            attributes |= change(attributes) if change else {}
            history = {
                "iteration": np.array([iteration]),
                "validation_loss": np.array([2.0 - 0.2 * round]),
                "validation_accuracy": np.array([0.2 + 0.1 * round]),
                "train_loss": np.array([2.0 - 0.25 * round]),
            }
            groups = {"masks": kept, "history": history, **({"rewind": initial} if round == 0 else {})}
            groups["weights"] = {path: np.where(mask, initial[path] * 2, 0) for path, mask in kept.items()}
            (folder / f"seed_{seed}").mkdir(exist_ok=True)
            write_file(folder / f"seed_{seed}" / f"round_{round:02d}.h5", attributes, groups)
    return folder
