"""``mitobench leaderboard add``: entries, or reports with a card, into a folder of entries."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from leaderboard.cli._options import add_card, add_task, card_of, task_of
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leaderboard.entry import Entry
    from mitobench.report import Report

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench leaderboard add mine.json
  mitobench leaderboard add report.json --card card.toml --part val --entries results
"""
_OF_REPORTS = ("card", "method", "dataset", "part", "annotation", "protocol", "created")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "add",
        help="add results to a leaderboard",
        description="Add entries that `mitobench leaderboard score` made to a folder of entries, or reports of "
        "`mitobench evaluate --json` together with a card. All files are checked before the first is added; what is "
        "there stays there unless --replace is given.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("files", nargs="+", metavar="FILE", help="entry or report, as JSON")
    parser.add_argument(
        "--entries", metavar="DIR", help="folder to add to (default: in a clone of mitobench, the one that ships)"
    )
    parser.add_argument("--replace", action="store_true", help="put it in the place of the same method's result")
    parser.add_argument(
        "--without-instances", action="store_true", help="leave out tables of instances, which tell of private labels"
    )
    add_card(parser)
    parser.add_argument("--created", metavar="TIME", help="of a report: when it was made, such as 2026-11-23T12:00")
    add_task(parser)


def run(args: argparse.Namespace) -> int:
    """Read every file, then add them all and print where they are."""
    from leaderboard.store import SHIPPED, add_all, is_writable

    folder = SHIPPED if args.entries is None else args.entries
    if not is_writable(folder):
        raise InvalidInputError(
            f"{folder}: these entries ship with mitobench, and an upgrade would undo what is added to them; name a "
            "folder of your own with --entries DIR"
        )
    entries = [_entry(path, args) for path in args.files]
    for path in add_all(folder, entries, replace=args.replace):
        print(path)
    return 0


def _entry(path: str, args: argparse.Namespace) -> Entry:
    from mitobench.json_files import read_json

    expected = "an entry of `mitobench leaderboard score` or a report of `mitobench evaluate --json`"
    entry = read_json(path, lambda values: _built(values, args), expected)
    return entry.without_instances() if args.without_instances else entry


def _built(values: Mapping[str, Any], args: argparse.Namespace) -> Entry:
    from leaderboard.entry import Entry

    if not isinstance(values, dict) or "schema_version" not in values:
        entry = Entry.from_dict(values)
        if given := [name for name in _OF_REPORTS if getattr(args, name) is not None]:
            raise InvalidInputError(f"is an entry, which says so itself; leave out --{given[0]}")
        return entry
    return _of_report(values, args)


def _of_report(values: Mapping[str, Any], args: argparse.Namespace) -> Entry:
    from leaderboard.entry import Entry
    from mitobench.report import Report

    report, card = Report.from_dict(values), card_of(args)
    if card is None:
        raise InvalidInputError("is a report, which does not say whose it is; give --card FILE or --method NAME")
    entry = Entry(card=card, task=task_of(args), result=report, created=args.created or "")
    if args.dataset is None:
        _check_sections(report)
    return entry


def _check_sections(report: Report) -> None:
    """Refuse to call other data MitoEM because nobody said what they are."""
    from leaderboard.challenge import MITOEM

    height, width = MITOEM.shape[1:]
    for volume in report.volumes:
        if volume.shape[1:] != (height, width):
            found = " x ".join(map(str, volume.shape[1:]))
            raise InvalidInputError(
                f"{volume.name} has sections of {found} voxels, and MitoEM of {height} x {width}; name the data with "
                "--dataset"
            )
