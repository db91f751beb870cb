"""Resamples made the slow and obvious way: every instance copied as often as its unit is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Counts = Mapping[tuple[int, int], int]

__all__ = ["best_precision", "repeated"]

_COPIES = 256


def repeated(counts: Counts, gt_unit: Mapping[int, int], pred_unit: Mapping[int, int], times: Sequence[int]) -> Counts:
    """Return the shared voxels of a volume in which each unit occurs so many times.

    Parameters
    ----------
    counts
        Shared voxels by ids (gt, pred), 0 for background; no pair of two units.
    gt_unit, pred_unit
        Unit of each id.
    times
        How often each unit occurs, at most 255 times; the copies of an id follow each other.

    Examples
    --------
    >>> repeated({(1, 1): 8, (2, 0): 5, (0, 3): 4}, {1: 0, 2: 1}, {1: 0, 3: 1}, [2, 0])
    {(256, 256): 8, (257, 257): 8}
    """
    return {
        (g and g * _COPIES + copy, p and p * _COPIES + copy): count
        for (g, p), count in counts.items()
        for copy in range(times[gt_unit[g] if g else pred_unit[p]])
    }


def best_precision(
    hit: Sequence[bool], unit: Sequence[int], weights: Sequence[int], positives: int, points: Sequence[float]
) -> list[float]:
    """Return the best precision at each recall point or beyond, 0 if never reached, of one resample.

    Parameters
    ----------
    hit
        Whether each prediction is true, by descending score.
    unit
        Its unit.
    weights
        How often each unit counts.
    positives
        Number of ground truths, at least 1.
    points
        Recalls.

    Examples
    --------
    >>> best_precision([True, False, True], [0, 1, 2], [1, 1, 1], 4, [0.25, 0.5, 0.75])
    [0.9999999999999998, 0.6666666666666666, 0.0]
    """
    curve, true, counted = [], 0, 0
    for is_hit, k in zip(hit, unit, strict=True):
        for _ in range(weights[k]):
            true, counted = true + is_hit, counted + 1
            curve.append((true / positives, true / (counted + 2.0**-52)))
    return [max((precision for recall, precision in curve if recall >= point), default=0.0) for point in points]
