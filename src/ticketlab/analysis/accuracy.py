"""Names and units of accuracies: a percentage in a classification, R² in a regression.

This module knows the words and units of figures; the tables call both an accuracy, as the files do.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ticketlab.analysis.runs import FinishedRun


class Score(NamedTuple):
    """The words and units in which a figure describes accuracies.

    Attributes:
        words: name of the accuracy on the test set.
        unit: unit of the axis, with its blank.
        factor: factor from the files' numbers to those of the axis.
        bounds: bounds of the possible values.
        points: unit of a difference.
        evaluations: {column of the evaluations: label of its axis, factor}; losses and errors, never below 0.
        chance: accuracy of guessing, where it is known.
        digits: number of decimals in sentences.
    """

    words: str
    unit: str
    factor: float
    bounds: tuple[float, float]
    points: str
    evaluations: Mapping[str, tuple[str, float]]
    chance: float | None = None
    digits: int = 2

    @property
    def behind(self) -> str:
        """The unit after a value in a sentence."""
        return " %" if self.factor == 100 else ""

    def say(self, text: str) -> str:
        """Put words and unit where a text has ``{score}``, capital ``{Score}``, and ``{unit}``."""
        capital = self.words[0].upper() + self.words[1:]
        return text.replace("{score}", self.words).replace("{Score}", capital).replace("{unit}", self.unit)


CLASSIFICATION = Score(
    "test accuracy",
    " (%)",
    100,
    (0, 100),
    "percentage points",
    {"validation_loss": ("validation loss (cross-entropy, nats)", 1), "error": ("validation error (%)", 100)},
)
# loss and 1 − R² differ by a factor only: one of them is enough
REGRESSION = Score(
    "test R²",
    "",
    1,
    (-np.inf, 1),
    "of R²",
    {"error": ("validation 1 − R²", 1)},
    digits=4,
)
BOTH = CLASSIFICATION._replace(
    words="test accuracy or R²",
    bounds=(-np.inf, 100),
    evaluations={"validation_loss": ("validation loss", 1), "error": ("validation error or 1 − R² (%)", 100)},
)


def score(runs: Sequence[FinishedRun]) -> Score:
    """Describe the accuracies of some runs; chance follows from their number of classes, where all have the same."""
    regressions = {run.regression for run in runs}
    if regressions == {True}:
        return REGRESSION
    if regressions == {True, False}:
        return BOTH
    classes = {_classes(run) for run in runs}
    return CLASSIFICATION._replace(chance=100 / classes.pop() if len(classes) == 1 else None)


def _classes(run: FinishedRun) -> int:
    """Return the number of classes: the data's or, where it is unknown, the number of the last layer's units."""
    *_, last = run.layers.values()
    return len(run.data.classes) or last[-1]
