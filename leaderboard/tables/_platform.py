"""The table of the challenge platform: ranks, and each column of the phase with its error and position."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from leaderboard.platform import platform_metrics, value_at
from leaderboard.ranking import ranked_columns
from leaderboard.tables._notes import published_note, rule_note
from leaderboard.tables._table import Cell, Column, Row, Table
from leaderboard.tables._words import facts, is_mixed, mark, one_line
from mitobench.render.words import BUCKETS, amount, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from leaderboard import platform
    from leaderboard.entry import Entry
    from leaderboard.platform import PhaseSettings
    from leaderboard.ranking import Ranking, Standing

__all__ = ["platform_table"]

_DATE = len("2026-11-23")
_POSITIONS = {"avg": "Mean Position", "med": "Median Position"}
_DISPLAYS = {
    "rec": "Of each user the most recent result is listed.",
    "bst": "Of each user the best result is listed.",
}


def platform_table(ranking: Ranking, *, buckets: Sequence[str] = tuple(BUCKETS)) -> Table:
    """Return a ranked board with the columns, decimals and positions that the platform shows.

    A value is followed by "± error" where the column has an error, and by its position where several columns rank.
    Columns without a single value are left out. Results that are hidden are no rows; the omissions of the table name
    them and say why.

    Parameters
    ----------
    ranking
        Of a board.
    buckets
        Columns of each volume; those that rank are there in any case.
    """
    listed = [entry for entry in ranking.entries if entry.key not in ranking.hidden]
    settings = _worth_showing(ranking.settings, listed, buckets)
    teams, mixed = any(entry.card.team for entry in listed), is_mixed(listed)
    rows = tuple(_row(entry, settings, ranking.standings[entry.key], teams=teams, mixed=mixed) for entry in listed)
    return Table(
        caption=f"{one_line(ranking.board.rule)} on {ranking.board.task.label}",
        columns=tuple(_columns(settings, teams=teams)),
        sections=(rows,) if rows else (),
        notes=(rule_note(ranking.board.entries), *_notes(ranking), *published_note(listed)),
        omissions=tuple(_omissions(ranking)),
    )


def _worth_showing(settings: PhaseSettings, entries: Sequence[Entry], buckets: Sequence[str]) -> PhaseSettings:
    """Return settings without the columns that are empty or of other buckets."""
    metrics = [platform_metrics(entry) for entry in entries]
    others = set(BUCKETS) - set(buckets)
    extra = (
        column
        for column in settings.extra
        if column.path in ranked_columns(settings)
        or (
            column.path.rpartition(".")[2] not in others
            and any(value_at(found, column.path) is not None for found in metrics)
        )
    )
    return replace(settings, extra=tuple(extra))


def _columns(settings: PhaseSettings, *, teams: bool) -> Iterator[Column]:
    yield Column("#")
    for title in ("User (Team)", *(["Algorithm"] if teams else []), "Created"):
        yield Column(title, numeric=False)
    if settings.scoring_method in _POSITIONS:
        yield Column(_POSITIONS[settings.scoring_method])
    for column in (settings.score, *settings.extra):
        position = " (Position)" if _has_position(column, settings) else ""
        yield Column(f"{one_line(column.title)}{position}")


def _has_position(column: platform.Column, settings: PhaseSettings) -> bool:
    return settings.scoring_method in _POSITIONS and column.path in ranked_columns(settings)


def _row(entry: Entry, settings: PhaseSettings, standing: Standing, *, teams: bool, mixed: bool) -> Row:
    user, method = one_line(entry.card.team or entry.card.method), one_line(entry.card.method)
    names = [user, method] if teams else [user]
    names[-1] += mark(entry, mixed=mixed)
    cells = [Cell(str(standing.rank), standing.rank), *map(Cell, names), Cell(entry.created[:_DATE])]
    record = {"rank": standing.rank, "rank_score": standing.rank_score, "user": user, **facts(entry)}
    if settings.scoring_method in _POSITIONS:
        cells.append(Cell(f"{standing.rank_score:.2f}", standing.rank_score))
    metrics = platform_metrics(entry)
    for column in (settings.score, *settings.extra):
        position = standing.rank_per_metric[column.path] if _has_position(column, settings) else None
        cell, values = _value(column, metrics, position, settings.decimals)
        cells.append(cell)
        record |= values
    return Row(tuple(cells), record)


def _value(
    column: platform.Column, metrics: Mapping[str, Any], position: int | None, decimals: int
) -> tuple[Cell, dict[str, float | None]]:
    """Return the cell of a column, and what programs read of it: the value, its error and its position."""
    value = value_at(metrics, column.path)
    record: dict[str, float | None] = {column.path: value}
    text = number(None if value is None else float(value), decimals)
    if column.error_path:
        error = record[column.error_path] = value_at(metrics, column.error_path)
        if value is not None and error is not None:
            text += f" \N{PLUS-MINUS SIGN} {error:.{decimals}f}"
    if position is not None:
        record[f"{column.path}.position"] = position
        text += f" ({position})"
    return Cell(text, value), record


def _notes(ranking: Ranking) -> Iterator[str]:
    settings = ranking.settings
    columns = ", ".join(one_line(column.title) for column in ranked_columns(settings).values())
    title = _POSITIONS.get(settings.scoring_method)
    by = f"the {title.lower()} in {columns}" if title else one_line(settings.score.title)
    yield f"Ranked by {by}; equals share a rank."
    if settings.result_display != "all":
        yield _DISPLAYS[settings.result_display]


def _omissions(ranking: Ranking) -> Iterator[str]:
    if ranking.hidden:
        yield f"Not listed: {amount(len(ranking.hidden), 'result')}."
    methods = {entry.key: one_line(entry.card.method) for entry in ranking.board.entries}
    for key, reason in ranking.hidden.items():
        yield f"Not listed: {methods[key]} ({key}) {one_line(reason)}."
