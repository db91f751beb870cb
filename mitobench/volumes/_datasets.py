"""Choose one dataset inside a file that may hold several (HDF5, Zarr, npz)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitobench.errors import InvalidInputError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["choose_dataset", "split_source"]

_LISTED = 10
"""So many names are written out in a message."""


def split_source(source: str) -> tuple[str, str | None]:
    """Split ``path::dataset`` at the last ``::``.

    Returns
    -------
    tuple
        The path, and the name of the dataset or None.

    Examples
    --------
    >>> split_source("run.h5::volumes/labels")
    ('run.h5', 'volumes/labels')
    >>> split_source("C:/data/run.h5")
    ('C:/data/run.h5', None)
    """
    path, separator, dataset = source.rpartition("::")
    return (path, dataset or None) if separator else (source, None)


def choose_dataset(names: Sequence[str], wanted: str | None, where: str) -> str:
    """Return the dataset that was asked for, or the only one.

    Parameters
    ----------
    names
        The datasets that are there.
    wanted
        The one asked for, if any; slashes at its ends do not count.
    where
        The file, for messages.

    Raises
    ------
    UnknownNameError
        The one asked for is not there.
    InvalidInputError
        There is none, or there are several and none was asked for.
    """
    if not names:
        raise InvalidInputError(f"{where}: no dataset found inside; expected one array of 3 dimensions (z, y, x)")
    if wanted is not None:
        return _named(names, wanted, where)
    if len(names) > 1:
        raise InvalidInputError(
            f"{where}: {len(names)} datasets found inside ({_listing(names)}); name the one to use, as in "
            f"{where}::{names[0]}"
        )
    return names[0]


def _named(names: Sequence[str], wanted: str, where: str) -> str:
    by_plain_name = {name.strip("/"): name for name in names}
    if wanted.strip("/") not in by_plain_name:
        raise UnknownNameError(
            f"{where}: no dataset {wanted!r} inside{did_you_mean(wanted, names)}; the datasets are {_listing(names)}"
        )
    return by_plain_name[wanted.strip("/")]


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(repr(name) for name in names[:_LISTED]) + more
