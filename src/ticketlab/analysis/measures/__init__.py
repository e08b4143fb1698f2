"""Measures of rounds, in one table, `MEASURES`; `mask_similarity.SIMILARITIES` holds those of pairs of masks.

To add a measure of rounds, write a function of a `LoadedRound` and add an entry here. Tables, figures and report follow
from the entry; a test compares its columns with outputs/README.md.
"""

from ticketlab.analysis.confidence import COUNT, PERCENT, SHARE
from ticketlab.analysis.measures import (
    bitmasks,
    degrees,
    efficiency,
    exploration,
    input_pixels,
    mask_similarity,
    nulls,
    outcomes,
    paths,
    structure,
    unit_matching,
    weights,
)
from ticketlab.analysis.measures.measure import Column, Curves, Measure

__all__ = [
    "MEASURES",
    "Column",
    "Curves",
    "Measure",
    "bitmasks",
    "degrees",
    "input_pixels",
    "mask_similarity",
    "nulls",
    "paths",
    "structure",
    "unit_matching",
    "weights",
]

LAYER = Column("path of the kernel, or `all` for all prunable layers together")
DENSITY = Column("kept weights / all weights of all prunable layers together")


def _degrees(way: str, where: str) -> dict[str, Column]:
    """Name the columns of degrees that lead into units, or from them."""
    return {
        f"{way}_degree_mean": Column(f"kept weights {where}, mean over the units"),
        f"{way}_degree_variance": Column(f"kept weights {where}, variance over the units"),
        f"{way}_degree_variance_chance": Column("expected variance in random masks with the layer's density"),
        f"{way}_degree_variance_ratio": Column(
            "variance / that expected by chance", f"variance of {way}-degrees / chance", bounds=COUNT, level=1
        ),
    }


