"""Figures that move: one frame per panel, as a GIF. Does not know what the frames show."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib import rc_context
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ticketlab.analysis.figures.panels import SETTINGS, Panel

FRAME = (2.6, 2.8)  # inches, width and height
FRAMES_PER_SECOND = 4
DOTS_PER_INCH = 120


def animation(plot: Callable[..., Axes], panels: Sequence[Panel]) -> bytes:
    """Draw panels one after the other, and return a GIF that repeats them without end.

    Args:
        plot: as of `panels.chart`.
        panels: at least one; frames that look the same would become one.
    """
    writer = PillowWriter(FRAMES_PER_SECOND)
    with rc_context(SETTINGS), TemporaryDirectory() as folder:
        axes = (figure := Figure(FRAME)).add_axes((0.04, 0.03, 0.92, 0.88))
        with writer.saving(figure, file := Path(folder) / "moving.gif", DOTS_PER_INCH):
            for panel in panels:
                axes.clear()
                plot(panel.numbers, axes, panel.quantity).set_title(panel.title)
                writer.grab_frame()
        return file.read_bytes()
