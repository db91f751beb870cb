"""``mitobench leaderboard site``: the leaderboard as a site of plain files."""

from __future__ import annotations

import argparse

from leaderboard.cli._options import add_entries, entries_of

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench leaderboard site -o public/
  mitobench leaderboard site --entries results/ --published -o public/
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "site",
        help="write the leaderboard as a site of plain files",
        description="Write boards, a page for each method, a comparison of any two and how to submit, as HTML files "
        "that need no server and ask for nothing. A folder that holds an earlier site is brought up to date; files in "
        "it that are no pages of a site stay.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    add_entries(parser)
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the site; new, empty or a site")


def run(args: argparse.Namespace) -> int:
    """Build every page, then write them and say where."""
    from leaderboard.site import build_site, check_site_folder, write_site

    folder = check_site_folder(args.output)
    pages = build_site(entries_of(args))
    write_site(pages, folder)
    print(f"{folder / 'index.html'}: {len(pages)} pages")
    return 0
