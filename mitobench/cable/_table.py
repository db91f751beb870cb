"""Cable lengths from a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from mitobench._tables import TableKind, check_there, numbers_by_id, pairs_of_array, pairs_of_csv
from mitobench.types import AnyArray, PathOrStr

__all__ = ["CableLengths", "read_cable_lengths"]

CableLengths: TypeAlias = Mapping[int, float] | AnyArray | PathOrStr
"""Id of a ground truth -> length in nm, an (n, 2) array of id and length, or a CSV file of such a table."""

_KIND = TableKind(
    value="length",
    table="table of cable lengths",
    columns=(("id", "length_nm"), ("label", "cable_length")),
    expected="expected two columns, id and length_nm",
    lowest=0,
    comments=True,
)


def read_cable_lengths(source: CableLengths) -> dict[int, float]:
    """Return the cable length in nm of each id.

    Parameters
    ----------
    source
        A mapping, an (n, 2) array, or a CSV file. The file may have a header line: ``id,length_nm``, or that of the
        ``gt_stats.csv`` that TIMISE writes, of which the columns ``label`` and ``cable_length`` are taken. Lines that
        start with ``#`` are left out.

    Raises
    ------
    InvalidInputError
        The table does not have the two columns, an id occurs twice or is not a positive integer, a length is no finite
        number from 0.
    UnusableFileError
        The file is missing or not text.

    Examples
    --------
    >>> read_cable_lengths(np.array([[7, 1200.5], [9, 0]]))
    {7: 1200.5, 9: 0.0}
    """
    if isinstance(source, Mapping):
        return numbers_by_id(source.items(), "cable lengths", _KIND)
    if isinstance(source, np.ndarray):
        return numbers_by_id(pairs_of_array(source, "cable lengths", _KIND), "cable lengths", _KIND)
    path = str(source)
    check_there(path, _KIND)
    return numbers_by_id(pairs_of_csv(path, _KIND), path, _KIND)
