"""Where numbers come from: what a run's files say."""

import json

from rounds_on_disk import write_run
from ticketlab.analysis.report.provenance import provenance
from ticketlab.analysis.runs import read_runs


def test_rounds_of_several_processors_are_told_apart(tmp_path):
    """Seeds that were computed on two machines, and a round of the time before files said where."""

    def change(found):
        known = {"python": "3.11.7"} | ({"processor": f"Chip {found['seed']}"} if found["round"] else {})
        return {"versions": json.dumps(known)}

    (run,), _ = read_runs([write_run(tmp_path / "mine", seeds=2, rounds=3, change=change)])
    assert provenance(run)["versions"].split("; ") == [
        "2 rounds: Python 3.11.7",
        "2 rounds: Python 3.11.7, processor Chip 0",
        "2 rounds: Python 3.11.7, processor Chip 1",
    ]
