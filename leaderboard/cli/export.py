"""``mitobench leaderboard export``: a board as a table for other programs."""

from __future__ import annotations

import argparse
import sys

from leaderboard.cli._options import add_board, add_entries, board_of
from mitobench.cli.common import check_outputs, csv_text, write_text

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench leaderboard export --form challenger --entries results -o table.csv
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "export",
        help="write a table for the R package challengeR",
        description="Write the ranked metric of every method in every block of the volumes, as a CSV table for the R "
        "package challengeR: Task is the volume, TestCase the block. Only entries that were scored with intervals "
        "have scores of blocks; the others are named on standard error.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("--form", choices=("challenger",), required=True, help="what the table is for")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="(default: print it)")
    parser.add_argument("--bucket", choices=("all", "small", "medium", "large"), default="all", help="(default all)")
    add_entries(parser)
    add_board(parser)


def run(args: argparse.Namespace) -> int:
    """Write or print the table, and say which entries are not in it."""
    check_outputs({"--output": args.output}, printable=("--output",))
    from leaderboard.challenger import challenger_table

    table = challenger_table(board_of(args), bucket=args.bucket)
    for key, reason in table.left_out.items():
        print(f"mitobench: left out {key}: {reason}", file=sys.stderr)
    text = csv_text(table.rows)
    if args.output == "-":
        print(text, end="")
    else:
        write_text(args.output, text)
    return 0
