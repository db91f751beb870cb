"""The charts of one volume: which values of a report go into which chart."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mitobench.render.charts import Bins, Level, Line, histogram, line_chart
from mitobench.render.svg import count_axis, log_axis, short_count, unit_axis
from mitobench.render.words import DRAWN, metric_label, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from mitobench.render.svg import Axis
    from mitobench.report import VolumeReport

__all__ = ["Figure", "by_threshold", "distributions", "precision_recall"]

_NOUNS = {"gt": "ground truths", "pred": "predictions"}
_SHOWN = ("50", "75", "90")
_MOST_BINS = 30


@dataclass(frozen=True)
class Figure:
    """A chart, what stands above it, and what a reader should know of it."""

    caption: str
    svg: str
    note: str = ""


def precision_recall(volume: VolumeReport) -> list[Figure]:
    """Return precision against recall at IoU 0.50, 0.75 and 0.90, or three others where these were not scored."""
    known = [name.removeprefix("precision_") for name in volume.curves]
    shown = [iou for iou in _SHOWN if iou in known] or known[:: max(1, math.ceil(len(known) / 3))]
    return [_curve(volume, iou) for iou in shown]


def _curve(volume: VolumeReport, iou: str) -> Figure:
    by_bucket = volume.curves[f"precision_{iou}"]
    scores = volume.metrics.get(f"ap_{iou}", {})
    lines = [
        Line(f"{label}: {metric_label(f'ap_{iou}')} {number(scores.get(bucket))}", bucket, _over_unit(curve))
        for bucket, label in DRAWN.items()
        if (curve := by_bucket.get(bucket))
    ]
    caption = f"Precision and recall at IoU {int(iou) / 100:.2f}"
    note = "" if lines else "Nothing to show: no ground truth."
    return Figure(caption, line_chart(caption, lines, unit_axis("recall"), unit_axis("precision")), note)


def _over_unit(values: Sequence[float]) -> list[tuple[float, float]]:
    last = max(len(values) - 1, 1)
    return [(k / last, value) for k, value in enumerate(values)]


def by_threshold(volume: VolumeReport) -> list[Figure]:
    """Return AP and F1 against the IoU threshold, as far as there are any."""
    figures = (_against_iou(volume, family) for family in ("ap", "f1"))
    return [figure for figure in figures if figure is not None]


def _against_iou(volume: VolumeReport, family: str) -> Figure | None:
    names = [name for name in volume.metrics if name.startswith(f"{family}_") and name.count("_") == 1]
    ious = {name: int(name.rpartition("_")[2]) / 100 for name in names if name.rpartition("_")[2].isdigit()}
    if not ious:
        return None
    lines = []
    for bucket, label in DRAWN.items():
        values = {name: volume.metrics[name].get(bucket) for name in sorted(ious, key=lambda name: ious[name])}
        points = [(ious[name], value) for name, value in values.items() if value is not None]
        texts = [f"{label}: {metric_label(name)} {value:.3f}" for name, value in values.items() if value is not None]
        if points:
            lines.append(Line(label, bucket, points, texts))
    title = f"{metric_label(family)} against the IoU threshold"
    x = unit_axis("IoU threshold", low=0.5 if min(ious.values()) >= 0.5 else 0.0)
    return Figure(title, line_chart(title, lines, x, unit_axis(metric_label(family))))


def distributions(volume: VolumeReport, rule: Mapping[str, Any]) -> list[Figure]:
    """Return how large the instances are and which share of each size is matched, by voxels and by cable length."""
    by_cable = rule.get("size_by") == "cable-length"
    levels = [Level(value, short_count(value), upright=True) for value in rule.get("size_thresholds", ()) if value > 0]
    figures = []
    for binned, levels_known in (
        (_binned(volume, "size", "voxels"), not by_cable),
        (_binned(volume, "cable_length", "nm of cable"), by_cable),
    ):
        if binned is not None:
            shown = [level for level in levels if levels_known and binned.edges[0] < level.value < binned.edges[-1]]
            figures += [_by_size(binned, shown), _share_by_size(binned, shown)]
    return figures


@dataclass(frozen=True)
class _Binned:
    """Instances in bins of their size.

    Attributes
    ----------
    what, unit
        Of the size.
    edges
        Of the bins.
    counts, matched
        Side -> number of instances, and of matched ones, in each bin.
    """

    what: str
    unit: str
    edges: list[float]
    counts: Mapping[str, list[int]]
    matched: Mapping[str, list[int]]

    @property
    def axis(self) -> Axis:
        """Of the sizes."""
        return log_axis(self.unit, self.edges[0], self.edges[-1])

    @property
    def spans(self) -> list[str]:
        """What to call each bin."""
        ends = [short_count(round(edge)) for edge in self.edges]
        return [f"{low}\N{EN DASH}{high} {self.unit}" for low, high in pairwise(ends)]


def _binned(volume: VolumeReport, column: str, unit: str) -> _Binned | None:
    rows = {side: found for side in _NOUNS if (found := _sizes(volume, side, column))}
    if not rows:
        return None
    edges = _edges([size for found in rows.values() for size, _ in found])
    counts = {side: _count(edges, [size for size, _ in found]) for side, found in rows.items()}
    matched = {side: _count(edges, [size for size, good in found if good]) for side, found in rows.items()}
    return _Binned(column.replace("_", " "), unit, edges, counts, matched)


def _sizes(volume: VolumeReport, side: str, column: str) -> list[tuple[float, bool]]:
    """Return (size, whether it is matched) of every instance with a size above 0."""
    columns = volume.instances.get(side, {})
    if column not in columns:
        return []
    rows = zip(columns[column], columns["verdict"], strict=True)
    return [(size, verdict == "matched") for size, verdict in rows if size]


def _edges(sizes: Sequence[float]) -> list[float]:
    """Return the edges of bins of one ratio around all sizes: the more sizes, the more bins."""
    bins = min(_MOST_BINS, max(6, round(2 * len(sizes) ** (1 / 3))))
    start, stop = math.log10(min(sizes) * 0.9), math.log10(max(sizes) * 1.1)
    return [10 ** (start + (stop - start) * k / bins) for k in range(bins + 1)]


def _count(edges: Sequence[float], sizes: Sequence[float]) -> list[int]:
    found = Counter(bisect_right(edges, size) - 1 for size in sizes)
    return [found[k] for k in range(len(edges) - 1)]


def _by_size(binned: _Binned, levels: Sequence[Level]) -> Figure:
    series = []
    for side, counts in binned.counts.items():
        texts = [f"{count:,} {_NOUNS[side]} of {span}" for count, span in zip(counts, binned.spans, strict=True)]
        series.append(Bins(_NOUNS[side], side, counts, texts, filled=side == "gt"))
    caption = f"Instances by {binned.what}"
    y = count_axis("instances", max(map(max, binned.counts.values())))
    return Figure(caption, histogram(caption, binned.edges, series, binned.axis, y, levels=levels))


def _share_by_size(binned: _Binned, levels: Sequence[Level]) -> Figure:
    """Return the share of the matched, in the middle of each bin that holds anything."""
    middles = [math.sqrt(low * high) for low, high in pairwise(binned.edges)]
    lines = []
    for side, counts in binned.counts.items():
        rows = [row for row in zip(middles, binned.matched[side], counts, binned.spans, strict=True) if row[2]]
        texts = [f"{good:,} of {count:,} {_NOUNS[side]} of {span} matched" for _, good, count, span in rows]
        lines.append(Line(_NOUNS[side], side, [(middle, good / count) for middle, good, count, _ in rows], texts))
    caption = f"Share matched by {binned.what}"
    return Figure(caption, line_chart(caption, lines, binned.axis, unit_axis("share matched"), levels=levels))
