"""Cells of a source text that stand under each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leaderboard.tables._table import Column

__all__ = ["padded"]


def padded(rows: Sequence[Sequence[str]], columns: Sequence[Column]) -> list[list[str]]:
    """Return rows of texts with spaces in front of numbers and behind other texts; wide letters count as two.

    Parameters
    ----------
    rows
        The heading first; each with one text for every column.
    columns
        Of the table.
    """
    widths = [max(map(cell_len, texts)) for texts in zip(*rows, strict=True)]
    return [
        [_padded(text, width, column) for text, width, column in zip(row, widths, columns, strict=True)] for row in rows
    ]


def _padded(text: str, width: int, column: Column) -> str:
    spaces = " " * (width - cell_len(text))
    return spaces + text if column.numeric else text + spaces
