"""The zip file of a stranger, or the folder that a platform unpacked it to: looked through before anything is read."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import zipfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from leaderboard.entry import File
from leaderboard.problem import Problem
from mitobench.archives import is_leaving, suspicions
from mitobench.errors import UnusableFileError
from mitobench.volumes.array import reading
from mitobench.volumes.window import FileWindow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mitobench.types import PathOrStr

__all__ = ["Listing", "Member", "ScratchError", "fetch", "list_members"]

_MOST_MEMBERS = 1000
_MOST_DIRECTORY_BYTES = 1 << 20
"""The list of so many members is far shorter; it is read in one piece."""
_MOST_DEFLATED = 1032
"""Deflate makes no more bytes of one."""
_BLOCK = 1 << 20
_METHODS = {9: "Deflate64, as Windows does with large files", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 98: "PPMd"}
_PACK = "make it with `mitobench leaderboard pack`"


class ScratchError(UnusableFileError):
    """The folder to unpack to cannot be used, which no change of the submission will mend."""


@dataclass(frozen=True)
class Member:
    """A file of a submission.

    Attributes
    ----------
    name
        Its path inside, without a folder that all files are in.
    where
        How messages call it.
    size
        Bytes, as far as the list of the zip file can be believed.
    path
        Where its bytes are.
    info
        Which part of a zip file; None for a file of its own.
    refused
        Whether something about it speaks against reading it.
    """

    name: str
    where: str
    size: int
    path: str
    info: zipfile.ZipInfo | None = None
    refused: bool = False

    @property
    def is_compressed(self) -> bool:
        """Whether it has to be unpacked."""
        return self.info is not None and self.info.compress_type != zipfile.ZIP_STORED


@dataclass(frozen=True)
class Listing:
    """What a submission lists, without the leavings of operating systems."""

    members: tuple[Member, ...]
    problems: tuple[Problem, ...]


def list_members(path: PathOrStr, *, most_bytes: int, files: int) -> Listing:
    """List the files of a zip file or a folder, and what speaks against reading them.

    Parameters
    ----------
    path
        The zip file or folder.
    most_bytes
        Of a file that somebody needs.
    files
        How many are needed.

    Raises
    ------
    UnusableFileError
        There is no such file or folder, or no permission to read it.
    """
    path = Path(path)
    try:
        if path.is_dir():
            listing = _list_folder(path)
        else:
            with path.open("rb") as file:
                signature = file.read(8)
            listing = _list_zip(str(path), signature, most_bytes, files)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnusableFileError(f"{path}: cannot be read ({reason}); check the path and its mode") from error
    return replace(listing, members=_without_common_folder(listing.members))


def fetch(member: Member, scratch: Path) -> tuple[FileWindow, File]:
    """Read a file to its end once, and return where its bytes lie and what they are.

    Parameters
    ----------
    member
        Which file. One that is compressed is unpacked, as far as its size allows.
    scratch
        Folder for it, which the caller removes.

    Raises
    ------
    UnusableFileError
        The file is damaged.
    ScratchError
        The folder is full.
    """
    digest = hashlib.sha256()
    size = 0
    with ExitStack() as stack:
        copy = scratch / PurePosixPath(member.name).name if member.is_compressed else None
        with _filling(scratch, member.where):
            target = None if copy is None else stack.enter_context(copy.open("wb", buffering=0))
        for block in _blocks(member):
            digest.update(block)
            size += len(block)
            with _filling(scratch, member.where):
                _write(target, block)
    if size != member.size:
        raise UnusableFileError(f"{member.where}: ends after {size:,} of {member.size:,} bytes; copy it again")
    start = 0 if copy is not None or member.info is None else _start(member.path, member.info)
    window = FileWindow(copy or member.path, start, size)
    return window, File(PurePosixPath(member.name).name, size, digest.hexdigest())


def _blocks(member: Member) -> Iterator[bytes]:
    """Yield the bytes; of a zip file, no more of them than are listed, and only if their checksum is right."""
    with reading(f"{member.where}: cannot be read"), ExitStack() as stack:
        if member.info is None:
            file = stack.enter_context(io.FileIO(member.path))
        else:
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(_CautiousFile(member.path))))
            file = stack.enter_context(archive.open(member.info))  # type: ignore[assignment]
        while block := file.read(_BLOCK):
            yield block


def _write(target: io.FileIO | None, block: bytes) -> None:
    """Write all of a block, where there is something to write to; without a buffer, errors come at once."""
    rest = memoryview(block)
    while target is not None and rest:
        rest = rest[target.write(rest) :]


@contextmanager
def _filling(scratch: Path, where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ScratchError(
            f"{where}: cannot be unpacked to {scratch} ({error.strerror}); name a folder with more space (scratch=, "
            "--scratch)"
        ) from error


def _start(path: str, info: zipfile.ZipInfo) -> int:
    """Return where the bytes of a stored member begin."""
    with io.FileIO(path) as file:
        file.seek(info.header_offset)
        name, extra = struct.unpack("<26xHH", file.read(30))
    return info.header_offset + 30 + int(name) + int(extra)


class _CautiousFile(io.FileIO):
    """A file of which nobody reads more at once than a list of members can need."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MOST_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its list of members has {size:,} bytes")
        return super().read(size) or b""


