"""What a conversion has done so far, line by line, so that it can be killed at any moment and go on later."""

from __future__ import annotations

import base64
import json
import sys
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import UnusableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mitobench.types import AnyArray

__all__ = ["CHUNK_NOTE", "Journal", "UnitNote", "locked"]

CHUNK_NOTE = np.dtype([("offset", "<u8"), ("size", "<u4"), ("crc", "<u4"), ("state", "u1")])
"""Place in the file of its unit (HDF5 only), stored bytes, CRC-32 of its voxels, and how it is stored."""


@dataclass(frozen=True, eq=False)
class UnitNote:
    """A finished unit.

    Attributes
    ----------
    level
        Of the pyramid, 0 for full resolution.
    start
        First section.
    source
        Fingerprint of the files that it was read from.
    sections
        SHA-256 of each section, in hexadecimal.
    chunks
        `CHUNK_NOTE` (z, y, x), one for each chunk of the unit.
    """

    level: int
    start: int
    source: str
    sections: tuple[str, ...]
    chunks: AnyArray

    def as_dict(self) -> dict[str, Any]:
        """Return the note as JSON can hold it."""
        packed = base64.b64encode(self.chunks.tobytes()).decode()
        return {
            "level": self.level,
            "start": self.start,
            "source": self.source,
            "sections": self.sections,
            "grid": self.chunks.shape,
            "chunks": packed,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> UnitNote:
        """Return the note that `as_dict` wrote."""
        chunks = np.frombuffer(base64.b64decode(data["chunks"]), CHUNK_NOTE).reshape(data["grid"])
        return cls(data["level"], data["start"], data["source"], tuple(data["sections"]), chunks)


class Journal:
    """Lines of JSON, each with a checksum: a header, then one line for each finished unit.

    A line that was cut off by a kill, or damaged, counts as not written, so that its unit is done again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, header: Mapping[str, Any]) -> None:
        """Begin anew."""
        self.path.write_bytes(_line(header))

    def append(self, note: Mapping[str, Any]) -> None:
        """Add a line."""
        with self.path.open("ab") as file:
            file.write(_line(note))

    def read(self) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """Return the header, None if there is no whole one, and the whole lines that follow it.

        Raises
        ------
        UnusableFileError
            The file cannot be read.
        """
        if not self.path.exists():
            return None, []
        try:
            header, *notes = [_parsed(line) for line in self.path.read_bytes().split(b"\n")]
        except OSError as error:
            raise UnusableFileError(f"{self.path}: cannot be read ({error.strerror}); change its mode") from error
        if header is not None:
            # What follows a line that was cut off must not be joined to it.
            self._end_line()
        return header, [note for note in notes if note is not None]

    def _end_line(self) -> None:
        with self.path.open("rb+") as file:
            file.seek(-1, 2)
            if file.read() != b"\n":
                file.write(b"\n")


def _line(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _parsed(line: bytes) -> dict[str, Any] | None:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    content: dict[str, Any] = json.loads(text)
    return content


@contextmanager
def locked(path: Path, failure: str) -> Iterator[None]:
    """Hold a lock that ends with this process, however it ends.

    Raises
    ------
    UnusableFileError
        Another process holds it; the message begins with ``failure``.
    """
    with path.open("ab") as file:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UnusableFileError(
                    f"{failure}: another process is converting to it now; wait for its end or name another target"
                ) from error
        yield
        with suppress(OSError):
            path.unlink()
