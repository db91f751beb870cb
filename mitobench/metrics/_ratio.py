"""The quotient that is undefined instead of infinite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mitobench.types import Float64

__all__ = ["ratio", "ratios"]


def ratio(part: float, whole: float) -> float | None:
    """Return part / whole, None where there is no whole.

    Examples
    --------
    >>> ratio(1, 4), ratio(0, 0)
    (0.25, None)
    """
    return part / whole if whole else None


def ratios(part: Float64, whole: Float64) -> Float64:
    """Return part / whole of each resample, NaN where there is no whole.

    Examples
    --------
    >>> ratios(np.array([1.0, 0.0]), np.array([4.0, 0.0]))
    array([0.25,  nan])
    """
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole != 0))
