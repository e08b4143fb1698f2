"""The papers' terms for controls, and the order in which figures and tables show them."""

from ticketlab.experiments.lottery.controls import CONTROLS

# controls whose weights take no step, so that iterations have no meaning
UNTRAINED = frozenset(name for name, control in CONTROLS.items() if not control.trained)
TICKET = "ticket"
DENSE = "dense network"
CHANCE = "chance"
LAST_ITERATION = "last iteration"


def control_name(branch: str) -> str:
    """Return the term for a branch, or its name if there is none.

    >>> control_name("random_reinit"), control_name("other_draws")
    ('random reinitialisation', 'other draws')
    """
    return CONTROLS[branch].words if branch in CONTROLS else branch.replace("_", " ")


def minus(label: str) -> str:
    """Name a difference by its subtrahend."""
    return f"minus {label}"


def shown_order(branch: str) -> tuple[bool, int, str]:
    """Return the sort key of a branch: trained before untrained ones, known ones in the order of `CONTROLS`.

    >>> sorted(["supermask", "other_draws", "one_shot", "random_reinit"], key=shown_order)
    ['random_reinit', 'one_shot', 'other_draws', 'supermask']
    """
    known = list(CONTROLS)
    return branch in UNTRAINED, known.index(branch) if branch in known else len(known), branch
