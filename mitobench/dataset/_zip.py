"""Sections inside a zip file, which is never unpacked."""

from __future__ import annotations

import zipfile
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

from mitobench.archives import is_leaving, suspicions
from mitobench.errors import InvalidInputError
from mitobench.volumes.array import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Archive", "ZipSection", "open_archive"]

_MOST_MEMBERS = 100_000
_MOST_BYTES = 1 << 30
"""No section is larger than this: 4096 x 4096 ids of 8 bytes are an eighth of it."""


@dataclass(frozen=True, eq=False)
class Archive:
    """A zip file whose list of members has been looked through. Several threads may read it at once.

    Attributes
    ----------
    path
        The zip file.
    members
        Its files; folders and the leavings of operating systems are left out.
    """

    path: str
    members: tuple[zipfile.ZipInfo, ...]
    _free: deque[zipfile.ZipFile] = field(default_factory=deque, repr=False)

    @contextmanager
    def handle(self) -> Iterator[zipfile.ZipFile]:
        """Lend a handle that no other thread has at the same time."""
        try:
            handle = self._free.pop()
        except IndexError:
            handle = zipfile.ZipFile(self.path)
        try:
            yield handle
        finally:
            self._free.append(handle)

    def close(self) -> None:
        """Close the handles; reading again opens new ones."""
        while self._free:
            self._free.pop().close()


@dataclass(frozen=True, eq=False)
class ZipSection:
    """One section inside a zip file."""

    archive: Archive
    member: zipfile.ZipInfo

    @property
    def name(self) -> str:
        """The zip file and the member."""
        return f"{self.archive.path}::{self.member.filename}"

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the member, of which no more is inflated than is read."""
        with self.archive.handle() as handle, handle.open(self.member) as opened:
            yield cast("BinaryIO", opened)


def open_archive(path: str) -> Archive:
    """List a zip file, and refuse one that is not what an honest tool writes.

    Raises
    ------
    UnusableFileError
        It is truncated or no zip file.
    InvalidInputError
        Members are encrypted, too many, too large, of one name or overlapping, or have names that lead out of a folder.
    """
    with reading(f"{path}: cannot be opened as a zip file"), zipfile.ZipFile(path) as file:
        members = file.infolist()
    archive = Archive(path, tuple(info for info in members if not info.is_dir() and not is_leaving(info.filename)))
    found = _suspicion(archive.members, len(members))
    if found is not None:
        raise InvalidInputError(f"{path}: refused, {found}; download the zip file again from its publisher")
    return archive


def _suspicion(members: Sequence[zipfile.ZipInfo], listed: int) -> str | None:
    """Say what is wrong with the members, or return None."""
    if listed > _MOST_MEMBERS:
        return f"it lists {listed:,} members; expected at most {_MOST_MEMBERS:,}"
    first = next(suspicions(members, most_bytes=_MOST_BYTES, purpose="a section"), None)
    return None if first is None else str(first)
