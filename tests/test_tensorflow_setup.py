"""What XLA compiled before: where it is kept, and that it changes nothing but the time."""

import os
import sys

import pytest

from conftest import contents, environment, only_run
from ticketlab import tensorflow_setup

TINY = ("--dataset", "digits", "--network", "fcn_8", "--iterations", 20, "--eval-every", 10, "--rounds", 1)


def kept(folder):
    return sorted(folder.rglob("*.pb"))


@pytest.mark.slow
def test_what_was_compiled_before_gives_the_same_bits_and_what_is_damaged_is_compiled_again(command, tmp_path):
    """Nothing kept yet, everything, a file cut off, and no folder to keep it in."""
    found = []
    for name, folder in {"first": "kept", "again": "kept", "damaged": "kept", "nowhere": "file/kept"}.items():
        if name == "damaged":
            os.truncate(kept(tmp_path / "kept")[0], 1000)
        (tmp_path / "file").touch()
        settings = {**environment(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / folder)}
        line = (*TINY, "--engine", "dense", "--processes", 0, "--models-dir", name)
        done = command(*line, script="fcn_imp.py", env=settings)
        assert (done.returncode, done.stderr) == (0, "")
        found.append(contents(only_run(tmp_path / name)))
        assert len(kept(tmp_path / "kept")) == 3, "the training and both evaluations, which differ in length for digits"
        assert all(each.stat().st_size > 2000 for each in kept(tmp_path / "kept"))
    assert all(each == found[0] for each in found)


def test_the_folder_is_of_this_processor_and_version_and_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "kept"))
    assert tensorflow_setup.compiled_folder() is None
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kept"))
    folder = tensorflow_setup.compiled_folder()
    assert folder.parent == tmp_path / "kept"
    assert folder.is_dir()
    assert tensorflow_setup.compiled_folder() == folder
    monkeypatch.setattr(tensorflow_setup.importlib.metadata, "version", lambda name: "another")
    assert tensorflow_setup.compiled_folder() != folder
    monkeypatch.setattr(tensorflow_setup, "ENOUGH_SPACE", sys.maxsize)
    assert tensorflow_setup.compiled_folder() is None


def test_only_what_was_compiled_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert not tensorflow_setup.forget_compiled()
    (tensorflow_setup.compiled_folder() / "one.pb").touch()
    (tmp_path / "kernels.nbi").touch()
    assert tensorflow_setup.forget_compiled()
    assert kept(tmp_path) == []
    assert (tmp_path / "kernels.nbi").exists()
