"""What the README shows is what happens: its example of one's own model, run as it stands there."""

import re
import subprocess
import sys

from conftest import SCRIPTS, environment, only_run

README = (SCRIPTS.parent / "README.md").read_text()


def example(word: str) -> str:
    """Return the one block of Python that contains a word."""
    (block,) = [each for each in re.findall(r"```python\n(.*?)```", README, re.S) if word in each]
    return block


def test_ones_own_model(tmp_path):
    (tmp_path / "mine.py").write_text(example("keras.Sequential"))
    done = subprocess.run(
        [sys.executable, "mine.py"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path / "models")
    assert [run.rounds(seed) for seed in run.seeds()] == [[0, 1, 2, 3, 4, 5]] * 2
    assert list(run.round(1, 5).masks) == ["conv2d/kernel", "dense/kernel"]
    assert all(run.round(seed, 5).attributes["test_accuracy"] > 0.8 for seed in (0, 1))


def test_the_short_example(monkeypatch):
    monkeypatch.chdir(SCRIPTS.parent)
    found = {}
    exec(example("open_run"), found)
    assert found["mask"].shape == (784, 300)
    assert {"density", "early_stop_iteration", "test_accuracy"} <= set(found["table"])
