"""One section of a volume, a PNG or TIFF file on disk or in an archive, and the stack of many."""

from __future__ import annotations

import io
import math
import os
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

import numpy as np

from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.volumes.array import ArrayVolume, reading
from mitobench.volumes.tiff import PagedArray, check_chain, grey_dtype, grey_page, page_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from tifffile import TiffPage

    from mitobench.types import AnyArray

__all__ = [
    "SUFFIXES",
    "DiskSection",
    "SectionFile",
    "SectionHeader",
    "check_whole",
    "read_grey",
    "read_header",
    "stack_sections",
]

SUFFIXES = (".png", ".tif", ".tiff")

_MOST_BYTES = 1 << 32
"""Sections are decoded whole; a file of a few kB can claim any size."""
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_BYTES = 26
"""Signature, width, height, bits and colour type end here."""
_PNG_END = b"IEND\xaeB`\x82"
"""What the pixels of every PNG file are followed by."""
_PNG_TAIL_BYTES = 1024
_PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
"""PNG colour type -> values per pixel."""
_PNG_PALETTE = 3
"""Colour type of a palette: decoding gives its colours, not the numbers that were painted."""
_PNG_DTYPES = {1: np.dtype(bool), 8: np.dtype(np.uint8), 16: np.dtype(np.uint16)}


def _nothing() -> None:
    """Release nothing: each section is closed when it has been read."""


class SectionFile(Protocol):
    """Where the bytes of a section are."""

    @property
    def name(self) -> str:
        """How messages call it; ends with the name of the file."""

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open it for reading from the start. Several threads may do so at once."""


@dataclass(frozen=True)
class DiskSection:
    """A section that is a file of its own."""

    path: Path

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def open(self) -> BinaryIO:
        """Open the file."""
        return self.path.open("rb")


class SectionHeader(NamedTuple):
    """What a section says of itself before it is decoded: (y, x) or (y, x, values), and the type of the values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def stack_sections(
    files: Sequence[SectionFile | None], name: str, *, rgb: bool, release: Callable[[], None] = _nothing
) -> ArrayVolume:
    """Stack sections, in the order given. Only the header of the first is read until voxels are asked for.

    Parameters
    ----------
    files
        One for each section; None where it is missing, which is an error only when it is read.
    name
        Of the volume, in messages.
    rgb
        Decode colours as ids.
    release
        What closing the volume does.

    Raises
    ------
    UnusableFileError
        The first section is damaged, or none is there.
    InvalidInputError
        They are in colour and ``rgb`` is False.
    """
    first = next((file for file in files if file is not None), None)
    if first is None:
        raise UnusableFileError(f"{name}: none of its {len(files)} sections is there; add the files")
    header = read_header(first)
    dtype = grey_dtype(math.prod(header.shape[2:]), header.dtype, first.name, rgb=rgb)

    def decode(number: int) -> AnyArray:
        file = files[number]
        if file is None:
            raise UnusableFileError(f"{name}: the file of section {number} is missing; add it")
        return read_grey(file, header, like=PurePosixPath(first.name).name)

    sections = PagedArray(np.arange(len(files)), (header.shape[0], header.shape[1]), dtype, decode)
    return ArrayVolume(sections, name, release=release)


def read_header(file: SectionFile) -> SectionHeader:
    """Return shape and type of a section, without decoding it.

    Raises
    ------
    UnusableFileError, InvalidInputError
        The file is damaged, too large, or of a kind whose numbers cannot be read back.
    """
    with reading(f"{file.name}: cannot be opened as a section"), file.open() as opened:
        if _is_png(file):
            header = _png_header(opened.read(_PNG_HEADER_BYTES), file.name)
        else:
            with _only_page(opened, file.name) as page:
                header = _tiff_header(page)
    size = math.prod(header.shape) * header.dtype.itemsize
    if size > _MOST_BYTES:
        raise InvalidInputError(
            f"{file.name}: a section of shape {header.shape}, {size:,} bytes; expected at most {_MOST_BYTES:,}; it is "
            "probably damaged, or else write the volume as chunked HDF5"
        )
    return header


