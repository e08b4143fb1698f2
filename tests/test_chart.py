"""A figure's legends say what its colours mean, each panel's own where panels differ."""

import pandas as pd

from ticketlab import plots
from ticketlab.analysis.chart import Panel, chart


def panel(*labels):
    return Panel("accuracy", pd.DataFrame({"label": labels, "density": 0.5, "mean": 1.0, "half_width": 0.1}))


def drawn(*panels):
    return chart("name", "caption", plots.over_rounds, panels).figure


def test_panels_that_share_entries_share_a_legend():
    figure = drawn(panel("ticket", "one-shot"), panel("ticket", "one-shot", "supermask"))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ticket", "one-shot", "supermask"]
    assert [axes.get_legend() for axes in figure.axes] == [None, None]


def test_panels_that_show_different_things_have_legends_of_their_own():
    figure = drawn(panel("similarity", "chance"), panel("above layers", "above inputs"))
    assert figure.legends == []
    found = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes]
    assert found == [["similarity", "chance"], ["above layers", "above inputs"]]


def test_a_single_curve_needs_no_legend():
    assert drawn(panel("ticket"), panel("ticket")).legends == []


def test_a_legend_is_no_wider_than_its_figure():
    figure = drawn(panel(*(f"a curve with a very long name, number {number}" for number in range(8))))
    figure.draw_without_rendering()
    assert figure.legends[0].get_window_extent().width < figure.bbox.width
