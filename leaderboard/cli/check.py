"""``mitobench leaderboard check``: say all that is wrong with a submission."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from leaderboard.cli._shape import add_shape, challenge_of
from mitobench.cli.common import add_limits, check_outputs, progress_bar, write_text
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from leaderboard.submission import CheckReport

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench leaderboard check submission.zip
  mitobench leaderboard check submission.zip --json -
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``check``."""
    parser = subparsers.add_parser(
        "check",
        help="say all that is wrong with a submission",
        description="Read every voxel of a submission and list all problems at once, and what its makers probably did "
        "not mean. Exit status 0 if it can be scored, 2 if not.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("submission", metavar="ZIP", help="zip file, or the folder that it was unpacked to")
    parser.add_argument("--json", metavar="FILE", help="also write what was found as JSON; - prints it instead")
    parser.add_argument(
        "--scratch", metavar="DIR", help="folder to unpack compressed members to (default: that of the system)"
    )
    add_shape(parser)
    add_limits(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what was found; problems are an error."""
    check_outputs({"--json": args.json}, printable=("--json",))
    from leaderboard.submission import check_submission
    from mitobench.render.words import amount

    with progress_bar("checking") as progress:
        report = check_submission(
            args.submission,
            challenge_of(args),
            scratch=args.scratch,
            memory=args.memory,
            workers=args.workers,
            progress=progress,
        )
    text = json.dumps(report.to_dict(), indent=1)
    if args.json not in {None, "-"}:
        write_text(args.json, text + "\n")
    if args.json == "-":
        print(text)
    else:
        _print(report)
    if report.problems:
        raise InvalidInputError(f"{args.submission}: {amount(len(report.problems), 'problem')}; mend what is listed")
    return 0


def _print(report: CheckReport) -> None:
    from rich.console import Console
    from rich.text import Text

    from mitobench.render.words import amount, visible

    console = Console(soft_wrap=True)
    for volume in report.volumes:
        shape = " x ".join(map(str, volume.shape))
        instances = "" if volume.instances is None else f", {amount(volume.instances, 'instance')}"
        console.print(
            Text(visible(f"{volume.name}: {volume.dataset}, {shape} {volume.dtype}{instances}"), style="bold")
        )
    for style, label, found in (("red", "problem", report.problems), ("yellow", "warning", report.warnings)):
        for problem in found:
            console.print(Text.assemble((f"{label}: ", style), str(problem)))
    if not report.problems:
        number = amount(len(report.warnings), "warning") if report.warnings else "no warnings"
        console.print(Text(f"can be scored ({number})", style="green"))
