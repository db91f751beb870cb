"""The option that says how large a prediction is, where it is not that of the challenge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitobench.cli.common import whole_numbers
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    import argparse

    from leaderboard.challenge import Challenge

__all__ = ["add_shape", "challenge_of"]


def add_shape(parser: argparse.ArgumentParser) -> None:
    """Add the option; `challenge_of` reads it."""
    parser.add_argument(
        "--shape",
        type=whole_numbers("500,4096,4096"),
        metavar="Z,Y,X",
        help="of a prediction, if it is not 500,4096,4096: for trial runs and other challenges",
    )


def challenge_of(args: argparse.Namespace) -> Challenge:
    """Return the challenge of MitoEM, or one of another shape, to be predicted from the section Z of twice as many."""
    from dataclasses import replace

    from leaderboard.challenge import MITOEM

    if args.shape is None:
        return MITOEM
    if min(args.shape) < 1:
        raise InvalidInputError(f"--shape is {args.shape}; expected at least 1 voxel along each axis")
    return replace(MITOEM, shape=args.shape, first_section=args.shape[0])
