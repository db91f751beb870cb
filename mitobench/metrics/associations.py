"""How many instances are found, missing, split or joined, when one shared voxel is enough to belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench.associations import ASSOCIATIONS
from mitobench.strata import ALL, ALL_BUCKETS, BUCKETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.matching import Matching
    from mitobench.resampling import Part, Replicates, Sample
    from mitobench.strata import ByBucket, Int8, Result
    from mitobench.types import Float64, Int64

__all__ = ["GT_ASSOCIATIONS", "PRED_ASSOCIATIONS", "associations", "resampled_associations"]

GT_ASSOCIATIONS = {
    "gt_one_to_one": "one-to-one",
    "gt_missing": "missing",
    "gt_over_segmentation": "over-segmentation",
    "gt_under_segmentation": "under-segmentation",
    "gt_many_to_many": "many-to-many",
}
"""Metric -> type of association whose ground truths it counts."""
PRED_ASSOCIATIONS = {"pred_background": "background"}
"""Metric -> type of association whose predictions it counts."""


def associations(matching: Matching) -> Result:
    """Return the number of ground truths by type of their association, and of predictions on nothing but background.

    A ground truth is ``one-to-one`` with the only prediction of its group, ``missing`` without any, in
    ``over-segmentation`` with several, in ``under-segmentation`` where it shares one prediction with other ground
    truths, in ``many-to-many`` where both sides are several. See `mitobench.associations.associate` for the groups.
    Each from 0 to the number of instances; the first five of a bucket add up to its ground truths.

    References
    ----------
    TIMISE, the tool of the MitoEM challenge.

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> counts = associations(match(table_from_counts({(1, 1): 90, (2, 1): 9, (3, 0): 50, (0, 2): 5}), "mitoem-2020"))
    >>> {name: by_bucket["all"] for name, by_bucket in counts.items() if by_bucket["all"]}
    {'gt_missing': 1, 'gt_under_segmentation': 2, 'pred_background': 1}
    """
    groups = matching.associations
    counts = {
        name: _by_bucket(matching.gt_bucket[groups.gt_type == ASSOCIATIONS.index(kind)])
        for name, kind in GT_ASSOCIATIONS.items()
    }
    for name, kind in PRED_ASSOCIATIONS.items():
        counts[name] = _by_bucket(matching.pred_bucket[groups.pred_type == ASSOCIATIONS.index(kind)])
    return counts


def resampled_associations(sample: Sample) -> Replicates:
    """Return the numbers of each resample; every instance keeps the type that it has in its matching."""
    totals = iter(sample.totals(_unit_sums))
    return {name: {bucket: next(totals) for bucket in ALL_BUCKETS} for name in (*GT_ASSOCIATIONS, *PRED_ASSOCIATIONS)}


def _unit_sums(part: Part) -> list[Float64]:
    """Return the numbers in each unit, by metric and bucket."""
    matching, groups, units = part.matching, part.matching.associations, part.units

    def counts(unit: Int64, buckets: Int8, member: NDArray[np.bool_]) -> list[Float64]:
        inside = [buckets == k for k in range(len(BUCKETS))]
        return [units.sums(unit, member & there) for there in (np.True_, *inside)]

    sums = []
    for kind in GT_ASSOCIATIONS.values():
        sums += counts(units.gt, matching.gt_bucket, groups.gt_type == ASSOCIATIONS.index(kind))
    for kind in PRED_ASSOCIATIONS.values():
        sums += counts(units.pred, matching.pred_bucket, groups.pred_type == ASSOCIATIONS.index(kind))
    return sums


def _by_bucket(buckets: Int8) -> ByBucket:
    counts = np.bincount(buckets, minlength=len(BUCKETS)).tolist()
    return {ALL: len(buckets), **dict(zip(BUCKETS, counts, strict=True))}
