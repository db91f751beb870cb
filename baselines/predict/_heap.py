"""Memory of a network's layers, kept by the process from one window to the next.

PyTorch asks the C library for every tensor. glibc takes a large block from the system and gives it back when it is
freed, and the system clears each page before it hands it out again: gigabytes for every published window, a third of
the processor's time. PyTorch itself keeps memory of GPUs only. So while a volume is predicted, freed memory stays with
the process, and while a network computes, blocks of any size come from it. The gaps between blocks cost about a quarter
more memory; what stays longer than a window lies apart, so that it makes none. Other C libraries, and systems other
than Linux, are left as they are.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import DTypeLike

    from mitobench.types import AnyArray

__all__ = ["apart", "kept_memory", "layers_from_heap"]

# Numbers of malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4

# glibc moves the first two by itself until they are set; these are the largest values that it would choose.
_USUAL_MMAP_THRESHOLD, _USUAL_TRIM_THRESHOLD, _USUAL_MMAP_MAX = 32 * 2**20, 64 * 2**20, 65536
_NEVER = 2**31 - 1


@contextmanager
def kept_memory() -> Iterator[None]:
    """Let freed memory stay with the process; at the end it is given back, and glibc set as large blocks would."""
    _set(_MMAP_THRESHOLD, _USUAL_MMAP_THRESHOLD)
    _set(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        _set(_TRIM_THRESHOLD, _USUAL_TRIM_THRESHOLD)
        libc = _glibc()
        if libc is not None:
            libc.malloc_trim(0)


@contextmanager
def layers_from_heap() -> Iterator[None]:
    """Let blocks of any size come from the memory that is kept."""
    _set(_MMAP_MAX, 0)
    try:
        yield
    finally:
        _set(_MMAP_MAX, _USUAL_MMAP_MAX)


def apart(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """Return zeros in memory of their own, which the system gets back as soon as nobody holds them.

    Examples
    --------
    >>> apart((2, 3), "uint8").tolist()
    [[0, 0, 0], [0, 0, 0]]
    """
    dtype = np.dtype(dtype)
    return np.frombuffer(mmap.mmap(-1, math.prod(shape) * dtype.itemsize), dtype).reshape(shape)


def _set(option: int, value: int) -> None:
    libc = _glibc()
    if libc is not None:
        libc.mallopt(option, value)


@cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it can be told how to keep memory."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
