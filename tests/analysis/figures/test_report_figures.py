"""What the figures of a report show and say, run by run and kind by kind."""

import numpy as np
import pandas as pd
import pytest

from rounds_on_disk import SHAPES, write_branch, write_run, write_training
from ticketlab.analysis import outputs
from ticketlab.analysis.figures.curves import coinciding, level
from ticketlab.analysis.figures.exploration import exploration_charts
from ticketlab.analysis.figures.measures import measure_charts
from ticketlab.analysis.figures.paired import paired_charts
from ticketlab.analysis.figures.similarity import similarity_charts
from ticketlab.analysis.figures.structure import structure_charts
from ticketlab.analysis.figures.training import training_charts
from ticketlab.analysis.figures.weights import weight_charts
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs


def measured(*folders):
    return measure(read_runs(folders)[0])[0]


def drawn(results, *makes):
    return {chart.name: chart for make in makes or outputs.CHARTS for chart in make(results)}


def labelled(axes):
    """Return the drawn lines that have a label."""
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def early(attributes):
    """Let early stops lie before the last of 60 iterations, but for the last round's of one seed."""
    late = attributes["seed"] == 0 and attributes["round"] == 2
    return {"early_stop_iteration": 60 if late else 30 - 2 * attributes["round"]}


@pytest.fixture(scope="module")
def tickets(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("runs") / "mine", 3, 3, change=early)
    write_branch(run, "random_reinit", change=early)
    write_branch(run, "supermask")
    return measured(run)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Two seeds, whose interval nobody wants to see."""
    run = write_run(tmp_path_factory.mktemp("runs") / "mine", 2, 3, change=early)
    write_branch(run, "random_reinit", seeds=2, change=early)
    return measured(run)


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    return measured(write_training(tmp_path_factory.mktemp("runs") / "mine"))


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    shapes = {"dense_1/kernel": (16, 8), "dense_2/kernel": (8, 1)}
    spec = {"dataset": "my_table", "shapes": shapes}
    run = tmp_path_factory.mktemp("runs") / "mine"
    return measured(write_run(run, 3, 3, change=lambda _: {"task": "regression"}, **spec))


def test_early_stops_stand_between_the_dense_network_and_the_last_iteration(tickets):
    chart = drawn(tickets, training_charts)["early_stop"]
    accuracy, iteration = chart.figure.axes
    assert labelled(accuracy)["dense network"].get_ydata() == pytest.approx([91.1, 91.1])
    assert labelled(iteration)["dense network"].get_ydata() == [30, 30]
    assert labelled(iteration)["last iteration"].get_ydata() == [60, 60]
    assert "Means over 3 seeds" in chart.caption
    assert iteration.get_ylim()[1] >= 60, "the last iteration is in sight"


def test_early_stops_that_are_lower_bounds_have_open_markers(tickets):
    chart = drawn(tickets, training_charts)["early_stop"]
    accuracy, iteration = chart.figure.axes
    opened = [line for line in iteration.lines if line.get_markerfacecolor() == "white"]
    density = tickets.of("rounds", "mine").query("round == 2")["density"].mean()
    assert len(opened) == 2, "of ticket and control"
    assert [line.get_xdata().tolist() for line in opened] == [pytest.approx([density])] * 2
    assert not any(line.get_markerfacecolor() == "white" for line in accuracy.lines)
    assert "Open markers: lower bounds (≥)" in chart.caption


def test_bands_of_early_stops_end_at_the_last_iteration(tickets):
    axes = drawn(tickets, training_charts)["early_stop"].figure.axes[1]
    ends = np.concatenate([path.vertices[:, 1] for band in axes.collections for path in band.get_paths()])
    numbers = drawn(tickets, training_charts)["early_stop"].numbers
    assert (numbers["mean"] + numbers["half_width"]).max() > 60, "Student's t knows no last iteration"
    assert (ends.min() >= 0, ends.max() <= 60) == (True, True)


def test_untrained_accuracies_stand_beside_chance(tickets):
    end, untrained = drawn(tickets, training_charts)["accuracy"].figure.axes
    assert labelled(untrained)["chance"].get_ydata() == pytest.approx([100 / 3] * 2), "three classes"
    assert "chance" not in labelled(end)


def test_two_seeds_are_drawn_one_by_one_and_have_no_band(pairs):
    charts = drawn(pairs)
    accuracy = charts["early_stop"].figure.axes[0]
    thin = [line.get_ydata().tolist() for line in accuracy.lines if line.get_linewidth() < 1]
    assert [pytest.approx([93, 92, 91]), pytest.approx([93.1, 92.1, 91.1])] == thin[:2]
    for name, chart in charts.items():
        if "half_width" in chart.numbers:
            assert chart.numbers["half_width"].isna().all(), name
            assert "interval" not in chart.caption, name
    for name in (
        "early_stop",
        "accuracy",
        "validation",
        "layer_density",
        "centre_margin",
        "weight_magnitudes",
        "paired",
    ):
        assert "thin lines: each of the two" in charts[name].caption, name


def test_one_seed_is_said_to_be_one(tmp_path):
    charts = drawn(measured(write_run(tmp_path / "mine", 1, 3)), training_charts, measure_charts, weight_charts)
    for name in ("early_stop", "accuracy", "validation", "degree_variance", "sign_changes"):
        assert charts[name].caption.endswith("One seed."), name


def test_seeds_that_differ_in_number_are_told(tmp_path):
    run = write_run(tmp_path / "mine", 4, 3)
    write_branch(run, "one_shot", seeds=3)
    (run / "seed_3" / "round_02.h5").unlink()
    charts = drawn(measured(run), training_charts)
    assert "Means over 3 to 4 seeds" in charts["early_stop"].caption


def test_a_regression_speaks_of_r2_and_of_no_image(regression):
    charts = drawn(regression)
    assert not {"pixel_maps", "pixel_trend", "centre_margin"} & set(charts), "16 features are no 4×4 image"
    words = " ".join(
        text for chart in charts.values() for text in (chart.caption, chart.alt, *map(axis_words, chart.figure.axes))
    )
    for wrong in ("nats", "accuracy", "error (%)", "cross-entropy", "guessing"):
        assert wrong not in words
    axes = charts["early_stop"].figure.axes[0]
    assert axes.get_ylabel() == "test R², early stop"
    assert labelled(axes)["ticket"].get_ydata().max() == pytest.approx(0.931), "a number, no percentage"
    (validation,) = charts["validation"].figure.axes
    assert validation.get_ylabel() == "validation 1 − R²"


def axis_words(axes):
    return f"{axes.get_xlabel()} {axes.get_ylabel()} {axes.get_title(loc='left')}"


def test_similarity_is_what_exceeds_chance(tmp_path):
    results = measured(write_run(tmp_path / "mine", 4, 6))
    charts = drawn(results, similarity_charts)
    stand, matched = charts["similarity"].figure.axes
    for axes in (stand, matched):
        assert [0, 0] in [list(line.get_ydata()) for line in axes.lines if len(line.get_ydata()) == 2], "a zero line"
    assert stand.get_ylim() == matched.get_ylim()
    assert stand.get_xlim() == matched.get_xlim()
    joined = [line.get_linestyle() for line in labelled(stand).values() if len(line.get_xdata()) == 5]
    assert joined == ["-", "-"]
    apart = [line for line in labelled(matched).values() if len(line.get_xdata()) > 1]
    assert {line.get_linestyle() for line in apart} == {"None"}, "rounds between them were not matched"
    values = results.of("seeds_similarity", "mine").query("layer == 'all' and measure == 'jaccard_excess_by_layer'")
    wanted = values[values["density"] < 1].sort_values("density")["mean"]
    assert labelled(stand)["layer densities"].get_ydata() == pytest.approx(wanted.to_numpy())
    assert "similarity_matrix" in charts
    assert charts["similarity_matrix"].figure.axes[0].images[0].get_clim()[0] <= 0


def test_three_seeds_have_no_matrix(tickets):
    assert "similarity_matrix" not in drawn(tickets, similarity_charts)


def test_layers_have_words_and_of_many_three_are_shown(tmp_path):
    shapes = {f"dense_{number}/kernel": (6, 6) for number in range(20)}
    results = measured(write_run(tmp_path / "mine", 2, 3, shapes=shapes))
    charts = drawn(results, structure_charts, measure_charts, weight_charts)
    names = [f"hidden layer {number} (6 units)" for number in (1, 11)] + ["output layer (6 units)"]
    assert set(charts["degree_variance"].numbers["label"]) == set(names)
    assert set(charts["layer_density"].numbers["label"]) == {*names, "all layers"}
    assert [axes.get_title(loc="left") for axes in charts["weight_magnitudes"].figure.axes] == [*names, "all layers"]
    for name in ("degree_variance", "layer_density", "degrees", "weight_magnitudes", "sign_changes"):
        assert "Of its 20 layers, the first, the middle and the last are shown." in charts[name].caption, name
    assert "kernel" not in " ".join(chart.caption + chart.alt for chart in charts.values())


def test_densities_of_layers_stand_beside_that_of_all(tickets):
    chart = drawn(tickets, structure_charts)["layer_density"]
    masks = [record.masks for record in tickets.runs[0].records if record.attributes["round"] == 2]
    curves = labelled(chart.figure.axes[0])
    wanted = np.mean([mask["dense_1/kernel"].mean() for mask in masks])
    assert curves["hidden layer 1 (12 units)"].get_ydata()[0] == pytest.approx(wanted)
    whole = np.mean([sum(map(np.count_nonzero, mask.values())) / sum(map(np.size, mask.values())) for mask in masks])
    assert curves["all layers"].get_ydata()[0] == pytest.approx(whole)
    assert curves["all layers"].get_linestyle() != "-"


def test_what_has_nothing_to_show_is_a_sentence(tmp_path):
    results = measured(write_run(tmp_path / "mine", 3, 1))
    charts = drawn(results, structure_charts, measure_charts)
    assert "dead_units" not in charts
    assert "No unit is dead, and no kept weight lies on no path." in charts["layer_density"].caption
    assert len(charts["centre_margin"].figure.axes) == 1
    assert "Every pixel has a connection, in all rounds." in charts["centre_margin"].caption


def test_a_single_input_channel_is_said_and_not_drawn(tmp_path):
    shapes = {"conv_1/kernel": (3, 3, 1, 6), "dense_1/kernel": (6, 3)}
    chart = drawn(measured(write_run(tmp_path / "mine", 2, 3, shapes=shapes)), structure_charts)["degrees"]
    found = [(axes.get_title(loc="left"), axes.get_xlabel()) for axes in chart.figure.axes]
    assert ("convolution 1 (6 channels)", "weights kept from a unit") not in found
    assert ("convolution 1 (6 channels)", "weights kept of a window") in found
    assert "Not drawn: the single input or output of convolution 1 (6 channels)." in chart.caption


def test_what_chance_foretells_is_drawn_for_each_layer(tickets):
    _, next_pruned = drawn(tickets, weight_charts)["sign_changes"].figure.axes
    weights = tickets.of("weights", "mine").query("layer == 'dense_1/kernel' and round < 2")
    wanted = weights.groupby("round")["prune_fraction"].mean().sort_index(ascending=False) * 100
    broken = [line for line in next_pruned.lines if line.get_linestyle() == "--"]
    assert len(broken) == len(SHAPES)
    layer = labelled(next_pruned)["hidden layer 1 (12 units)"].get_color()
    (chance,) = (line for line in broken if line.get_color() == layer)
    assert chance.get_ydata() == pytest.approx(wanted.to_numpy())


def test_differences_are_drawn_seed_by_seed(tickets):
    chart = drawn(tickets, paired_charts)["paired"]
    early_stop, end, iteration = chart.figure.axes
    assert set(labelled(early_stop)) == {"minus dense network", "minus random reinitialisation"}, (
        "a supermask is no match"
    )
    assert labelled(early_stop)["minus dense network"].get_ydata() == pytest.approx([2, 1])
    assert labelled(end)["minus random reinitialisation"].get_ydata() == pytest.approx([0, 0])
    opened = [line for line in iteration.lines if line.get_markerfacecolor() == "white"]
    assert len(opened) == 2
    assert "no more than a bound" in chart.caption
    assert [0, 0] in [list(line.get_ydata()) for line in end.lines], "a zero line"


def test_differences_of_several_runs_share_a_figure(tmp_path):
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", weights_from="fresh")]
    charts = drawn(measured(*runs), paired_charts)
    assert set(charts) == {"paired"}
    assert set(charts["paired"].numbers["label"]) == {"weights from rewind", "weights from fresh"}


def test_no_table_no_figure(tickets):
    without = dict(tickets.tables)
    for name in ("paired", "overlap", "exploration"):
        del without[name]
    results = type(tickets)(tickets.runs, tickets.labels, tickets.shown, without, tickets.maps)
    assert drawn(results, paired_charts, exploration_charts) == {}
    empty = without | {"paired": pd.DataFrame(), "paired_seeds": pd.DataFrame(), "exploration": pd.DataFrame()}
    results = type(tickets)(tickets.runs, tickets.labels, tickets.shown, empty, tickets.maps)
    assert drawn(results, paired_charts, exploration_charts) == {}


def test_how_far_masks_move(training, tickets):
    charts = drawn(training, exploration_charts, measure_charts)
    assert {"mask_overlap", "weights_ever_kept"} <= set(charts)
    overlaps = charts["mask_overlap"].figure.axes[0].images[0]
    first, second = ([record.masks for record in training.runs[0].records][number] for number in (0, 1))
    both = sum(np.count_nonzero(first[path] & second[path]) for path in first)
    kept = sum(map(np.count_nonzero, first.values()))
    rows = training.tables["overlap"].query("seed == 0 and round_a == 0 and round_b == 1")
    assert rows["overlap"].tolist() == [both / kept]
    mean = training.tables["overlap"].query("round_a == 0 and round_b == 1")["overlap"].mean()
    assert overlaps.get_array()[0, 1] == overlaps.get_array()[1, 0] == pytest.approx(mean)
    assert overlaps.get_clim() == (0, 1)
    ever = charts["weights_ever_kept"].figure.axes[0].lines[0].get_ydata()
    assert ever[0] == pytest.approx(100 * kept / sum(map(np.size, first.values())), rel=1e-3)
    assert (np.diff(ever) >= 0).all()
    still = drawn(tickets, exploration_charts, measure_charts)
    assert not {"mask_overlap", "weights_ever_kept"} & set(still), "masks of pruning gain no weight"


def test_every_figure_says_what_is_seen(tickets, training, regression):
    for results in (tickets, training, regression):
        for name, chart in drawn(results).items():
            assert chart.alt.endswith("."), name
            assert "nan" not in chart.alt, (name, chart.alt)
            assert any(letter.isdigit() for letter in chart.alt), name


def test_what_is_seen_is_what_is_plotted(tickets):
    alt = drawn(tickets, training_charts)["early_stop"].alt
    low = tickets.of("rounds", "mine").query("round == 2")["density"].mean()
    assert f"ticket rises from 91.1 at density 1 to 93.1 at {low:.2g}" in alt


@pytest.mark.parametrize(("middle", "said"), [(3.0, ""), (1.0, "Curves that coincide: a and dense.")])
def test_a_curve_lies_on_a_level_where_all_of_it_does(middle, said):
    rows = pd.DataFrame({"label": "a", "density": [1, 0.5, 0.2], "mean": [1.0, middle, 1.0], "seed": None})
    others = pd.DataFrame({"label": "b", "density": [1, 0.5, 0.2], "mean": [0.0, 5.0, 2.0], "seed": None})
    assert coinciding([level(pd.concat([rows, others], ignore_index=True), "dense", 1.0)]) == said
