"""Names of runs in legends, tables and sentences.

A run, its controls and methods of sparse training go by the papers' terms. Several runs are named by the fields in
which their specs differ.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ticketlab.analysis.control_names import TICKET, control_name
from ticketlab.analysis.runs import FinishedRun, trunks
from ticketlab.experiments.sparse_training.methods import METHODS
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec, method_options

NAMED = ("method", "density", "epsilon")  # of sparse training, in words
SPARSE_TRAINING = SparseTrainingSpec.kind.name
KINDS = {"imp": "IMP", "before_training": "pruning before training"}
LONGEST = 48  # characters of a label that may name every difference; longer ones name as few as tell runs apart


def run_names(runs: Sequence[FinishedRun]) -> dict[str, str]:
    """Name runs by the fields in which their specs differ, by their folders where these do not tell them apart.

    A field that a spec lacks, as that of another kind or of a later version, is not mentioned.

    Returns:
        {name: label} of the runs and of their branches; a single run and its branches are called as in `family`.

    >>> run_names([FinishedRun("a", {"spec": {"x": 1, "y": 2}}, []), FinishedRun("b", {"spec": {"x": 1, "y": 3}}, [])])
    {'a': 'y 2', 'b': 'y 3'}
    """
    own = trunks(runs)
    if len(own) == 1:
        return family(own[0])
    found = _told_apart(own)
    for run in own:
        found |= {each.name: f"{found[run.name]}, {control_name(each.branch)}" for each in run.branches}
    return found


def family(run: FinishedRun) -> dict[str, str]:
    """Name a run and its branches among each other; a run by its method, if it has one, else as what it is.

    Returns:
        {name: label}, the run first
    """
    own = control_name(run.branch) if run.branch else run.description["spec"].get("method", TICKET)
    own = _sparse_training(run.description) or own
    return {run.name: own} | {each.name: control_name(each.branch) for each in run.branches}


def _told_apart(runs: Sequence[FinishedRun]) -> dict[str, str]:
    facts = [_facts(run) for run in runs]
    fields = list(dict.fromkeys(name for each in facts for name in each))
    named = ["kind"] if any(_sparse_training(run.description) for run in runs) else []
    differing = [name for name in fields if name in named or _differ(name, facts)]
    found = [_described(each, differing) for each in facts]
    if max(map(len, found)) > LONGEST:
        found = [_described(each, _fewest(facts, differing, named)) for each in facts]
    names = [run.name for run in runs]
    return dict(zip(names, found if len(set(found)) == len(runs) else names, strict=True))


def _facts(run: FinishedRun) -> dict[str, Any]:
    """Return what may be said of a run; a method of sparse training stands for its kind, without options it lacks."""
    spec, method = run.description["spec"], _sparse_training(run.description)
    if method:
        lacking = [name for name in method_options() if spec.get(name) is None]
        spec = {name: value for name, value in spec.items() if name not in (*lacking, *NAMED)}
    return {"kind": method or run.description.get("kind"), **spec, "branch": run.branch}


def _sparse_training(description: Mapping[str, Any]) -> str:
    """Return the papers' words for a method of sparse training, with its density; nothing of other kinds.

    >>> _sparse_training({"kind": "sparse_training", "spec": {"method": "rigl", "density": 0.1}})
    'RigL, density 0.1'
    """
    if description.get("kind") != SPARSE_TRAINING:
        return ""
    spec = description["spec"]
    words = METHODS[spec["method"]].words if spec["method"] in METHODS else spec["method"]
    layers = [f"{name} {spec[name]:g}" for name in ("density", "epsilon") if spec.get(name) is not None]
    return ", ".join([words, *layers])


def _differ(name: str, facts: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a field tells runs apart; an option of methods does so among runs of one method only."""
    groups = {each["kind"] if name in method_options() else None for each in facts}
    chosen = ([each for each in facts if group in (None, each["kind"])] for group in groups)
    return any(len({repr(each[name]) for each in group if name in each}) > 1 for group in chosen)


def _fewest(facts: Sequence[Mapping[str, Any]], fields: Sequence[str], named: Sequence[str]) -> list[str]:
    """Choose fields that tell runs apart as well as all fields do, greedily; among equals, the earlier field.

    Args:
        facts: facts of the runs.
        fields: fields to choose from.
        named: fields that are named anyway.
    """

    def told_apart(names: Sequence[str]) -> int:
        return len({_described(each, names) for each in facts})

    chosen = list(named)
    while told_apart(chosen) < told_apart(fields):
        chosen.append(max(fields, key=lambda name: told_apart([*chosen, name])))
    return [name for name in fields if name in chosen]


def _described(facts: Mapping[str, Any], fields: Sequence[str]) -> str:
    return ", ".join(filter(None, (_said(name, facts[name]) for name in fields if name in facts))) or TICKET


def _said(name: str, value: Any) -> str:
    """Say a field's value as briefly as it can be understood."""
    if name == "branch":
        return control_name(value) if value else ""
    if name == "kind":
        return KINDS.get(value, value) or ""
    field = name.replace("_", " ")
    if value is None or value is False:
        return f"no {field}"
    return field if value is True else f"{field} {value}"
