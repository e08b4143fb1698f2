"""What rounds cost in floating-point operations (flops.py), each and along a chain, and against the dense network.

Files say what their round cost. Of older ones that do not, it is counted here from their masks, where all layers are
dense ones: masks do not tell at how many positions a convolution's weights are used.
"""

from collections.abc import Sequence

import pandas as pd

from ticketlab.analysis.runs import FinishedRun
from ticketlab.errors import BadInput
from ticketlab.runs.folder import Record
from ticketlab.sparsity import flops
from ticketlab.sparsity.flops import Cost
from ticketlab.sparsity.masks import Arrays, counts

EFFICIENCY_COLUMNS = [
    *("run", "seed", "round", "inference_flops", "training_flops", "total_training_flops"),
    *("inference_ratio", "total_training_ratio", "total_training_ratio_paper"),
]
CHAINS = ("imp", "sparse_training")  # kinds whose rounds rest on those before them


def efficiency_table(runs: Sequence[FinishedRun]) -> tuple[pd.DataFrame, list[str]]:
    """Tabulate what rounds cost, one row per run × seed × round.

    The columns:
        inference_flops: of one sample's way forward, by the kept weights alone.
        training_flops: of the round's own training.
        total_training_flops: of all that it took to come to the round's end: of `imp` and `sparse_training` the sum
            over the rounds so far, NaN where one of them is missing; of other kinds and branches, the round's own.
        inference_ratio, total_training_ratio: the same / that of the dense network's inference, and / that of training
            the dense network once, for all iterations of the spec.
        total_training_ratio_paper: that ratio as the method's paper counts it, where a file says so (flops.rigl_paper).

    Returns:
        The table, and a line on each run that is left out.

    Raises:
        Damaged: if a file cannot be read.
    """
    tables, problems = [pd.DataFrame(columns=EFFICIENCY_COLUMNS)], []
    for run in runs:
        try:
            dense = _dense_inference(run.records[0])
            rows = pd.DataFrame([_counted(run, record) for record in run.records])
        except BadInput as error:
            problems.append(f"{run.name}: operations (FLOPs) left out: {error}")
            continue
        totals = rows[["training_flops", "training_flops_paper"]]
        if run.description.get("kind") in CHAINS and not run.branch:
            totals = rows.groupby("seed")[list(totals)].cumsum()
            totals = totals.where(rows.groupby("seed").cumcount() == rows["round"])
        once = flops.plain(dense) * run.description["spec"]["iterations"] * run.description["spec"]["batch_size"]
        tables.append(
            rows.assign(
                run=run.name,
                total_training_flops=totals["training_flops"],
                inference_ratio=rows["inference_flops"] / dense,
                total_training_ratio=totals["training_flops"] / once,
                total_training_ratio_paper=totals["training_flops_paper"] / once,
            )[EFFICIENCY_COLUMNS]
        )
    filled = [table for table in tables if len(table)] or tables
    return pd.concat(filled, ignore_index=True), problems


def _counted(run: FinishedRun, record: Record) -> dict[str, float]:
    """Return what a round cost: as its file says, else by its masks. Raises BadInput."""
    names = ("seed", "round", "inference_flops", "training_flops")
    if all(name in record.attributes for name in names):
        paper = record.attributes.get("training_flops_paper", record.attributes["training_flops"])
        return {name: record.attributes[name] for name in names} | {"training_flops_paper": paper}
    masks, spec = record.masks, run.description["spec"]
    if missing := [name for name in ("iterations", "batch_size") if name not in spec]:
        raise BadInput(f"the spec says nothing of {' and '.join(missing)}")
    inference = flops.inference(_costs(masks), counts(masks))
    rewound = record.attributes["round"] > 0 or run.branch
    start = spec.get("rewind_iteration", 0) if rewound else 0
    iterations = record.history["iteration"].max(initial=start) - start
    training = flops.plain(inference) * spec["batch_size"] * iterations
    found = (record.attributes["seed"], record.attributes["round"], inference, training)
    return dict(zip(names, found, strict=True)) | {"training_flops_paper": training}


def _dense_inference(record: Record) -> float:
    """Return the dense network's operations of one sample's way forward: as a file says, else by its masks' sizes.

    Raises BadInput where these do not tell.
    """
    if "dense_inference_flops" in record.attributes:
        return record.attributes["dense_inference_flops"]
    masks = record.masks
    if any(mask.ndim != 2 for mask in masks.values()):
        raise BadInput("files of this version do not have them, and of convolutions masks alone do not tell")
    return flops.inference(_costs(masks), {path: mask.size for path, mask in masks.items()})


def _costs(masks: Arrays) -> dict[str, Cost]:
    return {path: Cost(1, mask.shape[1]) for path, mask in masks.items()}
