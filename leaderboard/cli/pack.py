"""``mitobench leaderboard pack``: make the zip file of a submission."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from leaderboard.cli._shape import add_shape, challenge_of
from mitobench.cli.common import add_limits, check_outputs, progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leaderboard.submission import PackReport

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench leaderboard pack --human human.h5 --rat rat.zarr -o submission.zip
  mitobench leaderboard pack --human whole_h.h5 --rat whole_r.h5 --cut -o submission.zip
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``pack``."""
    parser = subparsers.add_parser(
        "pack",
        help="make the zip file of a submission from predictions in any format",
        description="Write predictions of both volumes as the challenge asks for them, in one zip file: compressed "
        "HDF5 of the smallest type that every tool reads. Predictions of any size are written in little memory.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for key, name in (("human", "MitoEM-H"), ("rat", "MitoEM-R")):
        parser.add_argument(
            f"--{key}", required=True, metavar="PRED", help=f"prediction of {name}, a volume as `evaluate` takes it"
        )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="zip file to write")
    parser.add_argument("--cut", action="store_true", help="cut the sections to predict out of whole volumes")
    parser.add_argument("--relabel", action="store_true", help="number ids 1, 2, ... in their order; scores stay")
    parser.add_argument("--rgb", action="store_true", help="colours of TIFF or PNG sections are ids, R*65536+G*256+B")
    add_shape(parser)
    add_limits(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Pack, and say what was written."""
    check_outputs({"--output": args.output}, printable=(), inputs=(args.human, args.rat))
    from leaderboard.submission import pack_submission
    from mitobench.render.words import visible

    with progress_bar("packing") as progress:
        report = pack_submission(
            args.output,
            {"human": args.human, "rat": args.rat},
            challenge_of(args),
            cut=args.cut,
            relabel=args.relabel,
            rgb=args.rgb,
            memory=args.memory,
            workers=args.workers,
            progress=progress,
        )
    print("\n".join(map(visible, _lines(report))))
    return 0


def _lines(report: PackReport) -> Iterator[str]:
    from mitobench.render.words import amount

    yield f"{report.path}: {report.size:,} bytes"
    for volume in report.volumes:
        instances = amount(volume.instances, "instance")
        yield f"  {volume.name}  {volume.file.name}  {volume.dtype}  {instances}  {volume.file.size:,} bytes"
        yield f"            SHA-256 {volume.file.sha256}"
    if report.relabelled:
        yield "ids are numbered anew in their order, so that scores do not change"
    yield f"next: mitobench leaderboard check {report.path}"
