"""Comparisons as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mitobench.render.console import cell, plain_text
from mitobench.render.words import amount, metric_label, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mitobench.compare import Comparison, Difference

__all__ = ["comparison_text", "print_comparison"]

_BUCKETS = {"all": "All", "small": "Small", "medium": "Medium", "large": "Large"}
_SHOWN = ("accuracy", "f1", "pq")
_PARTITION = {"voi_split": "VOI split (bits)", "voi_merge": "VOI merge (bits)", "are": "Rand error"}
_LISTED = 5


def comparison_text(comparison: Comparison, *, width: int = 100) -> str:
    """Return the comparison as plain text."""
    return plain_text(lambda console: print_comparison(comparison, console=console), width)


def print_comparison(comparison: Comparison, *, console: Console | None = None) -> None:
    """Print the comparison as tables, on standard output by default."""
    (console or Console()).print(Group(*_parts(comparison)), soft_wrap=False)


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    yield Text(f"rule {visible(comparison.rule['label'])}", style="bold")
    a, b = (visible(name) for name in comparison.names)
    for side, source in (("ground truth", comparison.gt), (a, comparison.a), (b, comparison.b)):
        yield Text(f"{side:<12}  {visible(source.name)}  ({source.instances:,} instances)", overflow="fold")
    if comparison.same_labels:
        yield Text(f"{a} and {b} are the same labels.", style="bold")
    yield _difference_table(comparison)
    yield from (Text(line, style="dim") for line in _meaning(comparison))
    yield Text(f"\nground truths found at IoU {comparison.iou_threshold:.2f}", style="bold")
    yield _found_table(comparison)
    for found, missed, name in (("found_a", "found_b", a), ("found_b", "found_a", b)):
        yield from _listed(comparison, found, missed, name)
    yield from (Text(f"warning: {visible(warning)}", style="yellow") for warning in comparison.warnings)


def _difference_table(comparison: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(no_wrap=True)
    for name in comparison.names:
        table.add_column(Text(visible(name)), justify="right", overflow="fold", min_width=6)
    level = f"{comparison.uncertainty['level']:.0%}"
    for name in ("diff", f"{level} interval", "p boot", "p swap"):
        table.add_column(name, justify="right", no_wrap=True)
    for section in _sections(comparison):
        table.add_section()
        for label, row in section.items():
            table.add_row(label, *_cells(row), style="bold" if row.metric == comparison.rule["rank_by"] else "")
    return table


def _sections(comparison: Comparison) -> Iterator[dict[str, Difference]]:
    """Yield the ranked metric in each bucket, then a few others over all instances, by what people call them."""
    rows = {(row.metric, row.bucket): row for row in comparison.differences}
    rank_by = comparison.rule["rank_by"]
    yield {f"{metric_label(rank_by)} {name}": rows[rank_by, bucket] for bucket, name in _BUCKETS.items()}
    iou = round(100 * comparison.iou_threshold)
    others = [*filter(_is_shown_ap, comparison.metrics), *(f"{family}_{iou:02d}" for family in _SHOWN)]
    yield {metric_label(name): rows[name, "all"] for name in others if (name, "all") in rows and name != rank_by}
    yield {label: rows[name, "all"] for name, label in _PARTITION.items()}


def _is_shown_ap(metric: str) -> bool:
    return metric in {"ap_50", "ap_75"} or (metric.startswith("ap_") and metric.count("_") == 2)


def _cells(row: Difference) -> list[str]:
    interval = "-" if row.low is None or row.high is None else f"{row.low:+.3f}..{row.high:+.3f}"
    values = cell(row.a), cell(row.b), cell(row.difference, "+")
    return [*values, interval, _p(row.p_bootstrap), _p(row.p_permutation)]


def _found_table(comparison: Comparison) -> Table:
    a, b = (visible(name) for name in comparison.names)
    table = Table("", box=box.SIMPLE_HEAD)
    for name in _BUCKETS.values():
        table.add_column(name, justify="right")
    labels = {"both": "by both", "only_a": f"only by {a}", "only_b": f"only by {b}", "neither": "by neither"}
    for key, label in labels.items():
        table.add_row(Text(label), *(f"{comparison.found[bucket][key]:,}" for bucket in _BUCKETS))
    return table


def _listed(comparison: Comparison, found: str, missed: str, name: str) -> Iterator[RenderableType]:
    """Yield the largest ground truths that only one of the two has found."""
    only = [row for row in comparison.instance_rows() if row[found] and not row[missed]]
    if not only:
        return
    only.sort(key=lambda row: (-row["size"], row["id"]))
    yield Text(f"found only by {name}: {amount(len(only), 'ground truth')}, largest first")
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("id", "voxels", "centre (z, y, x)", *(f"IoU {visible(side)}" for side in comparison.names)):
        table.add_column(Text(column), justify="right")
    for row in only[:_LISTED]:
        table.add_row(f"{row['id']}", f"{row['size']:,}", _place(row), f"{row['iou_a']:.3f}", f"{row['iou_b']:.3f}")
    yield table


def _place(row: Mapping[str, float]) -> str:
    return ", ".join(f"{row[axis]:.0f}" for axis in "zyx")


def _meaning(comparison: Comparison) -> Iterator[str]:
    """Say what the numbers of the table stand for."""
    made = comparison.uncertainty
    a, b = (visible(name) for name in comparison.names)
    units = "blocks of the volume" if made["unit"] == "blocks" else "instances"
    yield (
        f"diff: {a} minus {b}; less is better for VOI and Rand error. interval, p boot: {made['resamples']:,} draws "
        f"of {units}, with replacement, alike for both; {made['occupied']:,} of them hold instances. p swap: {a} and "
        f"{b} change places at random in each of them."
    )
    yield (
        "They tell how far the difference depends on which mitochondria are in this volume, not what it would be in "
        "other tissue or had the models been trained again. No p-value allows for the number of rows: choose one "
        "before you look."
    )
    if any(row.low is None and row.difference is not None for row in comparison.differences):
        yield f"A dash for an interval: there are too few {units} to draw from."


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
