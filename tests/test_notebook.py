"""The notebook runs from top to bottom, as a newcomer runs it."""

import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from conftest import SCRIPTS

ROOT = SCRIPTS.parent


@pytest.mark.filterwarnings("default")  # Jupyter's own
def test_the_notebook_runs(tmp_path):
    (tmp_path / "models").mkdir()
    shutil.copytree(ROOT / "models" / "example", tmp_path / "models" / "example")
    notebook = nbformat.read(ROOT / "experiments.ipynb", as_version=4)
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    images = sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs)
    assert images == 4
    assert not [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    nbformat.write(notebook, tmp_path / "executed.ipynb")
