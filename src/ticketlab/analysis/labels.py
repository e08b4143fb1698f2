"""What runs are called in legends, tables and sentences.

A run and its controls have the papers' words, several runs what their specs differ in. Does not know where names are
shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ticketlab.analysis.runs import FinishedRun, trunks
from ticketlab.analysis.words import TICKET, words

LONGEST = 48  # characters of a label that may name every difference; longer ones name as few as tell runs apart


def labels(runs: Sequence[FinishedRun]) -> dict[str, str]:
    """Name runs by the fields in which their specs differ, by their folders where these do not tell them apart.

    A field that a spec lacks, as that of another kind or of a later version, is not mentioned.

    Returns:
        {name: label} of the runs and of their branches; a single run and its branches are called as in `family`.

    >>> labels([FinishedRun("a", {"spec": {"x": 1, "y": 2}}, []), FinishedRun("b", {"spec": {"x": 1, "y": 3}}, [])])
    {'a': 'y=2', 'b': 'y=3'}
    """
    own = trunks(runs)
    if len(own) == 1:
        return family(own[0])
    found = _told_apart(own)
    for run in own:
        found |= {each.name: f"{found[run.name]}, {words(each.branch)}" for each in run.branches}
    return found


def family(run: FinishedRun) -> dict[str, str]:
    """Name a run and its branches among each other; a run without branches by its folder.

    Returns:
        {name: label}, the run first
    """
    own = run.description["spec"].get("method", TICKET) if run.branches else run.name
    return {run.name: own} | {each.name: words(each.branch) for each in run.branches}


def _told_apart(runs: Sequence[FinishedRun]) -> dict[str, str]:
    facts = [{"kind": run.description.get("kind"), **run.description["spec"], "branch": run.branch} for run in runs]
    fields = list(dict.fromkeys(name for each in facts for name in each))
    differing = [name for name in fields if len({repr(each[name]) for each in facts if name in each}) > 1]
    found = [_described(each, differing) for each in facts]
    if max(map(len, found)) > LONGEST:
        found = [_described(each, _fewest(facts, differing)) for each in facts]
    names = [run.name for run in runs]
    return dict(zip(names, found if len(set(found)) == len(runs) else names, strict=True))


def _fewest(facts: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> list[str]:
    """Choose fields that tell as much apart as all do: always the one that adds most, the earlier of equals."""

    def told_apart(names: Sequence[str]) -> int:
        return len({_described(each, names) for each in facts})

    chosen: list[str] = []
    while told_apart(chosen) < told_apart(fields):
        chosen.append(max(fields, key=lambda name: told_apart([*chosen, name])))
    return [name for name in fields if name in chosen]


def _described(facts: Mapping[str, Any], fields: Sequence[str]) -> str:
    return ", ".join(filter(None, (_said(name, facts[name]) for name in fields if name in facts))) or TICKET


def _said(name: str, value: Any) -> str:
    """Say a field's value as briefly as it can be understood."""
    if name == "branch":
        return words(value) if value else ""
    if name == "kind":
        return value or ""
    if value is None or value is False:
        return f"no {name}"
    return name if value is True else f"{name}={value}"
