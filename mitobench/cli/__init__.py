"""The command line: one file per subcommand, each of which parses, calls and prints."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, NoReturn, TextIO

from mitobench import __version__
from mitobench.cli import compare, dataset, evaluate, phantom, show, view
from mitobench.errors import InputWarning, MitobenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_OTHERS = "mitobench.commands"
"""Entry points of other packages: modules with an ``add_parser`` as those of this folder have."""
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose errors all begin with the name of the program, whatever the subcommand."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"mitobench: error: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(prog="mitobench", description="Score 3D mitochondria instance segmentation as MitoEM does.")
    parser.add_argument("--version", action="version", version=f"mitobench {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    for command in (evaluate, compare, show, view, dataset, phantom):
        command.add_parser(subparsers)
    _add_others(subparsers)
    return parser


def _add_others(subparsers: argparse._SubParsersAction[_Parser]) -> None:
    """Add the commands of other packages; one that is broken leaves the others alone."""
    for point in sorted(entry_points(group=_OTHERS), key=lambda point: point.name):
        try:
            point.load().add_parser(subparsers)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's package raises
            reason = f"{type(error).__name__}: {error}"
            warnings.warn(
                f"the command {point.name!r} of {point.value} cannot be loaded ({reason}); install that package again",
                InputWarning,
                stacklevel=2,
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Return 0, 2 for bad usage or input, or 130 when interrupted; a bug of ours raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        warnings.showwarning = _show_warning
        args = build_parser().parse_args(arguments)
        try:
            code = int(args.run(args))
            sys.stdout.flush()
        except MitobenchError as error:
            print(f"mitobench: error: {_one_line(error)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("mitobench: interrupted; no unfinished file is left", file=sys.stderr)
            return _INTERRUPTED
        except BrokenPipeError:
            # Whoever reads the output has seen enough; Python would complain again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
    return code


def _show_warning(  # the signature that the standard library calls
    message: Warning | str,
    category: type[Warning],
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    if issubclass(category, InputWarning):
        print(f"mitobench: warning: {_one_line(message)}", file=sys.stderr)


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
