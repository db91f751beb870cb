"""What the list of a zip file tells of the one who wrote it. Nothing here opens a file."""

from __future__ import annotations

import stat
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Sequence

__all__ = ["Suspicion", "is_leaving", "suspicions"]

_HEADER_BYTES = 30
"""In front of every member, besides its name."""


@dataclass(frozen=True)
class Suspicion:
    """Something that no honest tool writes.

    Attributes
    ----------
    members
        Whose names it is about, one or two.
    what
        Goes on after the names.
    """

    members: tuple[str, ...]
    what: str

    def __str__(self) -> str:
        names = " and ".join(map(repr, self.members))
        return f"its member{'s' * (len(self.members) > 1)} {names} {self.what}"


def is_leaving(name: str) -> bool:
    """Tell whether a file is one that operating systems leave behind.

    Examples
    --------
    >>> is_leaving("__MACOSX/im/._im0000.png"), is_leaving("im/im0000.png")
    (True, False)
    """
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name in {".DS_Store", "desktop.ini"} or path.name.startswith("._")


def suspicions(members: Sequence[zipfile.ZipInfo], *, most_bytes: int, purpose: str) -> Iterator[Suspicion]:
    """Yield what is wrong with the members of a zip file: one by one, then among them.

    Parameters
    ----------
    members
        Its files.
    most_bytes
        To which one of them may unpack.
    purpose
        For which that is enough, such as ``a section``.
    """
    for member in members:
        if wrong := _wrong(member, most_bytes, purpose):
            yield Suspicion((member.filename,), wrong)
    for name, times in Counter(member.filename for member in members).items():
        if times > 1:
            yield Suspicion((name,), f"is listed {times} times")
    for before, after in pairwise(sorted(members, key=lambda member: member.header_offset)):
        if before.header_offset + _HEADER_BYTES + before.compress_size > after.header_offset:
            yield Suspicion((before.filename, after.filename), "overlap")


def _wrong(member: zipfile.ZipInfo, most_bytes: int, purpose: str) -> str | None:
    posix, windows = PurePosixPath(member.filename), PureWindowsPath(member.filename)
    if posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        return "has a name that leads out of the folder"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link to another file"
    if member.flag_bits & 1:
        return "is encrypted"
    if member.file_size > most_bytes:
        return f"would unpack to {member.file_size:,} bytes; expected at most {most_bytes:,} for {purpose}"
    return None
