"""The report: one file that needs nothing else, whose parts can be found, and the numbers it quotes."""

import json
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

import ticketlab
from rounds_on_disk import SHAPES, write_branch, write_run, write_training
from ticketlab.analysis import outputs, summary
from ticketlab.analysis.figures.exploration import exploration_charts
from ticketlab.analysis.figures.input_pixels import pixel_charts
from ticketlab.analysis.figures.measures import measure_charts
from ticketlab.analysis.figures.training import training_charts
from ticketlab.analysis.measures import MEASURES, exploration, mask_similarity, paired, seed_similarity, unit_matching
from ticketlab.analysis.report.findings import findings
from ticketlab.analysis.report.similarity import seeds_masks
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs
from ticketlab.data.dataset import from_arrays
from ticketlab.runs.folder import Run

VOID = {"meta", "img", "br", "link", "input"}
ROOT = Path(__file__).parent.parent.parent.parent
# which handmade rounds do not have; and those of a matrix, which takes four seeds
OPTIONAL = {"training_flops_paper", "dense_inference_flops", "test_loss", "early_stop_validation_loss"}
OPTIONAL |= {"a", "b", "similarity"}
VERSIONS = {"python": "3.11.7", "tensorflow": "2.21.0"}


class Page(HTMLParser):
    """What a browser finds: every element with its attributes, whether all are closed, and the text of each kind."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag] = self.texts.get(tag, "") + data

    def all(self, tag, attribute):
        return [found[attribute] for name, found in self.elements if name == tag and attribute in found]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    runs, _ = read_runs([write_run(tmp_path_factory.mktemp("runs") / "a<b", seeds=3, rounds=4)])
    return measure(runs)[0]


@pytest.fixture(scope="module")
def written(results, tmp_path_factory):
    outputs.write(results, folder := tmp_path_factory.mktemp("outputs"), ["a damaged & skipped file"])
    return folder / "report.html"


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """The report of a run with branches beside a sparse training, whose pixel maps move."""

    def attributes(found):
        finished = f"2026-01-0{found['seed'] + 1}T10:0{found['round']}:00+00:00"
        engine = "sparse" if found["round"] else "dense"
        return {"finished": finished, "engine": engine, "versions": json.dumps(VERSIONS)}

    folder = tmp_path_factory.mktemp("several")
    tickets = write_run(folder / "tickets", change=attributes)
    write_branch(tickets, "random_reinit")
    results, _ = measure(read_runs([tickets, write_training(folder / "mine", seeds=2, rounds=3)])[0])
    (folder / "outputs").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            outputs, "CHARTS", (training_charts, pixel_charts, measure_charts, exploration_charts)
        )  # figures take most of the time
        outputs.write(results, folder / "outputs", [])
    return folder / "outputs" / "report.html"


def test_the_page_needs_nothing_else(written, several):
    for path in (written, several):
        text = path.read_text()
        assert "http" not in text
        assert not re.search(r"@import|url\(|<link|<script \w", text)
        page = Page(text)
        assert all(source.startswith("data:image/") for source in page.all("img", "src"))
        assert len(page.all("figure", "id")) == text.count("data:image/svg+xml") > 5


def test_the_page_is_html_whose_links_lead_somewhere(written, several):
    for path in (written, several):
        page = Page(path.read_text())
        assert page.open == []
        names = [found["id"] for _, found in page.elements if "id" in found]
        assert len(names) == len(set(names))
        links = page.all("a", "href")
        anchors = {link[1:] for link in links if link.startswith("#")}
        assert anchors == set(names), "the list of contents names every part"
        files = {unquote(link) for link in links if not link.startswith("#")}
        assert all((path.parent / file).is_file() for file in files)
        there = {str(file.relative_to(path.parent)) for file in path.parent.rglob("*.*")}
        assert files == there - {"report.html"}
        assert all(page.all("img", "alt"))


def test_results_come_first_and_the_spec_is_folded(several):
    text = several.read_text()
    places = [text.index(f">{heading}</h") for heading in ("In numbers", "Rounds", "Figures", "Origin", "Spec")]
    assert places == sorted(places)
    spec = text[places[-1] :]
    differing, folded = spec.split("<details>")
    assert '<th scope="row">weights_from</th><td>rewind</td><td></td>' in differing
    assert '<th scope="row">batch_size</th>' not in differing
    assert '<th scope="row">batch_size</th><td>10</td><td>10</td>' in folded


def test_the_page_says_where_its_numbers_come_from(several):
    text = several.read_text()
    assert "finished on 03 January 2026" in text
    assert "rounds finished from 01 January 2026, 10:00 to 03 January 2026, 10:02 UTC" in text
    assert "dense: rounds 0; sparse: rounds 1, 2" in text
    assert "Python 3.11.7, TensorFlow 2.21.0" in text
    assert "4.5 s a seed on average, 13.5 s for all rounds of all seeds" in text, "three rounds of 1.5 s"
    assert '<th scope="col">tickets-random_reinit</th>' in text


def test_what_moves_stands_on_the_page_and_figures_say_of_which_run_they_are(several):
    text = several.read_text()
    assert text.count("data:image/gif") == 1
    assert "prefers-reduced-motion" in text
    page = Page(text)
    assert "Kept weights per input pixel, RigL, density 0.25" in page.texts["nav"]
    called = re.findall(r"<li><a[^>]*>\d+\. (.*?)</a>", text)
    assert len(set(called)) == len(called) == len(page.all("figure", "id")), "no two are called alike"


def test_the_page_holds_spec_numbers_tables_and_problems(written, results):
    page = written.read_text()
    assert "<title>a&lt;b</title>" in page
    assert "a damaged &amp; skipped file" in page
    assert '<th scope="row">weights_from</th>' in page
    assert all(
        f'<th scope="row">{subject}</th><td>{text}</td>'.replace("'", "&#x27;") in page
        for subject, text in findings(results, "a<b")
    )
    assert "$" not in re.sub(r"base64,[^\"]+", "", page)


def test_tables_of_differences_and_of_runs_are_shown_where_there_are_any(results, tmp_path):
    keys = {"run": "a<b", "against": "dense", "metric": "early_stop_test_accuracy", "density": 0.5, "iteration": None}
    censored = {"metric": "early_stop_iteration", "mean": -70, "interval": 30, "censored": True}
    paired = pd.DataFrame(
        [
            {**keys, "round": 1, "seeds": 3, "mean": 0.0123, "interval": 0.004, "censored": False},
            {**keys, "round": 2, "seeds": 2, "mean": -0.02, "interval": None, "censored": False},
            {**keys, "round": 2, "seeds": 3, **censored},
            {**keys, "round": 2, "seeds": 3, "against": "a<b-x", "mean": 0.5, "interval": 0.1, "censored": False},
        ]
    )
    row = {
        "run": "a<b",
        "label": "a<b",
        "seeds": 3,
        "density": 0.34,
        "test_accuracy": 0.93,
        "mask_bytes": 36,
        "compressed_weight_bytes": 90,
    }
    tables = {**results.tables, "paired": paired, "summary": pd.DataFrame([row, {**row, "label": "b"}])}
    results = type(results)(results.runs, results.labels, results.shown, tables, results.maps)
    text = re.sub(r"\s+", " ", outputs.report(results, [], tmp_path / "figures", []))
    dense, control = text.split("Difference from the dense network</h3>")[1].split(
        "Test accuracy, early stop (points)</h3>"
    )
    assert '<th scope="col">test accuracy, early stop (points)</th>' in dense
    assert "<td>0.500</td><td>3</td><td>1.23 ± 0.40</td><td></td>" in dense
    assert "<td>0.500</td><td>2 or 3</td><td>−2.00</td><td>−70 ± 30 *</td>" in dense
    assert "<td>0.500</td><td>3</td><td>50.00 ± 10.00</td>" in control
    assert "no more than a bound" in text
    assert '<th scope="row">a&lt;b</th><td>3</td><td>0.340</td><td>93.00</td><td>36</td><td>90</td>' in text


def explained() -> dict[str, dict[str, str]]:
    """Read outputs/README.md: {file: {column: what is said of it}}; what is said under "All files" is of every file."""
    sections = re.split(r"^### ", (ROOT / "outputs" / "README.md").read_text(), flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        heading, *lines = section.splitlines()
        rows = [line.strip("| ").split(" | ", 1) for line in lines if line.startswith("| `")]
        columns = {name: meaning for names, meaning in rows for name in re.findall("`(.+?)`", names)}
        found |= dict.fromkeys(re.findall(r"`(\S+\.csv)`", heading) or [heading], columns)
    return found


def test_the_readme_of_outputs_says_of_columns_what_their_entries_say():
    pages = explained()
    everywhere, said = pages.pop("All files"), {}
    for entry in MEASURES.values():
        said.setdefault(entry.table, {}).update({name: each.meaning for name, each in entry.columns.items()})
    said |= {"similarity": mask_similarity.COLUMNS, "matching": unit_matching.COLUMNS, "paired": paired.COLUMNS}
    said |= dict.fromkeys(("seeds_similarity", "varying_similarity"), seed_similarity.COLUMNS)
    said |= {"overlap": exploration.OVERLAP_COLUMNS, "paired_seeds": paired.SEEDS_COLUMNS}
    said["summary"] = {name: each.meaning for name, each in summary.COLUMNS.items()}
    for table, columns in said.items():
        wanted = {name: meaning for name, meaning in columns.items() if name not in everywhere}
        assert pages.pop(f"{table}.csv") == wanted, table
    assert set(pages) == {"rounds_mean.csv", "structure_mean.csv", "figures/<figure>.csv"}


def test_the_readme_of_outputs_explains_every_column_of_every_file(written, several):
    pages = explained()
    everywhere, seen = pages.pop("All files"), {}
    for file in (*written.parent.rglob("*.csv"), *several.parent.rglob("*.csv")):
        name = "figures/<figure>.csv" if file.parent.name == "figures" else file.name
        seen.setdefault(name, set()).update(pd.read_csv(file, nrows=0).columns)
    assert set(seen) == set(pages)
    for name, columns in seen.items():
        known = {*pages[name], *everywhere}
        patterns = [re.escape(each).replace("<layer>", ".+").replace("<column>", ".+") for each in known]
        unexplained = {column for column in columns if not any(re.fullmatch(each, column) for each in patterns)}
        assert not unexplained, f"{name} has columns that outputs/README.md does not explain"
        assert {each for each in pages[name] if "<" not in each} <= columns | OPTIONAL, f"{name} has no such columns"


def test_the_page_says_what_the_samples_are_where_the_run_keeps_it(tmp_path):
    folder = write_run(tmp_path / "mine", seeds=1, rounds=2)
    assert "samples for training" not in outputs.report(measure(read_runs([folder])[0])[0], [], tmp_path, [])
    rng = np.random.default_rng(0)
    x, y = rng.random((24, 4, 4)), np.arange(24) % 3
    x[:, 0, :2] = 0
    Run(folder).keep_data(from_arrays("mine", x, y, x[:7], y[:7]))
    text = outputs.report(measure(read_runs([folder])[0])[0], [], tmp_path, [])
    told = "22 for training, 7 for testing, image of 4×4 inputs, 2 of which are the same in all samples for training"
    assert f"<td>{told}, 3 classes</td>" in text


def test_a_regression_has_no_percentages(tmp_path):
    runs, _ = read_runs([write_run(tmp_path / "mine", change=lambda attributes: {"task": "regression"})])
    text = outputs.report(measure(runs)[0], [], tmp_path / "figures", [])
    assert '<th scope="col">test R², end</th>' in text
    assert "accuracy" not in text[text.index(">Rounds</h") :]


def test_the_template_is_installed_with_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    installed = settings["tool"]["setuptools"]["package-data"]
    package = Path(ticketlab.__file__).parent
    for file in package.rglob("*.*"):
        if "__pycache__" not in file.parts and file.suffix != ".py":
            name = ".".join(("ticketlab", *file.parent.relative_to(package).parts))
            assert file.name in installed.get(name, ()), f"{file} would be missing from an installed ticketlab"


def test_the_quoted_numbers_are_those_of_the_files(results):
    accuracy, learning, pixels, dead, _ = (text for _, text in findings(results, "a<b"))
    # .91 + .01·round + .001·seed: t(.975, 2)·(.1 / √3) = .25 points
    assert "reaches 91.10 ± 0.25 % test accuracy at early stop (seeds: 3)" in accuracy
    assert "of 3 pruned rounds, validation finds round 3 best" in accuracy
    assert (
        "it has 94.10 ± 0.25 %, seed by seed 3.00 ± 0.00 percentage points above the dense network (seeds: 3)"
        in accuracy
    )
    assert "No later mean difference is below 0" in accuracy
    assert "at iteration 170 (0 to 418) at density" in learning
    # 70/100, 170/200, 270/300, of which the deviation is .104: t(.975, 2)·(.104 / √3) = .26
    assert learning.endswith("in the dense network (seeds: 3): 0.82 ± 0.26 times the dense network's iterations, "
                             "seed by seed.")  # fmt: skip
    similarity = seeds_masks(results, "a<b")
    assert len(similarity.columns) == 1 + 2, "two rounds are nearest to three densities"
    assert similarity.iloc[:, 0].str.startswith("matched: ").sum() == 3 + len(SHAPES)
    means = results.of("seeds_similarity", "a<b").query("layer == 'all' and round == 3").set_index("measure")["mean"]
    told = similarity.iloc[3, 2].replace("−", "-")
    assert told.startswith(f"{means['matched_jaccard_excess_counts']:.4f} ± ")
    assert "(per pixel inside the centred 2×2 of 4×4 pixels" in pixels
    assert "): 0.00 ± 0.00 at density 1.000, " in pixels
    assert dead.startswith("Dead units, of 21: 0.0 ± 0.0 at density 1.000, ")
