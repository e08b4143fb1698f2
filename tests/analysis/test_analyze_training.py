"""The offline command on sparse training: rounds of one training stand at iterations."""

import io

import numpy as np
import pytest
from PIL import Image

from rounds_on_disk import write_run, write_training
from ticketlab.analysis import outputs
from ticketlab.analysis.figures.input_pixels import pixel_charts
from ticketlab.analysis.figures.measures import measure_charts
from ticketlab.analysis.figures.similarity import similarity_charts
from ticketlab.analysis.figures.structure import structure_charts
from ticketlab.analysis.figures.training import training_charts
from ticketlab.analysis.report.findings import findings
from ticketlab.analysis.report.page import report
from ticketlab.analysis.report.similarity import seeds_masks
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs
from ticketlab.experiments.sparse_training.methods import METHODS


def measured(*folders):
    runs, problems = read_runs(folders)
    results, left_out = measure(runs)
    return results, [*problems, *left_out]


def drawn(results, make):
    return {chart.name: chart for chart in make(results)}


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    return measured(write_training(tmp_path_factory.mktemp("runs") / "mine"))[0]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return measured(write_run(folder / "tickets"), write_training(folder / "mine"))[0]


@pytest.mark.parametrize("method", METHODS)
def test_a_run_of_each_method_is_analysed_without_a_problem(tmp_path, method, monkeypatch):
    results, problems = measured(write_training(tmp_path / "mine", method))
    assert problems == []
    sentences = [text for _, text in findings(results, "mine")]
    assert sentences[0].startswith("At the end of training, iteration 50, the network of density")
    assert "dense network reaches" not in " ".join(sentences)
    page = report(results, [], tmp_path, problems)
    assert '<th scope="col">iteration</th>' in page


def test_every_figure_of_a_training_is_drawn_and_told(tmp_path):
    results, _ = measured(write_training(tmp_path / "mine", "cut", 2))
    names = {chart.name for make in outputs.CHARTS for chart in make(results)}
    assert {"accuracy", "early_stop", "validation", "centre_margin", "efficiency", "pixel_maps"} <= names
    assert {"weight_magnitudes", "weight_histograms", "layer_density", "dead_units", "degrees"} <= names
    assert not {"weights_ever_kept", "mask_overlap"} & names, "its masks gain no weight"


def test_curves_of_a_training_go_from_iteration_to_iteration(training):
    charts = drawn(training, training_charts) | drawn(training, measure_charts) | drawn(training, structure_charts)
    for name in ("accuracy", "early_stop", "centre_margin", "layer_density", "dead_units", "degree_variance"):
        for axes in charts[name].figure.axes:
            assert (axes.get_xscale(), axes.get_xlabel()) == ("linear", "iteration (optimizer steps)"), name
            curve = next(line for line in axes.lines if line.get_label()[0] != "_")
            assert curve.get_xdata().tolist() == [0, 10, 20, 30, 40, 50]
    assert charts["accuracy"].figure.axes[0].lines[0].get_ydata() == pytest.approx([21, 31, 41, 51, 61, 71])
    whole = charts["validation"].figure.axes[0].lines[0]
    assert whole.get_xdata().tolist() == [0, 10, 20, 30, 40, 50], "one curve, not one per round"


def test_rounds_of_a_training_are_shown_evenly_and_the_last_alone(tmp_path):
    results, _ = measured(write_training(tmp_path / "mine", rounds=11, seeds=4))
    assert results.shown["mine"] == [0, 2, 4, 6, 8, 10]
    charts = drawn(results, pixel_charts) | drawn(results, structure_charts) | drawn(results, similarity_charts)
    titles = [axes.get_title("left") for axes in charts["pixel_maps"].figure.axes[:6]]
    assert titles == [f"iteration {number}, density 0.25" for number in (0, 20, 40, 60, 80, 100)]
    assert [text.get_text() for text in charts["pixel_trend"].figure.legends[0].get_texts()] == [
        *("0", "20", "40", "60", "80", "100")
    ]
    assert "iteration 100" in charts["degrees"].caption
    assert "iteration 100" in charts["similarity_matrix"].caption
    assert set(results.tables["matching"]["round_a"]) == {0, 3, 7, 10}


def test_after_a_cut_it_is_the_cut_network_that_is_shown(tmp_path):
    results, _ = measured(write_training(tmp_path / "mine", "cut"))
    assert results.shown["mine"] == [0, 1, 2, 3, 4, 6]
    assert results.said("mine", 6) == "iteration 50, density 0.25"


