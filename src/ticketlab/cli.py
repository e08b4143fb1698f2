"""Flags from a spec, seeds from a text, errors as one line: what stands between a shell and `launch.run`."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from rich.console import Console

from ticketlab.data import sources
from ticketlab.errors import BadInput, TicketlabError
from ticketlab.execution import launch
from ticketlab.execution.progress import data_line, screen, summary
from ticketlab.experiments import registry
from ticketlab.experiments.lottery import branches
from ticketlab.experiments.presets import PRESETS, compatible
from ticketlab.flags import Parser
from ticketlab.networks import architectures
from ticketlab.runs.defaults import fitting
from ticketlab.runs.fields import value_type
from ticketlab.runs.overwriting import Overwritten
from ticketlab.runs.spec import Spec
from ticketlab.training.context import Source

MOST_NUMBERS = 10_000


def main(
    kind: str,
    description: str,
    *,
    fixed: dict[str, Any] | None = None,
    usual: dict[str, Any] | None = None,
    cells: Sequence[dict[str, Any]] = ({},),
    finish: Callable[[list[Path], Path], None] | None = None,
    argv: list[str] | None = None,
) -> int:
    """Run an experiment as a command; return its exit status.

    Args:
        kind: of the experiment, a name of `launch.EXPERIMENTS`.
        description: for ``--help``.
        fixed: fields of the spec that the command itself decides; they are no flags.
        usual: the command's own defaults of fields.
        cells: of an experiment of several runs, the fields in which each differs; they are no flags either.
        finish: called after each run with the folders of those that are complete and the one for outputs.
        argv: the flags; those of the process if left out.

    Returns:
        0 if all replicates are complete, 1 if some failed, 2 on bad input, 130 if interrupted.
    """
    spec_class = registry.EXPERIMENTS[kind].spec
    fixed, usual = fixed or {}, usual or {}
    parser = make_parser(spec_class, description, {*fixed, *cells[0]}, usual, finishes=finish is not None)
    flags = vars(parser.parse_args(argv))
    sys.stdout.reconfigure(errors="replace")  # a terminal without ± gets a question mark
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cluster's time limit ends as calmly as Ctrl-C
    try:
        folders: list[Path] = []
        for cell in cells:
            if status := _run(spec_class, {**fixed, **cell}, usual, flags, screen(), folders):
                return status
            if finish and not flags["dry_run"]:
                finish(folders, flags["outputs_dir"])
        return 0
    except BadInput as error:
        parser.error(str(error))
    except TicketlabError as error:
        return _say(f"{parser.prog}: {error}", 1)
    except KeyboardInterrupt:
        same = "the same command without --overwrite" if flags["overwrite"] else "the same command"
        return _say(f"interrupted: finished rounds are on disk; {same} goes on from there", 130)
    except OSError as error:
        return _say(f"{parser.prog}: {error.strerror}: {error.filename or 'stdout'}", 1)


def _run(
    spec_class: type[Spec],
    fixed: dict[str, Any],
    usual: dict[str, Any],
    flags: dict[str, Any],
    console: Console,
    folders: list[Path],
) -> int:
    """Do one run, add its folder to those of the others, and return the exit status so far."""
    data_dir, models_dir, processes = flags["data_dir"], flags["models_dir"], flags["processes"]
    given = {each.name: flags[each.name] for each in fields(spec_class) if each.name in flags}
    spec = resolve(spec_class, {**fixed, **given}, usual, flags["preset"], data_dir)
    seeds = flags["seeds"] or launch.usual_seeds(spec, models_dir, processes)
    if flags["dry_run"]:
        run = branches.find(spec, models_dir)
        overwritten = Overwritten.asked_or_empty(run, seeds, asked=flags["overwrite"])
        dataset = launch.check(spec, seeds, models_dir, Source(data_dir), overwritten)
        _print_plan(spec, seeds, flags)
        print(f"{'data':20} {data_line(spec, dataset)}")
        return 0
    run, failures = launch.run(
        spec,
        seeds,
        processes=processes,
        models_dir=models_dir,
        data_dir=data_dir,
        overwrite=flags["overwrite"],
        console=console,
    )
    console.print(summary(run, seeds, spec.last_round))
    print(f"{_shown(run.folder)}/")
    folders.append(run.folder)
    if failures:
        return _say(
            f"{len(failures)} of {len(seeds)} replicates failed: seeds {', '.join(map(str, sorted(failures)))}", 1
        )
    return 0


def resolve(
    spec_class: type[Spec], given: dict[str, Any], usual: dict[str, Any], preset: str | None, data_dir: Path | None
) -> Spec:
    """Make the spec: of what was given, else the preset's, the command's, or what the spec itself decides."""
    names = {each.name for each in fields(spec_class)}
    published = PRESETS[preset] if preset else {}
    other_network = preset and given.get("network", published["network"]) != published["network"]
    if set(published) - names or other_network:
        raise BadInput(f"`preset` must be one for this experiment and network. Received: preset={preset}")
    for each in fields(spec_class):
        for other in each.metadata["excludes"]:
            if each.name in given and other in given:
                raise BadInput(f"`{each.name}` must be given without `{other}`. Received: both")
    chosen = {**compatible(published, given), **given}
    # what can be refused is refused before any data is looked for
    spec = spec_class(**{**compatible(usual, chosen), **chosen})
    architectures.check_name(spec.network, spec.activation, spec.initialiser)
    dataset, notice = sources.resolve(chosen.get("dataset"), data_dir, usual.get("dataset", "mnist"))
    if notice:
        _say(f"WARNING: {notice}", 0)
    return spec.changed(dataset=dataset)


def make_parser(
    spec_class: type[Spec], description: str, fixed: Collection[str], usual: dict[str, Any], *, finishes: bool = False
) -> Parser:
    """Make the flags: one per field of the spec that is not fixed, and those that say where, how often and how."""
    parser = Parser(description=description)
    places = parser.add_argument_group("replicates and places")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    places.add_argument(
        "--processes",
        type=_count,
        default=cores,
        metavar="N",
        help=f"worker processes; 0: this one (default: all cores, {cores})",
    )
    usually = "one per process"
    if "branch" in {each.name for each in fields(spec_class)}:
        usually += "; with --branch, all of the run"
    places.add_argument("--seeds", type=parse_numbers, metavar="S", help=f"0-7 or 0,2,5 (default: {usually})")
    places.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="where <dataset>.npz is looked for before $TICKETLAB_DATA and the Keras cache",
    )
    places.add_argument(
        "--models-dir",
        type=Path,
        default=Path("models"),
        metavar="DIR",
        help="where runs are written (default: models)",
    )
    if finishes:
        places.add_argument(
            "--outputs-dir",
            type=Path,
            default=Path("outputs"),
            metavar="DIR",
            help="where the result of all runs is written (default: outputs)",
        )
    places.add_argument("--preset", choices=sorted(PRESETS), help="published settings; single flags override them")
    places.add_argument("--dry-run", action="store_true", help="print spec, folder and finished rounds, and stop")
    places.add_argument("--overwrite", action="store_true", help="delete these seeds' finished rounds first")
    shown = {**fitting(usual.get("network", ""), {}), **usual}
    groups: dict[str, Any] = {}
    for each in fields(spec_class):
        if each.name not in fixed:
            title = each.metadata["group"]
            groups[title] = groups.get(title) or parser.add_argument_group(title)
            _add_flag(groups[title], each, shown.get(each.name, each.metadata["default"]))
    return parser


def _add_flag(group: Any, each: Field, default: Any) -> None:
    flag, kind = "--" + each.name.replace("_", "-"), value_type(each.type)
    shown = each.metadata["help"] if default in (None, ()) else f"{each.metadata['help']} (default: {default})"
    settings: dict[str, Any] = {"dest": each.name, "default": argparse.SUPPRESS, "help": shown}
    if kind is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **settings)
    elif each.metadata["choices"]:
        group.add_argument(flag, choices=each.metadata["choices"], **settings)
    elif kind is tuple:
        group.add_argument(flag, type=lambda text: tuple(parse_numbers(text)), metavar="N,N…", **settings)
    else:
        group.add_argument(flag, type=kind, metavar=kind.__name__.upper(), **settings)


def parse_numbers(text: str) -> list[int]:
    """Read ``0-7`` or ``0,2,5`` or both. Raises ArgumentTypeError.

    >>> parse_numbers("0-2,7")
    [0, 1, 2, 7]
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last - first > MOST_NUMBERS:
            raise argparse.ArgumentTypeError(f"must be like 0-7 or 0,2,5. Received: {text}")
        numbers.extend(range(first, last + 1))
    if len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"must name each number once. Received: {text}")
    return numbers


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,4}", text):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 9999. Received: {text}")
    return int(text)


def _print_plan(spec: Spec, seeds: list[int], flags: dict[str, Any]) -> None:
    run = branches.find(spec, flags["models_dir"])
    given = (each for each in fields(spec) if getattr(spec, each.name) not in (None, ()))
    left_out = {name for each in given for name in each.metadata["excludes"]}
    for each in fields(spec):
        value = getattr(spec, each.name)
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
        print(f"{each.name:20} {'-' if each.name in left_out or shown in (None, '') else shown}")
    print(f"{'processes':20} {flags['processes']}")
    print(f"{'folder':20} {_shown(run.folder)}/")
    for seed in seeds:
        rounds = run.rounds(seed)
        done = f"{len(rounds)} rounds done: {', '.join(map(str, rounds))}" if rounds else "nothing done"
        print(f"seed {seed:<15} {done}" + (", to be deleted first" if rounds and flags["overwrite"] else ""))


def _shown(folder: Path) -> str:
    absolute = folder.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)


def _say(line: str, status: int) -> int:
    print(line, file=sys.stderr, flush=True)
    return status
