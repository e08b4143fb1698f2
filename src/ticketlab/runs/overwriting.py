"""What `--overwrite` deletes: the rounds that were there when a command began, and none that was computed since.

They are deleted by the first process that is ready to compute, when all that can refuse has agreed (context.py): so
nothing is lost to a mistake, and a second try after a crash deletes nothing of the first.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ticketlab.runs.folder import Run
from ticketlab.runs.lock import held


@dataclass(frozen=True)
class Overwritten:
    """The rounds of a run that a command computes again; none if it is not asked to.

    Attributes:
        asked: whether it is.
        files: finished and unfinished rounds with the time of their last change, {path: nanoseconds}.
    """

    asked: bool = False
    files: Mapping[Path, int] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, seeds: Sequence[int]) -> "Overwritten":
        """List what these seeds have at this moment."""
        files = [file for seed in seeds for file in _rounds(run, str(seed))]
        return cls(True, {file: file.stat().st_mtime_ns for file in files})

    @classmethod
    def asked_or_empty(cls, run: Run, seeds: Sequence[int], *, asked: bool) -> "Overwritten":
        """List what these seeds have if it is asked for, or if all that there is was left by a refused command."""
        begun = (run.folder / "spec.json").exists()
        return cls.of(run, seeds) if asked or (begun and not _rounds(run, "*")) else NOTHING

    def everything(self, run: Run) -> bool:
        """Tell whether the run will have no round left, so that it may begin anew on other data or another network."""
        return self.asked and all(self._old(file) for file in _rounds(run, "*"))

    def delete(self, run: Run) -> None:
        """Delete what is still there of them.

        Raises:
            TicketlabError: before anything is deleted, if another process is computing one of the seeds.
        """
        if not any(map(self._old, self.files)):
            return
        with contextlib.ExitStack() as claims:
            # one worker at a time: another one, which finds nothing left to delete, must not wait for seeds at work
            claims.enter_context(held(run.folder, f"{run.folder} is being begun by another process"))
            old = [file for file in self.files if self._old(file)]
            for seed in sorted({int(file.parent.name.removeprefix("seed_")) for file in old}):
                claims.enter_context(run.claim(seed))
            for file in old:
                file.unlink(missing_ok=True)

    def _old(self, file: Path) -> bool:
        return file.exists() and file.stat().st_mtime_ns == self.files.get(file)


NOTHING = Overwritten()


def _rounds(run: Run, seed: str) -> list[Path]:
    return sorted(run.folder.glob(f"seed_{seed}/round_*.h5"))
