"""``mitobench leaderboard container``: the image that scores on the challenge platform."""

from __future__ import annotations

import argparse

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench leaderboard container init evaluation/
  mitobench leaderboard container init evaluation/ --mode invoke --rule mitoem-2023
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "container",
        help="the image that scores on the challenge platform",
        description="The image that scores submissions on the challenge platform, grand-challenge.org.",
    )
    actions = parser.add_subparsers(dest="container_action", required=True, metavar="ACTION")
    init = actions.add_parser(
        "init",
        help="write the folder that the image is built from",
        description="Write a Dockerfile, the settings of the evaluation and of the phase, and a README of what to do.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    init.add_argument("folder", metavar="DIR", help="made if it is not there; no file in it is written over")
    init.add_argument(
        "--mode",
        choices=("exec", "invoke"),
        default="exec",
        help="how the platform calls the image: once for each submission (exec, default), or over HTTP (invoke)",
    )
    init.add_argument("--rule", default="mitoem-2020", metavar="NAME", help="(default mitoem-2020)")
    init.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the folder and say what is in it."""
    from leaderboard.container.folder import init_folder

    for path in init_folder(args.folder, mode=args.mode, rule=args.rule):
        print(path)
    return 0
