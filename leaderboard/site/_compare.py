"""The pairs of a board: how far two methods differ, and whether that is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from leaderboard.site._board import OVERALL, score_at
from leaderboard.stability import paired_difference
from mitobench.render.words import BUCKETS, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leaderboard.entry import Entry
    from leaderboard.site._board import BoardView, Place, Row

__all__ = ["MOST_COMPARED", "Gap", "Pairs", "board_pairs", "signed"]

MOST_COMPARED = 30
"""Methods of a board that are compared with each other; their 435 pairs in nine places take seconds."""
_DIGITS = 3


@dataclass(frozen=True)
class Gap:
    """How far a method is ahead of another at one place.

    Attributes
    ----------
    value
        Score of the one minus score of the other.
    low, high, p
        Ends of the interval and p-value; None where the two have no resamples in common.
    """

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves no doubt which of the two is ahead.

        Examples
        --------
        >>> Gap(0.1, 0.02, 0.2, 0.01).is_clear, Gap(0.1, -0.1, 0.3, 0.4).is_clear, Gap(0.1).is_clear
        (True, False, False)
        """
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def __neg__(self) -> Gap:
        low, high = (None if end is None else -end for end in (self.high, self.low))
        return Gap(-self.value, low, high, self.p)


@dataclass(frozen=True)
class Pairs:
    """The methods of a board that can be compared, and the gaps between them.

    Attributes
    ----------
    view
        The board.
    rows
        The methods, by rank.
    gaps
        (number of a method, number of a later one) -> the gap at each place of the board; None where a score is
        undefined.
    """

    view: BoardView
    rows: tuple[Row, ...]
    gaps: Mapping[tuple[int, int], tuple[Gap | None, ...]]

    def overall(self, first: int, second: int) -> Gap | None:
        """Return the gap between the scores of two methods, whichever of them comes first."""
        if (first, second) in self.gaps:
            return self.gaps[first, second][0]
        gap = self.gaps[second, first][0]
        return None if gap is None else -gap

    def to_dict(self) -> dict[str, Any]:
        """Return what the script picks from: names, scores of each method at each place, and the gaps of each pair."""
        board = self.view.board
        return {
            "name": self.view.name,
            "label": visible(self.view.label),
            "metric": self.view.metric,
            "places": [_named(place, len(board.volumes)) for place in self.view.places],
            "methods": [_method(row, self.view.places) for row in self.rows],
            "gaps": [[None if gap is None else _numbers(gap) for gap in gaps] for gaps in self.gaps.values()],
        }


def board_pairs(view: BoardView) -> Pairs:
    """Compare the best methods of a board, up to `MOST_COMPARED`, each with each."""
    rows = tuple(row for row in view.rows if row.rank)[:MOST_COMPARED]
    pairs = combinations(enumerate(rows), 2)
    gaps = {
        (i, j): tuple(_gap(first.entry, second.entry, place) for place in view.places)
        for (i, first), (j, second) in pairs
    }
    return Pairs(view, rows, gaps)


def signed(value: float) -> str:
    r"""Return a difference with its sign and three decimals.

    Examples
    --------
    >>> signed(0.25), signed(-0.0001), signed(-0.25) == "\N{MINUS SIGN}0.250"
    ('+0.250', '+0.000', True)
    """
    # Adding 0 turns what rounds to -0 into 0.
    return f"{round(value, _DIGITS) + 0:+.{_DIGITS}f}".replace("-", "\N{MINUS SIGN}")


def _gap(first: Entry, second: Entry, place: Place) -> Gap | None:
    a, b = (score_at(entry, place)[0] for entry in (first, second))
    if a is None or b is None:
        return None
    paired = paired_difference(first, second, volume=place.volume or None, bucket=place.bucket)
    return Gap(a - b) if paired is None else Gap(a - b, paired.low, paired.high, paired.p)


def _named(place: Place, volumes: int) -> dict[str, str]:
    mean = f"Mean of {volumes} volumes" if volumes > 1 else "Score"
    return {"volume": visible(place.volume), "label": mean if place == OVERALL else BUCKETS[place.bucket]}


def _method(row: Row, places: tuple[Place, ...]) -> dict[str, Any]:
    return {
        "key": row.entry.key,
        "name": visible(row.entry.card.method),
        "kind": row.entry.kind,
        "page": row.path,
        "scores": [_rounded(score_at(row.entry, place)[0]) for place in places],
    }


def _numbers(gap: Gap) -> list[float | None]:
    return [*(_rounded(number) for number in (gap.value, gap.low, gap.high, gap.p)), int(gap.is_clear)]


def _rounded(number: float | None) -> float | None:
    """Round to what is shown: rounding twice would give other digits than the other pages have."""
    # Adding 0 turns what rounds to -0 into 0.
    return None if number is None else round(number, _DIGITS) + 0
