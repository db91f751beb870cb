"""What the page shows of a board: its rows, its columns and its charts."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from leaderboard.ranking import rank_board
from leaderboard.site._names import board_name, method_path
from leaderboard.stability import rank_stability
from mitobench.render.charts import Dot, dot_rows
from mitobench.render.figures import Figure
from mitobench.render.svg import path_of, svg, tag, unit_axis
from mitobench.render.words import BUCKETS, metric_label, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from leaderboard.board import Board
    from leaderboard.entry import Entry
    from leaderboard.stability import RankSpread, Stability
    from mitobench.report import Interval, Value

__all__ = [
    "OVERALL",
    "BoardView",
    "Place",
    "Row",
    "board_view",
    "day",
    "fitting",
    "interval_bar",
    "overall_chart",
    "score_at",
    "score_charts",
]

_NONE = "\N{EN DASH}"
_LABEL_COLUMNS = 18
"""Room before the rows of a chart, in Latin letters."""


@dataclass(frozen=True)
class Place:
    """Where a score is of: a size bucket of a volume; without a volume, the mean over all of them."""

    volume: str
    bucket: str


OVERALL = Place("", "all")


@dataclass(frozen=True)
class Row:
    """A line of a board.

    Attributes
    ----------
    entry
        The result.
    path
        Its page, from the folder of the site.
    rank
        0 where it has none.
    spread
        Of its rank over the resamples; None where it is not known.
    """

    entry: Entry
    path: str
    rank: int
    spread: RankSpread | None


@dataclass(frozen=True)
class BoardView:
    """A board and all that is said of it.

    Attributes
    ----------
    board
        What is shown.
    name
        For links.
    rows
        By rank, those without one last.
    hidden
        Name of a method -> why it has no rank.
    stability
        Of the ranks; None where there are too few resamples for it.
    """

    board: Board
    name: str
    rows: tuple[Row, ...]
    hidden: Mapping[str, str]
    stability: Stability | None

    @property
    def metric(self) -> str:
        """What people call the metric that ranks."""
        return metric_label(self.board.rank_by)

    @property
    def label(self) -> str:
        """Rule and task."""
        return f"{self.board.rule}: {self.board.task.label}"

    @property
    def rule(self) -> Mapping[str, Any]:
        """The fields of the rule, as its best known entry has them: a publication names a rule, a report holds it."""
        return max((entry.rule for entry in self.board.entries), key=len)

    @property
    def places(self) -> tuple[Place, ...]:
        """Every place that may have a score, the mean first."""
        return (OVERALL, *(Place(volume, bucket) for volume in self.board.volumes for bucket in BUCKETS))

    @property
    def left_out(self) -> Mapping[str, str]:
        """Name of a method -> why the spread of ranks says nothing about it."""
        reasons = self.stability.left_out if self.stability else {}
        return {row.entry.card.method: reasons[row.entry.key] for row in self.rows if row.entry.key in reasons}


def board_view(board: Board) -> BoardView:
    """Rank a board and say how stable the ranks are."""
    ranking, stability = rank_board(board), rank_stability(board)
    spreads = {spread.key: spread for spread in (stability.spreads if stability else ())}
    rows = tuple(
        Row(entry, method_path(entry), ranking.standings[entry.key].rank, spreads.get(entry.key))
        for entry in ranking.entries
    )
    hidden = {entry.card.method: ranking.hidden[entry.key] for entry in ranking.entries if entry.key in ranking.hidden}
    return BoardView(board, board_name(board), rows, hidden, stability)


def score_at(entry: Entry, place: Place) -> tuple[Value, Interval]:
    """Return what the rule ranks by, at a place, and its interval; None where there is none."""
    metric = str(entry.rule["rank_by"])
    if not place.volume:
        return entry.score, entry.overall_interval(metric)
    volumes = entry.report.volumes if entry.report is not None else ()
    intervals = next((volume.intervals for volume in volumes if volume.name == place.volume), {})
    return entry.value(place.volume, metric, place.bucket), intervals.get(metric, {}).get(place.bucket)


def score_charts(view: BoardView, buckets: Sequence[str]) -> list[Figure]:
    """Return a chart of all methods for each volume and bucket."""
    places = [Place(volume, bucket) for bucket in buckets for volume in view.board.volumes]
    return [_chart(view, place, f"{visible(place.volume)}, {place.bucket}") for place in places]


def overall_chart(view: BoardView) -> Figure:
    """Return a chart of the scores of all methods."""
    return _chart(view, OVERALL, _mean_of(view))


def _mean_of(view: BoardView) -> str:
    volumes = [visible(volume) for volume in view.board.volumes]
    return f"mean of {' and '.join(volumes)}" if len(volumes) > 1 else ", ".join(volumes)


def _chart(view: BoardView, place: Place, what: str) -> Figure:
    dots = [_dot(row, *score_at(row.entry, place)) for row in view.rows]
    caption = f"{view.metric}, {what}"
    return Figure(caption, dot_rows(caption, dots, unit_axis(view.metric, low=_low(view))))


def _low(view: BoardView) -> float:
    """Return where the axes of all charts of a board begin, so that they can be read side by side."""
    found = [score_at(row.entry, place) for row in view.rows for place in view.places]
    lowest = [value if interval is None else interval[0] for value, interval in found if value is not None]
    return 0.5 if min(lowest, default=0) >= 0.5 else 0.0


def _dot(row: Row, value: Value, interval: Interval) -> Dot:
    name = visible(row.entry.card.method)
    label = fitting(f"{row.rank or _NONE} {name}", _LABEL_COLUMNS)
    style = "measured" if row.entry.kind == "measured" else "plain"
    return Dot(label, () if value is None else ((name, value),), _pair(interval), style)


def _pair(interval: Interval) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])


def fitting(text: str, columns: int) -> str:
    """Cut a text to a width in Latin letters; those of East Asia are twice as wide.

    Examples
    --------
    >>> fitting("U3D-BC+MW", 9), fitting("U3D-BC+MW", 8)
    ('U3D-BC+MW', 'U3D-BC+…')
    """
    widths = [2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text]
    if sum(widths) <= columns:
        return text
    kept = max(n for n in range(len(text)) if sum(widths[:n]) < columns)
    return f"{text[:kept]}\N{HORIZONTAL ELLIPSIS}"


def interval_bar(entry: Entry) -> str:
    """Return the score of an entry and its interval as a small picture over the range from 0 to 1; empty without."""
    value, interval = score_at(entry, OVERALL)
    if value is None:
        return ""
    width, axis = 76.0, unit_axis("")

    def x(score: float) -> float:
        return 5 + axis.share(min(max(score, 0.0), 1.0)) * (width - 10)

    style = "measured" if entry.kind == "measured" else "plain"
    parts = [tag("path", d=path_of([(x(0), 7), (x(1), 7)]), class_="grid")]
    if interval is not None:
        parts.append(tag("path", d=path_of([(x(interval[0]), 7), (x(interval[1]), 7)]), class_=f"whisker {style}"))
    parts.append(tag("circle", cx=x(value), cy=7, r=3.5, class_=f"dot {style}"))
    return svg(f"{metric_label(str(entry.rule['rank_by']))} {value:.3f}", parts, width, 14)


def day(created: str) -> str:
    """Return the date of a time of ISO 8601; empty for none.

    Examples
    --------
    >>> day("2026-11-23T10:00:00+00:00"), day("20261123"), day("")
    ('2026-11-23', '2026-11-23', '')
    """
    return datetime.fromisoformat(created).date().isoformat() if created else ""
