"""``mitobench leaderboard rank``: the entries ranked as the challenge platform ranks them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from leaderboard.cli._options import add_board, add_entries, boards_of
from mitobench.cli.common import check_outputs

if TYPE_CHECKING:
    from leaderboard.board import Board
    from leaderboard.platform import PhaseSettings
    from leaderboard.ranking import Ranking
    from leaderboard.stability import Stability

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench leaderboard rank
  mitobench leaderboard rank --entries results --rule mitoem-2020 --display bst
  mitobench leaderboard rank --entries results --method avg --rank-columns aggregates.pq_75 case.rat.ap_75.small
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "rank",
        help="rank entries as the challenge platform does",
        description="Rank the entries of each rule and task as the challenge platform does, and say of each that is "
        "not ranked why. Where entries were scored with intervals, also how stable the ranks are.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    add_entries(parser)
    add_board(parser)
    how = parser.add_argument_group("how to rank")
    how.add_argument("--settings", metavar="FILE", help="JSON of the settings of a phase; other options change them")
    how.add_argument(
        "--method",
        choices=("abs", "avg", "med"),
        help="rank by the score alone (default), or by mean or median of the ranks in all columns that rank",
    )
    how.add_argument(
        "--display",
        choices=("all", "rec", "bst"),
        help="all results (default), or the most recent or the best of each team",
    )
    how.add_argument(
        "--rank-columns", nargs="+", default=[], metavar="PATH", help="columns that rank too, such as aggregates.pq_75"
    )
    parser.add_argument("--json", metavar="FILE", help="write the ranks; - prints them instead of the tables")


def run(args: argparse.Namespace) -> int:
    """Rank, write what was asked for, and print the tables or the JSON."""
    check_outputs({"--json": args.json}, printable=("--json",))
    from leaderboard.ranking import rank_board
    from leaderboard.ranking_text import ranking_dict
    from mitobench.json_files import write_json

    rankings = [rank_board(board, _settings(args, board)) for board in boards_of(args)]
    ranked = [(ranking, _stability(ranking)) for ranking in rankings]
    values = {"boards": [ranking_dict(ranking, stability) for ranking, stability in ranked]}
    text = write_json(values, None if args.json == "-" else args.json)
    if args.json == "-":
        print(text)
    else:
        _print(ranked)
    return 0


def _settings(args: argparse.Namespace, board: Board) -> PhaseSettings:
    from leaderboard.platform import PhaseSettings, phase_settings
    from leaderboard.ranking import with_ranked
    from mitobench.json_files import read_json

    if args.settings is None:
        settings = replace(phase_settings(board.rank_by, board.volumes), result_display="all")
    else:
        settings = read_json(args.settings, PhaseSettings.from_dict, "the settings of a phase")
    changes = {"scoring_method": args.method, "result_display": args.display}
    settings = replace(settings, **{name: value for name, value in changes.items() if value is not None})
    return with_ranked(settings, args.rank_columns, board)


def _stability(ranking: Ranking) -> Stability | None:
    """Return how stable the ranks are; None where something else is ranked than what was resampled."""
    from leaderboard.stability import rank_stability

    by_rule = ranking.settings.score.path == f"aggregates.{ranking.board.rank_by}"
    return rank_stability(ranking.board) if by_rule else None


def _print(ranked: list[tuple[Ranking, Stability | None]]) -> None:
    from rich.console import Console, Group

    from leaderboard.ranking_text import ranking_parts

    console = Console()
    for ranking, stability in ranked:
        console.print(Group(*ranking_parts(ranking, stability)))
