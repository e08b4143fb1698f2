"""The papers' words for controls, and the order in which figures and tables show them. Knows no run."""

from typing import NamedTuple

from ticketlab.controls import CONTROLS

# their weights take no step, so that no iteration means anything
UNTRAINED = frozenset(name for name, control in CONTROLS.items() if not control.trained)
TICKET = "ticket"
DENSE = "dense network"


def words(branch: str) -> str:
    """Return the words for a branch; of one that has none here, its name.

    >>> words("random_reinit"), words("other_draws")
    ('random reinitialisation', 'other draws')
    """
    return CONTROLS[branch].words if branch in CONTROLS else branch.replace("_", " ")


def place(branch: str) -> tuple[bool, int, str]:
    """Return what branches are sorted by: trained before untrained, known ones in the order of `CONTROLS`.

    >>> sorted(["supermask", "other_draws", "one_shot", "random_reinit"], key=place)
    ['random_reinit', 'one_shot', 'other_draws', 'supermask']
    """
    known = list(CONTROLS)
    return branch in UNTRAINED, known.index(branch) if branch in known else len(known), branch


class Score(NamedTuple):
    """What files call an accuracy, as readers want it.

    Attributes:
        words: what it is of the test data.
        factor: from the files' fractions.
        unit: behind a value, and behind a difference of two, `points`.
        digits: behind the point.
        bounds: what it can be, times the factor.
    """

    words: str
    factor: float
    unit: str
    points: str
    digits: int
    bounds: tuple[float, float]


ACCURACY = Score("test accuracy", 100, " %", " points", 2, (0, 100))
EXPLAINED = Score("test R²", 1, "", "", 4, (-float("inf"), 1))


def score(regression: bool) -> Score:
    """Return how to tell what files call an accuracy: of a regression, it is R².

    >>> score(True).words
    'test R²'
    """
    return EXPLAINED if regression else ACCURACY
