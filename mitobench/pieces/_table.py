"""The table of pieces, and how it is added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mitobench.types import Int64, Uint64

__all__ = ["Pieces", "Tally", "merge"]


@dataclass(frozen=True, eq=False)
class Pieces:
    """The connected pieces of the instances of a volume, by ascending id; background is left out.

    Attributes
    ----------
    id
        uint64 (n,), never 0.
    size
        int64 (n,), voxels of all pieces.
    pieces
        int64 (n,), at least 1.
    largest
        int64 (n,), voxels of the largest piece.
    """

    id: Uint64
    size: Int64
    pieces: Int64
    largest: Int64

    def __len__(self) -> int:
        return len(self.id)


def merge(*parts: Pieces) -> Pieces:
    """Add up tables of disjoint sets of pieces; in any order, as all columns are integers.

    Examples
    --------
    >>> one, other = Tally(), Tally()
    >>> one.add(np.array([7, 3, 7], np.uint64), np.array([10, 1, 30]))
    >>> other.add(np.array([7], np.uint64), np.array([20]))
    >>> total = merge(one.total(), other.total())
    >>> total.id, total.size, total.pieces, total.largest
    (array([3, 7], dtype=uint64), array([ 1, 60]), array([1, 3]), array([ 1, 30]))
    """
    ids = np.concatenate([np.empty(0, np.uint64), *(part.id for part in parts)])
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    first = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])[: len(ids)])
    if not len(ids):
        none = np.empty(0, np.int64)
        return Pieces(ids, none, none, none)
    size, pieces, largest = (
        np.concatenate([getattr(part, column) for part in parts])[order] for column in ("size", "pieces", "largest")
    )
    return Pieces(
        ids[first], np.add.reduceat(size, first), np.add.reduceat(pieces, first), np.maximum.reduceat(largest, first)
    )


class Tally:
    """A table of pieces that grows."""

    _FEWEST = 1 << 16

    def __init__(self) -> None:
        self._total = merge()
        self._waiting: list[tuple[Uint64, Int64]] = []
        self._pieces = 0

    @property
    def rows(self) -> int:
        """Rows kept at present; there may be several for one id."""
        return len(self._total) + self._pieces

    def add(self, ids: Uint64, sizes: Int64) -> None:
        """Count pieces of these ids and voxels, any number of them of one id."""
        self._waiting.append((ids, sizes))
        self._pieces += len(ids)
        # Often enough that not much more waits than has to be kept, and seldom enough that sorting costs little.
        if self._pieces > max(self._FEWEST, len(self._total)):
            self.total()

    def total(self) -> Pieces:
        """Return the table of all pieces added."""
        if self._waiting:
            ids, sizes = map(np.concatenate, zip(*self._waiting, strict=True))
            self._total = merge(self._total, Pieces(ids, sizes, np.ones(len(ids), np.int64), sizes))
            self._waiting, self._pieces = [], 0
        return self._total
