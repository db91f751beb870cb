"""What several subcommands share."""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mitobench.errors import InvalidInputError
from mitobench.files import check_output_folder, replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from mitobench.types import Progress

__all__ = [
    "add_limits",
    "check_outputs",
    "csv_text",
    "numbers",
    "progress_bar",
    "size_in_bytes",
    "whole_numbers",
    "write_text",
]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@contextmanager
def progress_bar(label: str) -> Iterator[Progress | None]:
    """Show on standard error how far the work is, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress
    from rich.console import Console

    columns = progress.BarColumn(), progress.TaskProgressColumn(), progress.TimeRemainingColumn()
    with progress.Progress(label, *columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def numbers(example: str) -> Callable[[str], tuple[float, ...]]:
    """Return a type for an option of as many numbers, separated by commas, as the example has.

    Examples
    --------
    >>> numbers("30,8,8")("30,4.5,4.5")
    (30.0, 4.5, 4.5)
    """

    def read(text: str) -> tuple[float, ...]:
        try:
            values = tuple(float(part) for part in text.split(","))
        except ValueError:
            values = ()
        if len(values) != example.count(",") + 1:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not {example.count(',') + 1} numbers; expected such as {example}"
            )
        return values

    return read


def whole_numbers(example: str) -> Callable[[str], tuple[int, ...]]:
    """Return a type for an option of as many whole numbers, separated by commas, as the example has.

    Examples
    --------
    >>> whole_numbers("5000,15000")("150,500")
    (150, 500)
    """

    def read(text: str) -> tuple[int, ...]:
        try:
            numbers = tuple(int(part) for part in text.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != example.count(",") + 1:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not {example.count(',') + 1} whole numbers; expected such as {example}"
            )
        return numbers

    return read


def size_in_bytes(text: str) -> int:
    """Read a size such as ``500MB``.

    Examples
    --------
    >>> size_in_bytes("2GB"), size_in_bytes("750m"), size_in_bytes("1.5 GB")
    (2000000000, 750000000, 1500000000)
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)b?", text.strip().lower())
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected a number with a unit, such as 500MB or 2GB")
    return int(float(found[1]) * _UNITS[found[2]])


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the options that bound memory and threads."""
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--memory",
        type=size_in_bytes,
        default=10**9,
        metavar="SIZE",
        help="for buffers, such as 500MB or 2GB (default 1GB)",
    )
    limits.add_argument("--workers", type=int, metavar="N", help="threads (default: one per processor)")


def check_outputs(
    outputs: Mapping[str, str | None], *, printable: Sequence[str], inputs: Iterable[str | None] = ()
) -> None:
    """Find out before the first voxel is read whether every output can be written, and replaces nothing that is read.

    Parameters
    ----------
    outputs
        Option -> file name, ``-`` for standard output, None where it is not given.
    printable
        Options that can be ``-``.
    inputs
        What is read, as `path` or `path::dataset`.
    """
    given = {option: path for option, path in outputs.items() if path is not None}
    if len({Path(path).resolve() for path in given.values()}) < len(given):
        raise InvalidInputError("two outputs have the same name; give each of them its own")
    read = {Path(source.partition("::")[0]).resolve() for source in inputs if source is not None}
    for option, path in given.items():
        if path != "-" and Path(path).resolve() in read:
            raise InvalidInputError(f"{option} would replace {path}, which is read; name another file")
        if path != "-":
            check_output_folder(path)
        elif option not in printable:
            raise InvalidInputError(f"{option} needs a file; only {' and '.join(printable)} can print with -")


def write_text(path: str, text: str) -> None:
    """Write a file so that its name only ever holds a whole one."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV, with a header.

    Examples
    --------
    >>> csv_text([{"id": 1, "iou": None}]).splitlines()
    ['id,iou', '1,']
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
