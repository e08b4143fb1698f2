"""Every plot draws the given numbers on the given axes and touches nothing else."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ticketlab.analysis.figures import distributions, matrices, plots
from ticketlab.analysis.figures.axes import beyond
from ticketlab.analysis.figures.styles import marked, reference

CURVES = pd.DataFrame(
    {
        "label": ["ticket"] * 3 + ["fresh"] * 2,
        "density": [1, 0.5, 0.25, 1, 0.5],
        "mean": [1.0, 2, 3, 1, 0],
        "half_width": [0.1, 0.2, np.nan, 0.1, 0.1],
    }
)
ORDERED = pd.DataFrame({"label": ["1", "1", "0.5", "0.5"], "mean": [1.0, 2, 3, 4], "half_width": [0.1] * 4})
DEGREES = pd.DataFrame({"label": ["masks"] * 2 + ["chance"] * 2, "left": [0, 1] * 2, "right": [1, 2] * 2})
MODULES = (plots, distributions, matrices)
DRAWINGS = {
    "over_rounds": (CURVES, "accuracy (%)"),
    "over_iterations": (
        pd.DataFrame(
            {"label": ["a", "a", "b"], "iteration": [0, 10, 0], "mean": [2.0, 1, 3], "half_width": 0.1}
        ).assign(early_stop=[False, True, True]),
        "loss (nats)",
    ),
    "against_cost": (
        pd.DataFrame(
            {"label": ["a", "a", "b"], "cost": [0.1, 0.2, 1], "mean": [50.0, 90, 95], "half_width": 1.0}
        ).assign(passed=[True, False, False]),
        "FLOPs",
    ),
    "trend_curves": (ORDERED.assign(side=[2, 4, 2, 4]), "weights per pixel"),
    "similarity_matrix": (pd.DataFrame({"a": ["x", "x"], "b": ["y", "z"], "similarity": [0.5, 0.25]}), "Jaccard"),
    "degree_distribution": (DEGREES.assign(units=[3, 4, 3.5, 3.5]), "weights per unit"),
    "weight_histogram": (
        pd.DataFrame({"label": "kept", "left": [-0.5, 0.5], "right": [0, 1.0], "share_per_unit": [0.5, 1.5]}),
        "weight",
    ),
    "pixel_map": (np.arange(16).reshape(4, 4), 15),
}


LOOKS = {"ticket": marked(0), "fresh": marked(1), "dense": reference(0)}


@pytest.fixture
def axes():
    return Figure().subplots()


@pytest.mark.parametrize("name", DRAWINGS)
def test_plots_return_the_axes_they_drew_on(axes, name):
    numbers, quantity = DRAWINGS[name]
    before = numbers.copy()
    (draw,) = (found for place in MODULES if (found := getattr(place, name, None)))
    assert draw(numbers, axes, quantity) is axes
    assert (numbers == before).all(axis=None) or numbers.equals(before)
    assert axes.has_data()
    labels = {axes.get_xlabel(), axes.get_ylabel(), *(other.get_ylabel() for other in axes.figure.axes)}
    assert quantity in labels or name == "pixel_map"
    axes.figure.draw_without_rendering()


def test_density_falls_to_the_right_on_a_log_axis(axes):
    plots.over_rounds(CURVES, axes, "accuracy (%)")
    assert axes.get_xscale() == "log"
    left, right = axes.get_xlim()
    assert left > 1 > 0.25 > right
    ticket, fresh = axes.lines
    assert ticket.get_xdata().tolist() == [0.25, 0.5, 1]
    assert ticket.get_ydata().tolist() == [3, 2, 1]
    assert (ticket.get_color(), ticket.get_marker()) != (fresh.get_color(), fresh.get_marker())
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ticket", "fresh"]


@pytest.mark.parametrize(
    ("densities", "ticks"),
    [
        ([0.8**round for round in range(17)], ["1", "0.5", "0.2", "0.1", "0.05"]),
        ([1, 0.8, 0.64, 0.512], ["0.6", "0.8", "1"]),
        ([1, 0.8, 0.3], ["0.4", "0.6", "0.8", "1"]),
        ([1, 0.8], ["0.7", "0.8", "0.9", "1"]),
        ([1], ["0.9", "0.95", "1"]),
        ([0.021, 0.02], ["0.018", "0.02", "0.022", "0.024"]),
    ],
)
def test_an_axis_of_density_has_three_ticks_at_least(axes, densities, ticks):
    curve = pd.DataFrame({"label": "ticket", "density": densities, "mean": 1.0, "half_width": np.nan})
    plots.over_rounds(curve, axes, "accuracy (%)")
    axes.figure.draw_without_rendering()
    low, high = sorted(axes.get_xlim())
    labels = axes.get_xticklabels()
    assert [label.get_text() for label in labels] == ticks
    assert all(low <= label.get_position()[0] <= high for label in labels)


def test_rounds_that_all_have_an_iteration_are_drawn_against_it(axes):
    times = CURVES.assign(iteration=[0, 100, 200, 0, 100], density=0.1)
    plots.over_rounds(times, axes, "accuracy (%)")
    assert (axes.get_xscale(), axes.get_xlabel()) == ("linear", "iteration (optimizer steps)")
    assert [line.get_xdata().tolist() for line in axes.lines] == [[0, 100, 200], [0, 100]]


def test_a_round_without_an_iteration_puts_all_against_density(axes):
    plots.over_rounds(CURVES.assign(iteration=[np.nan] * 3 + [0, 100]), axes, "accuracy (%)")
    assert axes.get_xscale() == "log"
    assert axes.lines[1].get_xdata().tolist() == [0.5, 1]


def test_trends_of_one_training_are_told_apart_by_iteration(axes):
    curves = ORDERED.assign(side=[2, 4, 2, 4], label=["0", "0", "1,000", "1,000"], legend="iteration")
    legend = plots.trend_curves(curves, axes, "weights per pixel").get_legend()
    assert [legend.get_title().get_text(), *(text.get_text() for text in legend.get_texts())] == [
        *("iteration", "0", "1,000")
    ]


def test_what_a_training_came_by_is_a_line_and_its_end_a_point(axes):
    points = DRAWINGS["against_cost"][0]
    plots.against_cost(points, axes, "FLOPs")
    assert axes.get_xscale() == "log"
    assert [bars.lines[0].get_xdata().tolist() for bars in axes.containers] == [[0.2], [1]]
    lines = [line for line in axes.lines if line.get_linewidth() < 1 and line.get_linestyle() == "-"]
    assert [0.1, 0.2] in [line.get_xdata().tolist() for line in lines]
    assert 50 < axes.get_ylim()[0] < 89 < 96 < axes.get_ylim()[1], "the ends decide"


def drawn_bands(axes):
    """Return the lowest and the highest value of each band."""
    found = [np.concatenate([path.vertices for path in band.get_paths()])[:, 1] for band in axes.collections]
    return [(values.min(), values.max()) for values in found]


def test_bands_and_axis_end_where_values_end(axes):
    wide = pd.DataFrame({"label": "ticket", "density": [1, 0.5], "mean": [99.0, 2], "half_width": [3.0, 5]})
    plots.over_rounds(wide, axes, "accuracy (%)", bounds=(0, 100))
    assert drawn_bands(axes) == [(0, 100)]
    low, high = axes.get_ylim()
    assert (low >= 0, high <= 100) == (True, True)


def test_a_band_of_what_may_lie_below_zero_is_whole(axes):
    curve = pd.DataFrame({"label": "ticket", "density": [1, 0.5], "mean": [1.0, 2], "half_width": [3.0, 5]})
    plots.over_rounds(curve, axes, "above chance")
    assert drawn_bands(axes) == [(-3, 7)]
    assert axes.get_ylim()[0] < -3


@pytest.mark.parametrize("value", [0, 4])
def test_equal_counts_stand_on_zero_and_whole_numbers(axes, value):
    curve = pd.DataFrame({"label": "ticket", "density": [1, 0.5], "mean": float(value), "half_width": 0.0})
    plots.over_rounds(curve, axes, "dead units", bounds=(0, np.inf))
    axes.figure.draw_without_rendering()
    low, high = axes.get_ylim()
    assert low == 0
    assert value <= high <= value + 1
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert len(ticks) >= 2
    assert all(tick % 1 == 0 for tick in ticks)


def test_chance_is_drawn_broken_and_without_markers(axes):
    looks = {"ticket": marked(0), "fresh": reference(0)}
    plots.over_rounds(CURVES.assign(reference=CURVES["label"] == "fresh"), axes, "Jaccard", styles=looks)
    ticket, chance = axes.lines
    assert ticket.get_linestyle() == "-"
    assert (chance.get_linestyle(), chance.get_marker()) == ("--", "None")


def test_what_a_curve_is_compared_with_alone_has_its_colour(axes):
    """As each layer with what chance gives for it."""
    chance = CURVES[:3].assign(reference=True, mean=0.5)
    plots.over_rounds(pd.concat([CURVES[:3].assign(reference=False), chance]), axes, "share")
    broken, curve = sorted(axes.lines, key=lambda line: line.get_linestyle() == "-")
    assert (broken.get_linestyle(), broken.get_color()) == ("--", curve.get_color())
    assert axes.get_legend_handles_labels()[1] == ["ticket"]


def test_a_level_line_goes_from_edge_to_edge(axes):
    level = pd.DataFrame({"label": "dense", "density": [1, 0.25], "mean": 2.0, "half_width": np.nan, "reference": True})
    plots.over_rounds(pd.concat([CURVES.assign(reference=False), level]), axes, "accuracy", styles=LOOKS)
    (line,) = (line for line in axes.lines if line.get_label() == "dense")
    assert line.get_xdata() == [0, 1], "parts of the axis"


def test_single_seeds_are_thin_and_in_their_curves_colour(axes):
    seeds = pd.concat([CURVES[:3].assign(seed=seed, mean=CURVES["mean"][:3] + seed - 0.5) for seed in (0, 1)])
    plots.over_rounds(pd.concat([CURVES[:3].assign(seed=np.nan, half_width=np.nan), seeds]), axes, "accuracy")
    mean, *thin = axes.lines
    assert [line.get_ydata().tolist() for line in thin] == [[2.5, 1.5, 0.5], [3.5, 2.5, 1.5]]
    assert {line.get_color() for line in thin} == {mean.get_color()}
    assert all(line.get_linewidth() < 1 < mean.get_linewidth() for line in thin)
    assert axes.get_legend_handles_labels()[1] == ["ticket"]


def test_a_bound_has_an_open_marker(axes):
    plots.over_rounds(CURVES[:3].assign(bound=[False, True, True]), axes, "iteration")
    curve, opened = axes.lines
    assert opened.get_markerfacecolor() == "white"
    assert opened.get_markeredgecolor() == curve.get_color()
    assert opened.get_xdata().tolist() == [0.25, 0.5]


def test_points_that_stand_apart_are_not_joined_and_have_bars(axes):
    plots.over_rounds(CURVES[:3].assign(apart=True), axes, "excess", level=0)
    zero, points = axes.lines
    assert axes.get_ylim()[1] > 3
    assert (zero.get_ydata(), points.get_linestyle()) == ([0, 0], "None")
    assert len(axes.collections[0].get_segments()) == 3


def test_an_axis_that_begins_higher_says_what_lies_below(axes):
    curves = pd.concat(
        [CURVES, pd.DataFrame({"label": "gone", "density": [0.5], "mean": [-90.0], "half_width": [1.0]})]
    )
    plots.over_rounds(curves, axes, "accuracy (%)", sight=(1, np.inf))
    low, high = axes.get_ylim()
    assert 0 < low < 1 < 3 < high < 4
    _, fresh, gone, *triangles = axes.lines
    assert [line.get_markeredgecolor() for line in triangles] == [fresh.get_color(), gone.get_color()]
    assert [line.get_xdata()[0] for line in triangles] == [0.5, 0.5]
    heights = [line.get_ydata()[0] for line in triangles]
    assert 0 < heights[0] < heights[1] < 0.1


def test_what_lies_above_the_axis_is_told_too(axes):
    curves = pd.concat([CURVES, pd.DataFrame({"label": "far", "density": [0.5], "mean": [90.0], "half_width": [1.0]})])
    plots.over_rounds(curves, axes, "difference", sight=(-1, 4))
    *_, triangle = axes.lines
    assert (triangle.get_marker(), triangle.get_ydata()[0] > 0.9) == ("^", True)
    assert beyond(axes.figure) == ["above"]


def evaluations(*means, half_width=0.1):
    iterations = range(0, 10 * len(means), 10)
    stops = np.arange(len(means)) == np.argmin(means)
    return pd.DataFrame(
        {"label": "a", "iteration": iterations, "mean": means, "half_width": half_width, "early_stop": stops}
    )


def test_a_log_axis_never_reaches_0(axes):
    plots.over_iterations(evaluations(50.0, 2, 0, 1, half_width=5), axes, "error (%)")
    axes.figure.draw_without_rendering()
    low, high = axes.get_ylim()
    assert 0 < low < 1 < high
    assert drawn_bands(axes)[0][0] >= low
    assert min(axes.lines[0].get_ydata()) == low, "0 lies at the edge"
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert len(ticks) >= 3
    nothing = Figure().subplots()
    plots.over_iterations(evaluations(0.0, 0), nothing, "error (%)")
    assert nothing.get_ylim()[0] > 0


def test_evaluations_are_seen_where_curves_end(axes):
    plots.over_iterations(evaluations(100.0, 10, 1.1, 1, 1.05), axes, "loss")
    low, high = axes.get_ylim()
    assert 0.8 < low < 1
    assert 2 < high < 3, "the first descent leaves the axis"


def test_an_early_stop_has_its_curves_colour(axes):
    both = pd.concat([evaluations(2.0, 1, 1.5), evaluations(3.0, 2, 1).assign(label="b")])
    plots.over_iterations(both, axes, "loss")
    curves = [line for line in axes.lines if line.get_linestyle() != "None"]
    stops = [line for line in axes.lines if line.get_marker() == "v"]
    assert [stop.get_color() for stop in stops] == [curve.get_color() for curve in curves]
    assert [stop.get_xdata().tolist() for stop in stops] == [[10], [20]]


def test_bars_end_where_values_end(axes):
    points = DRAWINGS["against_cost"][0].assign(passed=False, half_width=20.0)
    plots.against_cost(points, axes, "FLOPs", bounds=(0, 100))
    ends = np.concatenate([segment[:, 1] for bars in axes.collections for segment in bars.get_segments()])
    assert (ends.max(), axes.get_ylim()[1] <= 100) == (100, True)


def test_a_map_is_white_where_as_many_are_kept_as_expected(axes):
    matrices.pixel_map(np.array([[0.0, 1], [2, 3]]), axes, 1)
    (image,) = axes.images
    low, middle, high, above = image.cmap(image.norm([0, 1, 2, 3]))[:, :3]
    assert middle.min() > 0.95
    assert (low[2] > low[0], high[0] > high[2]) == (True, True), "blue below, red above"
    assert low.mean() < high.mean() < middle.mean(), "told apart in grey"
    assert (above == high).all()


def test_a_wide_band_does_not_squash_the_curves(axes):
    wide = pd.DataFrame({"label": "two seeds", "density": [0.5], "mean": [2.5], "half_width": [50.0]})
    plots.over_rounds(pd.concat([CURVES, wide]), axes, "accuracy (%)")
    low, high = axes.get_ylim()
    assert -2 < low < 0 < 3 < high < 5


def test_nine_curves_differ_in_colour_or_marker(axes):
    curves = pd.concat([CURVES[:3].assign(label=str(number)) for number in range(9)])
    plots.over_rounds(curves, axes, "accuracy (%)")
    assert len({(line.get_color(), line.get_marker()) for line in axes.lines}) == 9
    orders = [line.get_zorder() for line in axes.lines]
    assert orders == sorted(orders, reverse=True), "the first lies over the others"


@pytest.mark.parametrize(
    ("similarity", "text"),
    [
        ([0.512, 0.25], "0.51"),
        ([0.0046, 0.01], "0.0046"),
        ([0.00112, 0.00141], "0.00112"),
        ([0.0011, 0.0011], "0.0011"),
        ([0.5, 0.5], "0.50"),
        ([0.0, 0.0], "0.00"),
    ],
)
def test_a_matrix_has_as_many_digits_as_it_needs(axes, similarity, text):
    numbers = pd.DataFrame({"a": ["x", "x"], "b": ["y", "z"], "similarity": similarity})
    matrices.similarity_matrix(numbers, axes, "Jaccard")
    assert axes.texts[0].get_text() == text


def test_a_matrix_is_symmetric_and_grey_where_nothing_is_compared(axes):
    matrices.similarity_matrix(DRAWINGS["similarity_matrix"][0], axes, "Jaccard")
    assert axes.images[0].get_clim() == (0, 0.5), "from 0"
    values = axes.images[0].get_array()
    assert values[0].tolist() == [None, 0.5, 0.25]
    assert values[:, 0].tolist() == [None, 0.5, 0.25]
    assert values.mask[1, 2]


def test_a_bar_stands_around_its_whole_number(axes):
    counts = DEGREES.assign(left=[8, 9] * 2, right=[9, 10] * 2, units=[1, 4, 2.5, 2.5])
    distributions.degree_distribution(counts, axes, "weights kept of a window", counted="windows")
    axes.figure.draw_without_rendering()
    assert axes.patches[0].get_data().edges.tolist() == [7.5, 8.5, 9.5]
    assert max(axes.get_xlim()) < 10
    assert all(float(label.get_text()) % 1 == 0 for label in axes.get_xticklabels())
    assert axes.get_ylabel() == "windows"


def test_a_gap_in_a_histogram_stays_a_gap(axes):
    distributions.weight_histogram(DRAWINGS["weight_histogram"][0], axes, "weight")
    assert axes.patches[0].get_data().values.tolist() == [0.5, 0, 1.5]


def test_no_global_state_is_touched():
    code = "import sys, ticketlab.analysis.figures.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
