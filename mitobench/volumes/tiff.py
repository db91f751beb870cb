"""Multi-page TIFF as a volume: one page per section, or a 3D image stored in one go."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.volumes._rows import raw_rows
from mitobench.volumes.array import ArrayVolume, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

    from mitobench.types import AnyArray, Int64

__all__ = ["PagedArray", "check_chain", "grey_dtype", "grey_page", "open_tiff", "page_pixels"]


@dataclass(frozen=True, eq=False)
class PagedArray:
    """Sections that are decoded one by one, sliced like an array of shape (z, y, x) or (channel, z, y, x).

    Attributes
    ----------
    numbers
        int64 (z,) or (channel, z), the number of the page that holds each section.
    page_shape
        Voxels along y, x.
    dtype
        Type of the voxels.
    decode
        Returns the (y, x) page of a number. Several threads may call it at once.
    """

    numbers: Int64
    page_shape: tuple[int, int]
    dtype: np.dtype[Any]
    decode: Callable[[int], AnyArray]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return *self.numbers.shape, *self.page_shape

    @property
    def chunks(self) -> tuple[int, int, int]:
        """One section."""
        return 1, *self.page_shape

    def __getitem__(self, index: tuple[Any, ...]) -> AnyArray:
        *leading, y, x = index
        numbers = self.numbers[tuple(leading)]
        if len(numbers) == 1:
            return self.decode(int(numbers[0]))[np.newaxis, y, x]
        rows, columns = (range(n)[cut] for n, cut in zip(self.page_shape, (y, x), strict=True))
        block = np.empty((len(numbers), len(rows), len(columns)), self.dtype)
        for section, number in zip(block, numbers, strict=True):
            section[...] = self.decode(int(number))[y, x]
        return block


def grey_dtype(samples: int, dtype: np.dtype[Any], where: str, *, rgb: bool) -> np.dtype[Any]:
    """Return the type of the voxels of a page with so many values per pixel.

    Raises
    ------
    InvalidInputError
        The page is in colour and ``rgb`` is False, or the colours cannot encode ids.
    """
    if samples == 1:
        return dtype
    if not rgb:
        raise InvalidInputError(
            f"{where}: a colour image ({samples} values per pixel); expected one grey value per pixel; keep one "
            "channel or, if the colours of a label volume encode ids as R*65536 + G*256 + B, pass rgb=True (--rgb on "
            "the command line)"
        )
    if samples not in (3, 4) or dtype != np.uint8:
        raise InvalidInputError(
            f"{where}: {samples} values of type {dtype} per pixel; expected RGB or RGBA of type uint8 to decode ids "
            "from; write the ids as one grey value per pixel"
        )
    return np.dtype(np.uint32)


def grey_page(page: AnyArray) -> AnyArray:
    """Return a (y, x) page as it is, and decode the ids R*65536 + G*256 + B of a (y, x, 3 or 4) page."""
    if page.ndim == 2:
        return page
    ids = page[..., 0].astype(np.uint32)
    for channel in (1, 2):
        ids <<= 8
        ids |= page[..., channel]
    return ids


def open_tiff(path: str, *, rgb: bool) -> ArrayVolume:
    """Open a multi-page TIFF of any compression. A file with one page is a volume of one section.

    Raises
    ------
    UnusableFileError
        The file is truncated or not TIFF.
    InvalidInputError
        The pages do not form one stack of sections, or are in colour and ``rgb`` is False.
    """
    from tifffile import TiffFile

    with reading(f"{path}: cannot be opened as TIFF"), ExitStack() as files:
        stack = _stack(files.enter_context(TiffFile(path)), path, rgb=rgb)
        if isinstance(stack, PagedArray):
            return ArrayVolume(stack, path, release=files.pop_all().close)
        return stack


def check_chain(tif: TiffFile, path: str) -> None:
    """Refuse a file whose last page points to another one that is not there: tifffile would drop the lost sections.

    Raises
    ------
    UnusableFileError
        The list of pages is empty or breaks off.
    """
    pages = len(tif.pages)
    tif.filehandle.seek(tif.pages.next_page_offset or 0)
    link = tif.filehandle.read(tif.tiff.offsetsize)
    if pages == 0 or len(link) < tif.tiff.offsetsize or any(link):
        raise UnusableFileError(
            f"{path}: the TIFF file is truncated, its list of pages breaks off after {pages}; copy the file again"
        )


def page_pixels(page: TiffPage | TiffFrame, lock: RLock | None = None) -> AnyArray:
    """Decode a page to (y, x) or (y, x, values), under a lock on the file where other threads read it too."""
    pixels = page.asarray(lock=lock, maxworkers=1)
    return np.moveaxis(pixels, 0, -1) if page.axes.startswith("S") else pixels


def _stack(tif: TiffFile, path: str, *, rgb: bool) -> ArrayVolume | PagedArray:
    """Map the sections when they lie in the file as plain voxels one behind the other; else decode page by page."""
    check_chain(tif, path)
    series = tif.series[0]
    first = series.keyframe
    if len(tif.series) > 1:
        pages = _equal_pages(tif, path)
        return _paged(first, pages, np.arange(len(pages)), path, rgb=rgb)
    grid, channel_axis = _grid(series)
    pages = _pages(series)
    _check_series(series, path, complete=_is_plain(series) or len(pages) == math.prod(grid))
    if _is_plain(series):
        shape = *grid, first.imagelength, first.imagewidth
        mapped = np.memmap(path, series.dtype.newbyteorder(tif.byteorder), "r", series.dataoffset or 0, shape)
        raw = raw_rows(path, mapped) if len(grid) == 1 else None
        return ArrayVolume(np.moveaxis(np.asarray(mapped), channel_axis, 0), path, raw=raw)
    numbers = np.moveaxis(np.arange(len(pages)).reshape(grid), channel_axis, 0)
    return _paged(first, pages, numbers, path, rgb=rgb)


def _is_plain(series: TiffPageSeries) -> bool:
    """Tell whether the voxels of all sections follow one another in the file, uncompressed."""
    return series.dataoffset is not None and series.keyframe.samplesperpixel == 1


def _equal_pages(tif: TiffFile, path: str) -> list[TiffPage | TiffFrame]:
    """Return the pages of a file whose pages were written one by one, without a description of the stack."""
    kinds = {(series.keyframe.shape, series.keyframe.dtype, len(series.pages)) for series in tif.series}
    if len(kinds) > 1 or len(tif.series[0].pages) > 1:
        found = ", ".join(dict.fromkeys(f"{series.shape} {series.dtype}" for series in tif.series))
        raise InvalidInputError(
            f"{path}: {len(tif.series)} separate images ({found}); expected one stack of sections of the same shape "
            "and type; save the stack alone"
        )
    return [page for series in tif.series for page in _pages(series)]


def _pages(series: TiffPageSeries) -> list[TiffPage | TiffFrame]:
    """Return the pages that are there."""
    return [page for page in series.pages if page is not None]


def _check_series(series: TiffPageSeries, path: str, *, complete: bool) -> None:
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    flat = axes.replace("S", "").endswith("YX") and series.keyframe.dtype is not None
    if series.is_multifile or not flat or not complete:
        raise InvalidInputError(
            f"{path}: an image of shape {shape} and axes {axes} in {len(series.pages)} pages; expected one (y, x) "
            "section per page, all in this file; write the volume again as a plain multi-page TIFF"
        )


def _grid(series: TiffPageSeries) -> tuple[tuple[int, ...], int]:
    """Return the lengths of the axes before y, x, those of length 1 left out, and the position of the channels."""
    pairs = zip(series.get_axes(squeeze=False), series.get_shape(squeeze=False), strict=True)
    outer = [(axis, n) for axis, n in pairs if axis not in "YXS" and n > 1]
    axes = "".join(axis for axis, _ in outer)
    # ImageJ stores the channels of each section together: (z, channel, y, x).
    return tuple(n for _, n in outer) or (1,), max(0, axes.find("C")) if len(axes) > 1 else 0


def _paged(
    first: TiffPage, pages: Sequence[TiffPage | TiffFrame], numbers: Int64, path: str, *, rgb: bool
) -> PagedArray:
    dtype = grey_dtype(first.samplesperpixel, np.dtype(first.dtype), path, rgb=rgb)
    lock = RLock()

    def decode(number: int) -> AnyArray:
        with reading(f"{path}: cannot read section {number}"):
            return grey_page(page_pixels(pages[number], lock))

    return PagedArray(numbers, (first.imagelength, first.imagewidth), dtype, decode)
