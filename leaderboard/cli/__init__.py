"""``mitobench leaderboard``: submissions, scores, ranks, tables and pages; one file per action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaderboard.cli import add, check, container, export, pack, rank, score, site, table

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser"]

_ACTIONS = (pack, check, score, add, rank, table, export, site, container)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``leaderboard`` and what it can do; each action adds its own parser and says what runs it."""
    leaderboard = subparsers.add_parser("leaderboard", help="submissions, their scores, ranks, tables and pages")
    actions = leaderboard.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action in _ACTIONS:
        action.add_parser(actions)
