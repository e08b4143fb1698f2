"""Numbers that pages quote are those of the example run, and the README quotes the pages of results."""

import re

import pytest
from documents import ROOT

from ticketlab import open_run
from ticketlab.analysis.tables import mean_table, rounds_table

RESULTS = ROOT / "docs" / "results"
TICKETS = (RESULTS / "lottery_tickets.md").read_text()


@pytest.fixture(scope="module")
def rounds():
    return rounds_table(open_run(ROOT / "models" / "example").records())


def column(page: str, title: str, number: int) -> dict[str, str]:
    """Return a column of the table that comes after a text, {density: cell}."""
    rows = page[page.index(title) :].split("\n\n")[1].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: row[number] for row in cells}


def quoted(means, metric: str, factor: float, digits: int) -> dict[str, str]:
    """Write means over the seeds as the pages do, {density: text}."""
    values = zip(means["density"], means[metric] * factor, means[f"{metric}_interval"] * factor, strict=True)
    return {
        f"{density:.3f}": f"{mean:.{digits}f} ± {half:.{digits}f}".replace("-", "−") for density, mean, half in values
    }


@pytest.mark.parametrize(
    ("title", "metric", "number", "factor", "digits"),
    [
        ("Test accuracy (%) at early stop, mean", "early_stop_test_accuracy", 1, 100, 2),
        ("Test accuracy (%) at early stop, mean", "untrained_test_accuracy", 7, 100, 1),
        ("Early-stop iteration.", "early_stop_iteration", 1, 1, 0),
    ],
)
def test_tickets_are_those_of_the_example_run(rounds, title, metric, number, factor, digits):
    computed = quoted(mean_table(rounds), metric, factor, digits)
    table = column(TICKETS, title, number)
    assert len(table) >= 5
    assert table == {density: computed[density] for density in table}


def test_differences_from_the_dense_network_are_those_of_the_example_run(rounds):
    dense = rounds[rounds["round"] == 0].set_index("seed")["early_stop_test_accuracy"]
    less = rounds.assign(difference=rounds["early_stop_test_accuracy"] - rounds["seed"].map(dense))
    computed = quoted(mean_table(less), "difference", 100, 2)
    table = column(TICKETS, "Differences paired by seed", 1)
    assert table == {density: computed[density] for density in table}


def test_the_readme_quotes_the_results():
    readme = (ROOT / "README.md").read_text()
    pages = "".join(page.read_text() for page in RESULTS.glob("*.md"))
    numbers = re.findall(r"\d+\.\d+ ± \d+\.\d+", readme)
    assert len(numbers) >= 6
    assert [number for number in numbers if number not in pages] == []
