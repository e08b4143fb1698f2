"""What rounds cost in floating-point operations (flops.py), each and along a chain, and against the dense network.

Files say what their round cost. Of older ones that do not, it is counted here from their masks, where all layers are
dense ones: masks do not tell at how many positions a convolution's weights are used.
"""

import pandas as pd

from ticketlab.analysis.measures.loaded import LoadedRound
from ticketlab.errors import BadInput
from ticketlab.sparsity import flops
from ticketlab.sparsity.flops import Cost
from ticketlab.sparsity.masks import Arrays, counts


def cost(loaded: LoadedRound) -> dict[str, float]:
    """Tell what a round cost, beside what the dense network costs, forward and in one whole training.

    Raises:
        BadInput: where neither file nor masks tell.
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
    """Add up what it took to come to each round's end: the rounds so far, where they rest on each other.

    Where a round is missing, the sum is not known.
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
    """Return the dense network's operations of one sample's way forward: as a file says, else by its masks' sizes.

    Raises BadInput where these do not tell.
    """
    if "dense_inference_flops" in loaded.attributes:
        return loaded.attributes["dense_inference_flops"]
    if any(mask.ndim != 2 for mask in loaded.masks.values()):
        raise BadInput("files of this version do not have them, and of convolutions masks alone do not tell")
    return flops.inference(_costs(loaded.masks), {path: mask.size for path, mask in loaded.masks.items()})


def _costs(masks: Arrays) -> dict[str, Cost]:
    return {path: Cost(1, mask.shape[1]) for path, mask in masks.items()}
