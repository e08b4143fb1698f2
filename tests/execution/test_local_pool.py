"""Worker processes: what one does with a seed, and what becomes of the others when one dies or raises."""

import os
import signal
import time
from pathlib import Path

import pytest

from ticketlab.errors import BadInput, TicketlabError
from ticketlab.execution import local_pool
from ticketlab.experiments.events import Noted, Retried


def prepare(folder: str, behaviour: str):
    """Stand for an experiment: note the seed in a folder, and misbehave on seed 1."""
    place = Path(folder)

    def replicate(seed, report):
        first = not (place / f"tried_{seed}").exists()
        (place / f"tried_{seed}").touch()
        if seed == 1 and (first or behaviour.startswith("always")):
            _misbehave(behaviour.removeprefix("always "))
        report(Noted(str(os.getpid())))
        (place / f"done_{seed}").touch()

    return replicate


def _misbehave(behaviour: str) -> None:
    if behaviour == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif behaviour == "exits":
        os._exit(3)
    elif behaviour == "raises":
        raise ZeroDivisionError("one\nover nothing")
    elif behaviour == "refuses":
        raise TicketlabError("a reason")
    elif behaviour == "ends":
        raise BadInput("of no use to anyone")
    elif behaviour == "sleeps":
        time.sleep(1000)


@pytest.fixture
def run(tmp_path):
    """Run seeds 0 to 3 in two workers; return failures, events and the seeds that are done."""

    def start(behaviour, processes=2):
        events = []
        job = local_pool.Job(prepare, (str(tmp_path), behaviour))
        failures = local_pool.run(job, [0, 1, 2, 3], processes, lambda *event: events.append(event))
        done = sorted(int(path.name[5:]) for path in tmp_path.glob("done_*"))
        return failures, events, done

    return start


@pytest.mark.parametrize("behaviour", ["killed", "exits", "raises"])
def test_a_worker_that_fails_once_costs_its_own_replicate_one_more_try(run, behaviour):
    failures, events, done = run(behaviour)
    assert failures == {}
    assert done == [0, 1, 2, 3]
    assert [seed for seed, event in events if isinstance(event, Retried)] == [1]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("always killed", "its worker was killed by SIGKILL (out of memory?)"),
        ("always exits", "its worker ended with exit status 3"),
        ("always raises", "ZeroDivisionError: one over nothing"),
        ("always refuses", "a reason"),
    ],
)
def test_a_replicate_that_keeps_failing_is_reported_and_the_others_finish(run, behaviour, reason):
    failures, events, done = run(behaviour)
    assert list(failures) == [1]
    assert failures[1].startswith(reason)
    assert "\n" not in failures[1]
    assert done == [0, 2, 3]
    retries = sum(isinstance(event, Retried) for _, event in events)
    assert retries == (0 if "refuses" in behaviour else 1)


def test_bad_input_found_by_a_worker_ends_the_run(run):
    with pytest.raises(BadInput, match="of no use to anyone"):
        run("ends")


def test_workers_are_reused_and_no_more_than_asked_for(run):
    _, events, done = run("behaves")
    assert done == [0, 1, 2, 3]
    pids = {event.message for _, event in events if isinstance(event, Noted)}
    assert 1 <= len(pids) <= 2
    assert str(os.getpid()) not in pids


def test_an_interrupt_stops_the_workers(tmp_path):
    def interrupt(seed, event):
        if isinstance(event, Noted):
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        local_pool.run(local_pool.Job(prepare, (str(tmp_path), "always sleeps")), [0, 1], 2, interrupt)
    assert not (tmp_path / "done_1").exists()
    assert time.monotonic() - began < 60, "it did not wait for the sleeping worker"
