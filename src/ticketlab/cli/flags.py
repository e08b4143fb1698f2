"""Flags from the fields of a spec, numbers and seeds from a text."""

import argparse
import os
import re
from collections.abc import Collection
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from ticketlab.cli.parser import Parser
from ticketlab.experiments.presets import PRESETS
from ticketlab.runs.defaults import NETWORK_DEFAULTS
from ticketlab.runs.fields import value_type
from ticketlab.runs.spec import Spec

MOST_NUMBERS = 10_000


def make_parser(
    spec_class: type[Spec],
    description: str | None,
    fixed: Collection[str],
    usual: dict[str, Any],
    *,
    prog: str | None = None,
    outputs: bool = False,
) -> Parser:
    """Make the flags: one for each field of the spec that is not fixed, and those for replicates and folders.

    Args:
        spec_class: class of specs whose fields become flags.
        description: text for ``--help``.
        fixed: names of fields that are no flags.
        usual: the command's own defaults of fields.
        prog: name of the command; the script's name if left out.
        outputs: whether the command writes results of several runs, and so has a flag for their folder.
    """
    parser = Parser(prog=prog, usage="%(prog)s [FLAG …]", description=description)
    places = parser.add_argument_group("replicates and folders")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    places.add_argument(
        "--processes",
        type=_count,
        default=cores,
        metavar="N",
        help=f"number of worker processes; 0: compute in this one (default: all cores, {cores})",
    )
    usually = "one per process"
    if "branch" in {each.name for each in fields(spec_class)}:
        usually += "; with --branch, all of the run"
    places.add_argument(
        "--seeds", type=parse_numbers, metavar="S", help=f"replicates, as 0-7 or 0,2,5 (default: {usually})"
    )
    places.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="folder searched for <dataset>.npz before $TICKETLAB_DATA and the Keras cache",
    )
    places.add_argument(
        "--models-dir",
        type=Path,
        default=Path("models"),
        metavar="DIR",
        help="folder of the runs (default: models)",
    )
    if outputs:
        places.add_argument(
            "--outputs-dir",
            type=Path,
            default=Path("outputs"),
            metavar="DIR",
            help="folder of the result of all runs (default: outputs)",
        )
    names = {each.name for each in fields(spec_class)}
    presets = ", ".join(name for name, settings in PRESETS.items() if names.issuperset(settings))
    places.add_argument(
        "--preset",
        choices=PRESETS,
        metavar="NAME",
        help=f"published settings, which single flags override: {presets or 'none of this experiment'}",
    )
    places.add_argument("--dry-run", action="store_true", help="print what would be computed, and stop")
    places.add_argument("--overwrite", action="store_true", help="delete these seeds' finished rounds first")
    shown = {**NETWORK_DEFAULTS.get(usual.get("network", ""), {}), **usual}
    groups: dict[str, Any] = {}
    for each in sorted(fields(spec_class), key=lambda each: each.name == "branch"):  # a control of all the rest
        if each.name not in fixed:
            title = each.metadata["group"]
            groups[title] = groups.get(title) or parser.add_argument_group(title)
            _add_flag(groups[title], each, shown.get(each.name, each.metadata["default"]))
    return parser


def _add_flag(group: Any, each: Field, default: Any) -> None:
    flag, kind = "--" + each.name.replace("_", "-"), value_type(each.type)
    shown, choices = each.metadata["help"], each.metadata["choices"]
    if choices and not all(name in shown for name in choices):
        shown += f": {', '.join(choices)}"
    if default not in (None, ()):
        shown += f" (default: {default})"
    settings: dict[str, Any] = {"dest": each.name, "default": argparse.SUPPRESS, "help": shown}
    if kind is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **settings)
    elif choices:
        group.add_argument(flag, choices=choices, metavar="NAME", **settings)
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
        if not match or last - first > MOST_NUMBERS:
            raise argparse.ArgumentTypeError(f"must be like 0-7 or 0,2,5. Received: {text}")
        if first > last:
            raise argparse.ArgumentTypeError(f"must begin with the lesser number, {last}-{first}. Received: {text}")
        numbers.extend(range(first, last + 1))
    if len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"must name each number once. Received: {text}")
    return numbers


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,4}", text):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 9999. Received: {text}")
    return int(text)
