"""What several subcommands share."""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mitobench.types import Progress

__all__ = ["progress_bar", "whole_numbers"]


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
