"""Where numbers come from: what a run's files say of data, versions, engine and time. Knows none of the numbers."""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

import numpy as np

from ticketlab.analysis.control_names import control_name
from ticketlab.analysis.runs import FinishedRun
from ticketlab.experiments.sparse_training.methods import METHODS
from ticketlab.runs.folder import Record

KINDS = {
    "imp": "iterative magnitude pruning",
    "before_training": "pruning before training",
    "sparse_training": "sparse training",
}
PROGRAMS = {"python": "Python", "tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy"}


def experiment(run: FinishedRun) -> str:
    """Say in a few words what a run is.

    >>> experiment(FinishedRun("a", {"kind": "sparse_training", "spec": {"method": "rigl"}}, []))
    'sparse training, RigL'
    """
    spec, kind = run.description["spec"], run.description.get("kind")
    method = spec.get("method")
    parts = [KINDS.get(kind, kind), METHODS[method].words if method in METHODS else method]
    return ", ".join(filter(None, [*parts, run.branch and f"control: {control_name(run.branch)}"]))


def provenance(run: FinishedRun) -> dict[str, str]:
    """Tell where a run's numbers come from, {what: text}; what its files do not say is left out."""
    spec, records = run.description["spec"], run.records
    rounds = [record.attributes["round"] for record in records]
    found = {
        "experiment": experiment(run),
        "data set": spec.get("dataset"),
        "its samples": _samples(run),
        "SHA-256 of the data": run.description.get("data_sha256"),
        "network": spec.get("network"),
        "seeds": ranges(sorted({record.attributes["seed"] for record in records})),
        "rounds": ranges(sorted(set(rounds))),
        "computed": _dates(records),
        "engine": _by_round(records, "engine"),
        "time of training": _durations(records),
        "versions": _versions(records),
    }
    return {name: text for name, text in found.items() if text}


def ranges(numbers: Sequence[int]) -> str:
    """Write ascending whole numbers as briefly as they can be read.

    >>> ranges([0, 1, 2, 5, 7, 8])
    '0–2, 5, 7, 8'
    """
    runs = [[number for _, number in group] for _, group in groupby(enumerate(numbers), lambda each: each[1] - each[0])]
    texts = (f"{each[0]}–{each[-1]}" if len(each) > 2 else ", ".join(map(str, each)) for each in runs)
    return ", ".join(texts)


def finished(records: Sequence[Record]) -> list[datetime]:
    """Return when the rounds were finished, the first one first, as far as files say so."""
    times = (record.attributes.get("finished") for record in records)
    return sorted(datetime.fromisoformat(time) for time in times if time)


def duration(seconds: float) -> str:
    """Write a time as briefly as it can be read.

    >>> duration(4.26), duration(93), duration(5000)
    ('4.3 s', '1 min 33 s', '1 h 23 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _samples(run: FinishedRun) -> str:
    """Say how many samples there are, what one is and what is learnt of it, as far as the run keeps it."""
    data = run.data
    if data.constant is None:
        return ""
    counts = {"for training": data.samples, "for testing": data.test_samples}
    parts = [f"{count:,} {use}" for use, count in counts.items() if count]
    never = np.count_nonzero(data.constant)
    parts += [f"{data.input_kind} of {'×'.join(map(str, data.constant.shape))} inputs"]
    parts += [f"{never:,} of which are the same in all samples for training"] if never else []
    return ", ".join([*parts, f"{len(data.classes)} classes" if len(data.classes) else "regression"])


def _dates(records: Sequence[Record]) -> str:
    times = finished(records)
    return f"rounds finished from {times[0]:%d %B %Y, %H:%M} to {times[-1]:%d %B %Y, %H:%M} UTC" if times else ""


def _durations(records: Sequence[Record]) -> str:
    """Tell the seconds of the rounds' own trainings, by seed and altogether."""
    seconds: dict[int, float] = {}
    for record in records:
        seed = record.attributes["seed"]
        seconds[seed] = seconds.get(seed, 0) + record.attributes.get("seconds", np.nan)
    total = sum(seconds.values())
    if not np.isfinite(total):
        return ""
    return f"{duration(total / len(seconds))} a seed on average, {duration(total)} for all rounds of all seeds"


def _by_round(records: Sequence[Record], name: str) -> str:
    """Say which value of an attribute stands in which rounds."""
    rounds: dict[str, set[int]] = {}
    for record in records:
        if name in record.attributes:
            rounds.setdefault(record.attributes[name], set()).add(record.attributes["round"])
    if len(rounds) < 2:
        return next(iter(rounds), "")
    return "; ".join(f"{value}: rounds {ranges(sorted(where))}" for value, where in rounds.items())


def _versions(records: Sequence[Record]) -> str:
    """List the versions that rounds were computed with; of several lists, how many rounds each has."""
    lists: dict[str, int] = {}
    for record in records:
        found = json.loads(record.attributes.get("versions", "{}"))
        text = ", ".join(f"{PROGRAMS.get(name, name)} {version}" for name, version in found.items())
        lists[text] = lists.get(text, 0) + 1
    if len(lists) == 1:
        return next(iter(lists))
    return "; ".join(f"{count} rounds: {text or 'not said'}" for text, count in lists.items())
