"""The architecture: modules import lower floors only, and analysis never loads TensorFlow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "ticketlab"
FLOORS = {
    "values": (
        "errors",
        "flags",
        "streams",
        "locks",
        "means",
        "masks",
        "pruning",
        "densities",
        "saliency",
        "controls",
        "schedules",
        "drop_and_grow",
        "methods",
        "flops",
    ),
    "files": (
        *("options", "spec", "kinds", "sparse_spec", "presets", "dataset", "data", "hdf5", "architecture", "storage"),
        "overwriting",
    ),
    "analysis": ("analysis", "plots", "plot_axes", "plot_distributions", "plot_matrices", "positions", "styles"),
    "tensorflow": (
        "devices",
        "forkserver",
        "networks",
        "own_network",
        "refusals",
        "variables",
        "graph",
        "operations",
        "probe",
        "optimizers",
        "engine",
        "sparse",
        "training",
    ),
    "methods": ("workbench", "rounds", "lottery", "branches", "before_training", "connectivity", "sparse_training"),
    "many runs": ("pool", "progress", "launch", "cli", "export", "export_command"),
}
SEES = {
    "values": {"values"},
    "files": {"values", "files"},
    "analysis": {"values", "files", "analysis"},
    "tensorflow": {"values", "files", "tensorflow"},
    "methods": {"values", "files", "tensorflow", "methods"},
    "many runs": {"values", "files", "tensorflow", "methods", "many runs"},
}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def floor(module: str) -> str:
    return next(floor for floor, modules in FLOORS.items() if module in modules)


def imported(path: Path) -> set[str]:
    """Return the names right below ``ticketlab`` that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "ticketlab":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ticketlab."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("ticketlab.")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_modules_import_lower_floors_only(path):
    mine = floor(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    assert {module for module in imported(path) if floor(module) not in SEES[mine]} == set()


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_files_stay_small(path):
    assert len(path.read_text().splitlines()) <= 300


def test_scripts_are_thin():
    for script in (PACKAGE.parent.parent / "experiment_scripts").glob("*.py"):
        assert len(script.read_text().splitlines()) <= 40


def test_the_house_never_loads_tensorflow_to_look_at_runs_or_flags():
    """It costs seconds and half a gigabyte: only workers, and a notebook that asks for it, load it."""
    light = [
        path
        for path in MODULES
        if path.stem not in ("engine", "optimizers", "updates", "kernels", "gradients", "forkserver")
    ]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in light]
    code = f"import sys, {', '.join(names)}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
