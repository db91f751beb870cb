"""The compiled loop of resampled average precision, whose slow twin is in `mitobench.testing`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mitobench._compiled import compiled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mitobench.resampling import Weights
    from mitobench.types import Float64

__all__ = ["best_precision"]

_EPSILON = 2.0**-52
_ROUNDING = 1e-6


@compiled
def best_precision(
    hit: NDArray[np.bool_],
    unit: NDArray[np.int32],
    weights: Weights,
    positives: Float64,
    points: Float64,
    best: Float64,
) -> None:
    """Find the best precision at each recall point or beyond, of each resample.

    Parameters
    ----------
    hit
        bool (n,), whether a prediction is true, by descending score.
    unit
        int32 (n,), its column in the weights.
    weights
        uint8 (resamples, units), how often each unit counts.
    positives
        float64 (resamples,), number of ground truths.
    points
        float64 (k,), ascending recalls from 0.
    best
        float64 (resamples, k), zeros, where the result is written.
    """
    for r in range(weights.shape[0]):
        positive = positives[r]
        if positive == 0:
            continue
        row, out = weights[r], best[r]
        true, counted, reached, enough, top = 0, 0, 0, 0.0, 0.0
        for i in range(hit.size):
            counted += row[unit[i]]
            true += row[unit[i]] * hit[i]
            if true >= enough:
                # Rare: what is best up to the last recall point that was reached is known.
                if reached > 0:
                    out[reached - 1] = max(out[reached - 1], top)
                while reached < points.size and true / positive >= points[reached]:
                    reached += 1
                    top = 0.0
                enough = math.ceil(points[reached] * positive - _ROUNDING) if reached < points.size else math.inf
            top = max(top, true / (counted + _EPSILON))
        if reached > 0:
            out[reached - 1] = max(out[reached - 1], top)
        for k in range(points.size - 2, -1, -1):
            out[k] = max(out[k], out[k + 1])
