"""``mitobench baseline decode``: probabilities to instances."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mitobench.cli.common import add_limits, check_outputs, progress_bar
from mitobench.errors import InvalidInputError, UnusableFileError

if TYPE_CHECKING:
    from baselines.decode import Method

__all__ = ["add_parser", "run"]

_OPTIONS = {
    "seed_mask": "mw: seeds are where the mask is above this (default 0.85)",
    "seed_contour": "mw: and the contour below this (default 0.6)",
    "foreground": "mw: instances fill the mask above this (default 0.8)",
    "threshold": "cc: instances are components of the mask above this (default 0.8)",
}
_SIZES = {
    "min_seed": "mw: drop smaller seeds (default 0)",
    "min_size": "drop smaller instances (default 1024 for mw, 128 for cc)",
}
_EXAMPLES = """examples:
  mitobench baseline decode prob.h5 --method mw -o seg.h5
  mitobench baseline decode prob.h5 --method cc --threshold 0.7 -o seg.h5 --scores scores.csv
  mitobench baseline decode prob.h5 --settings runs/v2 -o seg.h5
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "decode",
        help="turn probabilities into instances",
        description="Turn probabilities, uint8 (channel, z, y, x) with mask and contour, into instances, of "
        "any size. Equal to a watershed or the components of the whole volume.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("probability", metavar="PROB", help="volume, `path` or `path::dataset`")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="HDF5 file of the instances")
    parser.add_argument("--scores", metavar="FILE", help="also write id and score, the mean of the mask, as CSV")
    method = parser.add_argument_group("method")
    method.add_argument("--method", choices=("mw", "cc"), help="watershed from seeds, or connected components")
    method.add_argument("--recipe", metavar="RECIPE", help="method and settings of a recipe")
    method.add_argument("--settings", metavar="FILE", help="those that `tune` chose: its file, or the run folder")
    for name, text in _OPTIONS.items():
        method.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="P", help=text)
    for name, text in _SIZES.items():
        method.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=text)
    add_limits(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Decode, and say what was found."""
    check_outputs({"--output": args.output, "--scores": args.scores}, printable=(), inputs=(args.probability,))
    method = _method(args)
    from baselines.decode import decode

    with progress_bar("decoding") as progress:
        report = decode(
            args.probability,
            args.output,
            method,
            scores=args.scores,
            memory=args.memory,
            workers=args.workers,
            progress=progress,
        )
    print(f"{args.output}: {len(report.sizes):,} instances, {report.dtype}; {report.small:,} were too small")
    return 0


def _method(args: argparse.Namespace) -> Method:
    """Return the method that was named, with the settings that were given."""
    if [args.method, args.recipe, args.settings].count(None) != 2:
        raise InvalidInputError("name one of --method, mw or cc, --recipe and --settings")
    method = _named(args)
    given = {name: getattr(args, name) for name in (*_OPTIONS, *_SIZES) if getattr(args, name) is not None}
    for name in given:
        if not hasattr(method, name):
            raise InvalidInputError(f"--{name.replace('_', '-')} is no setting of this method; leave it out")
    return replace(method, **given)


def _named(args: argparse.Namespace) -> Method:
    if args.settings is not None:
        return _tuned(Path(args.settings))
    if args.recipe is not None:
        from baselines.recipe import load_recipe

        return load_recipe(args.recipe).decoding
    from baselines.decode import method_of

    return method_of(args.method)


def _tuned(path: Path) -> Method:
    """Return what `tune` has written to a file, or into a run folder."""
    from baselines.tune import read_decoding

    if not path.is_dir():
        return read_decoding(path)
    from baselines.train import RunFolder

    folder = RunFolder(path)
    if not folder.decoding.exists():
        raise UnusableFileError(
            f"{path}: holds no {folder.decoding.name}; run `mitobench baseline tune` first, or name its --recipe "
            f"{folder.recipe}"
        )
    return read_decoding(folder.decoding)
