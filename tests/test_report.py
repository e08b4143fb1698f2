"""The report: one file that needs nothing else, and the numbers it quotes."""

import re

import pytest

from rounds_on_disk import write_run
from ticketlab.analysis import command
from ticketlab.analysis.highlights import highlights
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    runs, _ = read_runs([write_run(tmp_path_factory.mktemp("runs") / "a<b", seeds=3, rounds=4)])
    return measure(runs)[0]


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    *_, path = command.write(results, tmp_path_factory.mktemp("outputs"), ["a damaged & skipped file"])
    return path.read_text()


def test_the_page_needs_nothing_else(page):
    text = re.sub(r'src="data:image/svg\+xml;base64,[A-Za-z0-9+/=]+"', "", page)
    assert "http" not in text
    assert not re.search(r"\bsrc\s*=|href|@import|url\(|<script", text)
    assert page.count("<figure") == page.count("data:image/svg+xml") > 10


def test_the_page_holds_spec_numbers_tables_and_problems(page, results):
    assert "<title>a&lt;b</title>" in page
    assert "a damaged &amp; skipped file" in page
    assert "<td>weights_from</td>" in page
    assert page.count("<tr>") >= 4
    assert all(line.split(":")[0].replace("'", "&#x27;") in page for line in highlights(results, "a<b"))
    assert "$" not in re.sub(r"base64,[^\"]+", "", page)


def test_the_quoted_numbers_are_those_of_the_files(results):
    accuracy, learning, similarity, _, pixels, dead = highlights(results, "a<b")
    # .91 + .01·round + .001·seed: t(.975, 2)·(.1 / √3) = .25 points
    assert "reaches 91.10 ± 0.25 % test accuracy at early stop (seeds: 3)" in accuracy
    assert "of 3 pruned rounds, validation finds round 3 best" in accuracy
    assert "it has 94.10 ± 0.25 %, seed by seed 3.00 ± 0.00 points above the dense network (seeds: 3)" in accuracy
    assert "No later mean difference is below 0" in accuracy
    assert "at iteration 170 (0 to 418) at density" in learning
    # 70/100, 170/200, 270/300, of which the deviation is .104: t(.975, 2)·(.104 / √3) = .26
    assert learning.endswith("in the dense network (seeds: 3): 0.82 ± 0.26 times the dense network's iterations, "
                             "seed by seed.")  # fmt: skip
    assert similarity.count("after matching hidden units") == 3 * 2, (
        "three chances, two rounds nearest to three densities"
    )
    assert pixels.startswith("Input connections inside the centred 2×2 of 4×4 pixels: 25.0 ± 0.0 % at density 1.000, ")
    assert dead.startswith("Dead units, of 21: 0.0 ± 0.0 at density 1.000, ")
