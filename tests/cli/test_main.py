"""`ticketlab COMMAND …`: what it lists, that both doors are one, and that help is quick and needs no TensorFlow."""

import subprocess
import sys

import pytest

from conftest import TINY, contents, environment, only_run
from ticketlab.cli import main as commands

SCRIPT_OF = {
    "prune-at-init": "pruning_before_training.py",
    "sparse-training": "sparse_training.py",
    "topology": "topology_factorial.py",
    "analyze": "analyze_masks.py",
    "export": "export_run.py",
}


def help_of(name, capsys):
    with pytest.raises(SystemExit) as end:
        commands.main([name, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("line", [[], ["--help"]])
def test_without_a_command_all_are_listed_in_a_line_each(capsys, line):
    with pytest.raises(SystemExit) as end:
        commands.main(line)
    shown = capsys.readouterr().out
    assert end.value.code == 0
    listed = shown.partition("commands:")[2].split("\n\n")[0].strip().splitlines()
    assert [each.split()[0] for each in listed] == list(commands.COMMANDS)


@pytest.mark.parametrize(("name", "script"), SCRIPT_OF.items())
def test_a_script_has_the_flags_of_its_command(inline, capsys, tmp_path, name, script):
    ours = help_of(name, capsys)
    other = inline(tmp_path, "--help", script=script)
    assert other.stdout.replace(script, f"ticketlab {name}").split() == ours.split()


def test_imp_leaves_the_network_free(capsys):
    assert "--network" in help_of("imp", capsys)


def test_mistakes_are_told_in_one_line(capsys):
    for line, message in (
        (["inp"], "ticketlab: error: argument COMMAND: invalid choice: 'inp'"),
        (["imp", "--seeds", "5-2"], "ticketlab imp: error: argument --seeds: must begin with the lesser number, 2-5. "),
        (["export"], "ticketlab export: error: the following arguments are required: RUN, form, --to"),
    ):
        with pytest.raises(SystemExit) as end:
            commands.main(line)
        told = capsys.readouterr()
        assert (end.value.code, told.out, told.err.count("\n")) == (2, "", 1)
        assert told.err.startswith(message)


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_help_loads_no_tensorflow(name):
    code = (
        "import atexit, sys; from ticketlab.cli.main import main;"
        "atexit.register(lambda: print('loaded', 'tensorflow' in sys.modules, 'keras' in sys.modules));"
        f"main(['{name}', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "loaded False False"


@pytest.mark.slow
def test_workers_of_the_command_compute_the_same_run(inline, tmp_path):
    """The main module of `python -m ticketlab` is no script that workers could import."""
    line = [sys.executable, "-m", "ticketlab", "imp", *TINY, "--processes", "2", "--seeds", "0-1"]
    done = subprocess.run(line, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    script = inline(tmp_path, *TINY, "--seeds", "0-1", "--models-dir", "other", script="lenet_300_100_imp.py")
    assert script.returncode == 0
    assert contents(only_run(tmp_path / "models")) == contents(only_run(tmp_path / "other"))
