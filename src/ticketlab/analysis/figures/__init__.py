"""Figures of the report: how curves, matrices and panels are drawn, and which figures there are."""

from collections.abc import Callable, Iterator, Sequence

from ticketlab.analysis.figures.efficiency import efficiency_charts
from ticketlab.analysis.figures.exploration import exploration_charts
from ticketlab.analysis.figures.input_pixels import pixel_charts
from ticketlab.analysis.figures.measures import measure_charts
from ticketlab.analysis.figures.paired import paired_charts
from ticketlab.analysis.figures.panels import Chart
from ticketlab.analysis.figures.similarity import similarity_charts
from ticketlab.analysis.figures.structure import structure_charts
from ticketlab.analysis.figures.training import training_charts
from ticketlab.analysis.figures.weights import weight_charts
from ticketlab.analysis.results import Results

CHARTS: Sequence[Callable[[Results], Iterator[Chart]]] = (
    training_charts,
    similarity_charts,
    structure_charts,
    pixel_charts,
    measure_charts,
    weight_charts,
    efficiency_charts,
    paired_charts,
    exploration_charts,
)
