"""Associations as literal loops, after the text of the definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitobench.strata import ALL_BUCKETS
from mitobench.testing._pairing import Pairing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitobench.rules import Rule
    from mitobench.strata import Result
    from mitobench.testing._pairing import Counts

__all__ = ["associations"]


def associations(counts: Counts, rule: Rule, *, cable_lengths: Mapping[int, float] | None = None) -> Result:
    """Return what `mitobench.metrics.associations` returns, by loops.

    Parameters
    ----------
    counts
        Shared voxels by ids (gt, pred), 0 for background.
    rule
        The rule.
    cable_lengths
        Nanometres by id of the ground truth, for rules that sort by them.
    """
    pair = Pairing(counts, rule, cable_lengths)
    kinds = ("one-to-one", "missing", "over-segmentation", "under-segmentation", "many-to-many", "background")
    result: Result = {}
    for kind in kinds:
        name = f"{'pred' if kind == 'background' else 'gt'}_{kind.replace('-', '_')}"
        groups = [group for group in pair.groups if group.kind == kind]
        result[name] = {
            bucket: sum(pair.gt_is_in(bucket, g) for group in groups for g in group.gts)
            + sum(pair.pred_is_in(bucket, p) for group in groups if not group.gts for p in group.preds)
            for bucket in ALL_BUCKETS
        }
    return result
