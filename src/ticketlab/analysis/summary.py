"""One row per run: its accuracy, its cost, and the bytes of its masks and weights."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import pandas as pd

from ticketlab.analysis.measures import Column
from ticketlab.analysis.measures.bitmasks import PackedMasks, Shapes
from ticketlab.analysis.measures.paired import DENSE
from ticketlab.analysis.runs import FinishedRun
from ticketlab.means import mean_interval

COLUMNS = {
    "run": Column("name of the run's folder"),
    "label": Column("label in the figures"),
    "kind": Column("kind of experiment, or name of the control"),
    "seeds": Column("number of seeds that have the round", "seeds", digits=0),
    "round": Column("the last round, or the last that more than half of the seeds have", "round", digits=0),
    "density": Column("density, mean over the seeds", "density", digits=3),
    "test_accuracy": Column(
        "test accuracy at the end of training, mean over the seeds", "{score}, end{unit}", scored=True
    ),
    "test_accuracy_interval": Column("interval of that mean"),
    "difference_to_dense": Column(
        "its mean difference to the dense network, seed by seed, as in `paired.csv`",
        "minus the dense network's{unit}",
        scored=True,
    ),
    "difference_to_dense_interval": Column("interval of that difference"),
    "inference_ratio": Column("mean of this column of `efficiency.csv`", "inference FLOPs / dense", digits=3),
    "total_training_ratio": Column(
        "mean of this column of `efficiency.csv`", "training FLOPs / one dense training", digits=2
    ),
    "seconds": Column("duration of all rounds up to that one, mean over the seeds", "seconds of training, a seed"),
    "mask_bytes": Column("size of one mask with a bit for each weight", "bytes of the mask, packed", digits=0),
    "compressed_weight_bytes": Column(
        "size of the kept weights as compressed sparse rows", "bytes of the kept weights, compressed", digits=0
    ),
}


def summary_table(
    runs: Sequence[FinishedRun],
    labels: Mapping[str, str],
    tables: Mapping[str, pd.DataFrame],
    packed: Mapping[str, PackedMasks],
) -> pd.DataFrame:
    """Tabulate runs, one row each, at the last round that more than half of their seeds have; `COLUMNS` says what.

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
    return pd.DataFrame(rows, columns=list(COLUMNS))


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