def _list_zip(path: str, signature: bytes, most_bytes: int, files: int) -> Listing:
    if signature == b"\x89HDF\r\n\x1a\n":
        what = "is one HDF5 file; expected a zip file that holds one for each volume"
        return Listing((), (Problem(path, what, _PACK),))
    try:
        with reading(f"{path}: cannot be opened as a zip file"), _CautiousFile(path) as file:
            archive = zipfile.ZipFile(file)
            listed, end = archive.infolist(), archive.start_dir
    except UnusableFileError as error:
        return Listing((), (Problem.of_error(error, path),))
    infos = [info for info in listed if not info.is_dir() and not is_leaving(info.filename)]
    whole = tuple(_too_much(path, infos, len(listed), most_bytes * files))
    single = {info.filename: found for info in infos if (found := _lie(info, end))}
    among = list(suspicions(infos, most_bytes=most_bytes, purpose="a prediction"))
    bad = {*single, *(name for suspicion in among for name in suspicion.members)}
    problems = (
        *whole,
        *(Problem(f"{path}::{name}", what, _PACK) for name, what in single.items()),
        *(Problem(path, f"refused, {suspicion}", _PACK) for suspicion in among),
    )
    members = (_member(path, info, refused=bool(whole) or info.filename in bad) for info in infos)
    return Listing(tuple(members), problems)


def _member(path: str, info: zipfile.ZipInfo, *, refused: bool) -> Member:
    return Member(info.filename, f"{path}::{info.filename}", info.file_size, path, info, refused)


def _too_much(path: str, infos: Sequence[zipfile.ZipInfo], listed: int, most_bytes: int) -> Iterator[Problem]:
    if listed > _MOST_MEMBERS:
        what = f"refused, it lists {listed:,} members; expected at most {_MOST_MEMBERS:,}"
        yield Problem(path, what, "leave out what is no prediction")
    total = sum(info.file_size for info in infos)
    if total > most_bytes:
        what = f"refused, all members would unpack to {total:,} bytes; expected at most {most_bytes:,}"
        yield Problem(path, what, "leave out what is no prediction")


def _lie(info: zipfile.ZipInfo, end: int) -> str | None:
    """Say how a member is compressed that we do not unpack, or what cannot be true of it."""
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"is compressed by {method}; expected no compression or deflate"
    if info.header_offset + info.compress_size > end:
        return f"would end behind the last byte of the members, which is {end:,}; the zip file is damaged"
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size and not info.flag_bits & 1:
        return f"is not compressed, yet lists {info.compress_size:,} and {info.file_size:,} bytes"
    if info.file_size > _MOST_DEFLATED * (info.compress_size + 1):
        return f"lists {info.file_size:,} bytes, to which its {info.compress_size:,} cannot unpack"
    return None


def _list_folder(root: Path) -> Listing:
    members: list[Member] = []
    problems: list[Problem] = []
    for folder, folders, files in os.walk(root, onerror=_raised):
        for name in sorted([*files, *(name for name in folders if Path(folder, name).is_symlink())]):
            found = Path(folder, name)
            inside = found.relative_to(root).as_posix()
            mode = found.lstat()
            refused = not stat.S_ISREG(mode.st_mode)
            if is_leaving(inside):
                continue
            if refused:
                what = "is a link or no file; expected a file"
                problems.append(Problem(str(found), what, "put the file itself there"))
            members.append(Member(inside, str(found), mode.st_size, str(found), refused=refused))
        if len(members) > _MOST_MEMBERS:
            what = f"holds more than {_MOST_MEMBERS:,} files; expected one for each volume"
            return Listing((), (Problem(str(root), what, "name the folder of the submission"),))
    return Listing(tuple(members), tuple(problems))


def _raised(error: OSError) -> None:
    """Let no folder pass for empty that cannot be listed."""
    raise error


def _without_common_folder(members: tuple[Member, ...]) -> tuple[Member, ...]:
    """Name the members as the platform does: a folder that all are in does not count."""
    paths = [PurePosixPath(member.name) for member in members]
    if len({path.is_absolute() for path in paths}) != 1:
        return members
    common = os.path.commonpath([path.parent for path in paths])
    names = [path.relative_to(common).as_posix() for path in paths]
    return tuple(replace(member, name=name) for member, name in zip(members, names, strict=True))
