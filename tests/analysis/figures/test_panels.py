"""A figure has one legend for all its panels, and says what lies beyond them."""

import pandas as pd

from ticketlab.analysis.figures import plots
from ticketlab.analysis.figures.panels import Panel, chart


def panel(*labels):
    return Panel("accuracy", pd.DataFrame({"label": labels, "density": 0.5, "mean": 1.0, "half_width": 0.1}))


def drawn(*panels):
    return chart("name", "caption", plots.over_rounds, panels).figure


def test_panels_that_share_entries_share_a_legend():
    figure = drawn(panel("ticket", "one-shot"), panel("ticket", "one-shot", "supermask"))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ticket", "one-shot", "supermask"]
    assert [axes.get_legend() for axes in figure.axes] == [None, None]


def test_a_label_that_panels_share_looks_the_same_in_both():
    figure = drawn(panel("one-shot", "ticket"), panel("ticket", "supermask"))
    first, second = (dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True)) for axes in figure.axes)
    assert first["ticket"].get_color() == second["ticket"].get_color()
    assert len({line.get_color() for line in (first | second).values()}) == 3


def test_panels_of_a_row_share_their_scale_and_its_name():
    low, high = panel("a", "b"), panel("a", "b")
    high = high._replace(numbers=high.numbers.assign(mean=[5.0, 9.0]), bounds=(0, 10))
    figure = chart("name", "caption", plots.over_rounds, [low, high], share_rows=True).figure
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[1] > 9
    assert (first.get_ylabel(), second.get_ylabel()) == ("accuracy", "")


def test_a_place_may_stay_free():
    found = chart("name", "caption", plots.over_rounds, [panel("a"), None, panel("a")], columns=2)
    assert [axes.get_subplotspec().num1 for axes in found.figure.axes] == [0, 2]
    assert len(found.numbers) == 2


def test_titles_are_no_wider_than_their_panel():
    long = panel("a")._replace(title="RigL, density 0.2, iterations 400, eval every 40, weights from rewind")
    figure = drawn(long)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes._left_title.get_window_extent().x1 <= figure.bbox.x1


def test_what_lies_beyond_an_axis_is_said():
    rows = panel("a", "b", "c").numbers.assign(mean=[1.0, 1.1, 90.0])
    found = chart("name", "A caption.", plots.over_rounds, [Panel("loss", rows, sight=(0, 2))])
    assert found.caption.endswith("Triangles at the upper edge: the curve of that colour lies above the axis.")


def test_what_is_seen_is_told_in_numbers():
    rows = pd.DataFrame({"label": "ticket", "density": [1, 0.21, 0.036], "mean": [97.9, 98.3, 98.0], "half_width": 0.1})
    found = chart("name", "caption", plots.over_rounds, [Panel("test accuracy (%)", rows)])
    assert found.alt == (
        "Test accuracy (%): ticket rises from 97.90 at density 1 to 98.30 at 0.21 and falls to 98.00 at 0.036."
    )


def test_a_single_curve_needs_no_legend():
    assert drawn(panel("ticket"), panel("ticket")).legends == []


def test_a_legend_is_no_wider_than_its_figure():
    figure = drawn(panel(*(f"a curve with a very long name, number {number}" for number in range(8))))
    figure.draw_without_rendering()
    assert figure.legends[0].get_window_extent().width < figure.bbox.width
