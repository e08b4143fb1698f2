"""Many replicates: in this process one after the other, or at once in supervised worker processes.

A replicate whose worker dies (killed, out of memory) or raises is tried once more; the others go on. This module knows
processes and how they end. It does not know what a replicate computes.
"""

import contextlib
import functools
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from multiprocess import connection, forkserver
from multiprocess.context import ForkServerContext

from ticketlab import tensorflow_setup
from ticketlab.errors import EndsRun, TicketlabError
from ticketlab.execution.shared_arrays import Shared
from ticketlab.experiments.events import Completed, Event, Failed, Report, Retried

Replicate = Callable[[int, Report], None]
OnEvent = Callable[[int, Event], None]
TRIES = 2
PATIENCE_SECONDS = 5.0
GONE = (BrokenPipeError, ConnectionResetError)


@dataclass(frozen=True)
class Job:
    """The work of every worker.

    Attributes:
        prepare: a module-level function that returns the function which computes one replicate.
        arguments: arguments of `prepare`.
        threads: number of threads of one worker.
    """

    prepare: Callable[..., Replicate]
    arguments: tuple[Any, ...]
    threads: int = 1


@dataclass(frozen=True)
class _Raised:
    """A worker's message of a failed attempt: the reason, and whether trying again may help."""

    message: str
    again: bool


@dataclass(frozen=True)
class _EndedRun:
    """A worker's message of a problem that every replicate would meet."""

    error: EndsRun


@dataclass
class _Worker:
    number: int
    process: Any
    pipe: Any  # a connection of `multiprocess`
    seed: int


@dataclass
class _Queue:
    """Seeds that wait, how often each was tried, and why some failed."""

    waiting: deque[int]
    tries: dict[int, int] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)

    def next(self) -> int:
        seed = self.waiting.popleft()
        self.tries[seed] = self.tries.get(seed, 0) + 1
        return seed

    def failed(self, seed: int, reason: str, again: bool, on_event: OnEvent) -> None:
        if again and self.tries[seed] < TRIES:
            on_event(seed, Retried(f"{reason}; trying once more"))
            self.waiting.appendleft(seed)
        else:
            on_event(seed, Failed(reason))
            self.failures[seed] = reason


def run(job: Job, seeds: Iterable[int], processes: int, on_event: OnEvent) -> dict[int, str]:
    """Compute replicates and return those that failed, {seed: reason}.

    Args:
        job: the work to do for each seed.
        seeds: seeds of the replicates.
        processes: number of workers; 0 computes in this process, one replicate after the other.
        on_event: function called in this process with the seed and each event.

    Raises:
        EndsRun: if a worker raised it; the other workers are stopped.
        KeyboardInterrupt: after the workers are stopped.
    """
    return _in_workers(job, list(seeds), processes, on_event) if processes else _in_line(job, list(seeds), on_event)


class _Attempt:
    """Compute one seed after the other in this process; data and engines are kept until an attempt fails.

    A call returns None, or the reason of a failure and whether trying again may help. It raises EndsRun, and the errors
    of a pipe whose supervisor has ended.
    """

    def __init__(self, job: Job, number: int = 0) -> None:
        self._job, self._number, self._replicate = job, number, None

    def __call__(self, seed: int, report: Report) -> tuple[str, bool] | None:
        try:
            if self._replicate is None:
                tensorflow_setup.start(self._job.threads, self._number)
                self._replicate = self._job.prepare(*self._job.arguments)
            self._replicate(seed, report)
        except (EndsRun, *GONE):
            raise
        except TicketlabError as error:
            return str(error), False
        except Exception as error:
            self._replicate = None
            return f"{type(error).__name__}: {' '.join(str(error).split())}{_where(error)}", True
        return None


def _in_line(job: Job, seeds: list[int], on_event: OnEvent) -> dict[int, str]:
    attempt, queue = _Attempt(job), _Queue(deque(seeds))
    while queue.waiting:
        seed = queue.next()
        failure = attempt(seed, functools.partial(on_event, seed))
        if failure:
            queue.failed(seed, *failure, on_event)
        else:
            on_event(seed, Completed())
    return queue.failures


def _in_workers(job: Job, seeds: list[int], processes: int, on_event: OnEvent) -> dict[int, str]:
    queue, shared = _Queue(deque(seeds)), Shared(job)
    workers: list[_Worker] = []
    try:
        for number in range(min(processes, len(seeds))):
            workers.append(_start(shared, number, queue.next()))
        while workers:
            ready = connection.wait([worker.pipe for worker in workers])
            for worker in [each for each in workers if each.pipe in ready]:
                if not _listen(worker, queue, on_event):
                    workers.remove(worker)
                    if queue.waiting:
                        workers.append(_start(shared, worker.number, queue.next()))
        return queue.failures
    finally:
        _stop(workers)
        shared.close()


def _listen(worker: _Worker, queue: _Queue, on_event: OnEvent) -> bool:
    """Take one message from a worker; return whether the worker goes on."""
    try:
        said = worker.pipe.recv()
    except (EOFError, OSError):
        _end(worker)
        queue.failed(worker.seed, _how_it_ended(worker.process.exitcode), True, on_event)
        return False
    if isinstance(said, _EndedRun):
        raise said.error
    if isinstance(said, _Raised):
        queue.failed(worker.seed, said.message, said.again, on_event)
    else:
        on_event(worker.seed, said)
    if not isinstance(said, _Raised | Completed):
        return True
    if not queue.waiting:
        _send(worker, None)
        _end(worker)
        return False
    worker.seed = queue.next()
    _send(worker, worker.seed)
    return True


def _send(worker: _Worker, seed: int | None) -> None:
    """Send a worker its next seed; if it has just died, its closed pipe shows that at the next turn."""
    with contextlib.suppress(*GONE):
        worker.pipe.send(seed)


def start_server() -> None:
    """Let the fork server begin to load what workers need, while this process still checks what they are to do."""
    ForkServerContext().set_forkserver_preload(["ticketlab.execution.forkserver_preload"])
    forkserver.ensure_running()


def _start(job: Shared, number: int, seed: int) -> _Worker:
    start_server()
    context = ForkServerContext()
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, job, number), name=f"ticketlab-{number}", daemon=True)
    process.start()
    there.close()
    worker = _Worker(number, process, here, seed)
    _send(worker, seed)
    return worker


def _stop(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        _end(worker)


def _end(worker: _Worker) -> None:
    """Wait for a process that is ending, but not for ever."""
    worker.process.join(PATIENCE_SECONDS)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        return f"its worker was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"its worker ended with exit status {exitcode}"


def _work(pipe: connection.Connection, job: Shared, number: int) -> None:
    """Compute the seeds that arrive until None does. The body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stopped)
    with contextlib.closing(job):
        attempt = _Attempt(job.value(), number)
    with contextlib.suppress(EOFError, *GONE):  # the supervisor was killed: so end quietly
        while (seed := pipe.recv()) is not None:
            try:
                failure = attempt(seed, pipe.send)
            except EndsRun as error:
                pipe.send(_EndedRun(error))
            else:
                pipe.send(_Raised(*failure) if failure else Completed())


def _stopped(*_: object) -> None:
    """End silently: TensorFlow's messages about an exception amid its own work help nobody."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    sys.exit(128 + signal.SIGTERM)


def _where(error: Exception) -> str:
    """Name the line of ticketlab that an unforeseen error came from."""
    frames = [
        each for each in traceback.extract_tb(error.__traceback__) if f"{os.sep}ticketlab{os.sep}" in each.filename
    ]
    return f" (at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
