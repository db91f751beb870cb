"""Size buckets: which of small, medium and large an instance belongs to, by voxels or by cable length."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mitobench.types import Float64, Int64

__all__ = [
    "ALL",
    "ALL_BUCKETS",
    "BUCKETS",
    "ByBucket",
    "Int8",
    "Result",
    "Value",
    "cable_bucket",
    "in_bucket",
    "size_bucket",
]

BUCKETS = ("small", "medium", "large")
ALL = "all"
ALL_BUCKETS = (ALL, *BUCKETS)

Int8: TypeAlias = NDArray[np.int8]
Value: TypeAlias = float | int | None
"""One score; None where it is undefined, never NaN."""
ByBucket: TypeAlias = dict[str, Value]
"""Bucket name -> score. A metric of the whole volume holds `ALL` only."""
Result: TypeAlias = dict[str, ByBucket]
"""Metric name -> bucket name -> score."""


def size_bucket(size: Int64, thresholds: tuple[int, int]) -> Int8:
    """Return the index in `BUCKETS` of each size.

    Parameters
    ----------
    size
        int64 (n,), voxels.
    thresholds
        The largest small size and the largest medium size, in voxels.

    Returns
    -------
    int8 (n,)
        0 up to and with the first threshold, 1 up to and with the second, 2 above.

    Examples
    --------
    >>> size_bucket(np.array([1, 5000, 5001, 15000, 15001]), (5000, 15000))
    array([0, 0, 1, 1, 2], dtype=int8)
    """
    small, medium = thresholds
    return (size > small).astype(np.int8) + (size > medium)


def cable_bucket(length: Float64, thresholds: tuple[int, int]) -> Int8:
    """Return the index in `BUCKETS` of each cable length.

    Parameters
    ----------
    length
        float64 (n,), nm.
    thresholds
        The smallest medium length and the smallest large length, in nm.

    Returns
    -------
    int8 (n,)
        0 below the first threshold, 1 from it on, 2 from the second on.

    Examples
    --------
    >>> cable_bucket(np.array([1.0, 999.9, 1000.0, 4000.0]), (1000, 4000))
    array([0, 0, 1, 2], dtype=int8)
    """
    return np.searchsorted(np.array(thresholds, np.float64), length, side="right").astype(np.int8)


def in_bucket(buckets: Int8, bucket: str) -> NDArray[np.bool_]:
    """Return whether each instance belongs to a bucket, of which ``all`` holds every one.

    Examples
    --------
    >>> in_bucket(np.array([0, 2], np.int8), "large"), in_bucket(np.array([0, 2], np.int8), "all")
    (array([False,  True]), array([ True,  True]))
    """
    inside: NDArray[np.bool_] = np.ones(len(buckets), bool) if bucket == ALL else buckets == BUCKETS.index(bucket)
    return inside
