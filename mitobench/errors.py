"""Errors and warnings that mitobench raises.

Each error is also the builtin that it refines, so ``except ValueError`` keeps working. Messages say what is wrong,
where, what was expected and what to do.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "InputWarning",
    "InvalidInputError",
    "MemoryLimitError",
    "MissingExtraError",
    "MitobenchError",
    "UnknownNameError",
    "UnusableFileError",
    "did_you_mean",
]


class MitobenchError(Exception):
    """Base of every error that mitobench raises on purpose."""


class InvalidInputError(MitobenchError, ValueError):
    """The input was read but cannot be used: wrong type, shape, ids or value."""


class UnusableFileError(MitobenchError, OSError):
    """A file is missing, damaged or of another format; or an output cannot be written."""


class UnknownNameError(MitobenchError, LookupError):
    """A rule, dataset or column name does not exist."""


class MissingExtraError(MitobenchError, ImportError):
    """An optional dependency is needed and not installed."""


class MemoryLimitError(MitobenchError, MemoryError):
    """The work does not fit in the memory limit that the caller gave."""


class InputWarning(UserWarning):
    """The input is valid but probably not what its author meant."""


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the closest allowed name, or an empty string.

    Examples
    --------
    >>> did_you_mean("mitoem2020", ["mitoem-2020", "coco"])
    ", did you mean 'mitoem-2020'?"
    >>> did_you_mean("zebra", ["mitoem-2020", "coco"])
    ''
    """
    close = difflib.get_close_matches(name, list(allowed), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
