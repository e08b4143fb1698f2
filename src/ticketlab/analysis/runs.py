"""Finished runs as analysis reads them: every readable round, and one line about each that is not.

This module knows which files count, and which folders are a run's branches. It holds attributes only: masks and weights
are read when they are needed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from ticketlab.analysis.control_names import shown_order
from ticketlab.data.dataset import DataFacts
from ticketlab.errors import BadInput
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.runs.fingerprint import difference
from ticketlab.runs.folder import Damaged, Record, Run
from ticketlab.runs.kinds import Kind

IMAGES = ("mnist", "fashion_mnist", "digits")  # in runs that do not say it; and cifar10 and parts of it


class Unreadable(str):
    """A line on a file that cannot be read."""


@dataclass(frozen=True)
class FinishedRun:
    """The readable rounds of a run.

    Attributes:
        name: name of its folder, by which tables tell runs apart.
        description: content of its spec.json.
        records: one record per seed and round, seed by seed.
        branches: controls computed from its rounds, in the order of `control_names.place`.
        kept_data: content of its data.h5; None where there is none.
    """

    name: str
    description: Mapping[str, Any]
    records: Sequence[Record]
    branches: Sequence["FinishedRun"] = ()
    kept_data: DataFacts | None = None

    @property
    def branch(self) -> str | None:
        """Which control this is; None for a run that is no control."""
        return self.description["spec"].get("branch")

    @property
    def regression(self) -> bool:
        """Whether the network gives numbers, not classes, so that every accuracy is R²."""
        return any(record.attributes.get("task") == "regression" for record in self.records)

    @property
    def data(self) -> DataFacts:
        """What is known of the data set; of a run of an earlier version, only what name and rounds tell."""
        return self.kept_data or facts_by_name(self.description, self.regression)

    @property
    def chain(self) -> bool:
        """Whether the network's layers form a chain, without shortcuts; files that do not say so are of chains."""
        return all(record.attributes.get("chain", True) for record in self.records)

    @property
    def kind(self) -> Kind:
        """The kind of experiment, as spec.json says it."""
        return Kind.of(self.description)

    @property
    def one_training(self) -> bool:
        """Whether the rounds are stretches of one training, each of which ends at an iteration."""
        return self.kind.rounds == "stretches"

    @cached_property
    def layers(self) -> Mapping[str, tuple[int, ...]]:
        """The prunable kernels, {path: shape}, in the network's order. Raises Damaged."""
        return {path: mask.shape for path, mask in self.records[0].masks.items()}


def read_runs(folders: Iterable[Path]) -> tuple[list[FinishedRun], list[str]]:
    """Open runs and the branches beside them, and compare the checksums of every file under its final name.

    Returns:
        The runs, and a line on each file or branch that is left out and on each seed with fewer rounds than others. The
        line on a file that cannot be read is `Unreadable`.

    Raises:
        BadInput: if a folder is no run or has no readable round, or if two have the same name.
    """
    opened: dict[str, Run] = {}
    named: dict[str, FinishedRun] = {}
    problems: list[str] = []
    for folder in folders:
        run = Run(folder.resolve())
        if not folder.is_dir():
            raise BadInput(f"`runs` must be folders of runs. Received: {folder}, which is no folder")
        if run.folder.name in opened:
            raise BadInput(f"`runs` must have folders of different names. Received: {run.folder.name} twice")
        if not _describes(run):
            raise BadInput(f"{folder}/spec.json must describe a run. Received: no `spec` in it")
        finished, lines = _read(run)
        if not finished.records:
            raise BadInput(f"{folder} holds no readable round" + "".join(f"; {line}" for line in lines))
        opened[finished.name], named[finished.name] = run, finished
        problems += lines
    runs = []
    for name, finished in named.items():
        branches, lines = _branches(finished, opened[name].folder.parent, named)
        runs.append(replace(finished, branches=branches))
        problems += lines
    return runs, problems


