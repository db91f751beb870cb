"""A folder of TIFF or PNG sections as a volume."""

from __future__ import annotations

import math
import re
import struct
import warnings
from contextlib import contextmanager
from itertools import chain, cycle, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import InputWarning, InvalidInputError, UnusableFileError
from mitobench.volumes.array import ArrayVolume, reading
from mitobench.volumes.tiff import PagedArray, check_chain, grey_dtype, grey_page, page_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tifffile import TiffPage

    from mitobench.types import AnyArray

__all__ = ["open_sections"]

_SUFFIXES = (".png", ".tif", ".tiff")

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_BYTES = 26
"""Signature, width, height, bits and colour type end here."""
_PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
"""PNG colour type -> values per pixel."""
_PNG_PALETTE = 3
"""Colour type of a palette: decoding gives its colours, not the numbers that were painted."""
_PNG_DTYPES = {1: np.dtype(bool), 8: np.dtype(np.uint8), 16: np.dtype(np.uint16)}

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
    shape, stored = _header(paths[0])
    dtype = grey_dtype(math.prod(shape[2:]), stored, str(paths[0]), rgb=rgb)

    def decode(number: int) -> AnyArray:
        page = _decoded(paths[number])
        if (page.shape, page.dtype) != (shape, stored):
            raise InvalidInputError(
                f"{paths[number]}: a section of shape {page.shape} and type {page.dtype}; expected {shape} and "
                f"{stored} as in {paths[0].name}; write all sections alike"
            )
        return grey_page(page)

    return ArrayVolume(PagedArray(np.arange(len(paths)), (shape[0], shape[1]), dtype, decode), folder)


def _section_paths(folder: str) -> list[Path]:
    with reading(f"{folder}: cannot be listed"):
        entries = [entry for entry in Path(folder).iterdir() if not entry.name.startswith(".")]
    paths = [path for path in entries if path.suffix.lower() in _SUFFIXES and path.is_file()]
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


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape (y, x) or (y, x, values) and the type of a section, without decoding it."""
    with reading(f"{path}: cannot be opened as a section"):
        if path.suffix.lower() == ".png":
            with path.open("rb") as file:
                return _png_header(file.read(_PNG_HEADER_BYTES), path)
        with _only_page(path) as page:
            values = (page.samplesperpixel,) if page.samplesperpixel > 1 else ()
            return (page.imagelength, page.imagewidth, *values), np.dtype(page.dtype)


def _decoded(path: Path) -> AnyArray:
    """Decode a section to (y, x) or (y, x, values)."""
    with reading(f"{path}: cannot read this section"):
        if path.suffix.lower() == ".png":
            return _png_pixels(path)
        with _only_page(path) as page:
            return page_pixels(page)


@contextmanager
def _only_page(path: Path) -> Iterator[TiffPage]:
    from tifffile import TiffFile

    with TiffFile(path) as tif:
        check_chain(tif, str(path))
        if len(tif.pages) > 1:
            raise InvalidInputError(
                f"{path}: {len(tif.pages)} pages in one file of a folder of sections; expected one section per file; "
                "name this file itself if it holds the whole volume"
            )
        yield tif.pages.first


def _png_pixels(path: Path) -> AnyArray:
    from imagecodecs import png_decode

    data = path.read_bytes()
    # Pixels of fewer than 8 bits are stretched to 0..255 by the decoder, so the header alone tells what was stored.
    _, dtype = _png_header(data, path)
    pixels: AnyArray = png_decode(data)
    return pixels.astype(dtype, copy=False)


def _png_header(data: bytes, path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    head = data[:_PNG_HEADER_BYTES]
    if len(head) < _PNG_HEADER_BYTES or not head.startswith(_PNG_SIGNATURE):
        raise UnusableFileError(f"{path}: not a PNG file; expected a section; save it again or move it away")
    width, height, bits, colour = struct.unpack(">IIBB", head[16:])
    if bits not in _PNG_DTYPES or colour not in _PNG_SAMPLES:
        kind = "a colour palette" if colour == _PNG_PALETTE else f"{bits} bits per pixel"
        raise InvalidInputError(
            f"{path}: a PNG with {kind}, whose numbers cannot be read back; expected grey or RGB of 8 or 16 bits; save "
            "it again as plain grey"
        )
    values = (_PNG_SAMPLES[colour],) if _PNG_SAMPLES[colour] > 1 else ()
    return (height, width, *values), _PNG_DTYPES[bits]
