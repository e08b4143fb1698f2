"""What `--overwrite` deletes: the rounds that existed when a command began, and none that was computed since.

The first process that is ready to compute deletes them, once nothing can refuse any more (context.py). So no mistake
deletes anything, and a second try after a crash keeps the rounds of the first.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ticketlab.runs.folder import Run
from ticketlab.runs.lock import held


@dataclass(frozen=True)
class Overwritten:
    """The rounds of a run that a command computes again; none unless it is asked to.

    Attributes:
        asked: whether the command is asked to overwrite.
        files: files of finished and unfinished rounds with the time of their last change, {path: nanoseconds}.
    """

    asked: bool = False
    files: Mapping[Path, int] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, seeds: Sequence[int]) -> "Overwritten":
        """List the rounds that these seeds have at this moment."""
        files = [file for seed in seeds for file in _rounds(run, str(seed))]
        return cls(True, {file: file.stat().st_mtime_ns for file in files})

    @classmethod
    def asked_or_empty(cls, run: Run, seeds: Sequence[int], *, asked: bool) -> "Overwritten":
        """List the rounds of these seeds if asked to overwrite, or if a refused command left the run without rounds."""
        begun = (run.folder / "spec.json").exists()
        return cls.of(run, seeds) if asked or (begun and not _rounds(run, "*")) else NOTHING

    def everything(self, run: Run) -> bool:
        """Tell whether no round will be left, so that the run may begin anew on other data or with another network."""
        return self.asked and all(self._old(file) for file in _rounds(run, "*"))

    def delete(self, run: Run) -> None:
        """Delete those of the files that have not changed since.

        Raises:
            TicketlabError: before anything is deleted, if another process is computing one of the seeds.
        """
        if not any(map(self._old, self.files)):
            return
        with contextlib.ExitStack() as claims:
            # one worker at a time; another worker finds nothing left to delete and must not wait for seeds at work
            claims.enter_context(held(run.folder, f"{run.folder} is being begun by another process"))
            old = [file for file in self.files if self._old(file)]
            for seed in sorted({int(file.parent.name.removeprefix("seed_")) for file in old}):
                claims.enter_context(run.claim(seed))
            for file in old:
                file.unlink(missing_ok=True)

    def _old(self, file: Path) -> bool:
        try:
            return file.stat().st_mtime_ns == self.files.get(file)
        except FileNotFoundError:  # another worker has just deleted it
            return False


NOTHING = Overwritten()


def _rounds(run: Run, seed: str) -> list[Path]:
    return sorted(run.folder.glob(f"seed_{seed}/round_*.h5"))
