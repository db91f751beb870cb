"""``mitobench baseline``: recipes, training, prediction, decoding, tuning, all of it; one file per action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baselines.cli import decode, predict, recipes, run, train, tune

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser"]

_ACTIONS = (recipes, train, predict, decode, tune, run)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``baseline`` and what it can do; each action adds its own parser and says what runs it."""
    baseline = subparsers.add_parser("baseline", help="the baselines: recipes, training, prediction, decoding")
    actions = baseline.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action in _ACTIONS:
        action.add_parser(actions)
