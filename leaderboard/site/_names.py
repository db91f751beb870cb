"""What the parts of the site are called: safe names, each of them once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from leaderboard.entry import slug
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from leaderboard.board import Board
    from leaderboard.entry import Entry

__all__ = ["board_name", "check_names", "method_path"]

_LONGEST = 100
"""Characters of a name; file systems allow 255."""


def board_name(board: Board) -> str:
    """Return what links call a board.

    Examples
    --------
    >>> from leaderboard.board import Board
    >>> from leaderboard.entry import Task
    >>> board_name(Board(rule="mitoem-2020", rank_by="ap_75", task=Task(annotation="v1"), entries=()))
    'mitoem-2020--mitoem-test-annotation-v1'
    """
    return f"{_short(slug(board.rule))}--{_short(slug(board.task.label))}"


def method_path(entry: Entry) -> str:
    """Return the file of an entry's page, from the folder of the site."""
    return f"methods/{_short(slug(str(entry.rule['label'])))}/{_short(entry.key)}.html"


def check_names(boards: Iterable[Board]) -> None:
    """Find two rules, tasks or methods that would share a name.

    Raises
    ------
    InvalidInputError
        Two of them would.
    """
    known: dict[str, str] = {}
    for name, meaning in _named(boards):
        other = known.setdefault(name, meaning)
        if other != meaning:
            raise InvalidInputError(f"{other} and {meaning} would share the name {name!r} on the site; rename one")


def _named(boards: Iterable[Board]) -> Iterator[tuple[str, str]]:
    """Yield every name and what tells its bearer from others."""
    for board in boards:
        yield board_name(board), f"the board of {board.task.label} under the rule {board.rule}"
        for number, entry in enumerate(board.entries, 1):
            place = f"result {number} of {board.task.label} under the rule {board.rule}"
            yield method_path(entry), f"{entry.card.method} ({place})"


def _short(name: str) -> str:
    """Cut a long name, with a few digits of a hash that keep two of them apart.

    Examples
    --------
    >>> _short("u2d-b-cc-v1"), len(_short("a" * 1000)), _short("a" * 1000) == _short("a" * 1001)
    ('u2d-b-cc-v1', 100, False)
    """
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
