"""A table as a value, before it becomes text of any format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mitobench.report import Value

__all__ = ["Cell", "Column", "Row", "Table", "mark_best"]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes
    ----------
    title
        Its heading.
    group
        What stands above it and its neighbours of the same group; empty for nothing.
    numeric
        Whether it holds numbers, which are aligned at their right.
    """

    title: str
    group: str = ""
    numeric: bool = True

    @property
    def heading(self) -> str:
        """Group and title in one line."""
        return f"{self.group} {self.title}" if self.group else self.title


@dataclass(frozen=True)
class Cell:
    """What stands at one place of a table.

    Attributes
    ----------
    text
        As people read it, not yet escaped for any format.
    value
        The number behind it; None for text and for what is undefined.
    best
        Whether no other value of the column is better.
    below
        What stands under it, such as a confidence interval; empty for nothing.
    """

    text: str
    value: Value = None
    best: bool = False
    below: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes
    ----------
    cells
        One for each column of the table.
    record
        What programs read of it, name -> value in full precision; None is undefined.
    """

    cells: tuple[Cell, ...]
    record: Mapping[str, Value | str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a paper or of the platform.

    Attributes
    ----------
    caption
        What it shows.
    columns
        Columns of one group stand beside each other.
    sections
        Rows; a line or a gap sets one section apart from the next.
    notes
        What a reader has to know, a sentence or two each.
    omissions
        Which results are not in the table, and why; empty if it holds all.
    """

    caption: str
    columns: tuple[Column, ...]
    sections: tuple[tuple[Row, ...], ...]
    notes: tuple[str, ...] = ()
    omissions: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all sections."""
        return tuple(row for section in self.sections for row in section)


def mark_best(table: Table) -> Table:
    """Mark the largest value of each numeric column, as far as it is printed; of equal ones all.

    Nothing is marked where there is nothing to be better than.

    Examples
    --------
    >>> rows = tuple(Row((Cell(f"{value:.1f}", value),), {}) for value in (0.51, 0.49, 0.3))
    >>> [row.cells[0].best for row in mark_best(Table(caption="", columns=(Column("AP"),), sections=(rows,))).rows]
    [True, True, False]
    """
    best = [_best(table.rows, index) if column.numeric else None for index, column in enumerate(table.columns)]
    sections = tuple(tuple(_marked(row, best) for row in section) for section in table.sections)
    return replace(table, sections=sections)


def _best(rows: Sequence[Row], index: int) -> float | None:
    printed = [float(cell.text) for row in rows if (cell := row.cells[index]).value is not None]
    return max(printed) if len(printed) > 1 else None


def _marked(row: Row, best: Sequence[float | None]) -> Row:
    cells = tuple(
        replace(cell, best=cell.value is not None and most is not None and float(cell.text) == most)
        for cell, most in zip(row.cells, best, strict=True)
    )
    return replace(row, cells=cells)
