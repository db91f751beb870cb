"""Tables on a terminal, and as plain text."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich import box, table
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from mitobench.render.console import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from leaderboard.tables._table import Cell, Column, Table

__all__ = ["print_tables", "to_text"]

_STAR = "*"
_LONGEST_WORD = 20


def to_text(tables: Sequence[Table], *, width: int = 120) -> str:
    """Return tables as plain text, in which a star marks the best value of a column.

    Parameters
    ----------
    tables
        Any number of them.
    width
        Columns of text, unless the numbers and the words of the names need more.
    """
    return plain_text(lambda console: print_tables(tables, console=console), width)


def print_tables(tables: Sequence[Table], *, console: Console | None = None) -> None:
    """Print tables, on standard output by default; best values are bold, or get a star where nothing can be bold."""
    console = console or Console()
    for index, shown in enumerate(tables):
        if index:
            console.print()
        for part in _parts(shown, console):
            console.print(part, crop=False)


def _parts(shown: Table, console: Console) -> Iterator[RenderableType]:
    stars = not console.is_terminal
    yield Text(f"{shown.caption}\n", style="bold")
    yield _fitting(shown, console, stars=stars)
    yield Text()
    if stars and any(cell.best for row in shown.rows for cell in row.cells):
        yield Text(f"{_STAR} best of its column", style="dim")
    yield from (Text(note, style="dim") for note in shown.notes)
    yield from (Text(line, style="yellow") for line in shown.omissions)


def _fitting(shown: Table, console: Console, *, stars: bool) -> table.Table:
    """Return a table with narrow gaps if wide ones do not fit; what still does not fit is wider than the console."""
    wide, narrow = (_grid(shown, padding, stars=stars) for padding in (1, 0))
    return wide if _least_width(wide) <= console.width else narrow


def _least_width(grid: table.Table) -> int:
    gap = 1 + grid.padding[1]
    return sum(column.min_width or 0 for column in grid.columns) + gap * (len(grid.columns) - 1)


def _grid(shown: Table, padding: int, *, stars: bool) -> table.Table:
    grid = table.Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, padding, 0, 0))
    for index, (column, heading) in enumerate(zip(shown.columns, _headings(shown.columns), strict=True)):
        texts = [_text(column, row.cells[index], stars=stars).plain for row in shown.rows]
        grid.add_column(
            Text(heading),
            justify="right" if column.numeric else "left",
            overflow="fold",
            min_width=_least(column, heading, texts),
        )
    for section in shown.sections:
        for row in section:
            grid.add_row(*(_text(*pair, stars=stars) for pair in zip(shown.columns, row.cells, strict=True)))
        grid.add_section()
    return grid


def _least(column: Column, heading: str, texts: Iterable[str]) -> int:
    """Return what a column needs, so that numbers stay in one line, and words too that are not very long."""
    widths = [cell_len(word) for word in heading.split()]
    for text in texts:
        if column.numeric:
            widths += map(cell_len, text.split("\n"))
        else:
            widths += (min(cell_len(word), _LONGEST_WORD) for word in text.split())
    return max(widths, default=1)


def _headings(columns: Sequence[Column]) -> Iterator[str]:
    """Yield the headings, in two lines where some have a group, which stands above the first column of its own."""
    grouped = any(column.group for column in columns)
    for group, members in groupby(columns, key=lambda column: column.group):
        for index, column in enumerate(members):
            yield f"{'' if index else group}\n{column.title}" if grouped else column.title


def _text(column: Column, cell: Cell, *, stars: bool) -> Text:
    text = "-" if column.numeric and cell.value is None else cell.text
    if stars and column.numeric:
        text += _STAR if cell.best else " "
    return Text.assemble((text, "bold" if cell.best else ""), (f"\n{cell.below}" if cell.below else "", "dim"))
