"""What is known of a conversion that was begun: whether it is this one, and what of it is done."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mitobench.dataset.conversion._engine import threads
from mitobench.dataset.conversion._folder import JOURNAL, is_empty
from mitobench.dataset.conversion._journal import Journal, UnitNote
from mitobench.dataset.conversion._plan import Plan, plan_conversion
from mitobench.dataset.conversion._source import Sections, fingerprints, smallest_dtype
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mitobench.dataset.conversion._engine import UnitDone
    from mitobench.dataset.conversion._settings import Settings
    from mitobench.types import Box, Shape, Volume

__all__ = ["Limits", "Made", "Work", "combined"]

_VERSION = 1
"""Of the journal."""
_ANEW = "begin anew (resume=False, --restart)"


class Limits(NamedTuple):
    """Bytes that all buffers may take, and threads."""

    memory: int
    workers: int

    def plan(self, source: Volume, chunks: Shape, itemsize: int) -> Plan:
        """Return in which pieces a source becomes chunks."""
        return plan_conversion(
            source.shape,
            source.chunks,
            chunks,
            source_itemsize=source.dtype.itemsize,
            itemsize=itemsize,
            memory=self.memory,
            workers=self.workers,
        )


class Made(NamedTuple):
    """Type of the voxels, their checksum, and bytes of all chunks."""

    dtype: np.dtype[Any]
    checksum: str
    size: int


def combined(dtype: np.dtype[Any], shape: Shape, sections: Iterable[str]) -> str:
    """Return the checksum of a volume from those of its sections."""
    whole = hashlib.sha256(f"{dtype.name} {' '.join(map(str, shape))}\n".encode())
    for section in sections:
        whole.update(bytes.fromhex(section))
    return f"sha256:{whole.hexdigest()}"


class Work:
    """The journal in a folder, for one volume and what is to be made of it.

    Parameters
    ----------
    volume
        What to convert.
    settings
        How.
    folder
        Where the work is.
    limits
        For a pass over the volume that finds its type.

    Raises
    ------
    InvalidInputError
        The folder holds a conversion with other settings or of other data.
    UnusableFileError
        The source cannot be read.
    """

    def __init__(self, volume: Volume, settings: Settings, folder: Path, limits: Limits) -> None:
        self._volume = volume
        self._settings = settings
        self._folder = folder
        self._limits = limits
        self._fingerprints = fingerprints(volume)
        self._journal = Journal(folder / JOURNAL)
        header, self._lines = self._journal.read()
        if header is None:
            header = self._begun()
        self._check_same(header)
        self.dtype = np.dtype(header["found"]).newbyteorder("<")

    def _begun(self) -> dict[str, Any]:
        if not is_empty(self._folder):
            raise InvalidInputError(f"{self._journal.path}: damaged, so it is not known what was done; {_ANEW}")
        header = {**self._identity(), "found": self._found_dtype()}
        self._journal.start(header)
        return header

    def _identity(self) -> dict[str, Any]:
        volume = self._volume
        source: dict[str, Any] = {
            "name": Path(volume.name).name,
            "shape": list(volume.shape),
            "type": volume.dtype.name,
            "first section": self._first,
        }
        return {"version": _VERSION, "source": source, "settings": self._settings.as_dict()}

    @property
    def _first(self) -> int:
        return self._volume.start if isinstance(self._volume, Sections) else 0

    def _found_dtype(self) -> str:
        asked = self._settings.dtype
        if asked != "smallest":
            return self._volume.dtype.name if asked == "keep" else np.dtype(asked).name
        plan = self._limits.plan(self._volume, self._settings.chunks, self._volume.dtype.itemsize)
        with threads(plan.workers) as pool:
            return smallest_dtype(self._volume, itertools.chain.from_iterable(map(plan.pieces, plan.units())), pool)

    def _check_same(self, header: dict[str, Any]) -> None:
        if header["version"] != _VERSION:
            raise InvalidInputError(f"{self._folder} was left by another version of mitobench; {_ANEW}")
        now = self._identity()
        facts = [(part, key) for part in ("source", "settings") for key in now[part]]
        for part, key in facts:
            then = header[part].get(key)
            if then != now[part][key]:
                what = part.removesuffix("s")
                raise InvalidInputError(
                    f"{self._folder} holds an unfinished conversion with another {what}: {key} was {then}, not "
                    f"{now[part][key]}; finish it as it was begun, or {_ANEW}"
                )

    def complete(self) -> Made | None:
        """Return what was made, if an earlier call came to its end."""
        ends = [line["complete"] for line in self._lines if "complete" in line]
        return Made(self.dtype, ends[-1]["checksum"], ends[-1]["size"]) if ends else None

    def end(self, made: Made) -> None:
        """Note that everything is made and compared."""
        self._journal.append({"complete": {"checksum": made.checksum, "size": made.size}})

    def known(self, level: int, units: Iterable[Box]) -> list[UnitNote]:
        """Return the notes of a level.

        Raises
        ------
        InvalidInputError
            A part of the source has changed since it was converted.
        """
        boxes = {unit.start[0]: unit for unit in units}
        notes = {line["start"]: UnitNote.from_dict(line) for line in self._lines if line.get("level") == level}
        for start, note in notes.items():
            if start not in boxes or note.source != self._fingerprint(level, boxes[start]):
                first, last = (z + self._first for z in (start, start + len(note.sections) - 1))
                raise InvalidInputError(
                    f"{self._volume.name}: something in sections {first} to {last} has changed since they were "
                    f"converted into {self._folder}; {_ANEW}"
                )
        return list(notes.values())

    def note(self, level: int, done: UnitDone) -> UnitNote:
        """Note a unit that is stored."""
        note = UnitNote(level, done.box.start[0], self._fingerprint(level, done.box), done.sections, done.chunks)
        self._journal.append(note.as_dict())
        return note

    def _fingerprint(self, level: int, unit: Box) -> str:
        if level:
            return ""
        return hashlib.sha256("".join(self._fingerprints[unit.start[0] : unit.stop[0]]).encode()).hexdigest()

    def check_unchanged(self) -> None:
        """Find out whether the source changed while it was read.

        Raises
        ------
        InvalidInputError
            It did.
        """
        if list(fingerprints(self._volume)) != list(self._fingerprints):
            raise InvalidInputError(f"{self._volume.name}: changed while it was read; {_ANEW}")
