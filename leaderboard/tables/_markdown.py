"""Tables as Markdown of the kind that GitHub shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len

from leaderboard.tables._grid import padded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leaderboard.tables._table import Cell, Column, Table

__all__ = ["to_markdown"]


def to_markdown(tables: Sequence[Table]) -> str:
    """Return tables as Markdown; best values are bold.

    Names are shown letter by letter: nothing in them is markup, HTML, a formula or the end of a cell.
    """
    return "\n\n".join(line for table in tables for line in _paragraphs(table))


def _paragraphs(table: Table) -> Iterator[str]:
    yield f"**{_escaped(table.caption)}**"
    texts = [[_escaped(column.heading) for column in table.columns]]
    texts += [[_text(cell) for cell in row.cells] for row in table.rows]
    heading, *rows = padded(texts, table.columns)
    rule = [_rule(text, column) for text, column in zip(heading, table.columns, strict=True)]
    yield "\n".join(f"| {' | '.join(line)} |" for line in (heading, rule, *rows))
    yield from map(_escaped, (*table.notes, *table.omissions))


def _rule(heading: str, column: Column) -> str:
    """Return the dashes under a heading; a colon sets numbers to the right."""
    dashes = "-" * cell_len(heading)
    return f"{dashes[1:]}:" if column.numeric else dashes


def _text(cell: Cell) -> str:
    text = f"**{_escaped(cell.text)}**" if cell.best else _escaped(cell.text)
    return f"{text}<br>{_escaped(cell.below)}" if cell.below else text


def _escaped(text: str) -> str:
    r"""Put a backslash in front of all that means something within a line.

    Examples
    --------
    >>> print(_escaped("a|b <i>_c_</i> $x$ [d](e)"))
    a\|b \<i\>\_c\_\</i\> \$x\$ \[d\](e)
    """
    return re.sub(r"([\\`*_\[\]<>|~$&])", r"\\\1", text)
