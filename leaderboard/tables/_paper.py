"""The tables of papers: small, medium, large and all of each volume, and the mean over the volumes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from leaderboard.board import boards
from leaderboard.challenge import MITOEM
from leaderboard.tables._notes import (
    annotation_note,
    caption,
    interval_notes,
    published_note,
    rule_note,
    volume_note,
)
from leaderboard.tables._table import Cell, Column, Row, Table, mark_best
from leaderboard.tables._words import facts, labels_of_methods, one_line
from mitobench.errors import InvalidInputError, did_you_mean
from mitobench.render.words import BUCKETS, ends, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from leaderboard.entry import Entry
    from mitobench.report import Interval, Value

__all__ = ["Compare", "paper_tables"]

Compare = Literal["versions", "methods"]

_TITLES = BUCKETS | {"medium": "Med"}


def paper_tables(
    entries: Iterable[Entry],
    *,
    compare: Compare = "versions",
    buckets: Sequence[str] = tuple(BUCKETS),
    intervals: bool = False,
) -> tuple[Table, ...]:
    """Return the entries as the tables that a paper would print.

    The largest value of each column is marked. Results of different rules, data sets or protocols are never in one
    table. In each, published numbers come first, then what mitobench measured, the best first.

    Parameters
    ----------
    entries
        In any order.
    compare
        ``versions``: one table for each method with several results, such as on two versions of the annotation, as the
        note "Updated Baselines on MitoEM Dataset" prints them; methods with a single result follow, in one table for
        each task. ``methods``: one table for each task, with all methods.
    buckets
        Columns of each volume, in their order.
    intervals
        Whether confidence intervals stand under the values that have one.

    Raises
    ------
    InvalidInputError
        A bucket is unknown, or none is named.
    """
    _check_buckets(buckets)
    once = tuple(dict.fromkeys(buckets))
    return tuple(
        mark_best(_table(group, _columns(group, once), intervals=intervals))
        for group in _groups(tuple(entries), compare)
    )


def _check_buckets(buckets: Sequence[str]) -> None:
    allowed = ", ".join(BUCKETS)
    if not buckets:
        raise InvalidInputError(f"no bucket is named for the columns of a table; allowed: {allowed}")
    for bucket in buckets:
        if bucket not in BUCKETS:
            raise InvalidInputError(f"unknown bucket {bucket!r}{did_you_mean(bucket, BUCKETS)}; allowed: {allowed}")


def _groups(entries: Sequence[Entry], compare: Compare) -> Iterator[list[Entry]]:
    """Yield the entries of each table, in the order of its rows."""
    methods: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        task, method = entry.task, one_line(entry.card.method)
        methods.setdefault((entry.rule["label"], task.dataset, task.part, task.protocol, method), []).append(entry)
    several = {key for key, found in methods.items() if compare == "versions" and len(found) > 1}
    for key in sorted(several):
        yield sorted(methods[key], key=_order)
    for board in boards(entry for key, found in methods.items() if key not in several for entry in found):
        yield sorted(board.entries, key=_order)


def _order(entry: Entry) -> tuple[list[tuple[int, str]], bool, float, str]:
    """Sort v2 before v10, and the best first."""
    version = [(int(digits or 0), text) for digits, text in re.findall(r"([0-9]+)|([^0-9]+)", entry.task.annotation)]
    return version, entry.score is None, -(entry.score or 0), entry.key


@dataclass(frozen=True)
class _Place:
    """Where a number of an entry stands: a bucket of a volume, or the mean over the volumes."""

    volumes: tuple[str, ...]
    bucket: str

    @property
    def is_overall(self) -> bool:
        return len(self.volumes) != 1

    @property
    def name(self) -> str:
        return "overall" if self.is_overall else f"{one_line(self.volumes[0])}_{self.bucket}"

    @property
    def column(self) -> Column:
        return Column("Overall") if self.is_overall else Column(_TITLES[self.bucket], one_line(self.volumes[0]))

    def value(self, entry: Entry) -> Value:
        metric = str(entry.rule["rank_by"])
        if not self.is_overall:
            return entry.value(self.volumes[0], metric, self.bucket)
        is_of_all = not entry.volumes or set(entry.volumes) == set(self.volumes)
        return entry.overall(metric) if is_of_all else None

    def interval(self, entry: Entry) -> Interval:
        metric = str(entry.rule["rank_by"])
        if self.is_overall:
            return None if self.value(entry) is None else entry.overall_interval(metric)
        volumes = entry.report.volumes if entry.report else ()
        found = (volume.intervals.get(metric, {}) for volume in volumes if volume.name == self.volumes[0])
        return next(found, {}).get(self.bucket)


def _columns(entries: Sequence[Entry], buckets: Sequence[str]) -> list[_Place]:
    known = [volume.name for volume in MITOEM.volumes]
    there = dict.fromkeys(name for entry in entries for name in entry.volumes)
    volumes = [*(name for name in known if name in there), *(name for name in there if name not in known)]
    places = [_Place((name,), bucket) for name in volumes for bucket in buckets]
    return places if len(volumes) == 1 else [*places, _Place(tuple(volumes), "all")]


def _table(entries: Sequence[Entry], places: Sequence[_Place], *, intervals: bool) -> Table:
    labels = _labels(entries)
    rows = [
        _row(entry, [texts[index] for texts in labels.values()], places, intervals=intervals)
        for index, entry in enumerate(entries)
    ]
    sections = (tuple(row for row in rows if row.record["kind"] == kind) for kind in ("published", "measured"))
    return Table(
        caption=caption(entries),
        columns=(*(Column(title, numeric=False) for title in labels), *(place.column for place in places)),
        sections=tuple(section for section in sections if section),
        notes=tuple(_notes(entries, places, intervals=intervals)),
    )


def _labels(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """Return what stands in front of the numbers: heading -> text of each row."""
    labels = {"Method": labels_of_methods(entries)}
    if len({entry.task for entry in entries}) > 1:
        labels["Annotation"] = [entry.task.annotation for entry in entries]
    if any(entry.remark for entry in entries):
        labels["Remark"] = [one_line(entry.remark) for entry in entries]
    return labels


def _row(entry: Entry, labels: Iterable[str], places: Iterable[_Place], *, intervals: bool) -> Row:
    cells = [Cell(label) for label in labels]
    record = facts(entry)
    for place in places:
        value = place.value(entry)
        interval = place.interval(entry) if intervals else None
        cells.append(Cell(number(None if value is None else float(value)), value, below=ends(interval)))
        record[place.name] = value
        if intervals:
            record |= zip((f"{place.name}_low", f"{place.name}_high"), interval or (None, None), strict=True)
    return Row(tuple(cells), record)


def _notes(entries: Sequence[Entry], places: Sequence[_Place], *, intervals: bool) -> Iterator[str]:
    yield rule_note(entries)
    yield from annotation_note(entries)
    yield from published_note(entries)
    yield from volume_note(entries, places[-1].volumes)
    if intervals:
        yield from interval_notes(entries)
