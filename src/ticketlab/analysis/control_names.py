"""The papers' words for controls, and the order in which figures and tables show them. Knows no run."""

from ticketlab.experiments.lottery.controls import CONTROLS

# their weights take no step, so that no iteration means anything
UNTRAINED = frozenset(name for name, control in CONTROLS.items() if not control.trained)
TICKET = "ticket"
DENSE = "dense network"
CHANCE = "chance"
LAST_ITERATION = "last iteration"


def control_name(branch: str) -> str:
    """Return the words for a branch; of one that has none here, its name.

    >>> control_name("random_reinit"), control_name("other_draws")
    ('random reinitialisation', 'other draws')
    """
    return CONTROLS[branch].words if branch in CONTROLS else branch.replace("_", " ")


def minus(label: str) -> str:
    """Name a difference by what is taken away."""
    return f"minus {label}"


def shown_order(branch: str) -> tuple[bool, int, str]:
    """Return what branches are sorted by: trained before untrained, known ones in the order of `CONTROLS`.

    >>> sorted(["supermask", "other_draws", "one_shot", "random_reinit"], key=shown_order)
    ['random_reinit', 'one_shot', 'other_draws', 'supermask']
    """
    known = list(CONTROLS)
    return branch in UNTRAINED, known.index(branch) if branch in known else len(known), branch