def read_grey(file: SectionFile, expected: SectionHeader, *, like: str) -> AnyArray:
    """Decode a section to (y, x), colours to ids, after its header proved to be the expected one.

    Raises
    ------
    InvalidInputError
        It has another shape or type than the section called ``like``.
    UnusableFileError
        The file is damaged.
    """
    with reading(f"{file.name}: cannot read this section"), file.open() as opened:
        if _is_png(file):
            return grey_page(_png_pixels(opened.read(), file.name, expected, like))
        with _only_page(opened, file.name) as page:
            _check_alike(_tiff_header(page), file.name, expected, like)
            return grey_page(page_pixels(page))


def check_whole(file: SectionFile) -> None:
    """Look whether the file is as long as it must be, without decoding it.

    Raises
    ------
    UnusableFileError
        Bytes at its end are missing.
    """
    with reading(f"{file.name}: cannot be opened as a section"), file.open() as opened:
        size = opened.seek(0, os.SEEK_END)
        opened.seek(0)
        if _is_png(file):
            opened.seek(max(0, size - _PNG_TAIL_BYTES))
            whole = _PNG_END in opened.read()
        else:
            with _only_page(opened, file.name) as page:
                pieces = zip(page.dataoffsets, page.databytecounts, strict=True)
                whole = all(start + count <= size for start, count in pieces)
    if not whole:
        raise UnusableFileError(f"{file.name}: the file is truncated ({size} bytes are there); copy it again")


def _is_png(file: SectionFile) -> bool:
    return file.name.lower().endswith(".png")


def _check_alike(header: SectionHeader, name: str, expected: SectionHeader, like: str) -> None:
    if header != expected:
        raise InvalidInputError(
            f"{name}: a section of shape {header.shape} and type {header.dtype}; expected {expected.shape} and "
            f"{expected.dtype} as in {like}; write all sections alike"
        )


@contextmanager
def _only_page(opened: BinaryIO, name: str) -> Iterator[TiffPage]:
    from tifffile import TiffFile

    # What cannot seek cheaply is read whole: the list of pages may lie anywhere in the file.
    source = opened if isinstance(opened, io.BufferedReader) else io.BytesIO(opened.read())
    with TiffFile(source) as tif:
        check_chain(tif, name)
        if len(tif.pages) > 1:
            raise InvalidInputError(
                f"{name}: {len(tif.pages)} pages in one file of a folder of sections; expected one section per file; "
                "name this file itself if it holds the whole volume"
            )
        yield tif.pages.first


def _tiff_header(page: TiffPage) -> SectionHeader:
    values = (page.samplesperpixel,) if page.samplesperpixel > 1 else ()
    return SectionHeader((page.imagelength, page.imagewidth, *values), np.dtype(page.dtype))


def _png_pixels(data: bytes, name: str, expected: SectionHeader, like: str) -> AnyArray:
    from imagecodecs import png_decode

    # Pixels of fewer than 8 bits are stretched to 0..255 by the decoder, so the header alone tells what was stored.
    _check_alike(_png_header(data, name), name, expected, like)
    pixels: AnyArray = png_decode(data)
    return pixels.astype(expected.dtype, copy=False)


def _png_header(data: bytes, name: str) -> SectionHeader:
    head = data[:_PNG_HEADER_BYTES]
    if len(head) < _PNG_HEADER_BYTES or not head.startswith(_PNG_SIGNATURE):
        raise UnusableFileError(f"{name}: not a PNG file; expected a section; save it again or move it away")
    width, height, bits, colour = struct.unpack(">IIBB", head[16:])
    if bits not in _PNG_DTYPES or colour not in _PNG_SAMPLES:
        kind = "a colour palette" if colour == _PNG_PALETTE else f"{bits} bits per pixel"
        raise InvalidInputError(
            f"{name}: a PNG with {kind}, whose numbers cannot be read back; expected grey or RGB of 8 or 16 bits; save "
            "it again as plain grey"
        )
    values = (_PNG_SAMPLES[colour],) if _PNG_SAMPLES[colour] > 1 else ()
    return SectionHeader((height, width, *values), _PNG_DTYPES[bits])
