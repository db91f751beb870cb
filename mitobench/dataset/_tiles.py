"""Volumes described by JSON, as PyTorch Connectomics reads them: sections, each cut into square tiles.

The keys are ``image`` (for each section the name of its tiles, with ``{row}`` and ``{column}`` where they differ),
``depth``, ``height``, ``width``, ``dtype``, ``tile_size``, ``tile_st`` (number of the first row and column) and
``tile_ratio`` (scale of the tiles on disk; only 1 is read here).
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mitobench.dataset._values import Source
from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.volumes.array import ArrayVolume, reading
from mitobench.volumes.section import SUFFIXES, DiskSection, SectionHeader, read_grey, read_header
from mitobench.volumes.tiff import grey_dtype

if TYPE_CHECKING:
    from mitobench.types import AnyArray, Shape, Volume

__all__ = ["TiledArray", "tile_source"]

_MOST_BYTES = 1 << 26
"""A description of a thousand sections takes about 100 kB."""
_FIELD = re.compile(r"\{(row|column)(?::0?([0-9]{1,2})d)?\}")
_SIZES = ("depth", "height", "width", "tile_size")


@dataclass(frozen=True, eq=False)
class TiledArray:
    """Sections of tiles, sliced like an array of shape (z, y, x); only the tiles that a slice touches are decoded.

    Attributes
    ----------
    patterns
        Name of the tiles of each section.
    folder
        Where the JSON file is.
    shape
        Voxels along z, y, x.
    dtype
        Type of the voxels.
    tile
        Edge of a tile, in voxels.
    first
        Number of the first row and the first column.
    """

    patterns: tuple[str, ...]
    folder: Path
    shape: Shape
    dtype: np.dtype[Any]
    tile: int
    first: tuple[int, int]

    @property
    def chunks(self) -> Shape:
        """One tile."""
        return 1, min(self.tile, self.shape[1]), min(self.tile, self.shape[2])

    def __getitem__(self, index: tuple[slice, slice, slice]) -> AnyArray:
        z, y, x = (range(n)[cut] for n, cut in zip(self.shape, index, strict=True))
        block = np.empty((len(z), len(y), len(x)), self.dtype)
        for number, section in zip(z, block, strict=True):
            for row in range(y.start // self.tile, -(-y.stop // self.tile)):
                for column in range(x.start // self.tile, -(-x.stop // self.tile)):
                    self._paste(section, number, (row, column), (y, x))
        return block

    def _paste(self, section: AnyArray, number: int, at: tuple[int, int], wanted: tuple[range, range]) -> None:
        """Write that part of a tile into the wanted part of a section which lies inside it."""
        pixels = self._decoded(number, at)
        into, out_of = [], []
        for place, span in zip(at, wanted, strict=True):
            start = place * self.tile
            lo, hi = max(span.start, start), min(span.stop, start + self.tile)
            into.append(slice(lo - span.start, hi - span.start))
            out_of.append(slice(lo - start, hi - start))
        section[tuple(into)] = pixels[tuple(out_of)]

    def _decoded(self, number: int, at: tuple[int, int]) -> AnyArray:
        file = DiskSection(self.path(number, at))
        header = read_header(file)
        edges = [min(self.tile, n - place * self.tile) for n, place in zip(self.shape[1:], at, strict=True)]
        if header.shape[:2] != tuple(edges):
            raise InvalidInputError(
                f"{file.name}: a tile of {header.shape[0]} x {header.shape[1]}; expected {edges[0]} x {edges[1]} as in "
                "the JSON file; correct tile_size, height and width there"
            )
        if _grey(header) != self.dtype:
            raise InvalidInputError(
                f"{file.name}: a tile of type {_grey(header)}; expected {self.dtype} as in the first one; write all "
                "tiles alike"
            )
        return read_grey(file, header, like=file.path.name)

    def path(self, number: int, at: tuple[int, int]) -> Path:
        """Return the file of one tile, by section, row and column.

        Names written in another laboratory are looked for beside the JSON file too, by their last parts.
        """
        values = {"row": at[0] + self.first[0], "column": at[1] + self.first[1]}
        name = _FIELD.sub(lambda found: f"{values[found[1]]:0{found[2] or 1}d}", self.patterns[number])
        if Path(name).is_absolute() and Path(name).exists():
            return Path(name)
        parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in {"/", ".", ".."}]
        tails = (self.folder.joinpath(*parts[start:]) for start in range(len(parts)))
        found = next((path for path in tails if path.exists()), None)
        if found is None:
            raise UnusableFileError(
                f"{name}: this tile of section {number} was found neither there nor under {self.folder}; add it, or "
                "correct the path in the JSON file"
            )
        return found


def tile_source(path: str, kind: Literal["image", "labels"]) -> Source:
    """Describe the volume of a JSON file. The header of its first tile is read; colours of labels are ids.

    Raises
    ------
    UnusableFileError
        The file is no JSON, or its first tile is missing or damaged.
    InvalidInputError
        A key is missing or has a wrong value; or an image is in colour.
    """
    facts = _facts(path)
    shape = facts["depth"], facts["height"], facts["width"]
    array = TiledArray(
        tuple(facts["image"]), Path(path).parent, shape, np.dtype(np.uint8), facts["tile_size"], facts["tile_st"]
    )
    first = DiskSection(array.path(0, (0, 0)))
    header = read_header(first)
    dtype = grey_dtype(math.prod(header.shape[2:]), header.dtype, first.name, rgb=kind == "labels")
    array = replace(array, dtype=dtype)

    def opened() -> Volume:
        return ArrayVolume(array, path)

    return Source(path, "JSON tiles", shape, dtype, opened, coloured=len(header.shape) > 2)


def _grey(header: SectionHeader) -> np.dtype[Any]:
    return header.dtype if len(header.shape) == 2 else np.dtype(np.uint32)


def _facts(path: str) -> dict[str, Any]:
    """Read a JSON file and check every key that is used."""
    with reading(f"{path}: cannot be read as JSON"):
        if Path(path).stat().st_size > _MOST_BYTES:
            raise InvalidInputError(f"{path}: larger than {_MOST_BYTES:,} bytes; expected a list of tiles")
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(facts, dict):
        raise InvalidInputError(f"{path}: not an object; expected the keys image, {', '.join(_SIZES)}")
    for key in _SIZES:
        if not _is_count(facts.get(key), 1):
            raise _wrong(path, key, facts, "a positive whole number")
    _check_names(path, facts)
    facts.setdefault("tile_ratio", 1)
    if facts["tile_ratio"] != 1:
        raise _wrong(path, "tile_ratio", facts, "1, tiles that are stored at full size")
    first = facts.setdefault("tile_st", [0, 0])
    if not isinstance(first, list) or len(first) != 2 or not all(_is_count(n, 0) for n in first):
        raise _wrong(path, "tile_st", facts, "two whole numbers, the first row and column")
    facts["tile_st"] = tuple(first)
    return facts


def _check_names(path: str, facts: dict[str, Any]) -> None:
    names = facts.get("image")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _wrong(path, "image", facts, "a list of file names, one for each section")
    if len(names) != facts["depth"]:
        raise InvalidInputError(
            f"{path}: image names {len(names)} sections, but depth is {facts['depth']}; correct one of them"
        )
    for name in names:
        if PureWindowsPath(name).suffix.lower() not in SUFFIXES or "\0" in name or _FIELD.sub("", name).count("{"):
            raise InvalidInputError(
                f"{path}: image names {name!r}; expected a PNG or TIFF file, with no fields but {{row}} and {{column}}"
            )


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 1 << 31


def _wrong(path: str, key: str, facts: dict[str, Any], expected: str) -> InvalidInputError:
    value = json.dumps(facts[key])[:60] if key in facts else "missing"
    return InvalidInputError(f"{path}: {key} is {value}; expected {expected}; correct the JSON file")
