"""Reports as tables on a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mitobench.report import Report, Value, VolumeReport

__all__ = ["print_report", "to_text"]

_BUCKETS = {"all": "All", "small": "Small", "medium": "Medium", "large": "Large"}
_PAPER_ORDER = {"small": "Small", "medium": "Med", "large": "Large", "all": "All"}
_DETECTION = {
    "tp": "Found (TP)",
    "fn": "Missed (FN)",
    "fp": "False (FP)",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "accuracy": "Accuracy",
    "sq": "SQ (mean IoU)",
    "pq": "PQ",
}
_PARTITION = {"voi_split": "VOI split (bits)", "voi_merge": "VOI merge (bits)", "are": "Adapted Rand error"}


def to_text(report: Report, *, width: int = 100) -> str:
    """Return the report as plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_report(report, console=console)
    assert isinstance(console.file, io.StringIO)  # noqa: S101 - made three lines above
    return console.file.getvalue().rstrip("\n")


def print_report(report: Report, *, console: Console | None = None) -> None:
    """Print the report as tables, on standard output by default."""
    (console or Console()).print(Group(*_parts(report)), soft_wrap=False)


def _parts(report: Report) -> Iterator[RenderableType]:
    yield Text(f"rule {_visible(report.rule['label'])}", style="bold")
    if len(report.volumes) > 1:
        yield Text(f"\n{_label(report.rule['rank_by'])}", style="bold")
        yield _benchmark_table(report)
    for volume in report.volumes:
        shape = " x ".join(map(str, volume.shape))
        yield Text.assemble("\n", (_visible(volume.name), "bold"), f"  {shape} voxels")
        for side, source in (("ground truth", volume.gt), ("prediction", volume.pred)):
            yield Text(f"{side:<12}  {_visible(source.name)}  ({source.instances:,} instances)", overflow="fold")
        yield _volume_table(report, volume)
        yield from (Text(f"warning: {_visible(warning)}", style="yellow") for warning in volume.warnings)


def _benchmark_table(report: Report) -> Table:
    """Return the table of the paper: small, medium, large, all of each volume, then the mean of the two."""
    table = _table("", _PAPER_ORDER.values())
    for volume in report.volumes:
        values = volume.metrics[report.rule["rank_by"]]
        table.add_row(Text(_visible(volume.name)), *(_number(values.get(bucket)) for bucket in _PAPER_ORDER))
    table.add_section()
    table.add_row("Overall", "", "", "", _number(report.score), style="bold")
    return table


def _volume_table(report: Report, volume: VolumeReport) -> Table:
    """Return the few metrics that a person looks at, the ranked one first."""
    rank_by = report.rule["rank_by"]
    table = _table("", _BUCKETS.values())

    def add(metric: str, label: str, style: str = "") -> None:
        values = volume.metrics[metric]
        table.add_row(label, *(_number(values[b]) if b in values else "" for b in _BUCKETS), style=style)

    add(rank_by, _label(rank_by), "bold")
    for metric in volume.metrics:
        if metric.startswith("ap_") and metric != rank_by and (metric == "ap_50" or metric.count("_") == 2):
            add(metric, _label(metric))
    iou = _detection_iou(rank_by, volume)
    table.add_section()
    table.add_row(f"one to one at IoU {int(iou) / 100:.2f}", style="dim")
    for family, label in _DETECTION.items():
        if f"{family}_{iou}" in volume.metrics:
            add(f"{family}_{iou}", label)
    table.add_section()
    for metric, label in _PARTITION.items():
        if metric in volume.metrics:
            add(metric, label)
    return table


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


def _visible(text: str) -> str:
    """Replace what would steer the terminal: reports come from strangers too."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _label(metric: str) -> str:
    """Return how people write the name of a metric.

    Examples
    --------
    >>> _label("ap_75"), _label("ap_50_95"), _label("ap_50_100"), _label("f1_50")
    ('AP-75', 'AP .50:.95', 'AP .50:1.00', 'F1-50')
    """
    family, *numbers = metric.split("_")
    name = "AP" if family == "ap" else _DETECTION.get(family, family)
    if len(numbers) != 2:
        return "-".join([name, *numbers])
    first, last = (f"{int(number) / 100:.2f}".removeprefix("0") for number in numbers)
    return f"{name} {first}:{last}"


def _number(value: Value) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
