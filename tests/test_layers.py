"""The architecture: packages import what lies below them, and looking at runs or flags never loads TensorFlow."""

import pkgutil
import subprocess
import sys

import ticketlab
from conftest import SCRIPTS

COMPUTING = {"dense_engine", "optimizers", "sparse_engine", "forkserver_preload"}  # these load it, or Numba


def test_packages_import_what_lies_below_them():
    """The contracts stand in pyproject.toml."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, cwd=SCRIPTS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_nothing_but_engines_loads_tensorflow():
    """It costs seconds and half a gigabyte: only workers, and a notebook that asks for it, load it."""
    names = [module.name for module in pkgutil.walk_packages(ticketlab.__path__, "ticketlab.")]
    light = [name for name in names if not COMPUTING & set(name.split("."))]
    code = f"import sys, {', '.join(light)}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_scripts_are_thin():
    for script in SCRIPTS.glob("*.py"):
        assert len(script.read_text().splitlines()) <= 40
