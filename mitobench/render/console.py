"""What prints on a terminal as plain text too, and how tables there write a value."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitobench.report import Value

__all__ = ["cell", "plain_text"]


def plain_text(show: Callable[[Console], None], width: int) -> str:
    """Return what is shown on a console of so many columns."""
    text = io.StringIO()
    show(Console(file=text, width=width, color_system=None))
    return text.getvalue().rstrip("\n")


def cell(value: Value, sign: str = "") -> str:
    """Return a score with four decimals, a count with separators, a dash for what is undefined.

    Examples
    --------
    >>> cell(0.5), cell(12345), cell(0.25, "+"), cell(None)
    ('0.5000', '12,345', '+0.2500', '-')
    """
    if value is None:
        return "-"
    return f"{value:{sign},}" if isinstance(value, int) else f"{value:{sign}.4f}"
