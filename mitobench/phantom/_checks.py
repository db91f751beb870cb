"""Refuse options that have no sense, in one line each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from mitobench.types import Shape

__all__ = ["check_dtype", "check_range", "check_shape"]


def check_shape(name: str, value: Iterable[int]) -> Shape:
    """Return three positive numbers of voxels as a tuple of int."""
    got = tuple(value) if isinstance(value, Iterable) else (value,)
    if len(got) == 3 and all(isinstance(edge, int | np.integer) and edge > 0 for edge in got):
        return int(got[0]), int(got[1]), int(got[2])
    raise InvalidInputError(f"{name} is {value!r}, expected three positive integers; give the voxels along z, y, x")


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside low..high, both included, and NaN."""
    if not low <= value <= high:
        raise InvalidInputError(f"{name} is {value!r}, allowed is {low} to {high}; give a number in that range")


def check_dtype(dtype: DTypeLike, largest: int) -> np.dtype[Any]:
    """Return the dtype if it is an integer type that holds the largest id."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        raise InvalidInputError(f"dtype is {dtype}, labels need an integer type; use uint16 or uint32")
    allowed = int(np.iinfo(dtype).max)
    if largest > allowed:
        raise InvalidInputError(
            f"dtype {dtype} holds ids up to {allowed}, the volume has ids up to {largest}; "
            "use a wider dtype or fewer instances_per_gigavoxel"
        )
    return dtype
