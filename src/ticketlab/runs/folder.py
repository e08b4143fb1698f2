"""Runs on disk: one folder per run, in it one immutable HDF5 file per round, found by name.

This module knows names of files and which belong together. It does not know how a file is written (hdf5.py), nor what
the numbers mean. docs/file_format.md describes the layout.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any

from ticketlab.data.dataset import DataFacts, Dataset
from ticketlab.errors import BadInput, WriteFailed
from ticketlab.runs.fingerprint import difference
from ticketlab.runs.hdf5 import Damaged, Record, set_aside, write_bytes, write_file
from ticketlab.runs.kinds import Kind
from ticketlab.runs.lock import held
from ticketlab.runs.spec import Spec

ELSEWHERE = "move it away, or choose another --models-dir"


class Run:
    """A run's folder: ``spec.json``, ``network.json``, ``data.h5`` and ``seed_<s>/round_<rr>.h5``.

    >>> Run("models/example").seeds()  # doctest: +SKIP
    [0, 1, 2, 3, 4]
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    @cached_property
    def description(self) -> dict[str, Any]:
        """The content of spec.json. Raises BadInput if there is none."""
        try:
            return json.loads((self.folder / "spec.json").read_text())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or f"no JSON ({error})"
            if isinstance(error, FileNotFoundError) and self.folder.is_dir():
                reason = "a folder without spec.json"
                if runs := sorted(self.folder.glob("*/spec.json")):
                    reason += f"; runs lie in it, as {runs[0].parent}"
            wanted = "a run's folder with a readable spec.json"
            raise BadInput(f"{self.folder} must be {wanted}. Received: {reason}") from error

    @property
    def kind(self) -> Kind:
        """The kind of experiment. Raises BadInput if spec.json does not say it."""
        try:
            return Kind.of(self.description)
        except KeyError as error:
            raise BadInput(f"{self.folder} must be of a known kind of experiment. Received: {error}") from error

    def begin(self, spec: Spec, data_digest: str, *, anew: bool = False) -> None:
        """Create the folder, or make sure that it holds this run; with `anew`, a run without rounds is begun anew.

        Raises:
            BadInput: if the folder cannot be written, or belongs to another spec or other data.
        """
        kind = {"kind": spec.kind.name, "rounds": spec.kind.rounds}
        description = {**kind, "data_sha256": data_digest, "spec": spec.described()}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self.folder, os.W_OK):
                raise BadInput(f"cannot write into {self.folder}: it is not writable")
            if anew:
                for name in ("network.json", "data.h5"):
                    (self.folder / name).unlink(missing_ok=True)
            if anew or not (self.folder / "spec.json").exists():
                if not anew and any(self.folder.glob("seed_*")):
                    raise BadInput(f"{self.folder} holds rounds but no spec.json: {ELSEWHERE}")
                self.__dict__.pop("description", None)
                write_bytes(self.folder / "spec.json", json.dumps(description, indent=2).encode())
        except WriteFailed as error:
            raise BadInput(str(error)) from error
        except OSError as error:
            raise BadInput(f"cannot write into {self.folder}: {error.strerror}") from error
        self.check(spec, data_digest)

    def check(self, spec: Spec, data_digest: str | None) -> None:
        """Make sure that a folder, if there is one, belongs to this spec and, unless None, data. Raises BadInput."""
        if not (self.folder / "spec.json").exists():
            return
        try:
            differing = differences(self.description["spec"], spec)
        except (BadInput, KeyError) as error:
            raise BadInput(f"{self.folder} belongs to another version of ticketlab ({error}): {ELSEWHERE}") from error
        if differing:
            raise BadInput(f"{self.folder} belongs to another spec ({differing}): {ELSEWHERE}")
        if data_digest is not None and self.description.get("data_sha256") != data_digest:
            reason = f"on other data of the name `{spec.dataset}`"
            if spec.input_kind is None and not self._data_path.exists():
                reason += ", or by a version that divided uint8 tables by 255 as `--input-kind image` does"
            raise BadInput(f"{self.folder} was computed {reason}: {ELSEWHERE}")

    @property
    def network(self) -> dict[str, Any] | None:
        """The content of network.json; None for a run that has none. Raises BadInput if it cannot be read."""
        path = self.folder / "network.json"
        try:
            return json.loads(path.read_text()) if path.exists() else None
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} must be readable JSON. Received: {error}") from error

    @property
    def data(self) -> DataFacts | None:
        """The facts that the run keeps of its data set; None for a run of an earlier version. Raises Damaged."""
        if not self._data_path.exists():
            return None
        record = Record(self._data_path)
        names = {each.name for each in fields(DataFacts)} & set(record.attributes)
        facts: dict[str, Any] = {name: record.attributes[name] for name in names}
        facts.update(record.arrays("arrays"))
        return DataFacts(**facts)

    def keep_data(self, dataset: Dataset) -> None:
        """Keep the facts of the data set as data.h5, unless the file exists; a damaged file is set aside.

        Raises:
            WriteFailed: if the file cannot be written.
        """
        try:
            if self.data is not None:
                return
        except Damaged:
            set_aside(self._data_path)
        facts = dict(vars(dataset.facts()))
        arrays = {name: facts.pop(name) for name in ("constant", "classes")}
        write_file(self._data_path, facts, {"arrays": arrays})

    def check_network(self, network: Mapping[str, Any]) -> None:
        """Make sure that a network, described as for `fingerprint.difference`, is the run's own. Raises BadInput."""
        if self.network and (other := difference(self.network, network)):
            raise BadInput(f"{self.folder} was computed with another network of that name ({other}): {ELSEWHERE}")

    def keep_network(self, network: Mapping[str, Any]) -> None:
        """Keep the network as network.json, as it was when the run began; facts that were not kept then are added."""
        if (kept := {**network, **(self.network or {})}) != self.network:
            write_bytes(self.folder / "network.json", json.dumps(kept, indent=1).encode())

    @property
    def _data_path(self) -> Path:
        return self.folder / "data.h5"

    def seeds(self) -> list[int]:
        """List the seeds that have a folder."""
        return _numbers(self.folder, r"seed_(\d+)")

    def rounds(self, seed: int) -> list[int]:
        """List a seed's complete rounds."""
        return _numbers(self.folder / f"seed_{seed}", r"round_(\d+)\.h5")

    def path(self, seed: int, round: int) -> Path:
        """Return the name of a round's file."""
        return self.folder / f"seed_{seed}" / f"round_{round:02d}.h5"

    def partial_path(self, seed: int, round: int) -> Path:
        """Return the name of an unfinished round's file."""
        return self.path(seed, round).with_suffix(".partial.h5")

    def round(self, seed: int, round: int) -> Record:
        """Open a complete round. Raises Damaged."""
        return Record(self.path(seed, round))

    def records(self) -> Iterator[Record]:
        """Open all complete rounds, seed by seed. Raises Damaged."""
        return (self.round(seed, round) for seed in self.seeds() for round in self.rounds(seed))

    @contextlib.contextmanager
    def claim(self, seed: int) -> Iterator[None]:
        """Hold a seed's folder for this process alone; remove files that a killed process left half-written.

        Raises:
            TicketlabError: if another process keeps working on this seed.
        """
        folder = self.folder / f"seed_{seed}"
        with held(folder, f"seed {seed} of {self.folder} is being computed by another process"):
            for stale in folder.glob(".*.tmp"):
                stale.unlink(missing_ok=True)
            yield


def find_run(spec: Spec, models_dir: Path) -> Run:
    """Open the run of a spec, which need not exist yet; a branch lies beside its run.

    If no folder has the spec's own name, a folder with the name that an earlier version gave it is the run.
    """
    names = spec.trunk().folder_names()
    name = next((each for each in names if (models_dir / each).exists()), names[0])
    return Run(models_dir / (f"{name}-{spec.branch}" if spec.branch else name))


def _numbers(folder: Path, pattern: str) -> list[int]:
    if not folder.is_dir():
        return []
    matches = (re.fullmatch(pattern, each.name) for each in folder.iterdir())
    return sorted(int(match[1]) for match in matches if match)


def differences(stored: Mapping[str, Any], spec: Spec) -> str:
    """Say in a few words where a stored description differs from a spec; empty if it does not.

    A field that the description lacks is newer and has its default; a field that changes no number does not count.
    """
    there, here = spec.from_json(json.dumps(stored)).normal(), spec.normal()
    differing = [name for name in here if there[name] != here[name]]
    return ", ".join(f"`{name}` is {there[name]} there and {here[name]} here" for name in differing)
