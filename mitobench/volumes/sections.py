"""A folder of TIFF or PNG sections as a volume."""

from __future__ import annotations

import math
import re
import warnings
from itertools import chain, cycle, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from mitobench.errors import InputWarning, InvalidInputError
from mitobench.volumes.array import reading
from mitobench.volumes.section import SUFFIXES, DiskSection, stack_sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mitobench.volumes.array import ArrayVolume

__all__ = ["open_sections"]

_LISTED = 10
"""So many missing sections are written out in a warning."""


def open_sections(folder: str, *, rgb: bool) -> ArrayVolume:
    """Open a folder of sections, in the natural order of their names: ``seg2`` comes before ``seg10``.

    Only the first section is looked at; the others are compared with it when they are read.

    Raises
    ------
    UnusableFileError
        The first section is damaged.
    InvalidInputError
        There are no sections, or sections of several formats, or they are in colour and ``rgb`` is False.

    Warns
    -----
    InputWarning
        The sections are numbered, and numbers are missing.
    """
    paths = _section_paths(folder)
    _warn_of_gaps(folder, [path.stem for path in paths])
    return stack_sections([DiskSection(path) for path in paths], folder, rgb=rgb)


def _section_paths(folder: str) -> list[Path]:
    with reading(f"{folder}: cannot be listed"):
        entries = [entry for entry in Path(folder).iterdir() if not entry.name.startswith(".")]
    paths = [path for path in entries if path.suffix.lower() in SUFFIXES and path.is_file()]
    suffixes = sorted({path.suffix.lower() for path in paths})
    if not paths:
        raise InvalidInputError(
            f"{folder}: no volume in this folder of {len(entries)} entries; expected sections named *.png, *.tif or "
            "*.tiff, or a Zarr array; name the folder that holds them"
        )
    if len(suffixes) > 1:
        raise InvalidInputError(
            f"{folder}: sections of several formats ({', '.join(suffixes)}) in one folder; expected one format; move "
            "the others away"
        )
    return sorted(paths, key=_natural_key)


def _natural_key(path: Path) -> tuple[list[str | int], str]:
    return [part if text else int(part) for text, part in zip(cycle((True, False)), _parts(path.stem))], path.name


def _parts(stem: str) -> list[str]:
    """Split a name into texts, at even positions, and numbers, at odd ones."""
    return re.split(r"([0-9]+)", stem)


def _section_numbers(stems: Sequence[str]) -> list[int]:
    """Return the sorted numbers of the sections where exactly one number varies from name to name, else nothing."""
    parts = [_parts(stem) for stem in stems]
    if len({tuple(part[::2]) for part in parts}) > 1:
        return []
    columns = [[int(number) for number in column] for column in zip(*(part[1::2] for part in parts), strict=True)]
    varying = [column for column in columns if len(set(column)) > 1]
    return sorted(varying[0]) if len(varying) == 1 else []


def _warn_of_gaps(folder: str, stems: Sequence[str]) -> None:
    """Warn of missing section numbers; a constant step between all of them is no gap."""
    numbers = _section_numbers(stems)
    step = math.gcd(*(after - before for before, after in pairwise(numbers)))
    gaps = [range(before + step, after, step) for before, after in pairwise(numbers) if after - before > step]
    if not gaps:
        return
    listed, count = list(islice(chain.from_iterable(gaps), _LISTED)), sum(map(len, gaps))
    more = f" and {count - len(listed)} more" if count > len(listed) else ""
    warnings.warn(
        f"{folder}: sections numbered {numbers[0]} to {numbers[-1]} without {', '.join(map(str, listed))}{more}; the "
        f"{len(numbers)} there are stacked without a gap; add the missing files if this is not meant",
        InputWarning,
        stacklevel=6,
    )
