"""The scores of a report beside the published ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitobench.published import PUBLISHED, PUBLISHED_METRIC, PUBLISHED_RULE
from mitobench.render.charts import Dot, dot_rows
from mitobench.render.figures import Figure
from mitobench.render.svg import unit_axis
from mitobench.render.words import BUCKETS, FAMILIES, amount, metric_label, ranking_iou

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mitobench.report import Interval, Report, Value, VolumeReport

__all__ = ["ScoreGroup", "ScoreRow", "caveat", "comparison", "detection_rows", "facts", "has_intervals", "score_groups"]

OWN = "This report"
_ASSOCIATIONS = {
    "gt_one_to_one": "One to one",
    "gt_missing": "Missing",
    "gt_over_segmentation": "Over-segmentation",
    "gt_under_segmentation": "Under-segmentation",
    "gt_many_to_many": "Many to many",
    "pred_background": "On background only",
}
_PARTITION = {
    "voi_split": "VOI split (bits)",
    "voi_merge": "VOI merge (bits)",
    "are": "Adapted Rand error",
}


@dataclass(frozen=True)
class ScoreRow:
    """A row of a table of scores.

    Attributes
    ----------
    label
        What it is of.
    cells
        Bucket -> value and interval.
    own
        Whether it is of this report and not a published one.
    """

    label: str
    cells: Mapping[str, tuple[Value, Interval]]
    own: bool = True


@dataclass(frozen=True)
class ScoreGroup:
    """Rows under a heading."""

    heading: str
    rows: tuple[ScoreRow, ...]


def _is_comparable(report: Report) -> bool:
    """Whether published rows have the metric that the report ranks by."""
    return bool(report.rule["rank_by"] == PUBLISHED_METRIC)


def _comparable(report: Report) -> list[str]:
    """Return the names of the report's volumes that published rows are of."""
    return [volume.name for volume in report.volumes if volume.name in PUBLISHED[0].scores]


def caveat(report: Report) -> str:
    """Say how far the published rows can be compared with the report; empty where it has another metric."""
    if not _is_comparable(report):
        return ""
    if not _comparable(report):
        return "The published rows are of other volumes, MitoEM-H and MitoEM-R: a scale, not a comparison."
    if report.rule["label"] != PUBLISHED_RULE:
        return f"The published rows follow the rule {PUBLISHED_RULE}, this report another one: not comparable."
    return "Comparable for the same part of the volumes and the same annotation only: v1 and v2 are different labels."


def has_intervals(report: Report) -> bool:
    """Whether there is any interval of the ranked metric."""
    rank_by = report.rule["rank_by"]
    return any(interval for volume in report.volumes for interval in volume.intervals.get(rank_by, {}).values())


def score_groups(report: Report) -> Iterator[ScoreGroup]:
    """Yield the table of the paper: the volumes, their mean, and the published rows where they belong."""
    for volume in report.volumes:
        yield ScoreGroup(volume.name, (_own_row(report, volume), *_published_rows(report, volume.name)))
    if len(report.volumes) > 1:
        rank_by = report.rule["rank_by"]
        cell = report.score, report.overall_intervals.get(rank_by)
        own = ScoreRow(OWN, {"all": cell})
        yield ScoreGroup(f"Mean of {amount(len(report.volumes), 'volume')}", (own, *_published_means(report)))
    if _is_comparable(report) and not _comparable(report):
        for name in PUBLISHED[0].scores:
            yield ScoreGroup(f"{name}, published", _published_rows(report, name))


def _own_row(report: Report, volume: VolumeReport) -> ScoreRow:
    return _row(OWN, volume, report.rule["rank_by"])


def _row(label: str, volume: VolumeReport, metric: str) -> ScoreRow:
    values, intervals = volume.metrics[metric], volume.intervals.get(metric, {})
    return ScoreRow(label, {bucket: (values[bucket], intervals.get(bucket)) for bucket in BUCKETS if bucket in values})


def _published_rows(report: Report, name: str) -> tuple[ScoreRow, ...]:
    if not _is_comparable(report) or name not in PUBLISHED[0].scores:
        return ()
    return tuple(
        ScoreRow(result.label, {bucket: (result.scores[name][bucket], None) for bucket in BUCKETS}, own=False)
        for result in PUBLISHED
    )


def _published_means(report: Report) -> tuple[ScoreRow, ...]:
    if not _is_comparable(report) or set(_comparable(report)) != set(PUBLISHED[0].scores):
        return ()
    return tuple(ScoreRow(result.label, {"all": (result.overall, None)}, own=False) for result in PUBLISHED)


def comparison(report: Report) -> list[Figure]:
    """Return a dot plot for each volume: its scores with their intervals, and the published ones."""
    axis = unit_axis(metric_label(report.rule["rank_by"]))
    return [_dots(report, volume, axis_of=axis.label) for volume in report.volumes]


def _dots(report: Report, volume: VolumeReport, *, axis_of: str) -> Figure:
    own = _own_row(report, volume)
    dots = []
    for bucket, label in BUCKETS.items():
        if bucket in own.cells:
            others = list(_other_dots(report, volume.name, bucket))
            if others:
                dots.append(Dot(label, style="heading"))
            dots += [_own_dot(OWN if others else label, *own.cells[bucket]), *others]
    caption = f"{axis_of} of {volume.name}"
    return Figure(caption, dot_rows(caption, dots, unit_axis(axis_of)))


def _own_dot(label: str, value: Value, interval: Interval) -> Dot:
    values = () if value is None else ((OWN, value),)
    return Dot(label, values, None if interval is None else (interval[0], interval[1]), "own")


def _other_dots(report: Report, name: str, bucket: str) -> Iterator[Dot]:
    """Yield a row for each published result of the volume, or one for each published volume if it is another one."""
    if not _is_comparable(report):
        return
    if name in PUBLISHED[0].scores:
        yield from (Dot(result.label, ((result.label, result.scores[name][bucket]),)) for result in PUBLISHED)
        return
    for published in PUBLISHED[0].scores:
        yield Dot(f"{published} publ.", tuple((result.label, result.scores[published][bucket]) for result in PUBLISHED))


def facts(report: Report, volume: VolumeReport) -> list[tuple[str, str]]:
    """Return (number, what it is) of the few counts that say it all, at the threshold that the rule ranks by."""
    iou = ranking_iou(report)
    found, missed, false = (volume.metrics.get(f"{name}_{iou}", {}).get("all") for name in ("tp", "fn", "fp"))
    if found is None or missed is None or false is None:
        return []
    return [
        (f"{found:,} of {found + missed:,}", f"ground truths found at IoU {int(iou) / 100:.2f}"),
        (f"{false:,} of {found + false:,}", "predictions without a ground truth"),
    ]


def detection_rows(report: Report, volume: VolumeReport) -> list[ScoreRow]:
    """Return the other scores that a person looks at, as far as the report has them."""
    iou, rank_by = ranking_iou(report), report.rule["rank_by"]
    names = {name: metric_label(name) for name in volume.metrics if name.startswith("ap_") and _is_summary(name)}
    names |= {f"{family}_{iou}": label for family, label in FAMILIES.items() if family != "ap"}
    if report.rule.get("detection_matching") == "best-overlap":
        names |= _ASSOCIATIONS
    names |= _PARTITION
    return [_row(label, volume, name) for name, label in names.items() if name in volume.metrics and name != rank_by]


def _is_summary(metric: str) -> bool:
    return metric in {"ap_50", "ap_75"} or metric.count("_") == 2
