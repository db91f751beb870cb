"""Tables of one number per instance id, such as scores and cable lengths: what they look like and how they are read."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import InvalidInputError, UnusableFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mitobench.types import AnyArray

__all__ = ["TableKind", "check_there", "numbers_by_id", "pairs_of_array", "pairs_of_csv"]


@dataclass(frozen=True, kw_only=True)
class TableKind:
    """How one kind of table looks, and how messages speak of it.

    Attributes
    ----------
    value
        What the numbers are, as in "the score of id 7".
    table
        What the table is, as in "the score table does not exist".
    columns
        Names of the columns of id and number that a header may have, the first that fit are taken.
    expected
        What a table should look like, the end of many messages.
    lowest
        The lowest number that makes sense.
    comments
        Whether lines that start with ``#`` are left out.
    """

    value: str
    table: str
    columns: tuple[tuple[str, str], ...]
    expected: str
    lowest: float = -math.inf
    comments: bool = False


def check_there(path: str, kind: TableKind) -> None:
    """Refuse a path without a file."""
    if not Path(path).is_file():
        raise UnusableFileError(f"{path}: the {kind.table} does not exist; check the path")


def pairs_of_csv(path: str, kind: TableKind) -> list[tuple[Any, Any]]:
    """Return the cells of id and number of a CSV file, with or without a header line, with any usual delimiter.

    Raises
    ------
    UnusableFileError
        The file is not text.
    InvalidInputError
        It has too few columns, or its header does not name the two.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in file if not (kind.comments and line.startswith("#"))]
        delimiter = next((mark for mark in ",;\t" if mark in "".join(lines)[:4096]), " ")
        rows = [row for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if row]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UnusableFileError(f"{path}: cannot be read as CSV ({error}); {kind.expected}") from error
    columns = 0, 1
    if rows and not _is_number(rows[0][0]):
        columns = _columns_of_header([cell.strip().lower() for cell in rows.pop(0)], path, kind)
    for number, row in enumerate(rows, 1):
        if len(row) <= max(columns):
            raise InvalidInputError(f"{path}: row {number} has {len(row)} column(s); {kind.expected}")
    return [(row[columns[0]], row[columns[1]]) for row in rows]


def pairs_of_array(table: AnyArray, name: str, kind: TableKind) -> Iterable[tuple[Any, Any]]:
    """Return the cells of id and number of an (n, 2) array, or of one with named fields.

    Raises
    ------
    InvalidInputError
        The array has another shape or type, or ids that its type cannot hold exactly.
    """
    for id_column, value_column in kind.columns:
        if table.dtype.names and {id_column, value_column} <= set(table.dtype.names):
            return zip(table[id_column].tolist(), table[value_column].tolist(), strict=True)
    if table.ndim != 2 or table.shape[1] != 2 or table.dtype.kind not in "iuf":
        raise InvalidInputError(
            f"{name}: the {kind.table} has shape {table.shape} and type {table.dtype}; {kind.expected}"
        )
    if table.dtype.kind == "f" and len(table) and np.abs(table[:, 0]).max() > 2**53:
        raise InvalidInputError(
            f"{name}: ids above 2^53 are not exact as {table.dtype}; store the ids as integers, in a CSV for example"
        )
    return zip(table[:, 0].tolist(), table[:, 1].tolist(), strict=True)


def numbers_by_id(pairs: Iterable[tuple[Any, Any]], name: str, kind: TableKind) -> dict[int, float]:
    """Return the number of each id.

    Raises
    ------
    InvalidInputError
        An id occurs twice or is not a positive integer; a number is not finite, or below the lowest that makes sense.
    """
    numbers: dict[int, float] = {}
    wanted = "a finite number" + (f", {kind.lowest:g} or more" if math.isfinite(kind.lowest) else "")
    for raw_id, raw_number in pairs:
        instance = _whole(raw_id)
        if instance is None or instance < 1:
            raise InvalidInputError(f"{name}: {raw_id!r} is not an instance id; expected positive integers")
        if instance in numbers:
            raise InvalidInputError(f"{name}: id {instance} occurs twice; give one {kind.value} for each id")
        number = float(raw_number) if _is_number(raw_number) else math.nan
        if not math.isfinite(number) or number < kind.lowest:
            raise InvalidInputError(f"{name}: the {kind.value} of id {instance} is {raw_number!r}; expected {wanted}")
        numbers[instance] = number
    return numbers


def _columns_of_header(header: list[str], path: str, kind: TableKind) -> tuple[int, int]:
    for id_column, value_column in kind.columns:
        if {id_column, value_column} <= set(header):
            return header.index(id_column), header.index(value_column)
    raise InvalidInputError(f"{path}: the columns are {', '.join(header)}; {kind.expected}")


def _whole(value: Any) -> int | None:  # noqa: ANN401 - a cell of any table
    """Return the integer that a cell means, or None; a float table, or a CSV made of one, has 7.0 for 7."""
    try:
        if isinstance(value, int | np.integer):
            return int(value)
        if isinstance(value, str) and value.strip().isdecimal():
            return int(value)
        return int(float(value)) if float(value).is_integer() else None
    except (TypeError, ValueError, OverflowError):
        return None


def _is_number(value: Any) -> bool:  # noqa: ANN401
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
