"""Export as a command: run, format, round and destination from flags."""

from pathlib import Path

from ticketlab import tensorflow_setup
from ticketlab.cli.parser import Parser
from ticketlab.errors import BadInput
from ticketlab.evaluation import csr, export
from ticketlab.runs.folder import Record, Run

SUFFIXES = {"masks": ".npz", "csr": ".npz", "ticket": ".keras", "trained": ".keras", "slim": ""}


def main(description: str | None, argv: list[str] | None = None, prog: str | None = None) -> int:
    """Export as a command; return its exit status.

    Args:
        description: text for ``--help``.
        argv: flags; those of the process if left out.
        prog: name of the command; the script's name if left out.

    Returns:
        0 on success, 1 if a file could not be read or written, 2 on bad input, 130 if interrupted.
    """
    parser = Parser(prog=prog, description=description)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("form", choices=SUFFIXES, help="what to export")
    parser.add_argument("--to", type=Path, required=True, metavar="PATH", help="file, or folder for slim, to write")
    parser.add_argument("--seed", type=int, help="seed of the replicate (default: 0; of slim, which has all, none)")
    parser.add_argument("--round", type=int, help="round (default: 0, the dense one; of slim, which has all, none)")
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="folder searched first for <dataset>.npz, which .keras files need for runs without data.h5",
    )
    flags = parser.parse_args(argv)

    def work() -> int:
        print(*_export(Run(flags.run), flags.form, flags.seed, flags.round, flags.to, flags.data_dir), sep="\n")
        return 0

    return parser.guarded(work, "interrupted")


def _export(run: Run, form: str, seed: int | None, number: int | None, to: Path, data_dir: Path | None) -> list[Path]:
    """Write the export; return its files or its folder."""
    if to.suffix != SUFFIXES[form] and form != "slim":
        raise BadInput(f"`to` must end in {SUFFIXES[form]} for {form}. Received: to={to}")
    if form == "slim":
        if (seed, number) != (None, None):
            raise BadInput("`seed` and `round` must be left out for slim, which has all of them")
        export.slim_copy(run, to)
        return [to]
    record = _record(run, seed or 0, number or 0)
    if form == "masks":
        export.save_masks(record, to)
        return [to]
    if form == "csr":
        masks = record.masks
        csr.save_csr(to, record.weights or masks, masks)
        return [to]
    weights = export.ticket(run, record) if form == "ticket" else export.trained(record)
    tensorflow_setup.start(threads=1)
    return [to, export.save_keras(run, record, weights, to, data_dir)]


def _record(run: Run, seed: int, round: int) -> Record:
    run.description  # noqa: B018, reading it refuses a folder that is no run
    if round not in run.rounds(seed):
        raise BadInput(f"{run.folder} holds no round {round} of seed {seed}")
    return run.round(seed, round)
