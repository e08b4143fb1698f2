"""What is measured of rounds, as one table, `MEASURES`, and of pairs of masks, `mask_similarity.SIMILARITIES`.

To add a measure of rounds: a function of a `LoadedRound`, and an entry here. Tables, figures and report follow from it;
a test asks for its columns in outputs/README.md.
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
        f"{way}_degree_variance_chance": Column("that variance in random masks with the layer's density, expected"),
        f"{way}_degree_variance_ratio": Column(
            "variance / that of chance", f"variance of {way}-degrees / chance", bounds=COUNT, level=1
        ),
    }


MEASURES: dict[str, Measure] = {
    "metrics": Measure(
        outcomes.metrics,
        "rounds",
        {
            "density": DENSITY,
            "early_stop_iteration": Column(
                "iteration of the least validation loss",
                "early-stop iteration",
                digits=0,
                bounds=COUNT,
                listed="Training",
            ),
            "early_stop_test_accuracy": Column(
                "at that iteration", "{score}, early stop{unit}", scored=True, listed="Training"
            ),
            "early_stop_validation_loss": Column("at that iteration"),
            "early_stop_censored": Column(
                "whether the early stop is a lower bound: it lies within one evaluation of the last iteration allowed"
            ),
            "test_accuracy": Column(
                "at the end of the round's training", "{score}, end{unit}", scored=True, listed="Training"
            ),
            "test_loss": Column("at the end of the round's training"),
            "untrained_test_accuracy": Column(
                "of the weights that the round starts from, under its mask, before any step",
                "{score}, untrained{unit}",
                scored=True,
                listed="Training",
            ),
            "iteration": Column("optimizer step at which a round of sparse training ends"),
            "seconds": Column("duration of the round's training"),
            "inference_flops": Column("operations of one sample's way forward, of kept weights alone"),
            "dense_inference_flops": Column("operations of one sample's way forward, of all weights"),
            "training_flops": Column("operations of the round's training"),
            "training_flops_paper": Column("the same as the method's paper counts them"),
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
            "validation_loss": Column("on the validation samples"),
            "validation_accuracy": Column("on the validation samples"),
            "train_loss": Column("mean over the batches since the evaluation before"),
        },
        varying=True,
    ),
    "structure": Measure(
        structure.structure,
        "structure",
        {
            "layer": LAYER,
            "weights": Column("all weights"),
            "kept": Column("kept weights"),
            "density": Column("kept / all weights of the layer", "density of the layer", bounds=SHARE),
            "on_path": Column("kept weights on a path from input to output"),
            "effective_density": Column(
                "weights on such a path / all weights", "effective density", digits=3, bounds=SHARE, listed="Masks"
            ),
            "varying_weights": Column(
                "all weights but those from inputs that are the same in all samples for training"
            ),
            "varying_kept": Column("kept weights among these"),
            "varying_density": Column("kept / all of these"),
            "varying_on_path": Column("weights on a path among these"),
            "varying_effective_density": Column("weights on a path / all of these"),
            "inputs": Column("units in"),
            "unused_inputs": Column("units in without a kept weight", "unused inputs", bounds=COUNT, listed="Masks"),
            "units": Column("units out; of convolutions, a unit is a channel"),
            "no_way_in": Column("units out that no path from the input reaches"),
            "no_way_out": Column("units out from which no path reaches the output"),
            "dead": Column("units out on no path, for either reason", "dead units", bounds=COUNT, listed="Masks"),
            "pairs": Column("pairs of a unit in and a unit out"),
            "kept_pairs": Column("pairs with a kept weight"),
            **_degrees("in", "into a unit out"),
            **_degrees("out", "from a unit in"),
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
                "`in`: weights into a unit out; `out`: from a unit in; `pair`: of a convolution's window"
            ),
            "degree": Column("number of kept weights"),
            "units": Column("units (or windows) that have it"),
            "units_chance": Column("how many do in random masks with the layer's density, expected"),
        },
    ),
    "input pixels": Measure(
        input_pixels.pixels,
        "pixels",
        {
            "connections": Column("kept weights of the input layer"),
            "pixels": Column("of the image"),
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
            "side": Column("of a centred square, in pixels"),
            "connections_per_pixel": Column("mean in it"),
        },
    ),
    "weights": Measure(
        weights.weights,
        "weights",
        {
            "layer": LAYER,
            "weights": Column("all weights"),
            "kept": Column("kept weights"),
            **{
                f"{moment}_{part}_{name}": Column(f"{what} of the {whose}, {when}")
                for moment, when in (
                    ("initial", "initially"),
                    ("final", "at the end of the last training that had them"),
                )
                for part, whose in (("kept", "kept weights"), ("pruned", "weights pruned before"))
                for name, what in (("magnitude", "mean magnitude"), ("positive", "share of positive ones"))
            },
            "sign_changes": Column(
                "share of the kept whose sign is another at the end", "sign changes (% of kept)", 100, bounds=PERCENT
            ),
            "magnitude_correlation": Column("Pearson's, between initial and final magnitudes of the kept"),
            "pruned_next": Column("how many of the kept the next round lacks"),
            "prune_fraction": Column("their share of the kept"),
            "small_initially": Column("share of them among as many of the smallest initial magnitudes of the kept"),
            "initial_percentile": Column("their mean place among the initial magnitudes of the kept, from 0 to 1"),
        },
    ),
    "distributions of weights": Measure(
        weights.histograms,
        "histograms",
        {
            "layer": LAYER,
            "moment": Column("`initial` or `final`"),
            "part": Column("`kept` or `pruned`: of the weights that are kept, or of those pruned before"),
            "left": Column("of the bin, which begins there"),
            "right": Column("of the bin, which ends below"),
            "count": Column("weights in it, of all seeds together"),
        },
        keys=("round",),
        finish=weights.over_seeds,
    ),
    "operations (FLOPs)": Measure(
        efficiency.cost,
        "efficiency",
        {
            "inference_flops": Column("operations of one sample's way forward, by the kept weights alone"),
            "training_flops": Column("operations of the round's own training"),
            "total_training_flops": Column("operations of all that it took to come to the round's end"),
            "inference_ratio": Column(
                "inference / that of the dense network",
                "inference FLOPs / those of the dense network",
                digits=3,
                bounds=COUNT,
                listed="Training",
            ),
            "total_training_ratio": Column(
                "total / that of training the dense network once",
                "training FLOPs / those of one dense training",
                digits=3,
                bounds=COUNT,
                listed="Training",
            ),
            "total_training_ratio_paper": Column(
                "that ratio as the method's paper counts: of RigL, the average of ΔT steps and an update throughout"
            ),
        },
        finish=efficiency.totals,
    ),
    "exploration": Measure(
        exploration.explored,
        "exploration",
        {
            "share_ever_kept": Column(
                "share of all weights that some saved mask up to the round keeps (R_s of Liu et al. 2021)",
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
                "Share of all weights that some saved mask up to then has kept: the exploration rate R_s of Liu et al. "
                "(2021). What came and went between two saves is not seen.",
            )
        ],
    ),
}
