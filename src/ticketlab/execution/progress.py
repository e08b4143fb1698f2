"""What the user sees at the terminal: one live line per replicate, or plain lines, and the final table.

Progress and results go to stdout, problems to stderr. Logs get a plain line for every round; notebooks, which keep
everything printed, get fewer. This module knows words and columns, and computes nothing but means.
"""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from ticketlab.data.dataset import Dataset
from ticketlab.data.sources import DOWNLOADS
from ticketlab.experiments.events import Begun, Completed, Evaluated, Event, Failed, Noted, Retried, RoundDone, SetAside
from ticketlab.means import mean_interval
from ticketlab.runs.folder import Run
from ticketlab.runs.spec import Spec

PAUSE = 10.0  # seconds between a replicate's lines in a notebook


def screen() -> Console:
    """Return the console of stdout, which has live lines only if it is a terminal.

    FORCE_COLOR, which rich would also go by, does not tell: kernels of notebooks and some shells set it.
    """
    return Console(force_jupyter=False, force_terminal=sys.stdout.isatty())


def tell(console: Console, line: str) -> None:
    """Print a line as it is, however long."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


class Display:
    """Show the events of a run: a context manager whose method `event` the pool calls.

    Args:
        seeds: seeds of all replicates.
        rounds: number of rounds after round 0, as far as it is known before a replicate begins.
        console: console for progress, with live lines only if it is a terminal. Problems go to stderr, above them.
        pause: seconds between two plain lines of a replicate; the line of its last round is always printed.
        opening: line that is printed when the first replicate begins, since nothing is refused from then on.
    """

    def __init__(self, seeds: list[int], rounds: int, console: Console, pause: float = 0, opening: str = "") -> None:
        self._console, self._pause, self._opening = console, pause, opening
        self._printed: dict[int, float] = {}
        self._held: dict[int, str] = {}
        self._clock = _Clock(seeds, rounds)
        self._rows: dict[int, TaskID] = {}
        self._noted: set[str] = set()
        self._places: dict[int, dict[int, int]] = {}
        columns = (TextColumn("{task.fields[name]:>8}"), BarColumn(bar_width=24), TextColumn("{task.description}"))
        shared = console.is_terminal and sys.stderr.isatty()
        self._live = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal, redirect_stderr=shared
        )
        self._total = self._live.add_task("starting workers …", name="all", total=1.0)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def event(self, seed: int, event: Event) -> None:
        """Show one event of a replicate."""
        match event:
            case SetAside() | Retried():
                print(f"seed {seed}: {event.message}", file=sys.stderr, flush=True)
            case Noted(message) if message not in self._noted:  # the same for all replicates
                self._noted.add(message)
                print(message, file=sys.stderr, flush=True)
            case Begun(rounds):
                if self._opening:
                    tell(self._console, self._opening)
                    self._opening = ""
                self._clock.begin(seed, len(rounds))
                self._places[seed] = {number: place for place, number in enumerate(rounds)}
                self._printed[seed] = time.monotonic()
                self._remove(seed)  # the line of a first try
                self._rows[seed] = self._live.add_task("", name=f"seed {seed}", total=len(rounds))
            case Evaluated():
                self._clock.reached(seed, self._places[seed][event.number] + event.share)
                self._update(seed, evaluation_line(event))
            case RoundDone():
                self._clock.reached(seed, self._places[seed][event.number] + 1, computed=event.new)
                if event.new and not self._console.is_terminal:
                    self._held[seed] = f"seed {seed:>2}  {round_line(event.attributes)}"
                    if time.monotonic() - self._printed[seed] >= self._pause:
                        self._print(seed)
            case Completed() | Failed():
                if isinstance(event, Failed):
                    print(f"seed {seed}: {event.message}", file=sys.stderr, flush=True)
                self._print(seed)
                self._clock.finish(seed)
                self._remove(seed)
        self._live.update(self._total, completed=self._clock.share(), description=self._clock.time_left())

    def _print(self, seed: int) -> None:
        if seed in self._held:
            self._console.print(self._held.pop(seed), highlight=False, soft_wrap=True)
            self._printed[seed] = time.monotonic()

    def _remove(self, seed: int) -> None:
        if seed in self._rows:
            self._live.remove_task(self._rows.pop(seed))

    def _update(self, seed: int, description: str) -> None:
        self._live.update(self._rows[seed], completed=self._clock.positions[seed], description=description)


class _Clock:
    """How far each replicate has come, in rounds, and how long the rest will take."""

    def __init__(self, seeds: list[int], rounds: int) -> None:
        self.positions = dict.fromkeys(seeds, 0.0)
        self._ends = dict.fromkeys(seeds, float(rounds + 1))
        self._computed = 0.0
        self._started: float | None = None
        self._resumed: set[int] = set()

    def begin(self, seed: int, rounds: int) -> None:
        self._started = self._started or time.monotonic()  # starting up would distort the time per round
        self.positions[seed], self._ends[seed] = 0.0, rounds
        self._resumed.add(seed)

    def reached(self, seed: int, position: float, computed: bool = True) -> None:
        if computed and seed not in self._resumed:  # the first evaluation may come late in a resumed round
            self._computed += position - self.positions[seed]
        elif computed:
            self._resumed.discard(seed)
        self.positions[seed] = position

    def finish(self, seed: int) -> None:
        self._ends[seed] = self.positions[seed]

    def share(self) -> float:
        return sum(self.positions.values()) / max(1e-9, sum(self._ends.values()))

    def time_left(self) -> str:
        left = sum(self._ends.values()) - sum(self.positions.values())
        if left <= 0:
            return "finishing"
        if self._started is None or not self._computed:
            return "starting"
        return f"{_duration(left * (time.monotonic() - self._started) / self._computed)} left"


def data_line(spec: Spec, dataset: Dataset) -> str:
    """Describe a data set in one line; where its kind was guessed, name the flag that says otherwise."""
    own = dataset.name not in ("digits", *DOWNLOADS)
    image, shape = dataset.input_kind == "image", "×".join(map(str, dataset.input_shape))
    flat = len(dataset.input_shape) == 1
    inputs = f"images of {shape}{' pixels, flat' * flat}" if image else f"a table of {shape} numbers each"
    if own and spec.input_kind is None:
        inputs += f" (guessed; --input-kind {'table' if image else 'image'} otherwise)"
    if spec.inputs == "standardised":
        inputs += ", standardised"
    else:
        inputs += ", taken as they are" if dataset.scale == 1 else f", divided by {1 / dataset.scale:g}"
    if dataset.task == "regression":
        targets = f"{dataset.outputs} number{'s' * (dataset.outputs > 1)} to predict"
    else:
        targets = f"{dataset.outputs} classes"
        if own and spec.task is None:
            targets += " (guessed from whole-number targets; --task regression otherwise)"
    samples = f"{len(dataset.x_train):,} samples and {len(dataset.x_test):,} for testing"
    return f"{dataset.name}: {samples}, {inputs}; {targets}"


def evaluation_line(event: Evaluated) -> str:
    """Describe in one line how far a round's training is."""
    place = f"round {event.number:>2}  density {event.density:.4f}"
    score = "" if event.task == CLASSIFICATION else f"{_SCORES[event.task]} "
    return f"{place}  iteration {event.iteration:>5}  validation {score}{event.score:.4f}"


