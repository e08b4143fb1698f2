"""The styles of a report's labels, made once from its runs, so that a label looks the same in every figure.

Knows which labels are drawn together: runs; a run and its controls; layers; rounds; parts of weights.
"""

from collections.abc import Iterable

from ticketlab.analysis.control_names import CHANCE, DENSE, LAST_ITERATION, TICKET, control_name, minus
from ticketlab.analysis.figures.axes import described
from ticketlab.analysis.figures.styles import Style, chosen, dashed, marked, ordered, reference
from ticketlab.analysis.layer_names import ALL, layer_names
from ticketlab.analysis.names import family
from ticketlab.analysis.results import Results
from ticketlab.analysis.round_axis import PLACES
from ticketlab.analysis.runs import trunks
from ticketlab.experiments.lottery.controls import CONTROLS

# a ticket's controls look the same in all reports
CONTROL_STYLES = {name: marked(number) for number, name in enumerate((TICKET, *map(control_name, CONTROLS)))}
REFERENCES = {name: reference(number) for number, name in enumerate((DENSE, CHANCE, LAST_ITERATION, ALL))}


def report_styles(results: Results) -> dict[str, Style]:
    """Style every label of runs, differences, layers and rounds; labels of one figure alone are `numbered` there."""
    own = trunks(results.runs)
    names = [[results.labels[run.name] for run in results.runs], *(family(run).values() for run in own)]
    styles = chosen(names, CONTROL_STYLES | REFERENCES)
    styles = chosen((layers.values() for layers in map(layer_names, results.runs)), styles)
    styles |= {minus(name): style for name, style in styles.items() if style.marker}
    styles[minus(DENSE)] = styles[TICKET]
    rounds = [results.place(run.name, round) for run in results.runs for round in results.shown[run.name]]
    for name in PLACES:
        places = sorted((_where(place)[1] for place in rounds if _where(place)[0] == name), reverse=name == "density")
        styles = ordered(described(name, place) for place in places) | styles
    return styles


def round_labels(results: Results, run: str) -> dict[int, str]:
    """Name the rounds that figures of single rounds show, by where they stand."""
    return {round: described(*_where(results.place(run, round))) for round in results.shown[run]}


def numbered(labels: Iterable[str]) -> dict[str, Style]:
    """Style labels that are drawn as distributions, too, hence have dashes beside markers."""
    return {label: dashed(number) for number, label in enumerate(labels)}


def _where(place: dict[str, float]) -> tuple[str, float]:
    name = "iteration" if "iteration" in place else "density"
    return name, place[name]