MEASURES: dict[str, Measure] = {
    "metrics": Measure(
        outcomes.metrics,
        "rounds",
        {
            "density": DENSITY,
            "early_stop_iteration": Column(
                "iteration of minimum validation loss",
                "early-stop iteration",
                digits=0,
                bounds=COUNT,
                listed="Training",
            ),
            "early_stop_test_accuracy": Column(
                "test accuracy at that iteration", "{score}, early stop{unit}", scored=True, listed="Training"
            ),
            "early_stop_validation_loss": Column("validation loss at that iteration"),
            "early_stop_censored": Column(
                "whether the early stop is a lower bound: it lies within one evaluation of the last iteration allowed"
            ),
            "test_accuracy": Column(
                "test accuracy at the end of the round's training", "{score}, end{unit}", scored=True, listed="Training"
            ),
            "test_loss": Column("test loss at the end of the round's training"),
            "untrained_test_accuracy": Column(
                "test accuracy of the round's initial weights under its mask, before any step",
                "{score}, untrained{unit}",
                scored=True,
                listed="Training",
            ),
            "iteration": Column("optimizer step at which a round of sparse training ends"),
            "seconds": Column("duration of the round's training"),
            "inference_flops": Column("operations of one sample's forward pass, with kept weights alone"),
            "dense_inference_flops": Column("operations of one sample's forward pass, with all weights"),
            "training_flops": Column("operations of the round's training"),
            "training_flops_paper": Column("operations of the round's training as the method's paper counts them"),
        },
        varying=True,
    ),
    "densities of layers": Measure(
        outcomes.layer_densities, "rounds", {"density_<layer>": Column("density of one layer")}, varying=True
    ),
    "evaluations": Measure(
        outcomes.evaluations,
        "history",
        {
            "density": DENSITY,
            "iteration": Column("optimizer step of the evaluation"),
            "validation_loss": Column("loss on the validation samples"),
            "validation_accuracy": Column("accuracy on the validation samples"),
            "train_loss": Column("mean loss over the batches since the previous evaluation"),
        },
        varying=True,
    ),
    "structure": Measure(
        structure.structure,
        "structure",
        {
            "layer": LAYER,
            "weights": Column("number of all weights"),
            "kept": Column("number of kept weights"),
            "density": Column("kept / all weights of the layer", "density of the layer", bounds=SHARE),
            "on_path": Column("kept weights on a path from input to output"),
            "effective_density": Column(
                "kept weights on such a path / all weights", "effective density", digits=3, bounds=SHARE, listed="Masks"
            ),
            "varying_weights": Column("all weights but those from inputs that are constant over the training samples"),
            "varying_kept": Column("kept weights among these weights"),
            "varying_density": Column("kept / all of these weights"),
            "varying_on_path": Column("kept weights on a path among these weights"),
            "varying_effective_density": Column("kept weights on a path / all of these weights"),
            "inputs": Column("input units"),
            "unused_inputs": Column("input units without a kept weight", "unused inputs", bounds=COUNT, listed="Masks"),
            "units": Column("output units; in convolutions, a unit is a channel"),
            "no_way_in": Column("output units that no path from the input reaches"),
            "no_way_out": Column("output units from which no path reaches the output"),
            "dead": Column("output units on no path, for either reason", "dead units", bounds=COUNT, listed="Masks"),
            "pairs": Column("pairs of an input unit and an output unit"),
            "kept_pairs": Column("pairs with a kept weight"),
            **_degrees("in", "into an output unit"),
            **_degrees("out", "from an input unit"),
        },
        figures=[
            Curves(
                "degree_variance",
                ["in_degree_variance_ratio", "out_degree_variance_ratio"],
                "How unevenly layers use their units: variance over units of the kept weights into and from a unit, "
                "divided by that of random masks with the same density of the layer; thin line: 1, chance.",
                of_layers=True,
            )
        ],
    ),
    "degrees": Measure(
        structure.degrees_of_units,
        "degrees",
        {
            "layer": LAYER,
            "direction": Column(
                "weights into an output unit (`in`), from an input unit (`out`), or of a kernel window (`pair`)"
            ),
            "degree": Column("number of kept weights"),
            "units": Column("number of units (or windows) with that degree"),
            "units_chance": Column("expected number in random masks with the layer's density"),
        },
    ),
    "input pixels": Measure(
        input_pixels.pixels,
        "pixels",
        {
            "connections": Column("kept weights of the input layer"),
            "pixels": Column("pixels of the image"),
            "unused_pixels": Column(
                "pixels without a kept weight",
                "pixels without connection",
                bounds=COUNT,
                nothing="Every pixel has a connection, in all rounds.",
            ),
            "centre_margin": Column(
                "(mean connections per pixel inside − outside) / mean of all",
                "centre–margin scalar",
                digits=2,
                level=0,
                listed="Masks",
            ),
        },
        figures=[
            Curves(
                "centre_margin",
                ["centre_margin", "unused_pixels"],
                "Centre–margin scalar: connections per pixel inside the centred square of half the side (14×14 of "
                "28×28) minus those outside, divided by those in the whole image; 0, the thin line, if they are spread "
                "evenly.",
            )
        ],
    ),
    "trend of input pixels": Measure(
        input_pixels.trend,
        "pixel_trend",
        {
            "side": Column("side of a centred square, in pixels"),
            "connections_per_pixel": Column("mean number of kept weights per pixel in it"),
        },
    ),
    "weights": Measure(
        weights.weights,
        "weights",
        {
            "layer": LAYER,
            "weights": Column("number of all weights"),
            "kept": Column("number of kept weights"),
            **{
                f"{moment}_{part}_{name}": Column(f"{what} among the {whose}, {when}")
                for moment, when in (
                    ("initial", "initially"),
                    ("final", "at the end of the last training that included them"),
                )
                for part, whose in (("kept", "kept weights"), ("pruned", "weights pruned before"))
                for name, what in (("magnitude", "mean magnitude"), ("positive", "share of positive weights"))
            },
            "sign_changes": Column(
                "share of the kept weights whose sign changed in training",
                "sign changes (% of kept)",
                100,
                bounds=PERCENT,
            ),
            "magnitude_correlation": Column("Pearson correlation of initial and final magnitudes of the kept weights"),
            "pruned_next": Column("number of kept weights that the next round prunes"),
            "prune_fraction": Column("share of the kept weights that the next round prunes"),
            "small_initially": Column(
                "share of those pruned next that are among as many kept weights of smallest initial magnitude"
            ),
            "initial_percentile": Column(
                "mean rank of those pruned next among the initial magnitudes of the kept weights, from 0 to 1"
            ),
        },
    ),
    "distributions of weights": Measure(
        weights.histograms,
        "histograms",
        {
            "layer": LAYER,
            "moment": Column("`initial` or `final` weights"),
            "part": Column("`kept` weights, or those `pruned` before"),
            "left": Column("lower bound of the bin, included"),
            "right": Column("upper bound of the bin, excluded"),
            "count": Column("number of weights in the bin, all seeds together"),
        },
        keys=("round",),
        finish=weights.over_seeds,
    ),
    "operations (FLOPs)": Measure(
        efficiency.cost,
        "efficiency",
        {
            "inference_flops": Column("operations of one sample's forward pass, with kept weights alone"),
            "training_flops": Column("operations of the round's own training"),
            "total_training_flops": Column("operations of all training up to the round's end"),
            "inference_ratio": Column(
                "`inference_flops` / those of the dense network",
                "inference FLOPs / those of the dense network",
                digits=3,
                bounds=COUNT,
                listed="Training",
            ),
            "total_training_ratio": Column(
                "`total_training_flops` / those of training the dense network once",
                "training FLOPs / those of one dense training",
                digits=3,
                bounds=COUNT,
                listed="Training",
            ),
            "total_training_ratio_paper": Column(
                "the same ratio as the method's paper counts: RigL averages ΔT steps and an update throughout"
            ),
        },
        finish=efficiency.totals,
    ),
    "exploration": Measure(
        exploration.explored,
        "exploration",
        {
            "share_ever_kept": Column(
                "share of all weights that at least one mask saved up to the round keeps (R_s of Liu et al. 2021)",
                "weights ever kept (%)",
                100,
                bounds=PERCENT,
            )
        },
        finish=exploration.of_moving_masks,
        figures=[
            Curves(
                "weights_ever_kept",
                ["share_ever_kept"],
                "Share of all weights that at least one mask saved up to then keeps: the exploration rate R_s of Liu "
                "et al. (2021). Weights that came and went between two saves are not counted.",
            )
        ],
    ),
}
