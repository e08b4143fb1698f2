"""One experiment as a command: from flags to a spec and `launch.run`, with errors in one line."""

import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from ticketlab.cli.flags import make_parser
from ticketlab.cli.parser import Parser
from ticketlab.data import sources
from ticketlab.data.dataset import Dataset
from ticketlab.errors import BadInput
from ticketlab.execution import launch
from ticketlab.execution.progress import data_line, screen, summary
from ticketlab.experiments import registry
from ticketlab.experiments.presets import PRESETS
from ticketlab.networks import architectures
from ticketlab.runs.folder import Run, find_run
from ticketlab.runs.overwriting import Overwritten
from ticketlab.runs.spec import Spec
from ticketlab.training.context import Source


def main(
    kind: str,
    description: str | None,
    *,
    fixed: dict[str, Any] | None = None,
    usual: dict[str, Any] | None = None,
    argv: list[str] | None = None,
    prog: str | None = None,
) -> int:
    """Run an experiment as a command; return its exit status.

    Args:
        kind: kind of the experiment, a name of `EXPERIMENTS`.
        description: text for ``--help``.
        fixed: fields of the spec that the command itself decides; they are no flags.
        usual: the command's own defaults of fields.
        argv: flags; those of the process if left out.
        prog: name of the command; the script's name if left out.

    Returns:
        0 if all replicates are complete, 1 if some failed, 2 on bad input, 130 if interrupted.
    """
    spec_class = registry.EXPERIMENTS[kind].spec
    fixed, usual = fixed or {}, usual or {}
    parser = make_parser(spec_class, description, fixed, usual, prog=prog)
    flags = vars(parser.parse_args(argv))
    return guarded(parser, flags, lambda: compute(spec_class, fixed, usual, flags)[1])


