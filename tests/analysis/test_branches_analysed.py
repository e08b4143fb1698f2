"""Controls of a run: found beside it, shown with it in one figure and one table, compared with it in one sentence."""

import re

import pandas as pd
import pytest

from rounds_on_disk import write_branch, write_run
from ticketlab.analysis import outputs
from ticketlab.analysis.figures.training import training_charts
from ticketlab.analysis.figures.weights import weight_charts
from ticketlab.analysis.report.findings import findings
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs


def slower(attributes):
    return {
        "early_stop_iteration": attributes["early_stop_iteration"] * 3,
        "early_stop_test_accuracy": attributes["early_stop_test_accuracy"] - 0.01 * attributes["round"],
    }


def collapsed(attributes):
    return {"early_stop_test_accuracy": 0.1, "early_stop_iteration": 0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of three rounds with a slower control, one of fewer seeds and rounds, and one that is not trained."""
    run = write_run(tmp_path_factory.mktemp("models") / "mine")
    write_branch(run, "supermask", change=collapsed)
    write_branch(run, "random_reinit", change=slower, activation="relu")  # a field newer than the run
    write_branch(run, "one_shot", seeds=2, only=(2,))
    return run


@pytest.fixture(scope="module")
def results(run):
    return measure(read_runs([run])[0])[0]


@pytest.fixture(scope="module")
def charts(results):
    return {chart.name: chart for chart in training_charts(results)}


def test_branches_are_found_in_the_order_of_the_figures(run):
    (found,), problems = read_runs([run])
    assert problems == []
    assert [each.branch for each in found.branches] == ["random_reinit", "one_shot", "supermask"]
    assert [len(each.records) for each in found.branches] == [3 * 2, 2, 3 * 2]


def test_a_branch_that_differs_in_what_changes_no_number_is_found(tmp_path):
    run = write_run(tmp_path / "convolutional", network="conv2", engine="auto", learning_rate=1e-3)
    write_branch(run, "one_shot", network="conv2", engine="dense", learning_rate=1e-3)
    write_branch(run, "supermask", network="conv2", learning_rate=0.5)
    (found,), problems = read_runs([run])
    assert [each.branch for each in found.branches] == ["one_shot"]
    assert len(problems) == 1
    assert "learning_rate" in problems[0]


def test_branches_are_in_the_tables_of_rounds_alone(results):
    counts = results.tables["rounds"].groupby("run").size().to_dict()
    assert counts == {"mine": 9, "mine-random_reinit": 6, "mine-one_shot": 2, "mine-supermask": 6}
    assert set(results.tables["rounds_mean"]["run"]) == set(counts)
    for name in ("history", "structure", "degrees", "weights", "pixels", "seeds_similarity"):
        assert set(results.tables[name]["run"]) == {"mine"}
    assert set(results.tables["similarity"]["run_a"]) == {"mine"}


def test_named_branches_are_analysed_whole_and_nothing_is_twice(run, tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "CHARTS", ())
    runs, problems = read_runs([run.with_name("mine-random_reinit"), run, run.with_name("mine-supermask")])
    assert problems == []
    results, problems = measure(runs)
    assert problems == []
    assert not results.tables["rounds"].duplicated(["run", "seed", "round"]).any()
    assert len(results.tables["rounds"]) == 9 + 6 + 2 + 6
    assert set(results.tables["structure"]["run"]) == {"mine", "mine-random_reinit", "mine-supermask"}
    names = [chart.name for chart in training_charts(results)]
    assert names[:2] == ["early_stop", "accuracy"]
    assert sorted(names[2:]) == ["validation-mine", "validation-mine-random_reinit"], "the supermask has no curve"
    assert findings(results, "mine-random_reinit")
    outputs.write(results, tmp_path, [])
    assert (tmp_path / "report.html").read_text().count("Ticket and controls</h2>") == 1


def test_a_branch_can_be_named_alone(run):
    """Its files hold no initial weights, so that no sign changes; that figure alone is left out."""
    runs, _ = read_runs([run.with_name("mine-one_shot")])
    results, problems = measure(runs)
    assert problems == []
    assert results.labels == {"mine-one_shot": "one-shot"}
    assert [chart.name for chart in training_charts(results)] == ["early_stop", "accuracy", "validation"]
    assert [chart.name for chart in weight_charts(results)] == ["weight_magnitudes", "weight_histograms"]


def test_a_branch_beside_another_run_leaves_out_its_own_figures_alone(run, tmp_path):
    runs, _ = read_runs([run.with_name("mine-one_shot"), write_run(tmp_path / "other", 2, 1)])
    results, _ = measure(runs)
    names = [chart.name for make in outputs.CHARTS for chart in make(results)]
    assert "sign_changes-other" in names
    assert "sign_changes-mine-one_shot" not in names
    assert "degree_variance-mine-one_shot" in names
    assert "degree_variance-other" not in names, "a dense network's degrees do not vary by chance either"


def test_what_is_no_branch_of_this_run_is_left_alone(tmp_path):
    run = write_run(tmp_path / "mine", 1, 2, shapes={"a/kernel": (4, 3)})
    write_branch(run, "one_shot", seeds=1, weights_from="fresh")
    write_run(tmp_path / "mine-fresh", 1, 1)
    write_run(tmp_path / "mine-odd", 1, 1, branch="one_shot")
    (tmp_path / "mine-supermask").mkdir()
    (tmp_path / "mine-supermask" / "spec.json").write_text("{")
    write_branch(run, "random_masks", seeds=0)
    (found,), problems = read_runs([run])
    assert found.branches == []
    assert problems == [
        "mine-one_shot is left out beside mine, from whose spec it differs in weights_from",
        "mine-random_masks holds no readable round; left out",
    ]


def test_a_damaged_round_of_a_branch_is_skipped_and_named(tmp_path):
    run = write_run(tmp_path / "mine", 1, 2)
    branch = write_branch(run, "one_shot", seeds=1)
    (branch / "seed_0" / "round_02.h5").write_bytes(b"")
    (found,), (problem,) = read_runs([run])
    assert [record.attributes["round"] for record in found.branches[0].records] == [1]
    assert problem.endswith("skipped")


def test_one_figure_shows_the_ticket_and_its_controls(charts):
    numbers = charts["early_stop"].numbers
    accuracy, iteration = (part for _, part in numbers.groupby("panel", sort=False))
    words = ["ticket", "random reinitialisation", "one-shot", "dense network"]
    assert list(accuracy["label"].unique()) == words
    assert list(iteration["label"].unique()) == [*words, "last iteration"]
    assert accuracy.groupby("label")["density"].max().lt(1).to_dict() == {
        "ticket": False,
        "random reinitialisation": True,
        "one-shot": True,
        "dense network": False,
    }
    dense = accuracy[accuracy["label"] == "dense network"]
    assert dense["mean"].tolist() == pytest.approx([91.1, 91.1])
    assert "Controls begin at round 1" in charts["early_stop"].caption


def test_what_is_not_trained_stands_among_the_untrained(charts):
    end, untrained = (set(part["label"]) for _, part in charts["accuracy"].numbers.groupby("panel", sort=False))
    assert "supermask (untrained)" in untrained - end
    assert "dense network" in end - untrained


def test_a_control_that_collapses_leaves_the_others_readable(tmp_path):
    run = write_run(tmp_path / "mine", 2, 3)
    write_branch(run, "random_reinit", seeds=2, change=slower)
    write_branch(run, "random_masks", seeds=2, change=collapsed)
    results, _ = measure(read_runs([run])[0])
    early_stop = next(training_charts(results))
    accuracy, iteration = early_stop.figure.axes
    low, high = accuracy.get_ylim()
    # ticket 91, 92, 93; reinitialised 91, 91; collapsed 10, 10
    assert 80 < low < 91 < 93 < high < 95
    assert iteration.get_ylim()[0] <= 0
    assert "Triangles at the lower edge" in early_stop.caption


def test_several_runs_are_compared_first_and_each_with_its_controls(run, tmp_path):
    runs, _ = read_runs([run, write_run(tmp_path / "fresh", 2, 2, weights_from="fresh")])
    results, _ = measure(runs)
    charts = {chart.name: chart for chart in training_charts(results)}
    assert set(charts["early_stop"].numbers["label"]) == {"weights from rewind", "weights from fresh", "last iteration"}
    assert "random reinitialisation" in set(charts["early_stop-mine"].numbers["label"])
    assert "early_stop-fresh" not in charts, "it has no controls"


def test_the_controls_are_quoted_seed_by_seed(results):
    (sentence,) = (text for subject, text in findings(results, "mine") if subject == "controls")
    density = results.of("rounds", "mine").query("round == 2")["density"].mean()
    two = results.of("rounds", "mine-one_shot")["density"].mean()
    difference = "difference of test accuracy there"
    assert sentence == (
        "Controls against this run, at equal seed and round: "
        f"random reinitialisation at density {density:.3f} (seeds: 3): early stop after 3.00 ± 0.00 times the "
        f"iterations, {difference} −2.00 ± 0.00 percentage points; "
        f"one-shot at density {two:.3f} (seeds: 2): early stop after 1.00, 1.00 times the iterations, "
        f"{difference} 0.00, 0.00 percentage points; "
        # 10 − (93.0 + .1·seed): t(.975, 2)·(.1 / √3) = .25 points
        f"supermask (untrained) at density {density:.3f} (seeds: 3): {difference} −83.10 ± 0.25 percentage points."
    )


def test_the_report_sets_them_beside_each_other(results, tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "CHARTS", ())
    outputs.write(results, tmp_path, [])
    page = (tmp_path / "report.html").read_text()
    section = page[page.index(">Ticket and controls</h2>") : page.index(">Figures</h2>")].split("</h2>")[1]
    accuracy, iteration = (
        [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)]
        for table in section.split("<table")[1:]
    )
    headings = ["round", "density", "ticket", "random reinitialisation", "one-shot", "supermask (untrained)"]
    assert accuracy[0] == headings
    assert iteration[0] == headings[:-1]
    assert [row[2:5] for row in accuracy[1:]] == [
        ["91.10 ± 0.25", "", ""],
        ["92.10 ± 0.25", "91.10 ± 0.25", ""],
        ["93.10 ± 0.25", "91.10 ± 0.25", "93.05"],
    ]
    assert iteration[2][3] == "570 (0 to 1,315)", "three times the ticket's 190 ± 248.4, and no less than 0"
    rounds = pd.read_csv(tmp_path / "rounds.csv")
    assert len(rounds) == 9 + 6 + 2 + 6
    assert next(iter(rounds)) == "run"
    assert "run" not in pd.read_csv(tmp_path / "structure.csv")
