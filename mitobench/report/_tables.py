"""The tables of the challenge's public tool, made of a report's metrics and instances."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["association_groups", "association_rows", "matching_rows"]

_CATEGORIES = {"small": "small", "medium": "medium", "large": "large", "total": "all"}
_MATCHING = {
    "fp": "fp",
    "tp": "tp",
    "fn": "fn",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "accuracy",
    "f1": "f1",
    "mean_true_score": "mean_true_score",
    "mean_matched_score": "sq",
    "panoptic_quality": "pq",
}
_MATCHING_COLUMNS = [*list(_MATCHING)[:7], "n_true", "n_pred", *list(_MATCHING)[7:]]
_ASSOCIATIONS = {
    "one-to-one": "gt_one_to_one",
    "missing": "gt_missing",
    "over-segmentation": "gt_over_segmentation",
    "under-segmentation": "gt_under_segmentation",
    "many-to-many": "gt_many_to_many",
    "background": "pred_background",
}


def matching_rows(metrics: Mapping[str, Mapping[str, float | int | None]]) -> list[dict[str, Any]]:
    """Return one dictionary per category and IoU threshold, ``total`` last."""
    hundredths = [name.removeprefix("tp_") for name in metrics if name.startswith("tp_")]
    return [
        {"category": category, "thresh": int(suffix) / 100, **_matching_row(metrics, bucket, suffix)}
        for category, bucket in _CATEGORIES.items()
        for suffix in hundredths
    ]


def association_rows(metrics: Mapping[str, Mapping[str, float | int | None]]) -> list[dict[str, Any]]:
    """Return one dictionary per category."""
    return [
        {"category": bucket, **{name: metrics[metric][bucket] for name, metric in _ASSOCIATIONS.items()}}
        for bucket in list(_CATEGORIES)[:-1]
    ]


def association_groups(instances: Mapping[str, Mapping[str, list[Any]]]) -> list[dict[str, Any]]:
    """Return one dictionary per group: ids of ``predicted`` and ``gt`` instances, ``association_type``; by type."""
    members: dict[int, dict[str, Any]] = defaultdict(lambda: {"predicted": [], "gt": [], "association_type": ""})
    for side, name in (("pred", "predicted"), ("gt", "gt")):
        columns = instances[side]
        rows = zip(columns["id"], columns["association"], columns["association_group"], strict=True)
        for label, association, group in rows:
            members[group][name].append(label)
            members[group]["association_type"] = association
    return sorted(members.values(), key=lambda group: group["association_type"])


def _matching_row(
    metrics: Mapping[str, Mapping[str, float | int | None]], bucket: str, suffix: str
) -> dict[str, float | int]:
    values = {name: metrics[f"{family}_{suffix}"][bucket] or 0 for name, family in _MATCHING.items()}
    values |= {"n_true": values["tp"] + values["fn"], "n_pred": values["tp"] + values["fp"]}
    return {name: values[name] for name in _MATCHING_COLUMNS}
