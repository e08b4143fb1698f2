"""The offline command as a person types it: what it writes, what it leaves out and says, what it refuses."""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from conftest import SCRIPTS
from rounds_on_disk import write_branch, write_run
from ticketlab.analysis.figures import CHARTS
from ticketlab.analysis.figures.structure import structure_charts
from ticketlab.analysis.report.findings import findings
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs
from ticketlab.cli import analyze

EXAMPLE = SCRIPTS.parent / "models" / "example"
PROMISED = [
    *("run_a", "seed_a", "round_a", "run_b", "seed_b", "round_b", "layer", "density_a", "density_b"),
    *("hamming", "jaccard", "jaccard_chance", "jaccard_excess", "overlap", "dice", "cosine", "kappa", "z"),
]
METRICS = [
    *("early_stop_censored", "early_stop_iteration", "early_stop_test_accuracy", "seconds", "test_accuracy"),
    "untrained_test_accuracy",
]


@pytest.fixture
def analyse(tmp_path, capsys, monkeypatch):
    """Run the command in this process; return exit status, lines on stdout and lines on stderr.

    Figures take most of the time, so only those tests have all of them that look at them.
    """

    def run(*arguments, charts=()) -> tuple[int, list[str], list[str]]:
        monkeypatch.setattr("ticketlab.analysis.outputs.CHARTS", charts)
        try:
            status = analyze.main("", ["--outputs-dir", str(tmp_path / "outputs"), *map(str, arguments)])
        except SystemExit as end:
            status = end.code
        out, problems = capsys.readouterr()
        return status, out.splitlines(), problems.splitlines()

    return run


def test_one_run(analyse, tmp_path):
    status, told, problems = analyse(write_run(tmp_path / "mine"), charts=CHARTS)
    assert (status, problems) == (0, [])
    outputs = tmp_path / "outputs" / "mine"
    files = [path for path in outputs.rglob("*") if path.is_file()]
    assert all(path.stat().st_size > 0 for path in files)
    tables, figures = (len([path for path in files if path.match(name)]) for name in ("mine/*.csv", "figures/*.png"))
    assert told == [f"report: {outputs / 'report.html'}", f"{tables} tables, {figures} figures in {outputs}"]
    rounds = pd.read_csv(outputs / "rounds.csv")
    layers = [f"density_dense_{layer}/kernel" for layer in (1, 2, 3)]
    assert list(rounds) == ["seed", "round", "density", *METRICS, *layers]
    assert len(rounds) == 9
    similarity = pd.read_csv(outputs / "similarity.csv")
    assert list(similarity)[: len(PROMISED)] == PROMISED
    assert set(similarity["layer"]) == {"all", "dense_1/kernel", "dense_2/kernel", "dense_3/kernel"}
    pairs = similarity[similarity["layer"] == "all"]
    assert len(pairs) == 3 * 3 + 3 * 3  # seeds at equal round; rounds within a seed
    assert set(similarity["run_a"]) == {"mine"}
    for name in ("accuracy", "early_stop", "validation", "similarity", "paired", "degrees", "pixel_maps"):
        assert {path.suffix for path in (outputs / "figures").glob(f"{name}.*")} == {".png", ".svg", ".csv"}


