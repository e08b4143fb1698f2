"""Costs of rounds in floating-point operations (flops.py), singly, along a chain, and relative to the dense network.

Files hold the cost of their round. For older files without it, this module counts it from the masks if all layers are
dense: masks do not tell at how many positions a convolution's weights are used.
"""

import pandas as pd

from ticketlab.analysis.measures.loaded import LoadedRound
from ticketlab.errors import BadInput
from ticketlab.sparsity import flops
from ticketlab.sparsity.flops import Cost
from ticketlab.sparsity.masks import Arrays, counts


def cost(loaded: LoadedRound) -> dict[str, float]:
    """Return a round's cost, and the dense network's cost of a forward pass and of a whole training.

    Raises:
        BadInput: if neither file nor masks tell the cost.
    """
    run, spec = loaded.run, loaded.run.description["spec"]
    if missing := [name for name in ("iterations", "batch_size") if name not in spec]:
        raise BadInput(f"the spec says nothing of {' and '.join(missing)}")
    dense = _dense_inference(loaded)
    if "inference_flops" in loaded.attributes and "training_flops" in loaded.attributes:
        inference, training = loaded.attributes["inference_flops"], loaded.attributes["training_flops"]
    else:
        inference = flops.inference(_costs(loaded.masks), counts(loaded.masks))
        start = spec.get("rewind_iteration", 0) if loaded.number > 0 or run.branch else 0
        iterations = loaded.history["iteration"].max(initial=start) - start
        training = flops.plain(inference) * spec["batch_size"] * iterations
    return {
        **{"inference_flops": inference, "training_flops": training},
        "training_flops_paper": loaded.attributes.get("training_flops_paper", training),
        "inference_ratio": inference / dense,
        "dense_training_flops": flops.plain(dense) * spec["iterations"] * spec["batch_size"],
        "rests_on_others": run.kind.rounds != "independent" and not run.branch,
    }


def totals(costs: pd.DataFrame) -> pd.DataFrame:
    """Add up the operations up to each round's end: of all rounds so far, where each starts from the one before.

    Where a round is missing, the sum is unknown.
    """
    seeds = costs.groupby("seed")
    whole = seeds.cumcount() == costs["round"]
    found = {}
    for paper in ("", "_paper"):
        sums = seeds[f"training_flops{paper}"].cumsum().where(whole)
        total = sums.where(costs["rests_on_others"].astype(bool), costs[f"training_flops{paper}"])
        found[f"total_training_ratio{paper}"] = total / costs["dense_training_flops"]
        found |= {} if paper else {"total_training_flops": total}
    return costs.assign(**found)


def _dense_inference(loaded: LoadedRound) -> float:
    """Return the operations of the dense network's forward pass: from the file, else from the masks' sizes.

    Raises BadInput where neither tells.
    """
    if "dense_inference_flops" in loaded.attributes:
        return loaded.attributes["dense_inference_flops"]
    if any(mask.ndim != 2 for mask in loaded.masks.values()):
        raise BadInput("files of this version do not have them, and of convolutions masks alone do not tell")
    return flops.inference(_costs(loaded.masks), {path: mask.size for path, mask in loaded.masks.items()})


def _costs(masks: Arrays) -> dict[str, Cost]:
    return {path: Cost(1, mask.shape[1]) for path, mask in masks.items()}
