"""How well the prediction divides the voxels of the ground truth, whatever the instances are called."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mitobench.metrics._ratio import ratio, ratios
from mitobench.strata import ALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mitobench.matching import Matching
    from mitobench.resampling import Part, Replicates, Sample
    from mitobench.strata import Result
    from mitobench.types import Float64, Int64

__all__ = ["rand_error", "resampled_rand_error", "resampled_variation_of_information", "variation_of_information"]

N = TypeVar("N", float, "Float64")
R = TypeVar("R")


def variation_of_information(matching: Matching) -> Result:
    """Return what is unknown of one partition when the other one is known, in bits.

    ``voi_split`` is the conditional entropy of the predicted id given the true one: the sum of n / N * log2(g / n) over
    all pairs of a ground truth and a prediction, with n voxels shared, g voxels of the ground truth, N voxels in all;
    0 if no ground truth is divided. ``voi_merge`` is that of the true id given the predicted one, with the voxels of
    the prediction in place of g; 0 if no prediction joins any. Both are at most log2(N).

    Only voxels in the ground truth count, crumbs that the rule drops left out. What the prediction left empty there is
    one more part of it, as in other implementations. None without any ground truth.

    References
    ----------
    Meila, J. Multivar. Anal. 98 (2007), doi:10.1016/j.jmva.2006.11.013. Nunez-Iglesias et al., PLoS ONE 8 (2013),
    doi:10.1371/journal.pone.0071715 (the two parts).

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> def voi(counts):
    ...     result = variation_of_information(match(table_from_counts(counts), "mitoem-2020"))
    ...     return result["voi_split"]["all"], result["voi_merge"]["all"]

    One ground truth in four equal pieces takes two bits to tell which:

    >>> voi({(1, 1): 10, (1, 2): 10, (1, 3): 10, (1, 4): 10})
    (2.0, 0.0)

    Two of equal size in one prediction take one bit:

    >>> voi({(1, 1): 10, (2, 1): 10})
    (0.0, 1.0)
    """
    cells = _Cells.of(matching)
    split = _unknown(cells.shared, cells.gt_size[cells.gt])
    merge = _unknown(cells.shared, cells.pred_size[cells.pred])
    return _voi(split, merge, int(cells.shared.sum()), divide=ratio)


def resampled_variation_of_information(sample: Sample) -> Replicates:
    """Return the variation of information of each resample.

    A ground truth and a prediction keep the sizes that they have in the whole volume. What the predictions left empty
    is one part, of the size that it has in the resample.
    """
    voxels, empty, split, merge = sample.totals(_unit_entropies)
    return _voi(split, merge + empty * np.log2(np.maximum(empty, 1)), voxels, divide=ratios)


def _unit_entropies(part: Part) -> list[Float64]:
    """Return voxels, empty ones among them, and bits in each unit, but for n * log2(N) of the n of the N empty ones."""
    cells = _Cells.of(part.matching)
    unit = part.units.gt[cells.gt]
    whole = np.where(cells.empty, 1, cells.pred_size[cells.pred])
    split, merge = (cells.shared * np.log2(of / cells.shared) for of in (cells.gt_size[cells.gt], whole))
    return [part.units.sums(unit, values) for values in (cells.shared, cells.shared * cells.empty, split, merge)]


def _voi(split: N, merge: N, voxels: N, *, divide: Callable[[N, N], R]) -> dict[str, dict[str, R]]:
    return {"voi_split": {ALL: divide(split, voxels)}, "voi_merge": {ALL: divide(merge, voxels)}}


def rand_error(matching: Matching) -> Result:
    """Return the adapted Rand error and its two parts, over pairs of voxels.

    ``are_precision`` is the share of the voxel pairs within one prediction that are also within one ground truth: low
    when instances are merged. ``are_recall`` is the share of the voxel pairs within one ground truth that are also
    within one prediction: low when instances are split. ``are`` is 1 minus their harmonic mean: 0 for the same
    partition, up to 1. Some implementations, scikit-image 0.26 for one, swap the names of the two parts.

    Voxels count as in `variation_of_information`. Pairs are counted in Python integers, exact at any volume. None where
    no pair of voxels lies within one instance.

    References
    ----------
    Arganda-Carreras et al., Front. Neuroanat. 9 (2015), doi:10.3389/fnana.2015.00142.

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> def are(counts):
    ...     result = rand_error(match(table_from_counts(counts), "mitoem-2020"))
    ...     return [round(result[name]["all"], 6) for name in ("are", "are_precision", "are_recall")]

    A split spoils the recall, a merger the precision:

    >>> are({(1, 1): 3, (1, 2): 3})
    [0.428571, 1.0, 0.4]
    >>> are({(1, 1): 3, (2, 1): 3})
    [0.428571, 0.4, 1.0]
    """
    cells = _Cells.of(matching)
    both, in_gt, in_pred = (_pairs_within(sizes) for sizes in (cells.shared, cells.gt_size, cells.pred_size))
    return _rand(both, in_gt, in_pred, divide=ratio)


def resampled_rand_error(sample: Sample) -> Replicates:
    """Return the adapted Rand error of each resample; sizes are those of `resampled_variation_of_information`."""
    empty, both, in_gt, in_pred = sample.totals(_unit_pairs)
    return _rand(both, in_gt, in_pred + empty * (empty - 1), divide=ratios)


def _unit_pairs(part: Part) -> list[Float64]:
    """Return empty voxels and pairs of voxels in each unit, without the pairs of empty voxels in one prediction."""
    cells = _Cells.of(part.matching)
    unit = part.units.gt[cells.gt]
    shared = cells.shared.astype(np.float64)
    other = np.where(cells.empty, 0, cells.pred_size[cells.pred] - 1)
    columns = shared * cells.empty, shared * (shared - 1), shared * (cells.gt_size[cells.gt] - 1), shared * other
    return [part.units.sums(unit, values) for values in columns]


def _rand(both: N, in_gt: N, in_pred: N, *, divide: Callable[[N, N], R]) -> dict[str, dict[str, R]]:
    return {
        "are": {ALL: divide(in_gt + in_pred - 2 * both, in_gt + in_pred)},
        "are_precision": {ALL: divide(both, in_pred)},
        "are_recall": {ALL: divide(both, in_gt)},
    }


@dataclass(frozen=True, eq=False)
class _Cells:
    """The voxels of the ground truth, by true and predicted id.

    Attributes
    ----------
    shared
        int64 (m,), voxels of each pair of ids.
    gt, pred
        int64 (m,), position of the pair's ids in the sizes.
    gt_size, pred_size
        int64 (n,), voxels of each part; of predictions only those in the ground truth, and one part for the background.
    empty
        bool (m,), whether the predicted id is background.
    """

    shared: Int64
    gt: Int64
    pred: Int64
    gt_size: Int64
    pred_size: Int64
    empty: NDArray[np.bool_]

    @classmethod
    def of(cls, matching: Matching) -> _Cells:
        rows = np.isin(matching.table.gt_id, matching.gt.id)
        shared = matching.table.count[rows]
        gt = np.searchsorted(matching.gt.id, matching.table.gt_id[rows])
        names, pred = np.unique(matching.table.pred_id[rows], return_inverse=True)
        pred_size = np.zeros(len(names), np.int64)
        np.add.at(pred_size, pred, shared)
        return cls(shared, gt, pred, matching.gt.size, pred_size, matching.table.pred_id[rows] == 0)


def _unknown(shared: Int64, whole: Int64) -> float:
    """Return the sum over all voxels of what is unknown of the cell, given the whole that it is a part of, in bits."""
    # fsum is exact before its one rounding, so that the order of the ids cannot show in the last digit.
    return math.fsum((shared * np.log2(whole / shared)).tolist())


def _pairs_within(sizes: Int64) -> int:
    """Count ordered pairs of two voxels in the same part: beyond int64 for parts of 3.0e9 voxels."""
    return sum(n * (n - 1) for n in sizes.tolist())
