"""Tables as CSV: one header, then one line per row with values in full precision."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leaderboard.tables._table import Table

__all__ = ["harmless", "to_csv"]

_FORMULA = ("=", "+", "-", "@")
_WIDE = {ord(wide): sign for wide, sign in zip("\uff1d\uff0b\uff0d\uff20", _FORMULA, strict=True)}
"""Full-width forms, which spreadsheets of East Asia take for the signs themselves."""


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe in front of one that looks like it.

    Only for text that people wrote; numbers stay as they are.

    Examples
    --------
    >>> harmless("=1+1"), harmless("-x"), harmless("  @SUM(A1)"), harmless("U2D-B+CC")
    ("'=1+1", "'-x", "'  @SUM(A1)", 'U2D-B+CC')
    """
    start = text.lstrip()[:1].translate(_WIDE)
    return f"'{text}" if start in _FORMULA or text[:1] in {"\t", "\r", "\n"} else text


def to_csv(tables: Sequence[Table]) -> str:
    """Return the rows of all tables, with a name for every column that one of them has.

    What is undefined, or not part of a row's table, is empty.
    """
    records = [row.record for table in tables for row in table.rows]
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(harmless, names))
    for record in records:
        values = (record.get(name) for name in names)
        writer.writerow(harmless(value) if isinstance(value, str) else value for value in values)
    return text.getvalue()
