"""The command `ticketlab`, with one subcommand for each experiment, for analysis and for export.

Each subcommand is loaded when it is used. Scripts start the same commands under their own names.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ticketlab.cli.parser import Parser


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        description: text for ``--help``; the list of all commands shows its first sentence.
        start: function of description, flags and the program's name that returns the exit status.
    """

    description: str
    start: Callable[[str, list[str] | None, str | None], int]


def _train(kind: str, description: str, argv: list[str] | None, prog: str | None) -> int:
    from ticketlab.cli.train import main

    return main(kind, description, argv=argv, prog=prog)


def _topology(description: str, argv: list[str] | None, prog: str | None) -> int:
    from ticketlab.cli.topology import main

    return main(description, argv, prog)


def _analyze(description: str, argv: list[str] | None, prog: str | None) -> int:
    from ticketlab.cli.analyze import main

    return main(description, argv, prog)


def _export(description: str, argv: list[str] | None, prog: str | None) -> int:
    from ticketlab.cli.export import main

    return main(description, argv, prog)


COMMANDS: dict[str, Command] = {
    "imp": Command(
        "Iterative magnitude pruning with rewinding. Many replicates train side by side, each saved round by round; "
        "--branch computes a control of a finished run.",
        partial(_train, "imp"),
    ),
    "prune-at-init": Command(
        "Pruning at initialisation: random, by magnitude, SNIP, GraSP or SynFlow. Each round has the density that as "
        "many rounds of iterative pruning would leave.",
        partial(_train, "before_training"),
    ),
    "sparse-training": Command(
        "Sparse training: static masks, SET, RigL, SNFS, gradual pruning, and dense networks cut at the end.",
        partial(_train, "sparse_training"),
    ),
    "topology": Command(
        "Which factors change the topology that sparse training learns: inputs × weight decay × drop rule × method, "
        "as 24 runs. Tables and a figure go to <outputs-dir>/topology_factorial/.",
        _topology,
    ),
    "analyze": Command(
        "Tables, figures and a report of finished runs, offline and without TensorFlow. Writes "
        "<outputs-dir>/<run>/ with rounds.csv, similarity.csv and more tables, figures/ and report.html; for several "
        'runs, the names of their folders are joined by "+".',
        _analyze,
    ),
    "export": Command(
        "A run in a format for other tools. masks: a round's masks as .npz. csr: a round's weights as compressed "
        "sparse rows in one .npz, which SciPy reads; of a run without weights, its masks. ticket: the weights to "
        "which a run rewinds, under a round's masks, as a .keras file that plain Keras loads and evaluates on "
        "inputs as the data set stores them; <file>.json beside it has the stored label of each output. trained: "
        "the same with the weights at the end of the round. slim: the run without its weights.",
        _export,
    ),
}


def start(name: str, argv: list[str] | None = None, prog: str | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        name: a key of `COMMANDS`.
        argv: flags; those of the process if left out.
        prog: name of the command in messages; the script's name if left out.
    """
    return COMMANDS[name].start(COMMANDS[name].description, argv, prog)


def main(argv: list[str] | None = None) -> int:
    """Run `ticketlab COMMAND …` and return its exit status; without a command, list all of them.

    Args:
        argv: command and flags; those of the process if left out.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] in COMMANDS:
        return start(arguments[0], arguments[1:], f"ticketlab {arguments[0]}")
    lines = [f"  {name:17}{each.description.split('. ')[0].removesuffix('.')}" for name, each in COMMANDS.items()]
    parser = Parser(
        prog="ticketlab",
        usage="ticketlab COMMAND …",
        description="Lottery tickets and sparse training of neural networks.\n\ncommands:\n" + "\n".join(lines),
        epilog="`ticketlab COMMAND --help` lists a command's flags.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.parse_args(arguments or ["--help"])
    return 2
