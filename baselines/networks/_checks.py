"""What the configurations of all networks are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_counts", "check_filters"]

_MOST = 65536
"""Channels of any layer: a checkpoint of a stranger must not ask for all memory."""


def check_filters(filters: Sequence[int], **beside: Sequence[object]) -> None:
    """Refuse fewer than two levels, channels that are no counts, and anything beside them of another length.

    Raises
    ------
    InvalidInputError
        As said.
    """
    if len(filters) < 2:
        raise InvalidInputError(f"filters of a network are {filters!r}; allowed: at least two levels")
    check_counts(**{f"filters[{k}]": value for k, value in enumerate(filters)})
    for name, values in beside.items():
        if len(values) != len(filters):
            raise InvalidInputError(
                f"{name} of a network are {values!r}; expected one for each of {len(filters)} levels"
            )


def check_counts(**counts: int) -> None:
    """Refuse numbers of channels that are none.

    Raises
    ------
    InvalidInputError
        One is not an integer from 1.
    """
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST:
            raise InvalidInputError(f"{name} of a network is {value!r}; allowed: whole numbers from 1 to {_MOST:,}")
