"""One label, one look: over all panels of a figure and all figures of a report."""

from collections import defaultdict

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from rounds_on_disk import write_branch, write_run, write_training
from ticketlab.analysis import outputs
from ticketlab.analysis.figures.styles import COLOURS, MARKERS, chosen, marked
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs


def looks(charts):
    """Collect the colour, marker and dash of every legend handle, {label: {what: values}}; none for what it has not."""
    found = defaultdict(lambda: defaultdict(set))
    for drawn in charts:
        for axes in drawn.figure.axes:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                line = handle[0] if isinstance(handle, tuple) else handle
                if hasattr(line, "get_marker"):
                    found[label]["colour"].add(to_hex(line.get_color()))
                    found[label]["marker"].add(line.get_marker())
                else:  # a distribution
                    found[label]["colour"].add(to_hex(line.get_edgecolor()))
                found[label]["dash"].add(str(line.get_linestyle()))
    return found


def mixed(folder):
    """Tickets with controls, two sparse trainings, one with other rounds: what one legend of all used to confuse."""
    tickets = write_run(folder / "tickets", 2, 3)
    write_branch(tickets, "supermask", seeds=2)
    write_branch(tickets, "one_shot", seeds=2, only=(2,))
    return [tickets, write_training(folder / "mine", seeds=2), write_training(folder / "other", "set", 3, 4)]


def convolutions(folder):
    """A network with one input channel, whose first out-degrees are one number, so that a panel lacks its curve."""
    shapes = {"conv_1/kernel": (3, 3, 1, 6), "conv_2/kernel": (3, 3, 6, 4), "dense_1/kernel": (4, 3)}
    return [write_run(folder / "conv", 3, 3, shapes=shapes)]


@pytest.fixture(scope="module", params=[mixed, convolutions])
def charts(request, tmp_path_factory):
    results, _ = measure(read_runs(request.param(tmp_path_factory.mktemp("runs")))[0])
    return [chart for make in outputs.CHARTS for chart in make(results)]


def test_a_label_has_one_look_in_all_figures(charts):
    found = looks(charts)
    assert len(found) > 8
    for label, each in found.items():
        assert len(each["colour"]) == 1, label
        assert len(each["marker"] - {"None", ""}) <= 1, label
        assert len(each["dash"] - {"None"}) <= 1, label


def test_two_labels_of_a_panel_look_different(charts):
    for chart in charts:
        for axes in chart.figure.axes:
            handles, labels = axes.get_legend_handles_labels()
            lines = [handle[0] if isinstance(handle, tuple) else handle for handle in handles]
            curves = [line for line in lines if hasattr(line, "get_marker")]
            seen = {(line.get_color(), line.get_marker(), str(line.get_linestyle())) for line in curves}
            assert len(seen) == len(curves), (chart.name, labels)


def test_a_layer_that_a_panel_lacks_leaves_the_others_their_colours(tmp_path):
    """The old defect, by its case: out-degrees of a single input channel do not vary."""
    results, _ = measure(read_runs(convolutions(tmp_path))[0])
    (chart,) = (each for make in outputs.CHARTS for each in make(results) if each.name == "degree_variance")
    ins, outs = (dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True)) for axes in chart.figure.axes)
    assert set(ins) - set(outs) == {"convolution 1 (6 channels)"}
    assert [outs[label].get_color() for label in outs] == [ins[label].get_color() for label in outs]


def test_controls_look_the_same_whichever_others_there_are(tmp_path):
    one = write_run(tmp_path / "one", 1, 3)
    write_branch(one, "shuffled_mask", seeds=1)
    two = write_run(tmp_path / "two", 1, 3)
    for branch in ("random_reinit", "shuffled_mask"):
        write_branch(two, branch, seeds=1)
    colours = []
    for run in (one, two):
        results, _ = measure(read_runs([run])[0])
        (early, *_) = outputs.CHARTS[0](results)
        colours.append(looks([early])["mask shuffled"]["colour"])
    assert colours[0] == colours[1]


def test_styles_are_many_and_all_different():
    styles = chosen([map(str, range(72))])
    assert len(set(styles.values())) == len(COLOURS) * len(MARKERS) == 72
    assert list(chosen([["a", "b"], ["b", "c"]], {"a": marked(1)}).values()) == [marked(1), marked(0), marked(1)]


def test_a_label_unknown_to_the_report_takes_a_style_that_is_free():
    known = {"ticket": marked(0)}
    assert chosen([pd.Series(["ticket", "new"])], known)["new"] == marked(1)
