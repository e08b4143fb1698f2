"""The Python that pages show runs as it stands there, all blocks of a page one after the other, in an empty folder.

A block with a title is a file of its own: it is run as by who imports it, so what it does as a script is left out.
"""

import re

import pytest
from documents import PAGES, ROOT, blocks, name

from ticketlab.runs.folder import Run


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name)
def test_examples_run(page, tmp_path, monkeypatch, tensorflow, capsys):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "example").symlink_to(ROOT / "models" / "example")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        code = compile("\n" * block.line + block.text, name(page), "exec")
        title = re.search(r'title="(\w+)\.py"', block.info)
        exec(code, {"__name__": title[1]} if title else names)
    assert names.get("failures", {}) == {}
    for run in (value for value in names.values() if isinstance(value, Run)):
        for seed in run.seeds():
            assert run.round(seed, run.rounds(seed)[-1]).attributes["test_accuracy"] > 0.8
    assert [line for line in capsys.readouterr().err.splitlines() if "WARNING" in line or "Error" in line] == []
