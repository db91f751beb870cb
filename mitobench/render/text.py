"""Reports as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mitobench.render.console import cell, plain_text
from mitobench.render.words import FAMILIES, metric_label, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from mitobench.report import Interval, Report, VolumeReport

    _Row = tuple[str, list[str], str]

__all__ = ["print_report", "to_text"]

_BUCKETS = {"all": "All", "small": "Small", "medium": "Medium", "large": "Large"}
_PAPER_ORDER = {"small": "Small", "medium": "Med", "large": "Large", "all": "All"}
_DETECTION = {family: label for family, label in FAMILIES.items() if family != "ap"}
_ASSOCIATIONS = {
    "gt_one_to_one": "One to one",
    "gt_missing": "Missing",
    "gt_over_segmentation": "Over-segmentation",
    "gt_under_segmentation": "Under-segmentation",
    "gt_many_to_many": "Many to many",
    "pred_background": "On background only",
}
_PARTITION = {"voi_split": "VOI split (bits)", "voi_merge": "VOI merge (bits)", "are": "Adapted Rand error"}


def to_text(report: Report, *, width: int = 100) -> str:
    """Return the report as plain text."""
    return plain_text(lambda console: print_report(report, console=console), width)


def print_report(report: Report, *, console: Console | None = None) -> None:
    """Print the report as tables, on standard output by default."""
    (console or Console()).print(Group(*_parts(report)), soft_wrap=False)


def _parts(report: Report) -> Iterator[RenderableType]:
    yield Text(f"rule {visible(report.rule['label'])}", style="bold")
    if len(report.volumes) > 1:
        yield Text(f"\n{metric_label(report.rule['rank_by'])}", style="bold")
        yield _benchmark_table(report)
    for volume in report.volumes:
        shape = " x ".join(map(str, volume.shape))
        yield Text.assemble("\n", (visible(volume.name), "bold"), f"  {shape} voxels")
        for side, source in (("ground truth", volume.gt), ("prediction", volume.pred)):
            yield Text(f"{side:<12}  {visible(source.name)}  ({source.instances:,} instances)", overflow="fold")
        yield _volume_table(report, volume)
        if volume.repairs is not None:
            yield Text(f"what went wrong at IoU {volume.repairs['iou_threshold']:.2f}, and the score without it")
            yield _error_table(volume.repairs, report.rule["label"])
            yield Text(_budget_line(volume.repairs))
        yield from (Text(f"note: {visible(note)}", style="dim") for note in volume.notes)
        yield from (Text(f"warning: {visible(warning)}", style="yellow") for warning in volume.warnings)


def _benchmark_table(report: Report) -> Table:
    """Return the table of the paper: small, medium, large, all of each volume, then the mean of the two."""
    table = _table("", _PAPER_ORDER.values())
    for volume in report.volumes:
        values = volume.metrics[report.rule["rank_by"]]
        table.add_row(Text(visible(volume.name)), *(cell(values.get(bucket)) for bucket in _PAPER_ORDER))
    table.add_section()
    table.add_row("Overall", "", "", "", cell(report.score), style="bold")
    if report.uncertainty is not None:
        interval = report.overall_intervals.get(report.rule["rank_by"])
        table.add_row(_interval_label(report.uncertainty), "", "", "", _interval(interval), style="dim")
    return table


def _volume_table(report: Report, volume: VolumeReport) -> Table:
    """Return the few metrics that a person looks at, the ranked one first."""
    table = _table("", _BUCKETS.values())
    for section in _sections(report, volume):
        table.add_section()
        for label, cells, style in section:
            table.add_row(label, *cells, style=style)
    return table


def _sections(report: Report, volume: VolumeReport) -> Iterator[list[_Row]]:
    rank_by = report.rule["rank_by"]
    yield [
        (metric_label(rank_by), _values(volume, rank_by), "bold"),
        *_interval_rows(report, volume),
        *((metric_label(name), _values(volume, name), "") for name in volume.metrics if _is_shown_ap(name, rank_by)),
    ]
    by_overlap = report.rule.get("detection_matching") == "best-overlap"
    iou = _detection_iou(rank_by, volume)
    how = "by best overlap" if by_overlap else "one to one"
    yield [
        (f"{how} at IoU {int(iou) / 100:.2f}", [], "dim"),
        *_rows(volume, {f"{family}_{iou}": label for family, label in _DETECTION.items()}),
    ]
    if by_overlap:
        yield _rows(volume, _ASSOCIATIONS)
    yield _rows(volume, _PARTITION)


def _rows(volume: VolumeReport, metrics: Mapping[str, str]) -> list[_Row]:
    return [(label, _values(volume, name), "") for name, label in metrics.items() if name in volume.metrics]


def _values(volume: VolumeReport, metric: str) -> list[str]:
    values = volume.metrics[metric]
    return [cell(values[bucket]) if bucket in values else "" for bucket in _BUCKETS]


def _interval_rows(report: Report, volume: VolumeReport) -> Iterator[_Row]:
    if report.uncertainty is not None:
        ends = volume.intervals.get(report.rule["rank_by"], {})
        yield _interval_label(report.uncertainty), [_interval(ends.get(bucket)) for bucket in _BUCKETS], "dim"


def _is_shown_ap(metric: str, rank_by: str) -> bool:
    return metric.startswith("ap_") and metric != rank_by and (metric in {"ap_50", "ap_75"} or metric.count("_") == 2)


def _error_table(repairs: Mapping[str, Any], label: str) -> Table:
    """Return how often each kind of error occurs, and the score if it did not, by itself and one after the other."""
    scores = repairs["scores"][label]
    table = _table("", ("Errors", "Missed", "False", "Without it", "Step by step"))
    order = [step["kind"] for step in scores["cumulative"]]
    steps = {step["kind"]: step["score"] for step in scores["cumulative"]}
    for kind in [*order, *(kind for kind in repairs["classes"] if kind not in order)]:
        counts = repairs["classes"][kind]
        step = cell(steps[kind].get("all")) if kind in steps else ""
        table.add_row(
            visible(kind),
            *(cell(counts[column]["all"]) for column in ("errors", "gt", "pred")),
            cell(scores["alone"][kind].get("all")),
            step,
        )
    return table


def _budget_line(repairs: Mapping[str, Any]) -> str:
    """Return how many single repairs reach the target."""
    budgets = repairs["repairs"]
    counts = ", ".join(f"{name} {cell(budgets[bucket]['to_target'])}" for bucket, name in _BUCKETS.items())
    return f"repairs to reach {repairs['target']:.2f}:  {counts}"


def _interval_label(uncertainty: Mapping[str, Any]) -> str:
    return f"  {uncertainty['level']:.0%} interval"


def _interval(ends: Interval) -> str:
    return "-" if ends is None else f"{ends[0]:.3f}-{ends[1]:.3f}"


def _detection_iou(rank_by: str, volume: VolumeReport) -> str:
    """Return the IoU threshold to show counts at, in hundredths: the ranked one, or the middle one of a mean."""
    if rank_by.count("_") == 1:
        return rank_by.rpartition("_")[2]
    thresholds = [name.partition("_")[2] for name in volume.metrics if name.startswith("tp_")]
    return thresholds[len(thresholds) // 2]


def _table(corner: str, columns: Iterable[str]) -> Table:
    table = Table(corner, box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, justify="right")
    return table
