"""Walk over a folder and list what names say is part of MitoEM. Only folders and the lists of zip files are read."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mitobench.dataset._layouts import Role, is_mitoem_zip, role_of_file, role_of_folder, section_number
from mitobench.dataset._values import Problem
from mitobench.dataset._zip import Archive, ZipSection, open_archive
from mitobench.errors import MitobenchError, UnusableFileError
from mitobench.volumes.array import reading
from mitobench.volumes.section import DiskSection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mitobench.volumes.section import SectionFile

__all__ = ["Entry", "find_entries"]

_DEPTH = 4
"""Folders below the root that are looked into."""


def _nothing() -> None:
    """Release nothing."""


@dataclass(frozen=True)
class Entry:
    """A file or folder that belongs to MitoEM.

    Attributes
    ----------
    role
        What it is for.
    name
        Its path; for a folder inside a zip file, ``zip::folder``.
    files
        Sections by their number, where it is a folder of them.
    twice
        Numbers that more than one of its files has.
    release
        Closes what reading its files opens.
    """

    role: Role
    name: str
    files: Mapping[int, SectionFile] = field(default_factory=dict, repr=False)
    twice: tuple[int, ...] = ()
    release: Callable[[], None] = _nothing


def find_entries(root: Path) -> tuple[list[Entry], list[Problem]]:
    """List what belongs to MitoEM in a folder, or in one zip, HDF5 or JSON file.

    Raises
    ------
    UnusableFileError
        The root does not exist, or a folder cannot be listed.
    """
    if not root.exists():
        raise UnusableFileError(f"{root}: does not exist; expected the folder that holds MitoEM; check the path")
    problems: list[Problem] = []
    # Two names of the root, since it may be the folder of the sections itself.
    above = root.resolve().parts[-2:]
    if root.is_file():
        return list(_in_file(root, above[:-1], problems)), problems
    return list(_in_folder(root, above, _DEPTH, problems)), problems


def _in_folder(folder: Path, parts: Sequence[str], depth: int, problems: list[Problem]) -> Iterator[Entry]:
    with reading(f"{folder}: cannot be listed"), os.scandir(folder) as listed:
        entries = sorted((entry for entry in listed if not entry.name.startswith(".")), key=lambda entry: entry.name)
        folders = [entry.name for entry in entries if entry.is_dir()]
        names = [entry.name for entry in entries if entry.is_file()]
    role = role_of_folder(parts)
    if role is not None:
        entry = _section_entry(role, str(folder), [(name, DiskSection(folder / name)) for name in names])
        yield from [entry] if entry.files else []
    for name in names:
        yield from _in_file(folder / name, parts, problems)
    for name in folders if depth else []:
        yield from _in_folder(folder / name, (*parts, name), depth - 1, problems)


def _in_file(path: Path, parts: Sequence[str], problems: list[Problem]) -> Iterator[Entry]:
    if is_mitoem_zip(path.name):
        try:
            found = list(_in_archive(open_archive(str(path)), (*parts, path.name)))
        except MitobenchError as error:
            problems.append(Problem.of_error(error, str(path)))
            return
        if not found:
            problems.append(_empty(path))
        yield from found
    elif role := role_of_file((*parts, path.name)):
        yield Entry(role, str(path))


def _in_archive(archive: Archive, parts: Sequence[str]) -> Iterator[Entry]:
    folders: dict[PurePosixPath, list[tuple[str, ZipSection]]] = defaultdict(list)
    for member in archive.members:
        path = PurePosixPath(member.filename)
        folders[path.parent].append((path.name, ZipSection(archive, member)))
    for folder, members in folders.items():
        role = role_of_folder((*parts, *folder.parts), form="zip")
        if role is not None:
            entry = _section_entry(role, f"{archive.path}::{folder}", members, archive.close)
            yield from [entry] if entry.files else []


def _section_entry(
    role: Role, name: str, found: Iterable[tuple[str, SectionFile]], release: Callable[[], None] = _nothing
) -> Entry:
    files: dict[int, SectionFile] = {}
    twice = set()
    for file_name, file in found:
        number = section_number(file_name)
        if number in files:
            twice.add(number)
        elif number is not None:
            files[number] = file
    return Entry(role, name, files, tuple(sorted(twice)), release)


def _empty(path: Path) -> Problem:
    return Problem(
        "unknown-layout",
        str(path),
        "holds no folder of sections; expected im/im0000.png ... or mito-train-v2/seg0000.tif ...",
        "download it again from its publisher",
    )
