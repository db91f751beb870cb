"""Sizes, IoU, buckets and groups of a table of counts, by loops and exact fractions."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mitobench.strata import ALL, BUCKETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitobench.rules import Rule

    Counts = Mapping[tuple[int, int], int]

__all__ = ["Group", "Pairing"]


class Group(NamedTuple):
    """Instances that belong together by `mitobench.associations`."""

    preds: list[int]
    gts: list[int]

    @property
    def kind(self) -> str:
        """Name of the association."""
        match len(self.preds), len(self.gts):
            case 0, _:
                return "missing"
            case _, 0:
                return "background"
            case 1, 1:
                return "one-to-one"
            case 1, _:
                return "under-segmentation"
            case _, 1:
                return "over-segmentation"
        return "many-to-many"


class Pairing:
    """A table of counts as a rule sees it."""

    def __init__(self, counts: Counts, rule: Rule, cable_lengths: Mapping[int, float] | None = None) -> None:
        gt_size: dict[int, int] = defaultdict(int)
        pred_size: dict[int, int] = defaultdict(int)
        for (g, p), count in counts.items():
            if g != 0:
                gt_size[g] += count
            if p != 0:
                pred_size[p] += count
        self.gt_size = {g: gt_size[g] for g in sorted(gt_size) if gt_size[g] >= rule.min_gt_size}
        self.pred_size = {p: pred_size[p] for p in sorted(pred_size)}
        self.counts = counts
        self.rule = rule
        self.cable_lengths = cable_lengths

    def iou(self, g: int, p: int) -> Fraction:
        """Return the exact IoU."""
        n = self.counts.get((g, p), 0)
        return Fraction(n, self.gt_size[g] + self.pred_size[p] - n)

    def best(self, p: int, among: list[int]) -> int | None:
        """Return the ground truth of highest IoU with the prediction, ties: smallest id; None without overlap."""
        touched = [g for g in among if self.iou(g, p) > 0]
        return min(touched, key=lambda g: (-self.iou(g, p), g)) if touched else None

    def gt_is_in(self, bucket: str, g: int) -> bool:
        """Return whether the ground truth counts in the bucket."""
        return bucket in {ALL, self.gt_bucket(g)}

    def pred_is_in(self, bucket: str, p: int) -> bool:
        """Return whether the prediction, by itself, counts in the bucket."""
        return bucket in {ALL, self.pred_bucket(p)}

    def gt_bucket(self, g: int) -> str:
        """Return the bucket of a ground truth."""
        if self.cable_lengths is None or self.rule.size_by == "voxels":
            return self._by_voxels(self.gt_size[g])
        low, high = self.rule.size_thresholds
        length = self.cable_lengths[g]
        return "small" if length < low else "medium" if length < high else "large"

    def pred_bucket(self, p: int) -> str:
        """Return the bucket of a prediction."""
        if self.rule.size_by == "voxels":
            return self._by_voxels(self.pred_size[p])
        own = next(group for group in self.groups if p in group.preds)
        return max((self.gt_bucket(g) for g in own.gts), key=BUCKETS.index, default="small")

    @cached_property
    def groups(self) -> list[Group]:
        """The associations."""
        groups: dict[int, Group] = {}
        for p in self.pred_size:
            opener = self.best(p, list(self.gt_size))
            if opener is not None:
                groups.setdefault(opener, Group([], [opener])).preds.append(p)
        alone = [Group([p], []) for p in self.pred_size if self.best(p, list(self.gt_size)) is None]
        for g in [g for g in self.gt_size if g not in groups]:
            touching = [p for p in self.pred_size if self.iou(g, p) > 0]
            if touching:
                p = min(touching, key=lambda p: (-self.iou(g, p), -self.pred_size[p], p))
                next(group for group in groups.values() if p in group.preds).gts.append(g)
            else:
                alone.append(Group([], [g]))
        return [*groups.values(), *alone]

    def _by_voxels(self, size: int) -> str:
        small, medium = self.rule.size_thresholds
        return "small" if size <= small else "medium" if size <= medium else "large"
