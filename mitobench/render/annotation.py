"""Diffs of annotations as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mitobench.render.console import plain_text
from mitobench.render.words import BUCKETS, amount, length, metric_label, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from mitobench.annotation import AnnotationDiff, Attribution, ScoreChange
    from mitobench.report import Value

__all__ = ["diff_text", "print_diff"]

_LISTED = 5
_IDS = 3
_SHORT = {"small": "S", "medium": "M", "large": "L"}
_PAPER = {**BUCKETS, "medium": "Med"}
_MEANINGS = {
    "unchanged": "same voxels",
    "removed": "gone",
    "added": "new",
    "split": "one to several",
    "merged": "several to one (MOAS)",
    "rearranged": "several to several",
    "reshaped": "another shape",
    "touched-up": "slightly so",
}


def diff_text(diff: AnnotationDiff, *, width: int = 100) -> str:
    """Return the diff as plain text."""
    return plain_text(lambda console: print_diff(diff, console=console), width)


def print_diff(diff: AnnotationDiff, *, console: Console | None = None) -> None:
    """Print the diff as tables, on standard output by default."""
    (console or Console()).print(Group(*_parts(diff)), soft_wrap=False)


def _parts(diff: AnnotationDiff) -> Iterator[RenderableType]:
    yield Text(f"rule {visible(diff.rule['label'])}", style="bold")
    sources = {diff.names[0]: diff.old, diff.names[1]: diff.new}
    if diff.prediction is not None:
        sources = {**sources, "prediction": diff.prediction.pred}
    pad = max(map(len, sources))
    for name, source in sources.items():
        yield Text(f"{visible(name):<{pad}}  {visible(source.name)}  ({amount(source.instances, 'instance')})")
    yield Text(_voxel_sentence(diff))
    if diff.same_labels:
        yield Text("Both are the same labels.", style="bold")
    yield _kind_table(diff)
    yield _bucket_table(diff)
    yield Text(_bucket_sentence(diff), style="dim")
    yield from _largest(diff)
    if diff.prediction is not None:
        yield from _prediction(diff, diff.prediction)
    yield from (Text(f"warning: {visible(warning)}", style="yellow") for warning in diff.warnings)


def _voxel_sentence(diff: AnnotationDiff) -> str:
    voxels = diff.voxels
    return (
        f"\n{amount(voxels['changed'], 'voxel')} changed, of {voxels['old']:,} annotated before and {voxels['new']:,} "
        f"after: {voxels['to_background']:,} to background, {voxels['to_foreground']:,} from background, "
        f"{voxels['relabelled']:,} to another instance."
    )


def _bucket_sentence(diff: AnnotationDiff) -> str:
    small, medium = diff.rule["size_thresholds"]
    sizes = f"S(mall) up to {small:,} voxels, M(edium) up to {medium:,}, L(arge) above"
    if diff.rule.get("size_by") == "cable-length":
        sizes = f"S(mall) below {length(small)} of cable, M(edium) below {length(medium)}, L(arge) from there on"
    renumbered = f" {amount(diff.renumbered, 'unchanged instance')} only changed the id." if diff.renumbered else ""
    return (
        f"{sizes}; each instance by its size in its own version. Touched-up: IoU of old and new from "
        f"{diff.touch_up_iou:.2f} on.{renumbered}"
    )


def _kind_table(diff: AnnotationDiff) -> Table:
    names = [visible(name) for name in diff.names]
    table = _table("", ("Edits", *(f"in {name}" for name in names), "Voxels changed"))
    table.add_column("", style="dim")
    for kind, counts in diff.kinds.items():
        edits = "" if kind == "unchanged" else f"{counts['edits']:,}"
        cells = edits, *(f"{counts[side]['all']:,}" for side in ("old", "new")), f"{counts['voxels']:,}"
        table.add_row(visible(kind), *cells, _MEANINGS.get(kind, ""))
    return table


def _bucket_table(diff: AnnotationDiff) -> Table:
    table = _table("by size", [f"{short} in {visible(name)}" for name in diff.names for short in _SHORT.values()])
    for kind, counts in diff.kinds.items():
        if counts["old"]["all"] or counts["new"]["all"]:
            cells = [f"{counts[side][bucket]:,}" for side in ("old", "new") for bucket in _SHORT]
            table.add_row(visible(kind), *cells)
    return table


def _largest(diff: AnnotationDiff) -> Iterator[RenderableType]:
    """Yield the edits that changed the most voxels."""
    rows = sorted(diff.rows(), key=lambda row: (-row["voxels_changed"], row["edit"]))
    if not rows:
        return
    yield Text(f"\n{amount(len(rows), 'edit')}, those of most voxels", style="bold")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    old, new = (visible(name) for name in diff.names)
    for column in ("kind", f"ids in {old}", f"ids in {new}", "voxels changed", "IoU", "centre (z, y, x)"):
        table.add_column(Text(column), justify="left" if column == "kind" else "right")
    for row in rows[:_LISTED]:
        ids = _ids(row["old_ids"]), _ids(row["new_ids"])
        centre = ", ".join(f"{row[axis]:.0f}" for axis in "zyx")
        table.add_row(visible(row["kind"]), *ids, f"{row['voxels_changed']:,}", f"{row['iou']:.3f}", centre)
    yield table


def _ids(ids: Sequence[int]) -> str:
    more = f" and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
    return ", ".join(map(str, ids[:_IDS])) + more if ids else "-"


def _prediction(diff: AnnotationDiff, change: ScoreChange) -> Iterator[RenderableType]:
    rank_by = diff.rule["rank_by"]
    yield Text(f"\n{metric_label(rank_by)} of the same prediction against both", style="bold")
    old, new = change.old[rank_by], change.new[rank_by]
    table = _table("", _PAPER.values())
    for name, values in zip(diff.names, (old, new), strict=True):
        table.add_row(Text(visible(name)), *(_number(values.get(bucket)) for bucket in _PAPER))
    table.add_section()
    table.add_row("change", *(_number(_minus(new.get(b), old.get(b)), "+") for b in _PAPER), style="bold")
    yield table
    yield from _attribution(change.attribution)


def _attribution(found: Attribution) -> Iterator[RenderableType]:
    if not found.share:
        return
    yield Text("how much of the change the edits of each kind make", style="bold")
    buckets = {bucket: name for bucket, name in _PAPER.items() if bucket in found.change}
    table = _table("", (*buckets.values(), "Alone", "Step by step"))
    for kind, share in found.share.items():
        scores = found.alone[kind].get("all"), found.cumulative[kind].get("all")
        table.add_row(visible(kind), *_signed(share, buckets), *map(_number, scores))
    table.add_section()
    table.add_row("all of them", *_signed(found.change, buckets), "", "", style="bold")
    yield table
    yield Text(
        "What the edits of a kind add on average over all orders in which the kinds can be applied; the sum is the "
        "change. Alone: the score over all instances if only this kind is applied. Step by step: if it and those above "
        "it are.",
        style="dim",
    )
    if len(found.change) == 1:
        yield Text(
            "Only over all instances: an annotation in between has no cable lengths to sort its instances by.",
            style="dim",
        )


def _signed(values: Mapping[str, Any], buckets: Mapping[str, str]) -> list[str]:
    return [_number(values.get(bucket), "+") for bucket in buckets]


def _table(corner: str, columns: Iterable[str]) -> Table:
    table = Table(corner, box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(Text(name), justify="right")
    return table


def _minus(new: Value, old: Value) -> Value:
    return None if new is None or old is None else new - old


def _number(value: Value, sign: str = "") -> str:
    # Adding 0 turns what rounds to -0 into 0.
    return "-" if value is None else f"{round(value, 4) + 0:{sign}.4f}"
