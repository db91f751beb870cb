"""Whether two predictions differ by more than the choice of the volume explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mitobench.compare._comparison import FOUND_BY, Difference
from mitobench.metrics import compute, judge, resample
from mitobench.resampling import Part, Sample, Units, draw, draw_swaps, plan_units
from mitobench.strata import ALL, BUCKETS
from mitobench.uncertainty import NOISE, interval, p_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.matching import Matching
    from mitobench.report import Columns
    from mitobench.resampling import Bootstrap, Replicates, Unit
    from mitobench.strata import Value
    from mitobench.types import Float64, Shape

    Bools = NDArray[np.bool_]

__all__ = ["Paired", "differences", "found_by", "instance_columns"]


@dataclass(frozen=True, eq=False)
class Paired:
    """Two predictions of one ground truth, and the units that are drawn alike for both.

    Attributes
    ----------
    a, b
        Under the same rule.
    units
        Of A and of B, numbered alike.
    """

    a: Matching
    b: Matching
    units: tuple[Units, ...]

    @classmethod
    def of(cls, a: Matching, b: Matching, shape: Shape, unit: Unit) -> Paired:
        """Plan the units of a volume of this shape."""
        return cls(a, b, plan_units([a, b], shape, unit))

    @property
    def occupied(self) -> int:
        """Number of units that hold an instance."""
        return len(np.unique(np.concatenate([side for units in self.units for side in (units.gt, units.pred)])))


def differences(pair: Paired, bootstrap: Bootstrap, workers: int) -> tuple[Difference, ...]:
    """Return how far A and B differ, in each metric and bucket.

    Bootstrap: in each resample the units of A and of B are drawn alike, and the metric of B is taken from that of A.
    Permutation: in each resample every unit keeps or swaps what A and B predicted there, each with probability 1/2;
    if neither is better, that changes nothing but chance. The share of the resamples, the unswapped one among them, in
    which the difference is at least as large as it is unswapped is the p-value.

    Parameters
    ----------
    pair
        A and B.
    bootstrap
        What to draw, how often.
    workers
        Threads.

    References
    ----------
    Davison and Hinkley, Bootstrap Methods and their Application (1997), doi:10.1017/CBO9780511802843, chapter 4.
    Noreen, Computer-Intensive Methods for Testing Hypotheses (1989) (randomization of paired systems).
    """
    scores_a, scores_b = compute(pair.a), compute(pair.b)
    drawn, swapped = _drawn(pair, bootstrap, workers), _swapped(pair, bootstrap, workers)
    occupied = pair.occupied
    rows = []
    for metric, by_bucket in scores_a.items():
        for bucket, value in by_bucket.items():
            here = drawn[metric][bucket]
            low, high = interval(here, occupied, bootstrap.level) or (None, None)
            p_drawn = None if low is None else p_value(here, occupied)
            p_swapped = _share_as_far(swapped[metric][bucket])
            other = scores_b[metric][bucket]
            rows.append(Difference(metric, bucket, value, other, _minus(value, other), low, high, p_drawn, p_swapped))
    return tuple(rows)


def found_by(pair: Paired) -> dict[str, dict[str, int]]:
    """Return how many ground truths of each bucket are found by both, by A or B only, and by neither.

    At the IoU threshold that the rule ranks by, as `mitobench.metrics.judge` has it.
    """
    a, b = _found(pair)
    groups = dict(zip(FOUND_BY, (a & b, a & ~b, b & ~a, ~a & ~b), strict=True))
    inside = {ALL: np.ones(len(a), bool)} | {name: pair.a.gt_bucket == k for k, name in enumerate(BUCKETS)}
    return {
        bucket: {name: int((members & there).sum()) for name, members in groups.items()}
        for bucket, there in inside.items()
    }


def instance_columns(pair: Paired) -> Columns:
    """Return the columns of `Comparison.instances`."""
    gt = pair.a.gt
    columns = {"id": gt.id.tolist(), "size": gt.size.tolist()}
    columns["bucket"] = [BUCKETS[k] for k in pair.a.gt_bucket.tolist()]
    for axis, name in enumerate("zyx"):
        columns |= {f"{name}0": gt.box_min[:, axis].tolist(), f"{name}1": gt.box_max[:, axis].tolist()}
    columns |= {name: gt.centroid[:, axis].tolist() for axis, name in enumerate("zyx")}
    columns |= dict(zip(("found_a", "found_b"), (found.tolist() for found in _found(pair)), strict=True))
    return columns | {"iou_a": _best_iou(pair.a), "iou_b": _best_iou(pair.b)}


def _drawn(pair: Paired, bootstrap: Bootstrap, workers: int) -> Replicates:
    """Return the difference of each metric of each resample."""
    weights = draw(bootstrap, pair.units[0].count)
    a, b = (
        resample(Sample([Part(matching, units, weights)], workers))
        for matching, units in zip((pair.a, pair.b), pair.units, strict=True)
    )
    return {metric: {bucket: values - b[metric][bucket] for bucket, values in a[metric].items()} for metric in a}


def _swapped(pair: Paired, bootstrap: Bootstrap, workers: int) -> Replicates:
    """Return the difference of each metric after each swap, of which the first one swaps nothing."""
    swaps = draw_swaps(bootstrap, pair.units[0].count)
    parts = [
        Part(pair.a, pair.units[0], np.concatenate([1 - swaps, swaps])),
        Part(pair.b, pair.units[1], np.concatenate([swaps, 1 - swaps])),
    ]
    both = resample(Sample(parts, workers))
    return {
        metric: {bucket: np.subtract(*np.split(values, 2)) for bucket, values in by_bucket.items()}
        for metric, by_bucket in both.items()
    }


def _share_as_far(swapped: Float64) -> float | None:
    """Return the share of the differences that are as far from 0 as the first one.

    Those that are undefined count as far; None if the first one is.
    """
    if np.isnan(swapped[0]):
        return None
    return float(np.mean(~(np.abs(swapped) < abs(swapped[0]) - NOISE)))


def _minus(value: Value, other: Value) -> Value:
    return None if value is None or other is None else value - other


def _found(pair: Paired) -> tuple[Bools, Bools]:
    threshold = pair.a.rule.ranking_iou
    return judge(pair.a, threshold).found, judge(pair.b, threshold).found


def _best_iou(matching: Matching) -> list[float]:
    """Return the highest IoU of each ground truth with any prediction, 0 without any."""
    best: list[float] = np.append(matching.pair_iou, 0.0)[matching.best_of_gt].tolist()
    return best
