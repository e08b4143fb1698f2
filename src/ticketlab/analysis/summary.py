"""One row per run: what came of it, what it cost, and what its masks and weights take on disk or on the wire."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import pandas as pd

from ticketlab.analysis.measures.bitmasks import PackedMasks, Shapes
from ticketlab.analysis.measures.paired import DENSE
from ticketlab.analysis.runs import FinishedRun
from ticketlab.means import mean_interval

SUMMARY_COLUMNS = [
    *("run", "label", "kind", "seeds", "round", "density", "test_accuracy", "test_accuracy_interval"),
    *("difference_to_dense", "difference_to_dense_interval", "inference_ratio", "total_training_ratio", "seconds"),
    *("mask_bytes", "compressed_weight_bytes"),
]


def summary_table(
    runs: Sequence[FinishedRun],
    labels: Mapping[str, str],
    tables: Mapping[str, pd.DataFrame],
    packed: Mapping[str, PackedMasks],
) -> pd.DataFrame:
    """Tabulate runs, one row each, at the last round that more than half of their seeds have.

    The columns:
        label, kind: what figures call it; its kind of experiment, of a branch the control's name.
        seeds, round, density: how many seeds have that round; the round's number and mean density.
        test_accuracy, …_interval: at the end of training, mean over seeds and half-width of its interval.
        difference_to_dense, …_interval: of that to the dense network, seed by seed, as in the table `paired`.
        inference_ratio, total_training_ratio: as in the table `efficiency`, mean over the seeds that have them.
        seconds: of all rounds up to that one, mean over the seeds that have them all.
        mask_bytes: of a seed's mask with a bit for each weight, layer by layer.
        compressed_weight_bytes: of the kept weights, see `compressed_bytes`; mean over the seeds.

    Args:
        runs: and branches that are to have a row.
        labels: {name: label}.
        tables: "rounds" and "efficiency" of all of them, and "paired".
        packed: {name: masks}.
    """
    rounds, paired, costs = (tables[name] for name in ("rounds", "paired", "efficiency"))
    rows = []
    for run in runs:
        own = rounds[rounds["run"] == run.name]
        seeds = own.groupby("round")["seed"].count()
        round = int(seeds[2 * seeds > own["seed"].nunique()].index.max())
        last = own[own["round"] == round]
        accuracy = mean_interval(last["test_accuracy"]) if "test_accuracy" in last else (np.nan, np.nan)
        same = (paired["run"] == run.name) & (paired["against"] == DENSE) & (paired["round"] == round)
        gain = paired[same & (paired["metric"] == "test_accuracy")]
        cost = costs[(costs["run"] == run.name) & (costs["round"] == round)]
        masks = packed[run.name]
        chosen = [key.round == round for key in masks.keys]
        rows.append(
            {
                **{"run": run.name, "label": labels[run.name], "seeds": len(last), "round": round},
                "kind": run.branch or run.description.get("kind"),
                "density": last["density"].mean(),
                **dict(zip(("test_accuracy", "test_accuracy_interval"), accuracy, strict=True)),
                "difference_to_dense": gain["mean"].mean(),
                "difference_to_dense_interval": gain["interval"].mean(),
                **{name: cost[name].mean() for name in ("inference_ratio", "total_training_ratio")},
                "seconds": _seconds(own[own["round"] <= round]),
                "mask_bytes": mask_bytes(masks.shapes),
                "compressed_weight_bytes": np.mean(compressed_bytes(masks.kept[chosen], masks.shapes)),
            }
        )
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def mask_bytes(shapes: Shapes) -> int:
    """Count the bytes of masks with eight weights to the byte, each layer beginning anew.

    >>> mask_bytes({"a": (3, 3), "b": (2, 2)})
    3
    """
    return sum(-(-prod(shape) // 8) for shape in shapes.values())


def compressed_bytes(kept: np.ndarray, shapes: Shapes) -> np.ndarray:
    """Count the bytes of kept weights as compressed sparse rows (CSR), layer by layer.

    Of each kept weight its value (float32) and its column (2 bytes up to 65,536 columns, else 4); of each row where it
    begins, and where the last one ends (4 bytes). Rows are the inputs; of a convolution, positions × channels.

    Args:
        kept: weights of each layer, shape (masks, layers).
        shapes: {path: shape} of the layers.

    Returns:
        Shape (masks,).

    >>> compressed_bytes(np.array([[3]]), {"a": (3, 2)})  # 3·(4 + 2) + (3 + 1)·4
    array([34])
    """
    a_weight = np.array([4 + (2 if shape[-1] <= 1 << 16 else 4) for shape in shapes.values()])
    return kept @ a_weight + sum((prod(shape[:-1]) + 1) * 4 for shape in shapes.values())


def _seconds(rounds: pd.DataFrame) -> float:
    if "seconds" not in rounds:
        return float("nan")
    seeds = rounds.groupby("seed")["seconds"]
    return seeds.sum()[seeds.count() == rounds["round"].nunique()].mean()
