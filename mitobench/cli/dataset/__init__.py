"""``mitobench dataset``: find, check, convert and compare data sets; one file per action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitobench.cli.dataset import check, convert, diff

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser"]

_ACTIONS = (check, convert, diff)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``dataset`` and what it can do; each action adds its own parser and says what runs it."""
    dataset = subparsers.add_parser("dataset", help="find, check, convert and compare data sets")
    actions = dataset.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action in _ACTIONS:
        action.add_parser(actions)
