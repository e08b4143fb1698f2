"""The notebook runs from top to bottom, as a newcomer runs it, and shows its outputs to who only reads it."""

import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from conftest import SCRIPTS

ROOT = SCRIPTS.parent
NOTEBOOK = ROOT / "experiments.ipynb"
LARGEST = 600_000  # bytes


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def images(notebook):
    return sum("image/png" in output.get("data", {}) for cell in code(notebook) for output in cell.outputs)


def printed(notebook, stream):
    return "".join(output.text for cell in code(notebook) for output in cell.outputs if output.get("name") == stream)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Jupyter's own
def test_the_notebook_runs(tmp_path):
    (tmp_path / "models").mkdir()
    shutil.copytree(ROOT / "models" / "example", tmp_path / "models" / "example")
    kept = nbformat.read(NOTEBOOK, as_version=4)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(cell.execution_count for cell in code(notebook))
    assert images(notebook) == images(kept)
    assert printed(notebook, "stderr") == ""
    lines = printed(notebook, "stdout").splitlines()
    assert "\x1b" not in "".join(lines), "nothing moves in a notebook"
    rounds = [line for line in lines if line.startswith("seed ")]
    assert 23 <= len(rounds) < 60, "the last round of each replicate, and of a slow one some before it"
    nbformat.write(notebook, tmp_path / "executed.ipynb")


def test_the_notebook_is_kept_with_its_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert images(notebook) == 4
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    kinds = [output.output_type for cell in code(notebook) for output in cell.outputs]
    assert "error" not in kinds
    assert "\x1b" not in printed(notebook, "stdout")
    assert printed(notebook, "stderr") == ""
    assert NOTEBOOK.stat().st_size < LARGEST
