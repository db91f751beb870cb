"""Find MitoEM in a folder, whatever layout it was published in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mitobench.dataset._assemble import assemble, assemble_crop
from mitobench.dataset._find import Entry, find_entries
from mitobench.dataset._values import Dataset, DatasetVolume, Problem
from mitobench.errors import InvalidInputError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mitobench.types import PathOrStr

__all__ = ["open_mitoem"]

_NAMES = {"H": "MitoEM-H", "R": "MitoEM-R", None: "MitoEM"}
_ANNOTATIONS = ("v1", "v2")


def open_mitoem(root: PathOrStr, *, annotation: str | None = None) -> Dataset:
    """Find MitoEM-H, MitoEM-R and the small crop. Only names and a few headers are read, and no voxel.

    Parameters
    ----------
    root
        A folder that holds, itself or up to four folders below, the zip files as downloaded, unpacked sections, the
        organisers' HDF5 files, or JSON descriptions of tiles; or one of these files.
    annotation
        ``v1`` or ``v2``: use these labels alone. By default all that are there, ``v2`` first.

    Raises
    ------
    UnusableFileError
        The folder does not exist or cannot be listed.
    UnknownNameError
        There is no such annotation.
    InvalidInputError
        Nothing of MitoEM was found.
    """
    if annotation is not None and annotation not in _ANNOTATIONS:
        raise UnknownNameError(f"no annotation {annotation!r}; allowed: {', '.join(_ANNOTATIONS)}")
    entries, problems = find_entries(Path(root))
    notes: list[str] = []
    volumes = _volumes(entries, problems, notes)
    if not volumes:
        raise InvalidInputError(_nothing_found(root, problems))
    if annotation is not None:
        volumes = [_only(volume, annotation) for volume in volumes]
    return Dataset("MitoEM", str(root), tuple(volumes), tuple(problems), tuple(notes))


def _volumes(entries: Sequence[Entry], problems: list[Problem], notes: list[str]) -> list[DatasetVolume]:
    volumes: list[DatasetVolume | None] = []
    for tissue, name in _NAMES.items():
        of_it = [entry for entry in entries if entry.role.tissue == tissue]
        whole = [entry for entry in of_it if not entry.role.crop]
        crop = [entry for entry in of_it if entry.role.crop]
        if tissue is None and whole:
            problems.append(_unknown_tissue(whole[0]))
        volumes.append(assemble(name, whole, problems, notes) if whole else None)
        volumes.append(assemble_crop(f"{name}-4um", crop, problems) if crop else None)
        if tissue and not of_it:
            notes.append(f"{name}: nothing found")
    return [volume for volume in volumes if volume]


def _only(volume: DatasetVolume, annotation: str) -> DatasetVolume:
    parts = {name: parts for name, parts in volume.label_parts.items() if name == annotation}
    found = ", ".join(volume.annotations) or "none"
    why = {} if parts else {"labels": f"only annotation {annotation} was asked for, and {found} found"}
    return replace(volume, label_parts=parts, why_not={**volume.why_not, **why})


def _unknown_tissue(entry: Entry) -> Problem:
    return Problem(
        "unknown-tissue",
        entry.name,
        "no folder on the way to it says whether this is human or rat; expected a name such as EM30-H or MitoEM-R",
        "rename the folder around it",
    )


def _nothing_found(root: PathOrStr, problems: Sequence[Problem]) -> str:
    if problems:
        return str(problems[0])
    return (
        f"{root}: nothing of MitoEM found here or up to four folders below; expected EM30-H-im.zip, im/im0000.png, "
        "mito-train-v2/seg0000.tif, im_train.h5 or the like; name the folder that holds them, or a TOML file that "
        "describes other data"
    )