def test_again_writes_the_same(analyse, tmp_path):
    folder = write_run(tmp_path / "mine")
    analyse(folder, charts=CHARTS[1:2])
    files = [path for path in (tmp_path / "outputs").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    assert analyse(folder, charts=CHARTS[1:2])[0] == 0
    assert [path.name for path in files if path.read_bytes() != before[path]] == []


def test_several_runs_stand_beside_each_other(analyse, tmp_path):
    runs = [write_run(tmp_path / "tickets"), write_run(tmp_path / "fresh", seeds=2, weights_from="fresh")]
    status, _, problems = analyse(*runs, charts=(CHARTS[0], CHARTS[1], CHARTS[3]))
    assert (status, problems) == (0, [])
    outputs = tmp_path / "outputs" / "tickets+fresh"
    rounds = pd.read_csv(outputs / "rounds.csv")
    assert list(rounds)[:4] == ["run", "seed", "round", "density"]
    assert rounds.groupby("run").size().to_dict() == {"tickets": 9, "fresh": 6}
    similarity = pd.read_csv(outputs / "similarity.csv").query("layer == 'all' and run_a != run_b")
    assert len(similarity) == 3 * 2 * 3
    assert (similarity["round_a"] == similarity["round_b"]).all()
    curves = pd.read_csv(outputs / "figures" / "accuracy.csv")
    assert set(curves["label"]) == {"weights from rewind", "weights from fresh", "chance"}
    assert (outputs / "figures" / "pixel_maps-fresh.png").exists()


def test_a_damaged_file_is_skipped_and_named(analyse, tmp_path):
    folder = write_run(tmp_path / "mine")
    damaged = folder / "seed_1" / "round_02.h5"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    damaged.write_bytes(content)
    status, _, problems = analyse(folder)
    assert status == 1, "as the README says"
    (line,) = problems
    assert str(damaged) in line
    assert line.endswith("skipped")
    assert len(pd.read_csv(tmp_path / "outputs" / "mine" / "rounds.csv")) == 8
    assert "skipped" in (tmp_path / "outputs" / "mine" / "report.html").read_text()


def test_a_damaged_file_of_a_branch_makes_exit_status_1_too(analyse, tmp_path):
    folder = write_run(tmp_path / "mine", 1, 2)
    branch = write_branch(folder, "one_shot", seeds=1)
    (branch / "seed_0" / "round_02.h5").write_bytes(b"")
    status, (first, *_), (line,) = analyse(folder)
    assert status == 1
    assert line.endswith("skipped")
    assert first.endswith("report.html")


def test_a_half_finished_run_is_analysed_as_far_as_it_is(analyse, tmp_path):
    folder = write_run(tmp_path / "mine")
    (folder / "seed_2" / "round_02.h5").rename(folder / "seed_2" / "round_02.partial.h5")
    (folder / "seed_3").mkdir()
    status, _, problems = analyse(folder)
    assert status == 0
    assert problems == [
        "mine lacks round 2 of seed 2, rounds 0–2 of seed 3 and is not finished with seed 2; "
        "what is compared is of seeds that have both sides"
    ]
    assert len(pd.read_csv(tmp_path / "outputs" / "mine" / "rounds.csv")) == 8


def test_networks_that_differ_are_refused_by_similarity_alone(analyse, tmp_path):
    other = {"dense_1/kernel": (16, 8), "dense_2/kernel": (8, 3)}
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", shapes=other, network="small")]
    status, _, problems = analyse(*runs, charts=CHARTS[:1])
    assert status == 0
    (line,) = problems
    assert "(16, 12)" in line
    assert "(16, 8)" in line
    outputs = tmp_path / "outputs" / "a+b"
    similarity = pd.read_csv(outputs / "similarity.csv")
    assert (similarity["run_a"] == similarity["run_b"]).all()
    assert set(similarity["run_a"]) == {"a", "b"}
    assert set(pd.read_csv(outputs / "figures" / "accuracy.csv")["label"]) == {
        *("network lenet_300_100", "network small", "chance")
    }


def test_layers_that_do_not_chain_are_not_matched(analyse, tmp_path):
    folder = write_run(tmp_path / "mine", shapes={"a/kernel": (5, 4), "b/kernel": (3, 2)})
    status, _, problems = analyse(folder, charts=CHARTS[2:])
    assert status == 0
    (line,) = problems
    assert line.startswith(
        "mine: matching of hidden units, dead units and effective density left out: layers must chain"
    )
    assert not (tmp_path / "outputs" / "mine" / "figures" / "pixel_maps.png").exists()


def test_windows_of_a_convolution_are_counted_as_such(tmp_path):
    shapes = {"conv_1/kernel": (3, 3, 2, 4), "dense_1/kernel": (4, 3)}
    results, _ = measure(read_runs([write_run(tmp_path / "mine", 2, 2, shapes=shapes)])[0])
    (degrees,) = (chart for chart in structure_charts(results) if chart.name == "degrees")
    counted = {(axes.get_xlabel(), axes.get_ylabel()) for axes in degrees.figure.axes}
    assert counted == {
        ("weights kept into a unit", "units"),
        ("weights kept from a unit", "units"),
        ("weights kept of a window", "windows"),
    }
    assert "Window: the weights between one channel in and one channel or unit out" in degrees.caption
    dense, _ = measure(read_runs([write_run(tmp_path / "dense", 1, 2)])[0])
    assert not any("Window" in chart.caption for chart in structure_charts(dense))


def test_a_network_with_shortcuts_has_no_paths_even_if_its_shapes_chain(analyse, tmp_path):
    folder = write_run(tmp_path / "mine", change=lambda attributes: {"chain": False})
    status, _, problems = analyse(folder, charts=CHARTS[2:3])
    reason = "matching of hidden units, dead units and effective density left out: its layers form no chain"
    assert (status, problems) == (0, [f"mine: {reason}"])
    outputs = tmp_path / "outputs" / "mine"
    assert pd.read_csv(outputs / "structure.csv")[["on_path", "effective_density", "dead"]].isna().all(axis=None)
    assert pd.read_csv(outputs / "matching.csv").empty
    assert "chain" not in pd.read_csv(outputs / "rounds.csv"), "it is no metric"
    assert not (outputs / "figures" / "dead_units.png").exists()
    assert (outputs / "figures" / "degrees.png").exists()
    page = (outputs / "report.html").read_text()
    assert reason in page
    assert '<th scope="col">dead units</th>' not in page


def test_a_file_is_written_whole_or_not_at_all(analyse, tmp_path, monkeypatch):
    folder = write_run(tmp_path / "mine", 2, 2)
    analyse(folder, charts=CHARTS[:1])
    files = [path for path in (tmp_path / "outputs").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    status, paths, (problem,) = analyse(folder, charts=CHARTS[:1])
    assert (status, paths) == (1, [])
    assert problem.endswith("rounds.csv: No space left on device")
    assert {path: path.read_bytes() for path in (tmp_path / "outputs").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("seeds", "rounds"), [(1, 1), (1, 3), (2, 1), (2, 2)])
def test_small_runs_make_what_figures_they_can(tmp_path, seeds, rounds):
    runs, _ = read_runs([write_run(tmp_path / "mine", seeds, rounds)])
    results, problems = measure(runs)
    assert problems == []
    assert findings(results, "mine")
    names = [chart.name for make in CHARTS for chart in make(results)]
    assert ("similarity" in names) == (seeds > 1 and rounds > 1)


def test_bad_input_gets_one_line_and_exit_status_2(analyse, tmp_path):
    run = write_run(tmp_path / "mine", 1, 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare").mkdir()
    models = write_run(tmp_path / "models" / "second", 1, 1).parent
    write_run(models / "first", 1, 1)
    shutil.copy(run / "spec.json", tmp_path / "bare")
    (tmp_path / "file").touch()
    elsewhere = shutil.copytree(run, tmp_path / "elsewhere" / "mine")
    for arguments, message in [
        ([], "the following arguments are required: RUN"),
        ([tmp_path / "nowhere"], "which is no folder"),
        ([tmp_path / "empty"], "must be a run's folder with a readable spec.json"),
        ([tmp_path / "empty"], "Received: a folder without spec.json"),
        ([models], f"Received: a folder without spec.json; runs lie in it, as {models / 'first'}"),
        ([tmp_path / "bare"], "holds no readable round"),
        ([run, elsewhere], "must have folders of different names. Received: mine twice"),
        ([run, "--outputs-dir", tmp_path / "file"], "cannot write into"),
        ([run, "--output", "x"], "did you mean --outputs-dir?"),
    ]:
        status, paths, problems = analyse(*arguments)
        assert (status, paths, len(problems)) == (2, [], 1), problems
        assert message in problems[0]


def test_the_example_run():
    """What the README's tour shows: real masks, without their weights."""
    runs, problems = read_runs([EXAMPLE])
    assert problems == []
    assert len(runs[0].records) == 5 * 17
    similar = [record for record in runs[0].records if record.attributes["round"] in (0, 7)]
    results, problems = measure([type(runs[0])("example", runs[0].description, similar)])
    assert problems == []
    means = (
        results.of("seeds_similarity", "example").query("layer == 'all' and round == 7").set_index("measure")["mean"]
    )
    assert means["jaccard_excess_by_layer"] == pytest.approx(0.0035, abs=1e-4)
    assert means["matched_jaccard_excess_counts"] == pytest.approx(0.0216, abs=1e-3)
    assert means["matched_jaccard_excess_degrees"] == pytest.approx(0.0153, abs=1e-3)
    assert sum(path.stat().st_size for path in EXAMPLE.rglob("*.h5")) < 3_000_000
    names = [chart.name for make in CHARTS for chart in make(results)]
    assert "pixel_maps" in names
    assert "weight_magnitudes" not in names, "there are no weights"
    assert np.isnan(results.tables["weights"]["sign_changes"]).all()


def test_bands_of_accuracies_stay_between_0_and_100_but_not_in_the_numbers(tmp_path):
    def uncertain(attributes):
        return {"early_stop_test_accuracy": 0.2 if attributes["seed"] else 0.98}

    results, _ = measure(read_runs([write_run(tmp_path / "mine", 3, 3, change=uncertain)])[0])
    early_stop = next(CHARTS[0](results))
    assert (early_stop.numbers["half_width"].iloc[:3] > 100).all()
    low, high = early_stop.figure.axes[0].get_ylim()
    values = np.concatenate([path.vertices for path in early_stop.figure.axes[0].collections[0].get_paths()])[:, 1]
    assert (values.min(), values.max()) == (0, 100)
    assert low >= 0
    assert high <= 100


def test_the_axis_of_a_regression_goes_below_zero(tmp_path):
    def poor(attributes):
        return {"task": "regression", "test_accuracy": -0.3 + 0.1 * attributes["round"] + 0.05 * attributes["seed"]}

    results, _ = measure(read_runs([write_run(tmp_path / "mine", 3, 3, change=poor)])[0])
    accuracy = next(chart for chart in CHARTS[0](results) if chart.name == "accuracy")
    axes = accuracy.figure.axes[0]
    assert axes.get_ylim()[0] < -0.3, "R² is a number, no percentage"
    assert axes.get_ylabel() == "test R², end"


def test_analysis_needs_no_tensorflow(tmp_path):
    folder = write_run(tmp_path / "mine", 2, 2)
    code = (
        "import sys; from ticketlab.cli.analyze import main; status = main('', sys.argv[1:]);"
        "sys.exit(status or 3 * ('tensorflow' in sys.modules or 'keras' in sys.modules))"
    )
    line = [sys.executable, "-W", "error", "-c", code, folder, "--outputs-dir", tmp_path / "outputs"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_regression_is_told(analyse, tmp_path):
    run = write_run(tmp_path / "mine", change=lambda attributes: {"task": "regression"})
    assert analyse(run)[::2] == (0, ["mine is a regression: what is called an accuracy is R²"])