def guarded(parser: Parser, flags: dict[str, Any], work: Callable[[], int]) -> int:
    """Do a training command's work, which signals may end, and return its exit status."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ± gets a question mark
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cluster's time limit ends a run as Ctrl-C does
    same = "the same command without --overwrite" if flags["overwrite"] else "the same command"
    return parser.guarded(work, f"interrupted: finished rounds are on disk; {same} goes on from there")


def compute(
    spec_class: type[Spec], fixed: dict[str, Any], usual: dict[str, Any], flags: dict[str, Any]
) -> tuple[Run, int]:
    """Compute one run, or show what would be computed; return the run and the exit status."""
    data_dir, models_dir, processes = flags["data_dir"], flags["models_dir"], flags["processes"]
    given = {each.name: flags[each.name] for each in fields(spec_class) if each.name in flags}
    dry = flags["dry_run"]
    spec = resolve(spec_class, {**fixed, **given}, usual, flags["preset"], data_dir, download=not dry)
    flags["dataset"] = spec.dataset  # the same for all runs of a command; announced and downloaded once
    seeds = flags["seeds"] or launch.usual_seeds(spec, models_dir, processes)
    if dry:
        run = find_run(spec, models_dir)
        overwritten = Overwritten.asked_or_empty(run, seeds, asked=flags["overwrite"])
        there = not _missing(spec.dataset, data_dir)
        dataset = launch.check(spec, seeds, run, Source(data_dir), overwritten) if there else None
        _print_plan(spec, run, seeds, flags, dataset)
        return run, 0
    run, failures = launch.run(
        spec,
        seeds,
        processes=processes,
        models_dir=models_dir,
        data_dir=data_dir,
        overwrite=flags["overwrite"],
        console=(console := screen()),
    )
    console.print(summary(run, seeds, spec.last_round))
    print(f"{_shown(run.folder)}/")
    if failures:
        failed = ", ".join(map(str, sorted(failures)))
        return run, _say(f"{len(failures)} of {len(seeds)} replicates failed: seeds {failed}", 1)
    return run, 0


def resolve(
    spec_class: type[Spec],
    given: dict[str, Any],
    usual: dict[str, Any],
    preset: str | None,
    data_dir: Path | None,
    *,
    download: bool = True,
) -> Spec:
    """Make the spec: from given flags, else from the preset, the command's defaults, or the spec's own decisions.

    Without `download`, a data set that could be downloaded counts as present.
    """
    names = {each.name for each in fields(spec_class)}
    published = PRESETS[preset] if preset else {}
    other_network = preset and given.get("network", published["network"]) != published["network"]
    if set(published) - names or other_network:
        raise BadInput(f"`preset` must be one for this experiment and network. Received: preset={preset}")
    for name, other in spec_class.exclusive(given):
        raise BadInput(f"`{name}` must be given without `{other}`. Received: both")
    chosen = {**spec_class.compatible(published, given), **given}
    # flags are refused, where possible, before any data is looked for
    spec = spec_class(**{**spec_class.compatible(usual, chosen), **chosen})
    architectures.check_name(spec.network, spec.activation, spec.initialiser)
    named, expected = chosen.get("dataset"), usual.get("dataset", "mnist")
    if not download and _missing(named or expected, data_dir):
        return replace(spec, dataset=named or expected).resolved
    dataset, notice = sources.resolve(named, data_dir, expected)
    if notice:
        _say(f"WARNING: {notice}", 0)
    return replace(spec, dataset=dataset).resolved


def _missing(name: str, data_dir: Path | None) -> bool:
    """Tell whether a data set would have to be downloaded."""
    folder = data_dir is None or data_dir.is_dir()
    return folder and name in sources.DOWNLOADS and not sources.find(name, data_dir)


def _print_plan(spec: Spec, run: Run, seeds: list[int], flags: dict[str, Any], dataset: Dataset | None) -> None:
    """Print each field, the folder, the finished rounds of each seed and, if it is present, the data set."""
    clashes = spec.clashes({each.name: getattr(spec, each.name) for each in fields(spec)})
    for each in fields(spec):
        value = getattr(spec, each.name)
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
        print(f"{each.name:20} {'-' if each.name in clashes or shown in (None, '') else shown}")
    print(f"{'-':20} no value, or none with a meaning given the others; --help says what then holds")
    print(f"{'processes':20} {flags['processes']}")
    print(f"{'folder':20} {_shown(run.folder)}/")
    for seed in seeds:
        asked = registry.EXPERIMENTS[spec.kind.name].rounds(spec, dataset, run, seed) if dataset else None
        print(f"seed {seed:<15} {_progress(run.rounds(seed), asked, flags['overwrite'])}")
    if dataset:
        print(f"{'data':20} {data_line(spec, dataset)}")
    else:
        print(f"{'data':20} {spec.dataset} is not here, and would be downloaded; if that fails, digits is used unless")
        print(f"{'':20} --dataset or --preset names it. Not checked: what depends on samples, layers, finished rounds")


def _progress(done: list[int], asked: Sequence[int] | None, overwrite: bool) -> str:
    """Describe how far a seed is.

    >>> _progress([0, 1, 2, 5], range(5), False), _progress([0, 1], None, True)
    ('4 rounds done: 0-2, 5; 2 to do', '2 rounds done: 0-1; to be deleted first')
    """
    if not done:
        return "nothing done"
    begins = [number for number in done if number - 1 not in done]
    ends = [number for number in done if number + 1 not in done]
    spans = ", ".join(str(begin) if begin == end else f"{begin}-{end}" for begin, end in zip(begins, ends, strict=True))
    text = f"{len(done)} round{'s' * (len(done) > 1)} done: {spans}"
    if overwrite:
        return f"{text}; to be deleted first"
    left = len(set(asked) - set(done)) if asked is not None else None
    return text if left is None else f"{text}; {left or 'nothing'} {'to do' if left else 'left to do'}"


def _shown(folder: Path) -> str:
    absolute = folder.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)


def _say(line: str, status: int) -> int:
    print(line, file=sys.stderr, flush=True)
    return status