def trunks(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Choose the runs that are no branches of others among them.

    >>> branch = FinishedRun("a-one_shot", {"spec": {"branch": "one_shot"}}, [])
    >>> [run.name for run in trunks([FinishedRun("a", {"spec": {}}, [], [branch]), branch])]
    ['a']
    """
    branches = {each.name for run in runs for each in run.branches}
    return [run for run in runs if run.name not in branches]


def _branches(run: FinishedRun, beside: Path, named: Mapping[str, FinishedRun]) -> tuple[list[FinishedRun], list[str]]:
    """Find a run's branches among the runs at hand and the folders beside it."""
    if run.branch:
        return [], []
    descriptions = {name: other.description for name, other in named.items()}
    for file in beside.glob("*/spec.json"):
        if file.parent.name.startswith(f"{run.name}-"):
            descriptions.setdefault(file.parent.name, _description(file.parent))
    branches, problems = [], []
    for name, description in sorted(descriptions.items()):
        branch = description.get("spec", {}).get("branch")
        if not branch or name != f"{run.name}-{branch}":
            continue
        if differing := _differing(run.description, description):
            problems.append(f"{name} is left out beside {run.name}, from whose spec it differs in {differing}")
            continue
        if other := _other_network(Run(beside / run.name), Run(beside / name)):
            problems.append(f"{name} is left out beside {run.name}, which has another network by now: {other}")
            continue
        other, lines = (named[name], []) if name in named else _read(Run(beside / name))
        problems += lines
        if other.records:
            branches.append(other)
        else:
            problems.append(f"{name} holds no readable round; left out")
    return sorted(branches, key=lambda branch: shown_order(branch.branch)), problems


def _other_network(run: Run, branch: Run) -> str:
    """Say in a few words how a branch's network departs from its run's, which may have been begun anew since."""
    kept = [network for network in (branch.network, run.network) if network]
    stored, *found = sorted(kept, key=lambda network: "computed" in network) or [None]
    return difference(stored, *found) if found else ""


def _description(folder: Path) -> Mapping[str, Any]:
    """Return what a folder's spec.json says, nothing where it describes no run."""
    run = Run(folder)
    with suppress(BadInput):
        if _describes(run):
            return run.description
    return {}


def _differing(run: Mapping[str, Any], branch: Mapping[str, Any]) -> str:
    """Name the fields in which a branch departs from its run; one that only one of them has is of another version."""
    there, here = ({**each, **_normal(each["spec"]), "branch": None, "spec": None} for each in (run, branch))
    return ", ".join(name for name in here if name in there and here[name] != there[name])


def _normal(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put the fields of a run or branch that change no number at their defaults."""
    try:
        normal = ImpSpec.from_json(json.dumps(spec)).normal()
    except BadInput:  # of another kind or of a later version
        return spec
    return {name: normal.get(name, value) for name, value in spec.items()}


def _describes(run: Run) -> bool:
    return isinstance(run.description, dict) and isinstance(run.description.get("spec"), dict)


def _read(run: Run) -> tuple[FinishedRun, list[str]]:
    """Open a run's rounds. Raises BadInput where spec.json says nothing of its kind of experiment."""
    run.kind  # noqa: B018, reading it refuses what is not known
    records, lines = _readable(run)
    if records:
        lines += _unfinished(run)
    kept_data = None
    try:
        kept_data = run.data
    except Damaged as error:
        lines.append(Unreadable(f"{error}; skipped"))
    finished = FinishedRun(run.folder.name, run.description, records, kept_data=kept_data)
    if finished.regression:
        lines.append(f"{finished.name} is a regression: what is called an accuracy is R²")
    return finished, lines


def facts_by_name(description: Mapping[str, Any], regression: bool = False) -> DataFacts:
    """Tell what is known of the data set of a run of an earlier version, which keeps no more of it than its name."""
    name, task = description["spec"].get("dataset", ""), "regression" if regression else "classification"
    kind = "image" if name in IMAGES or name.startswith("cifar10") else "table"
    return DataFacts(name, description.get("data_sha256"), task, kind)


def _readable(run: Run) -> tuple[list[Record], list[str]]:
    records, damaged = [], []
    for seed in run.seeds():
        for round in run.rounds(seed):
            try:
                record = run.round(seed, round)
                record.verify()
            except Damaged as error:
                damaged.append(Unreadable(f"{error}; skipped"))
                continue
            found = record.attributes
            if (found.get("seed"), found.get("round")) == (seed, round) and "density" in found:
                records.append(record)
            else:
                line = f"{record.path} does not say that it is round {round} of seed {seed}; skipped"
                damaged.append(Unreadable(line))
    return records, damaged


def _unfinished(run: Run) -> list[str]:
    """Say in one line which rounds some seeds have and others lack."""
    rounds = {seed: set(run.rounds(seed)) for seed in run.seeds()}
    every = set().union(*rounds.values())
    lacking = {seed: sorted(every - own) for seed, own in rounds.items()}
    missing = [f"{_listed(own)} of seed {seed}" for seed, own in lacking.items() if own]
    begun = [str(seed) for seed in rounds if any(run.path(seed, 0).parent.glob("round_*.partial.h5"))]
    parts = [f"lacks {', '.join(missing)}"] if missing else []
    parts += [f"is not finished with seed{'s' * (len(begun) > 1)} {', '.join(begun)}"] if begun else []
    line = f"{run.folder.name} {' and '.join(parts)}; what is compared is of seeds that have both sides"
    return [line] if parts else []


def _listed(rounds: Sequence[int]) -> str:
    """List rounds, those in a row by their ends.

    >>> _listed([2]), _listed([1, 3, 4, 5])
    ('round 2', 'rounds 1, 3–5')
    """
    groups = [[rounds[0]]]
    for before, round in pairwise(rounds):
        if round == before + 1:
            groups[-1].append(round)
        else:
            groups.append([round])
    texts = [str(each[0]) if len(each) == 1 else f"{each[0]}–{each[-1]}" for each in groups]
    return f"round{'s' * (len(rounds) > 1)} {', '.join(texts)}"
