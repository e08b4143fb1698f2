"""A measure is one function and one entry: its column, figure and place in the report follow; a round is read once."""

from collections import Counter

import h5py
import numpy as np
import pytest

from rounds_on_disk import write_run
from ticketlab.analysis.figures.measures import measure_charts
from ticketlab.analysis.measures import LAYER, MEASURES, Column, Curves, Measure
from ticketlab.analysis.report.page import report
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs
from ticketlab.errors import BadInput


def heaviest_unit(loaded):
    return {"heaviest_unit": max(int(mask.sum(axis=0).max()) for mask in loaded.masks.values())}


def widest_layer(loaded):
    return [{"layer": path, "widest": mask.shape[-1]} for path, mask in loaded.masks.items()]


@pytest.fixture
def entries(monkeypatch):
    """Add measures from outside: a column of the rounds, with a figure and in the report, and one of layers."""
    column = Column("kept weights of the heaviest unit", "heaviest unit (weights)", bounds=(0, np.inf), listed="Masks")
    caption = "How many weights the heaviest unit keeps."
    figure = Curves("heaviest_unit", ["heaviest_unit"], caption)
    new = Measure(heaviest_unit, "rounds", {"heaviest_unit": column}, figures=[figure])
    monkeypatch.setitem(MEASURES, "heaviest unit", new)
    monkeypatch.setitem(
        MEASURES, "widths", Measure(widest_layer, "structure", {"layer": LAYER, "widest": Column("units")})
    )


def test_a_measure_from_outside_has_its_column_figure_and_place_in_the_report(entries, tmp_path):
    results, problems = measure(read_runs([write_run(tmp_path / "mine", 3, 3)])[0])
    assert problems == []
    rounds, means = results.tables["rounds"], results.tables["rounds_mean"]
    masks = results.runs[0].records[4].masks
    assert rounds["heaviest_unit"].iloc[4] == max(mask.sum(axis=0).max() for mask in masks.values())
    drawn = {chart.name: chart for chart in measure_charts(results)}
    (axes,) = drawn["heaviest_unit"].figure.axes
    assert axes.get_ylabel() == "heaviest unit (weights)"
    assert sorted(axes.lines[0].get_ydata()) == pytest.approx(sorted(means["heaviest_unit"]))
    assert drawn["heaviest_unit"].caption.startswith("How many weights the heaviest unit keeps. Means over 3 seeds")
    assert '<th scope="col">heaviest unit (weights)</th>' in report(results, [], tmp_path, [])


def test_a_measure_widens_the_rows_of_its_table(entries, tmp_path):
    results, _ = measure(read_runs([write_run(tmp_path / "mine", 2, 2)])[0])
    structure = results.tables["structure"]
    assert structure["widest"].isna().tolist() == (structure["layer"] == "all").tolist()
    known = structure.dropna(subset="widest")
    assert (known["widest"] == known["units"]).all()


def test_a_measure_that_does_not_apply_is_left_out_with_a_line(monkeypatch, tmp_path):
    def refuse(loaded):
        raise BadInput("no colours")

    monkeypatch.setitem(MEASURES, "colours", Measure(refuse, "colours", {"colour": Column("of the mask")}))
    results, problems = measure(read_runs([write_run(tmp_path / "mine", 1, 2)])[0])
    assert problems == ["mine: colours left out: no colours"]
    assert list(results.tables["colours"]) == ["run", "seed", "round", "colour"]


def test_a_round_is_read_once_for_all_measures(tmp_path, monkeypatch):
    runs, _ = read_runs([write_run(tmp_path / "mine", 2, 3)])
    opened, real = Counter(), h5py.File

    def counted(path, *arguments, **settings):
        opened[path] += 1
        return real(path, *arguments, **settings)

    monkeypatch.setattr(h5py, "File", counted)
    measure(runs)
    assert set(opened.values()) == {1}
    assert len(opened) == 2 * 3
