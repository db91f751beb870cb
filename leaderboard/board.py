"""Entries that may be held against each other: one rule, one task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leaderboard.entry import Entry, Task

__all__ = ["Board", "boards"]


@dataclass(frozen=True, kw_only=True)
class Board:
    """The entries of one rule and one task.

    Attributes
    ----------
    rule
        Label of the rule.
    rank_by
        Metric that the rule ranks by; more is better.
    task
        What was segmented.
    entries
        At least one, the best first; those without a score last.
    """

    rule: str
    rank_by: str
    task: Task
    entries: tuple[Entry, ...]

    @property
    def volumes(self) -> tuple[str, ...]:
        """Names of all volumes of the entries, in their order."""
        return tuple(dict.fromkeys(name for entry in self.entries for name in entry.volumes))


def boards(entries: Iterable[Entry]) -> tuple[Board, ...]:
    """Sort entries into boards, by rule, then task."""
    groups: dict[tuple[str, Task], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((str(entry.rule["label"]), entry.task), []).append(entry)
    return tuple(
        Board(
            rule=rule, rank_by=str(found[0].rule["rank_by"]), task=task, entries=tuple(sorted(found, key=_best_first))
        )
        for (rule, task), found in sorted(groups.items(), key=lambda group: (group[0][0], group[0][1].label))
    )


def _best_first(entry: Entry) -> tuple[bool, float, str]:
    score = entry.score
    return score is None, 0.0 if score is None else -score, entry.key
