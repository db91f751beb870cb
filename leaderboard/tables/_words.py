"""Names as the tables write them, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitobench.render.words import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leaderboard.entry import Entry
    from mitobench.report import Value

__all__ = ["PUBLISHED", "facts", "is_mixed", "labels_of_methods", "mark", "one_line"]

PUBLISHED = "\N{DAGGER}"
"""Behind the name of a method whose numbers were published, in a table that also holds measured ones."""


def one_line(text: str) -> str:
    """Return a text of strangers in one line, with what cannot be seen made visible.

    Examples
    --------
    >>> one_line("two" + chr(10) + "lines"), one_line("a" + chr(0x202E) + "b") == "a" + chr(0xFFFD) + "b"
    ('two lines', True)
    """
    return visible(" ".join(text.split()))


def is_mixed(entries: Sequence[Entry]) -> bool:
    """Whether some numbers were published and others measured."""
    return len({entry.kind for entry in entries}) > 1


def labels_of_methods(entries: Sequence[Entry]) -> list[str]:
    """Return the names of the methods: with the team where several have one of that name, and `PUBLISHED`."""
    teams: dict[str, set[str]] = {}
    for entry in entries:
        teams.setdefault(one_line(entry.card.method), set()).add(one_line(entry.card.team))
    mixed = is_mixed(entries)
    return [
        _label(entry, several=len(teams[one_line(entry.card.method)]) > 1) + mark(entry, mixed=mixed)
        for entry in entries
    ]


def _label(entry: Entry, *, several: bool) -> str:
    method, team = one_line(entry.card.method), one_line(entry.card.team)
    return f"{method} ({team})" if several and team else method


def mark(entry: Entry, *, mixed: bool) -> str:
    """Return `PUBLISHED` for published numbers in a mixed table, else nothing."""
    return PUBLISHED if mixed and entry.kind == "published" else ""


def facts(entry: Entry) -> dict[str, Value | str]:
    """Return what a program has to know of the origin of a row."""
    texts = {
        "rule": str(entry.rule["label"]),
        "metric": str(entry.rule["rank_by"]),
        "dataset": entry.task.dataset,
        "part": entry.task.part,
        "annotation": entry.task.annotation,
        "protocol": entry.task.protocol,
        "method": entry.card.method,
        "team": entry.card.team,
        "kind": entry.kind,
        "created": entry.created,
        "remark": entry.remark,
    }
    return {name: one_line(text) for name, text in texts.items()}
