"""``mitobench show``: print a stored report again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("show", help="print a stored report again")
    parser.add_argument("report", metavar="REPORT", help="JSON file that `mitobench evaluate --json` wrote")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report."""
    from mitobench.render import print_report
    from mitobench.report import Report

    print_report(Report.from_json(args.report))
    return 0
