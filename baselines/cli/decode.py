"""``mitobench baseline decode``: probabilities to instances."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from mitobench.cli.common import add_limits, check_outputs, progress_bar
from mitobench.errors import InvalidInputError

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
    for name, text in _OPTIONS.items():
        method.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="P", help=text)
    for name, text in _SIZES.items():
        method.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=text)
    add_limits(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Decode, and say what was found."""
    check_outputs({"--output": args.output, "--scores": args.scores}, printable=())
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
    from baselines.decode import method_of

    if (args.method is None) == (args.recipe is None):
        raise InvalidInputError("name either a --method, mw or cc, or a --recipe")
    if args.recipe is None:
        method = method_of(args.method)
    else:
        from baselines.recipe import load_recipe

        method = load_recipe(args.recipe).decoding
    given = {name: getattr(args, name) for name in (*_OPTIONS, *_SIZES) if getattr(args, name) is not None}
    for name in given:
        if not hasattr(method, name):
            raise InvalidInputError(f"--{name.replace('_', '-')} is no setting of this method; leave it out")
    return replace(method, **given)
