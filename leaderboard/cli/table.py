"""``mitobench leaderboard table``: the leaderboard as tables for papers, pages, spreadsheets and terminals."""

from __future__ import annotations

import argparse
import warnings
from pathlib import PurePath
from typing import TYPE_CHECKING

from leaderboard.cli._options import add_board, add_entries, boards_of
from mitobench.cli.common import check_outputs, write_text
from mitobench.errors import InputWarning, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leaderboard.board import Board
    from leaderboard.tables import Compare, Table

__all__ = ["add_parser", "run"]

_SUFFIXES = {".txt": "terminal", ".md": "markdown", ".tex": "latex", ".csv": "csv"}
_BUCKETS = ("small", "medium", "large", "all")
_EXAMPLES = """forms:
  paper     small, medium, large and all of each volume, and the mean over the volumes; the best value of each column is
            bold. A method with several results, such as on two versions of the annotation, has a table of its own, as
            in the note "Updated Baselines on MitoEM Dataset"; --compare methods puts all methods of a task into one.
  platform  ranks and the columns of the challenge platform; a table for each rule and task

examples:
  mitobench leaderboard table
  mitobench leaderboard table --entries mine --published --compare methods -o table.tex
  mitobench leaderboard table --entries mine --form platform --buckets all
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "table",
        help="tables for papers, pages and spreadsheets",
        description="Show entries as tables. Results of different rules or tasks are never ranked beside each other.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    add_entries(parser)
    add_board(parser)
    _add_form(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--format",
        choices=tuple(_SUFFIXES.values()),
        help="(default: that of the suffix of FILE, else terminal); latex needs the package booktabs",
    )
    output.add_argument("-o", "--output", metavar="FILE", help="write to a file: .txt, .md, .tex or .csv; - prints")


def _add_form(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--form", choices=("paper", "platform"), default="paper", help="(default paper)")
    parser.add_argument(
        "--buckets",
        nargs="+",
        choices=_BUCKETS,
        default=_BUCKETS,
        metavar="BUCKET",
        help="columns of each volume: small, medium, large, all (default: these four)",
    )
    paper = parser.add_argument_group("form paper")
    paper.add_argument(
        "--compare",
        choices=("versions", "methods"),
        help="rows of a table: the versions of a method (default), or all methods of a task",
    )
    paper.add_argument("--intervals", action="store_true", help="confidence intervals under the values that have one")
    platform = parser.add_argument_group("form platform")
    platform.add_argument(
        "--settings",
        metavar="FILE",
        help="JSON of the settings of a phase (default: all results, ranked by the metric of the rule)",
    )


def run(args: argparse.Namespace) -> int:
    """Make the tables, and print or write them."""
    output = None if args.output == "-" else args.output
    form = _format(args.format, output)
    check_outputs({"--output": output}, printable=("--output",))
    tables = _tables(args)
    if form == "csv" and (omitted := " ".join(line for table in tables for line in table.omissions)):
        warnings.warn(omitted, InputWarning, stacklevel=2)
    if output is not None:
        write_text(output, _text(tables, form))
    elif form == "terminal":
        from leaderboard.tables import print_tables

        print_tables(tables)
    else:
        print(_text(tables, form), end="")
    return 0


def _format(named: str | None, output: str | None) -> str:
    """Return the format that was named, or that of the suffix of the file."""
    if output is None:
        return named or "terminal"
    suffix = PurePath(output).suffix.lower()
    by_suffix = _SUFFIXES.get(suffix)
    if named is None and by_suffix is None:
        allowed = ", ".join(_SUFFIXES)
        raise InvalidInputError(
            f"{output}: no format has the suffix {suffix!r}; allowed: {allowed}, or name a --format"
        )
    if named is not None and by_suffix not in {None, named}:
        raise InvalidInputError(f"{output}: is named as {by_suffix}, but --format is {named}; change one of them")
    return named or str(by_suffix)


def _tables(args: argparse.Namespace) -> tuple[Table, ...]:
    _check_form(args)
    boards = boards_of(args)
    if args.form == "platform":
        return tuple(_ranked(board, args) for board in boards)
    from leaderboard.tables import paper_tables

    entries = [entry for board in boards for entry in board.entries]
    compare: Compare = args.compare or "versions"
    return paper_tables(entries, compare=compare, buckets=args.buckets, intervals=args.intervals)


def _check_form(args: argparse.Namespace) -> None:
    """Refuse options that the form does not have."""
    options = {
        "paper": {"--compare": args.compare is not None, "--intervals": args.intervals},
        "platform": {"--settings": args.settings is not None},
    }
    for form, given in options.items():
        for option, is_given in given.items():
            if is_given and args.form != form:
                raise InvalidInputError(f"{option} is an option of --form {form}; leave it out or name that form")


def _ranked(board: Board, args: argparse.Namespace) -> Table:
    """Return the table of a board, ranked as a phase with the settings of the file would."""
    from leaderboard.platform import PhaseSettings
    from leaderboard.ranking import rank_board
    from leaderboard.tables import platform_table
    from mitobench.json_files import read_json

    settings = None
    if args.settings is not None:
        settings = read_json(args.settings, PhaseSettings.from_dict, "the settings of a phase")
    return platform_table(rank_board(board, settings), buckets=args.buckets)


def _text(tables: Sequence[Table], form: str) -> str:
    from leaderboard.tables import to_csv, to_latex, to_markdown, to_text

    write: dict[str, Callable[[Sequence[Table]], str]] = {
        "terminal": to_text,
        "markdown": to_markdown,
        "latex": to_latex,
        "csv": to_csv,
    }
    return write[form](tables).rstrip("\n") + "\n"
