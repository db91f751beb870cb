"""Which instances of a report are worth a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mitobench.report import Columns

__all__ = ["Chosen", "worst_errors"]

_SIDE_OF = {
    "missed": "gt",
    "false": "pred",
    "split": "gt",
    "merged": "pred",
    "many-to-many": "gt",
    "boundary": "gt",
}
"""The side on which one row is the whole mistake, as far as there is one."""
_OTHER = {"gt": "pred", "pred": "gt"}
_SHARED = frozenset({"split", "merged", "many-to-many"})


class Chosen(NamedTuple):
    """A row of an instance table."""

    side: str
    row: int


def worst_errors(instances: Mapping[str, Columns], per_class: int) -> list[Chosen]:
    """Return the largest unmatched instances of each verdict: missed, false, split, merged, many-to-many, boundary.

    Of the mistakes that several instances share (split, merged, many-to-many) an instance is left out if its partner,
    or another one with the same partner, is already there: it would be the same picture twice.

    Parameters
    ----------
    instances
        ``gt`` and ``pred`` -> columns of a report; no side, no pictures of it.
    per_class
        The most of each verdict.
    """
    return [chosen for verdict in _SIDE_OF for chosen in _different(instances, verdict, per_class)]


def _different(instances: Mapping[str, Columns], verdict: str, count: int) -> Iterator[Chosen]:
    seen: set[tuple[str, int]] = set()
    for chosen in _by_size(instances, verdict):
        if count == 0:
            return
        involved = _involved(instances[chosen.side], chosen, verdict)
        if not involved & seen:
            count -= 1
            yield chosen
        seen |= involved


def _by_size(instances: Mapping[str, Columns], verdict: str) -> Iterator[Chosen]:
    """Yield all rows with the verdict, the side that shows it best first, on each side the largest first."""
    for side in (_SIDE_OF[verdict], _OTHER[_SIDE_OF[verdict]]):
        columns = instances.get(side, {})
        sizes = [
            (-size, row)
            for row, (own, size) in enumerate(zip(columns.get("verdict", ()), columns.get("size", ()), strict=True))
            if own == verdict
        ]
        yield from (Chosen(side, row) for _, row in sorted(sizes))


def _involved(columns: Columns, chosen: Chosen, verdict: str) -> set[tuple[str, int]]:
    own = {(chosen.side, columns["id"][chosen.row])}
    partner = columns["partner"][chosen.row]
    return own | {(_OTHER[chosen.side], partner)} if verdict in _SHARED and partner is not None else own