def test_one_frame_per_round(training):
    maps = drawn(training, pixel_charts)["pixel_maps"]
    assert Image.open(io.BytesIO(maps.moving)).n_frames == 6
    assert "pixel_maps.gif" in maps.caption
    again = drawn(training, pixel_charts)["pixel_maps"]
    assert again.moving == maps.moving


def test_only_a_training_moves(mixed, tmp_path):
    maps = drawn(mixed, pixel_charts)
    assert maps["pixel_maps-tickets"].moving is None
    paths = maps["pixel_maps-mine"].save(tmp_path)
    assert paths[-1] == tmp_path / "pixel_maps-mine.gif"
    assert all(path.stat().st_size > 0 for path in paths)


def test_beside_tickets_a_training_is_what_it_is_at_its_end(mixed):
    accuracy = drawn(mixed, training_charts)["accuracy"]
    axes = accuracy.figure.axes[0]
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "density (share of weights kept)")
    tickets, mine = axes.lines[:2]
    assert len(tickets.get_xdata()) == 3
    assert (mine.get_xdata().tolist(), mine.get_ydata()) == ([pytest.approx(0.25, abs=0.01)], pytest.approx([71]))
    assert "Of sparse training, the end alone is shown." in accuracy.caption
    similar = drawn(mixed, similarity_charts)
    assert "similarity_between_runs" not in similar, "a round of pruning is no stretch of a training"
    assert not any(name.startswith("similarity_matrix") for name in similar), "of three seeds a sentence tells as much"
    assert similar["similarity-mine"].figure.axes[0].get_xscale() == "linear"


def test_trainings_are_compared_at_equal_iterations(tmp_path):
    def slower(attributes):
        return {"iteration": 2 * attributes["iteration"]}

    runs = write_training(tmp_path / "a", seeds=1), write_training(tmp_path / "b", "set", seeds=1, change=slower)
    results, _ = measured(*runs)
    pairs = results.tables["similarity"].query("layer == 'all' and run_a != run_b")
    assert pairs[["round_a", "round_b"]].to_numpy().tolist() == [[0, 0], [2, 1], [4, 2]]


def test_the_quoted_numbers_are_those_of_the_files(training):
    outcome, cost, persistence, centre, _, _ = (text for _, text in findings(training, "mine"))
    # .7 + .01·seed: t(.975, 2)·(1 / √3) = 2.48 points
    assert "71.00 ± 2.48 % test accuracy (seeds: 3); at early stop, iteration 50 ± 0, it has 70.00 ± 0.00 %" in outcome
    # 48 + 18 + 5 of 282 weights, 21 units; five stretches of 600·71, of 60 iterations of 10 samples in three passes
    assert f"inference takes {(2 * 71 + 21) / 585:.3f} ± 0.000" in cost
    assert f"all of the training {5 * 600 * 71 / (3 * 585 * 600):.3f} ± 0.000" in cost
    pairs = training.tables["similarity"].query("layer == 'all' and seed_a == seed_b and round_a == 0 and round_b == 5")
    assert f"the last mask keeps {pairs['persistence'].mean() * 100:.1f} ± " in persistence
    assert "room" not in persistence
    assert [name.split()[0] for name in seeds_masks(training, "mine").columns[1:]] == ["iteration"] * 3
    assert "at iteration 0, " in centre
    assert centre.endswith("at iteration 50.")


def test_a_grown_weight_has_no_initial_value(tmp_path):
    results, _ = measured(write_training(tmp_path / "mine", seeds=1))
    weights = results.of("weights", "mine").query("layer == 'all'").set_index("round")
    run, _ = read_runs([tmp_path / "mine"])
    first, second, *_ = run[0].records
    path = "dense_1/kernel"
    stayed, dropped = (first.masks[path] & second.masks[path]), first.masks[path] & ~second.masks[path]
    initial = np.abs(first.rewind[path])
    layer = results.of("weights", "mine").query("layer == @path and round == 1").iloc[0]
    assert layer["initial_kept_magnitude"] == pytest.approx(initial[stayed].mean())
    assert layer["initial_pruned_magnitude"] == pytest.approx(initial[dropped].mean())
    assert layer["final_kept_magnitude"] == pytest.approx(np.abs(second.weights[path][second.masks[path]]).mean())
    assert weights["sign_changes"].dropna().eq(0).all(), "weights that stay keep their signs here"