def round_line(facts: Mapping[str, Any]) -> str:
    """Describe a finished round in one line."""
    return (
        f"round {facts['round']:>2}  density {facts['density']:.4f}  early stop {facts['early_stop_iteration']:>6}  "
        f"test {_SCORES[facts.get('task', CLASSIFICATION)]} there "
        f"{facts['early_stop_test_accuracy']:.4f}, at the end {facts['test_accuracy']:.4f}  {facts['seconds']:.1f} s"
    )


def summary(run: Run, seeds: list[int], last: int | None = None) -> Table:
    """Tabulate the finished rounds of these seeds up to a last one: means over the seeds with 95 % intervals."""
    table = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,  # for 80 columns
        caption_justify="left",
    )
    finished = {seed: [each for each in run.rounds(seed) if last is None or each <= last] for seed in seeds}
    rows = {
        round: [run.round(seed, round).attributes for seed, rounds in finished.items() if round in rounds]
        for round in sorted({each for rounds in finished.values() for each in rounds})
    }
    during_training = any("iteration" in record for records in rows.values() for record in records)
    tasks = {record.get("task", CLASSIFICATION) for records in rows.values() for record in records}
    score = _SCORES[tasks.pop() if tasks else CLASSIFICATION]
    measures = [each.format(score=score) for each in _TABLE]
    headings = ["round", *(["iteration"] if during_training else []), "density", "seeds", *measures]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for round, records in rows.items():
        iteration = [str(records[0]["iteration"])] if during_training else []
        density = f"{np.mean([record['density'] for record in records]):.4f}"
        cells = [
            _mean(np.array([record[name] for record in records], float), digits) for name, digits in _TABLE.values()
        ]
        table.add_row(str(round), *iteration, density, str(len(records)), *cells)
        if any("±" in cell for cell in cells):
            table.caption = CAPTION
    return table


CLASSIFICATION = "classification"  # the task of files that say none
_SCORES = {CLASSIFICATION: "accuracy", "regression": "R²"}
CAPTION = "mean ± half of the 95 % interval over the seeds (Student t; from three seeds on)"
_TABLE = {
    "early-stop\niteration": ("early_stop_iteration", 0),
    "test {score}\nthere": ("early_stop_test_accuracy", 4),
    "test {score}\nat the end": ("test_accuracy", 4),
}


def _mean(values: np.ndarray, digits: int) -> str:
    mean, half_width = mean_interval(values)
    return f"{mean:.{digits}f}" + (f" ± {half_width:.{digits}f}" if np.isfinite(half_width) else "")


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
