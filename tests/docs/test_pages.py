"""What pages point to is there: links, anchors, files, names of the package; the README keeps to its length."""

import importlib
import re

import pytest
from documents import PAGES, ROOT, anchors, blocks, inline, name, prose

MADE = re.compile(r"models/(?!example|README)|outputs/(?!README)")  # by commands, not by us
PLACES = ("src/", "docs/", "tests/", "experiment_scripts/", "benchmarks/", "models/", "outputs/")


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.is_relative_to(ROOT / "docs")], ids=name)
def test_pages_of_the_site_link_to_nothing_outside_it(page):
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", prose(page))]
    paths = [(page.parent / target).resolve() for target in targets if target and not target.startswith("https://")]
    assert [path for path in paths if not path.is_relative_to(ROOT / "docs")] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_are_named_exist(page):
    named = [code for code in inline(page) if code.startswith(PLACES) and not re.search(r"[<*…\s]", code)]
    assert [code for code in named if not MADE.match(code) and not (ROOT / code).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name)
def test_names_of_the_package_resolve(page):
    for code in inline(page):
        dotted = re.match(r"ticketlab((?:\.\w+)+)", code)
        if not dotted:
            continue
        found = importlib.import_module("ticketlab")
        for part in dotted[1].strip(".").split("."):
            found = getattr(found, part)  # AttributeError: the page names what is not there


def test_tables_of_rules_stand_where_the_page_says():
    rows = re.findall(r"`([A-Z_]{4,})`(?: [\w ]+)? in `(src/[\w/.]+)`", (ROOT / "docs" / "extending.md").read_text())
    assert len(rows) >= 10
    for table, path in rows:
        assert re.search(rf"^{table}\b", (ROOT / path).read_text(), re.M), f"{path} has no {table}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_have_no_placeholders(page):
    for block in blocks(page, "bash"):
        assert not re.search(r"<\w|…|\.\.\.|\b[A-Z]{3,}\b(?!=)", re.sub(r"#.*", "", block.text)), block.text
