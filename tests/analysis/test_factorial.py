"""The factorial experiment: one command, all cells, effects that can be checked by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from ticketlab.analysis.factorial import cells, effects, figure, measure
from ticketlab.analysis.measures.input_pixels import centre_margin, heat_map
from ticketlab.runs.folder import Run

FACTORS = ("inputs", "weight_decay", "drop", "method")
LINE = ("--dataset", "digits", "--network", "fcn_8_6", "--epsilon", 1, "--iterations", 20, "--eval-every", 20)


def table():
    """Three seeds of two inputs × two decays; the scalar is 1 per decay, .5 for the inputs, −.1 to .1 by seed."""
    rows = [
        {"inputs": inputs, "weight_decay": decay, "drop": "sign", "method": "set", "seed": seed}
        | {"centre_margin": decay + 0.5 * (inputs == "unit") + 0.1 * (seed - 1), "test_accuracy": 0.9}
        for inputs, decay, seed in itertools.product(("unit", "standardised"), (0.0, 1.0), (0, 1, 2))
    ]
    return pd.DataFrame(rows)


def test_effects_are_differences_seed_by_seed_within_the_other_factors():
    rows = table()
    rows.loc[rows["inputs"] == "unit", "centre_margin"] += rows["weight_decay"] * 2  # the two interact
    found = effects(rows, FACTORS[:2]).set_index(["factor", "level", "inputs", "weight_decay"])
    assert found["against"].tolist() == ["unit"] * 2 + [0.0] * 2
    assert found["centre_margin"].tolist() == pytest.approx([-0.5, -2.5, 3.0, 1.0])
    levels = found.reset_index()[["inputs", "weight_decay"]].astype(object)
    assert levels.where(levels.notna(), None).to_numpy().tolist() == [
        *([None, 0.0], [None, 1.0]),
        *(["unit", None], ["standardised", None]),
    ]
    assert found["seeds"].tolist() == [3] * 4
    assert found["centre_margin_interval"].tolist() == pytest.approx([0] * 4, abs=1e-12), "seeds' part is paired away"


def test_cells_are_means_over_seeds():
    means = cells(table(), FACTORS)
    assert means["seeds"].tolist() == [3] * 4
    assert means["centre_margin"].tolist() == pytest.approx([0.5, 1.5, 0.0, 1.0])
    half_width = 4.3027 * 0.1 / np.sqrt(3)  # Student's t of two degrees of freedom, times the standard error
    assert means["centre_margin_interval"].tolist() == pytest.approx([half_width] * 4, rel=1e-3)


def test_the_figure_shows_all_cells():
    drawn = figure(table(), FACTORS)
    (axes,) = drawn.figure.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "1"]
    assert axes.get_title(loc="left") == "SET, drops the smallest of each sign"
    assert len(drawn.numbers) == 4
    assert set(drawn.numbers["label"]) == {"inputs from 0 to 1", "inputs standardised"}
    few = figure(table()[table()["seed"] < 2], FACTORS)
    assert len(few.numbers) == 4 + 8, "two seeds have no interval: each is drawn"
    assert "interval" in drawn.caption
    assert "interval" not in few.caption


def test_rows_of_the_figure_are_methods_with_one_scale_each():
    sets = table()
    cells = [
        sets.assign(method=method, drop=drop, centre_margin=factor * sets["centre_margin"])
        for drop in ("sign", "magnitude")
        for method, factor in (("set", 1), ("rigl", 5 if drop == "sign" else 3))
    ]
    axes = figure(pd.concat(cells), FACTORS).figure.axes
    titles = [each.get_title(loc="left").replace("\n", " ") for each in axes]
    smallest = "the smallest of each sign", "the smallest magnitudes"
    assert titles == [f"{method}, drops {rule}" for method in ("SET", "RigL") for rule in smallest]
    scales = [each.get_ylim() for each in axes]
    assert (scales[0], scales[2]) == (scales[1], scales[3])
    assert scales[2][1] > 3 * scales[0][1]


def test_all_cells_as_one_command(inline, tmp_path):
    line = (*LINE, "--save-every", 10, "--update-every", 5, "--engine", "sparse", "--seeds", "3")
    done = inline(tmp_path, *line, script="topology_factorial.py")
    assert (done.returncode, done.stderr) == (0, "")
    runs = [Run(folder) for folder in (tmp_path / "models").iterdir()]
    assert len(runs) == 24
    seeds = pd.read_csv(tmp_path / "outputs" / "topology_factorial" / "seeds.csv")
    assert seeds["seed"].tolist() == [3] * 24
    for run in runs:
        chosen = seeds[np.logical_and.reduce([seeds[name] == run.description["spec"][name] for name in FACTORS])]
        wanted = [centre_margin(heat_map(run.round(3, 2).masks))]
        assert chosen["centre_margin"].tolist() == pytest.approx(wanted)
    paths = {path.name for path in (tmp_path / "outputs" / "topology_factorial").iterdir()}
    assert paths == {"seeds.csv", "cells.csv", "effects.csv", "factorial.png", "factorial.svg", "factorial.csv"}
    assert "--outputs-dir" not in inline(tmp_path, "--help", script="sparse_training.py").stdout


def test_only_seeds_that_all_runs_have_finished_count(inline, tmp_path):
    for method, seeds in (("set", "0-1"), ("rigl", "0-2")):
        line = (*LINE, "--save-every", 10, "--update-every", 5, "--engine", "sparse", "--method", method)
        assert inline(tmp_path, *line, "--seeds", seeds, script="sparse_training.py").returncode == 0
    runs = [Run(folder) for folder in (tmp_path / "models").iterdir()]
    assert sorted(set(measure(runs, ["method"])["seed"])) == [0, 1]
    runs[0].path(1, 2).unlink()
    assert measure(runs, ["method"])["seed"].tolist() == [0, 0]


def test_other_inputs_are_refused_in_one_line(inline, table_file, tmp_path):
    line = (*LINE[2:], "--dataset", "mine", "--data-dir", table_file(), "--batch-size", 20)
    line = (*line, "--update-every", 5, "--save-every", 10)
    done = inline(tmp_path, *line, "--engine", "sparse", script="topology_factorial.py")
    assert done.returncode == 2
    assert "`network` must begin with a dense layer on square images." in done.stderr
