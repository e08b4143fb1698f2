"""Flags from a spec, seeds from a text, errors as one line: what stands between a shell and `launch.run`."""

import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from rich.console import Console

from ticketlab.cli.flags import make_parser
from ticketlab.data import sources
from ticketlab.errors import BadInput, TicketlabError
from ticketlab.execution import launch
from ticketlab.execution.progress import data_line, screen, summary
from ticketlab.experiments import registry
from ticketlab.experiments.presets import PRESETS
from ticketlab.networks import architectures
from ticketlab.runs.folder import find_run
from ticketlab.runs.overwriting import Overwritten
from ticketlab.runs.spec import Spec
from ticketlab.training.context import Source


def main(
    kind: str,
    description: str | None,
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
    if isinstance(sys.stdout, TextIOWrapper):
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
        run = find_run(spec, models_dir)
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
    for name, other in spec_class.exclusive(given):
        raise BadInput(f"`{name}` must be given without `{other}`. Received: both")
    chosen = {**spec_class.compatible(published, given), **given}
    # what can be refused is refused before any data is looked for
    spec = spec_class(**{**spec_class.compatible(usual, chosen), **chosen})
    architectures.check_name(spec.network, spec.activation, spec.initialiser)
    dataset, notice = sources.resolve(chosen.get("dataset"), data_dir, usual.get("dataset", "mnist"))
    if notice:
        _say(f"WARNING: {notice}", 0)
    return replace(spec, dataset=dataset).resolved


def _print_plan(spec: Spec, seeds: list[int], flags: dict[str, Any]) -> None:
    run = find_run(spec, flags["models_dir"])
    clashes = spec.clashes({each.name: getattr(spec, each.name) for each in fields(spec)})
    for each in fields(spec):
        value = getattr(spec, each.name)
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
        print(f"{each.name:20} {'-' if each.name in clashes or shown in (None, '') else shown}")
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
