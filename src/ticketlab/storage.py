"""Runs on disk: one immutable HDF5 file per round, written once and atomically, found by name, read lazily.

A file under its final name is complete. Knows names, layout and integrity; does not know what the numbers mean.
The layout stands in docs/design.md, section 4.
"""

import contextlib
import errno
import io
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ticketlab.errors import BadInput, TicketlabError, WriteFailed
from ticketlab.locks import held
from ticketlab.spec import Spec

FORMAT = 1
GZIP_LEVEL = 2
ELSEWHERE = "move it away, or choose another --models-dir"

Groups = Mapping[str, Mapping[str, np.ndarray]]


class Damaged(TicketlabError):
    """A file that cannot be read back."""


def write_file(path: Path, attributes: Mapping[str, Any], groups: Groups, gzip_level: int = GZIP_LEVEL) -> None:
    """Write one HDF5 file atomically: it exists whole under its name, or not at all.

    The file is made in memory and written as bytes, so that a full disk is an ordinary error and not one inside HDF5.

    Args:
        path: the final name; its folder exists.
        attributes: of the file, numbers and strings.
        groups: {group: {dataset path: array}}; arrays are compressed and checksummed.
        gzip_level: from 1 to 9; with 9 a mask takes two thirds of the space and 300 times as long.

    Raises:
        WriteFailed: if the disk refuses.
    """
    # HDF5's newer layout has checksums on names and attributes too.
    with h5py.File(image := io.BytesIO(), "w", libver=("v110", "v110")) as file:
        file.attrs.update({name: _stored(value) for name, value in {"format": FORMAT, **attributes}.items()})
        for group, arrays in groups.items():
            file.create_group(group).attrs["order"] = _stored(json.dumps(list(arrays)))
            for name, array in arrays.items():
                filters = {"compression": "gzip", "compression_opts": gzip_level, "shuffle": True, "fletcher32": True}
                chunks = np.shape(array) if np.size(array) else True  # arrays are always read whole
                file[group].create_dataset(
                    name, data=array, **({"chunks": chunks, **filters} if np.ndim(array) else {})
                )
    write_bytes(path, image.getbuffer())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically: a temporary name in the same folder, flush, fsync, rename. Raises WriteFailed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise WriteFailed(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


class Record:
    """One HDF5 file, read lazily: attributes now, arrays when they are asked for, with their checksums.

    Args:
        path: of the file.

    Raises:
        Damaged: here and in every method, if the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with self._open() as file:
            self.attributes = {name: _plain(value) for name, value in file.attrs.items()}
        if self.attributes.get("format") != FORMAT:
            raise Damaged(f"{path} must be a file of format {FORMAT}. Received: {self.attributes.get('format')}")

    def arrays(self, group: str) -> dict[str, np.ndarray]:
        """Read all arrays of a group, {dataset path: array}, in the order in which they were written."""
        with self._open() as file:
            if group not in file:
                return {}
            order = json.loads(_plain(file[group].attrs["order"]))
            return {name: file[group][name][()] for name in order}

    def verify(self) -> None:
        """Read everything once, so that every checksum is compared."""
        with self._open() as file:
            groups = list(file)
        for group in groups:
            self.arrays(group)

    @property
    def masks(self) -> dict[str, np.ndarray]:
        """The masks under which the round trained, {path: bool array}."""
        return self.arrays("masks")

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The trainable variables at the end of training, {path: float32 array}, zero where masked."""
        return self.arrays("weights")

    @property
    def rewind(self) -> dict[str, np.ndarray]:
        """The state that rounds rewind to, {path: float32 array}; empty but in round 0."""
        return self.arrays("rewind")

    @property
    def history(self) -> dict[str, np.ndarray]:
        """The evaluations, {name: array of one value per evaluation}."""
        return self.arrays("history")

    @contextlib.contextmanager
    def _open(self) -> Iterator[h5py.File]:
        try:
            with h5py.File(self.path, "r") as file:
                yield file
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            number = getattr(error, "errno", None)
            if number and number != errno.EISDIR:  # the system refused; the content may be sound
                raise TicketlabError(f"cannot open {self.path}: {os.strerror(number)}") from error
            raise Damaged(f"{self.path} cannot be read: {' '.join(str(error).split())}") from error


class Run:
    """A run's folder: ``spec.json`` and ``seed_<s>/round_<rr>.h5``.

    >>> Run("models/example").seeds()  # doctest: +SKIP
    [0, 1, 2, 3, 4]
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    @cached_property
    def description(self) -> dict[str, Any]:
        """What spec.json says. Raises BadInput if there is none."""
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

    def begin(self, spec: Spec, data_digest: str, *, anew: bool = False) -> None:
        """Create the folder, or make sure that what lies there is this very run, unless it has no rounds and is anew.

        Raises:
            BadInput: if the folder cannot be written, or belongs to another spec or other data.
        """
        description = {"kind": spec.kind, "data_sha256": data_digest, "spec": spec.described()}
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

    def check(self, spec: Spec, data_digest: str) -> None:
        """Make sure that a folder, if there is one, belongs to this spec and data. Raises BadInput."""
        if not (self.folder / "spec.json").exists():
            return
        try:
            differing = differences(self.description["spec"], spec)
        except (BadInput, KeyError) as error:
            raise BadInput(f"{self.folder} belongs to another version of ticketlab ({error}): {ELSEWHERE}") from error
        if differing:
            raise BadInput(f"{self.folder} belongs to another spec ({differing}): {ELSEWHERE}")
        if self.description.get("data_sha256") != data_digest:
            raise BadInput(f"{self.folder} was computed on other data of the name `{spec.dataset}`: {ELSEWHERE}")

    @property
    def network(self) -> dict[str, Any] | None:
        """What network.json says; None for a run that has none. Raises BadInput if it cannot be read."""
        path = self.folder / "network.json"
        try:
            return json.loads(path.read_text()) if path.exists() else None
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} must be readable JSON. Received: {error}") from error

    def keep_network(self, network: Mapping[str, Any]) -> None:
        """Keep the network's architecture as network.json, or make sure that it is the one that the run began with.

        What `json` can write stands under "model", and under "keras" the version that described it so, since another
        version may describe the same network otherwise. Raises BadInput if it is another network.
        """
        if self.network is None:
            write_bytes(self.folder / "network.json", json.dumps(network, indent=1).encode())
        elif self.network["keras"] == network["keras"] and self.network["model"] != network["model"]:
            raise BadInput(f"{self.folder} was computed with another network of that name: {ELSEWHERE}")

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
        """Hold a seed's folder for this process alone; remove what a killed process left half-written.

        Raises:
            TicketlabError: if another process keeps working on this seed.
        """
        folder = self.folder / f"seed_{seed}"
        with held(folder, f"seed {seed} of {self.folder} is being computed by another process"):
            for stale in folder.glob(".*.tmp"):
                stale.unlink(missing_ok=True)
            yield


def set_aside(path: Path) -> Path:
    """Rename a damaged file to the first free ``<name>.damaged-<i>`` and return that name."""
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    return path.rename(next(name for name in names if not name.exists()))


def _numbers(folder: Path, pattern: str) -> list[int]:
    if not folder.is_dir():
        return []
    matches = (re.fullmatch(pattern, each.name) for each in folder.iterdir())
    return sorted(int(match[1]) for match in matches if match)


def _stored(value: Any) -> Any:
    """Give texts a fixed length: those of variable length would lie in a part of the file that has no checksums."""
    if not isinstance(value, str):
        return value
    return np.array(value.encode(), h5py.string_dtype("utf-8", max(1, len(value.encode()))))


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode() if isinstance(value, bytes) else value


def differences(stored: Mapping[str, Any], spec: Spec) -> str:
    """Say in a few words where a stored description departs from a spec; empty if it does not.

    A field that the stored one lacks is newer than it and has its default; one that changes no number does not count.
    """
    there, here = spec.from_json(json.dumps(stored)).normal(), spec.normal()
    differing = [name for name in here if there[name] != here[name]]
    return ", ".join(f"`{name}` is {there[name]} there and {here[name]} here" for name in differing)
