"""``mitobench leaderboard score``: from a submission and the ground truth to an entry."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboard.cli._options import add_card, add_task, card_of, task_of
from leaderboard.cli._shape import add_shape, challenge_of
from mitobench.cli.common import add_limits, progress_bar
from mitobench.cli.options import add_bootstrap, add_rule, bootstrap_of, rule_of
from mitobench.errors import InputWarning, InvalidInputError, UnusableFileError
from mitobench.files import check_output_folder

if TYPE_CHECKING:
    from leaderboard.card import MethodCard
    from leaderboard.entry import Task

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench leaderboard score submission.zip --gt ground-truth/ --card card.toml
  mitobench leaderboard score submission.zip --gt ground-truth/ --method U2D-B --rule mitoem-2023 --without-instances
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "score",
        help="score a submission against private ground truth",
        description="Score a submission, print the scores and write an entry for the leaderboard.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    _add_inputs(parser)
    add_card(parser)
    add_task(parser)
    add_rule(parser)
    analysis = parser.add_argument_group("analysis")
    analysis.add_argument("--no-intervals", action="store_true", help="leave out confidence intervals")
    analysis.add_argument("--repairs", action="store_true", help="what each class of error costs")
    add_bootstrap(analysis)
    _add_outputs(parser)
    add_limits(parser)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("submission", metavar="SUBMISSION", help="zip, or the folder that it was unpacked to")
    parser.add_argument(
        "--gt",
        required=True,
        metavar="DIR",
        help="folder of the ground truth, one volume each with human and with rat in its name",
    )
    parser.add_argument(
        "--cable-folder",
        metavar="DIR",
        help="where human_cable_lengths.csv and rat_cable_lengths.csv lie or are kept, for rules that sort by cable "
        "length (default: beside the ground truth)",
    )
    parser.add_argument(
        "--scratch", metavar="DIR", help="folder to unpack compressed members to (default: that of the system)"
    )
    add_shape(parser)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    outputs = parser.add_argument_group("output")
    outputs.add_argument("-o", "--output", metavar="FILE", help="the entry (default: named after method and task)")
    outputs.add_argument("--replace", action="store_true", help="write over an entry that is there")
    outputs.add_argument(
        "--without-instances",
        action="store_true",
        help="leave out the tables of instances, which tell where private ground truth lies",
    )


def run(args: argparse.Namespace) -> int:
    """Score, write the entry and print the scores."""
    card, task = card_of(args) or _card_of_file(args.submission), task_of(args)
    if args.shape is not None and args.dataset is None:
        raise InvalidInputError("--shape says that these are not the volumes of MitoEM; name the data with --dataset")
    output = _output(args, card, task)
    from leaderboard.score import score_submission
    from mitobench.render import print_report

    with progress_bar("scoring") as progress:
        entry = score_submission(
            args.submission,
            args.gt,
            card=card,
            task=task,
            rule=rule_of(args),
            challenge=challenge_of(args),
            intervals=None if args.no_intervals else bootstrap_of(args),
            repairs=args.repairs,
            cable_folder=args.cable_folder,
            scratch=args.scratch,
            memory=args.memory,
            workers=args.workers,
            progress=progress,
        )
    kept = entry.without_instances() if args.without_instances else entry
    kept.to_json(output)
    if entry.report is not None:
        print_report(entry.report)
    print(f"entry: {output}")
    return 0


def _card_of_file(submission: str) -> MethodCard:
    """Return a card that names the method as the file, and say so."""
    from leaderboard.card import MethodCard

    card = MethodCard(method=Path(submission).resolve().stem)
    text = f"the entry calls the method {card.method!r}, as the file; say whose it is with --card FILE or --method NAME"
    warnings.warn(text, InputWarning, stacklevel=2)
    return card


def _output(args: argparse.Namespace, card: MethodCard, task: Task) -> Path:
    """Return where the entry goes, once it is known that it can be written there."""
    from leaderboard.entry import entry_key

    path = check_output_folder(args.output or f"{entry_key(card, task)}.json")
    if path.exists() and not args.replace:
        raise UnusableFileError(f"{path}: it is there already; name another file with -o, or give --replace")
    return path
