"""Commands that pages show are such as parsers and specs take; folders of runs that they name are those they write.

Blocks of bash run in a real shell, in which python, ticketlab and all others only note how they were called.
"""

import argparse
import functools
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from documents import PAGES, ROOT, blocks, inline, name

from ticketlab.data import sources
from ticketlab.execution import launch

TOOLS = ("python", "python3", "pip", "ticketlab", "ruff", "basedpyright", "lint-imports", "mkdocs", "jupyter")
NOTE = """#!/bin/sh
{ printf '%s\\037' "${0##*/}" "$@"; printf '\\036'; } >> "$NOTES"
"""
OFFLINE = ("analyze", "export", "analyze_masks.py", "export_run.py")  # they know their runs from the folders alone
FOLDER = re.compile(r"models/((?:imp|before_training|sparse_training)-[\w.-]+?-[0-9a-f]{10}(?:-[a-z_]+)?)\b")


class Understood(Exception):
    """Raised where a command would begin: holds the spec of what it would run, if any."""

    def __init__(self, spec=None):
        self.spec = spec


@functools.cache
def noted(page, folder) -> list[list[str]]:
    """Return the commands of a page as the shell calls them, and those in the inline code of its sentences."""
    notes, places = folder / "notes", (folder / ".venv" / "bin", folder / "bin")
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        for tool in TOOLS:
            (place / tool).write_text(NOTE)
            (place / tool).chmod(0o755)
    (places[0] / "activate").touch()
    notes.write_text("")
    for block in blocks(page, "bash"):
        environment = {"PATH": str(places[1]), "NOTES": str(notes)}
        done = subprocess.run(
            ["/bin/bash", "-euc", block.text], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{name(page)}, line {block.line}"
    calls = [call.split("\037")[:-1] for call in notes.read_text().split("\036")[:-1]]
    written = (
        code for code in inline(page) if code.startswith(("ticketlab ", "python ")) and not re.search("[<…]", code)
    )
    return calls + [shlex.split(code) for code in written]


@pytest.fixture
def understand(monkeypatch):
    """Return a function that takes a command as far as its work, in this process, and returns the spec it would run."""

    def at_the_run(spec, *rest, **named):
        raise Understood(spec)

    monkeypatch.setattr(launch, "run", at_the_run)
    monkeypatch.setattr(launch, "check", at_the_run)
    monkeypatch.setattr(sources, "resolve", lambda given, data_dir=None, usual="mnist": (given or usual, None))
    monkeypatch.setattr(sources, "find", lambda name, data_dir=None: Path(name))
    parse = argparse.ArgumentParser.parse_args
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, function = scripts["ticketlab"].split(":")

    def understand(call):
        def parsed(parser, *rest, **named):
            flags = parse(parser, *rest, **named)
            if any(word in OFFLINE for word in map(os.path.basename, call[:3])):
                raise Understood
            return flags

        monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
        monkeypatch.setattr(sys, "argv", call[1:] if call[0] == "python" else call)
        try:
            if call[0] == "python":
                runpy.run_path(str(ROOT / call[1]), run_name="__main__")
            else:
                getattr(sys.modules.get(module) or __import__(module, fromlist=["_"]), function)()
        except Understood as end:
            return end.spec
        raise AssertionError(f"{call} ended before its work")

    return understand


def ours(page, folder):
    """Return the commands of a page that are not those of other tools."""
    for call in noted(page, folder):
        if call[0] == "python" and call[1:2] == ["-m"]:
            call = call[2:]
        if call[0] in ("ticketlab", "python") and len(call) > 1:
            yield call


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands(page, tmp_path, understand, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        if title := re.search(r'title="([\w.]+)"', block.info):
            Path(title[1]).write_text(block.text)
    trained = set()
    for call in ours(page, tmp_path):
        if call[0] == "python" and call[1].startswith("benchmarks/"):
            source = (ROOT / call[1]).read_text()
            assert all(f'"{word}"' in source for word in call if word.startswith("--")), call
            continue
        try:
            spec = understand(call if len(call) > 2 or call[0] == "python" else [*call, "--help"])
        except SystemExit as end:
            if end.code:
                pytest.fail(f"{shlex.join(call)}: {capsys.readouterr().err}")
            continue
        if spec is not None:
            trained.add(spec.folder_name())
    mentioned = set(FOLDER.findall(page.read_text()))
    assert mentioned <= trained, f"folders that no command of {name(page)} writes; it writes {sorted(trained)}"
