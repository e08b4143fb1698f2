"""Figures of learning: accuracy and early stop against density, and the validation curves of chosen rounds."""

from collections.abc import Iterator

from ticketlab import plots
from ticketlab.analysis.chart import BAND, Chart, Panel, chart, curves
from ticketlab.analysis.results import Results
from ticketlab.analysis.tables import mean_table

AGAINST_DENSITY = {
    "early_stop": (
        {
            "early_stop_test_accuracy": "test accuracy, early stop (%)",
            "early_stop_iteration": "early-stop iteration",
        },
        "How well and how soon: test accuracy at the iteration (optimizer step) of minimum validation loss, and that "
        "iteration, against density.",
    ),
    "accuracy": (
        {
            "test_accuracy": "test accuracy, end (%)",
            "untrained_test_accuracy": "test accuracy, untrained (%)",
        },
        "Test accuracy at the end of training, and of the weights that a round starts from, under its mask, before any "
        "training (a supermask's).",
    ),
}
EVALUATIONS = {"validation_loss": ("validation loss (nats)", 1), "error": ("validation error (%)", 100)}


def training_charts(results: Results) -> Iterator[Chart]:
    """Draw what training came to, all runs together, and how it went, run by run."""
    means = results.tables["rounds_mean"]
    labels = means["run"].map(results.labels)
    for name, (metrics, caption) in AGAINST_DENSITY.items():
        panels = [
            Panel(quantity, curves(means, metric, labels, 100 if "%" in quantity else 1))
            for metric, quantity in metrics.items()
            if metric in means
        ]
        if panels:
            yield chart(name, f"{caption} {BAND}", plots.against_density, panels, entries=1)
    for run in results.runs:
        yield _validation_chart(results, run.name)


def _validation_chart(results: Results, run: str) -> Chart:
    history = results.of("history", run)
    history = history.assign(error=1 - history["validation_accuracy"])
    means = mean_table(history[history["round"].isin(results.shown[run])], ["round", "iteration"])
    lowest = means.groupby("round")["validation_loss"].transform("min") == means["validation_loss"]
    panels = [
        Panel(
            quantity,
            curves(means, metric, results.labels[run], factor).assign(iteration=means["iteration"], early_stop=lowest),
        )
        for metric, (quantity, factor) in EVALUATIONS.items()
    ]
    caption = f"Validation during chosen rounds; triangles: minimum of the mean validation loss. {BAND}"
    return chart(results.file_name("validation", run), caption, plots.validation_curves, panels)
