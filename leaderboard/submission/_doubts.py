"""Predictions that can be scored but are probably not what their makers meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leaderboard.problem import Problem
from mitobench.render.words import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitobench.pieces import Pieces

__all__ = ["doubts"]

_FEW_IDS = 5
"""A semantic segmentation has two or three classes; no prediction of a whole volume has so few mitochondria."""
_MANY_PIECES = 10
"""Of each id, on average, where the few ids are classes."""
_WHOLE = 0.75
"""If the largest piece is an instance of the ground truth and is less of its id than this, the IoU is below 0.75."""
_LISTED = 5
_TINY = 100
"""Voxels. At 30 x 8 x 8 nm they are a cube with an edge of 58 nm; no mitochondrion is thinner than 100 nm."""
_MANY_TINY = 1000
_LARGEST_ID = 2**31 - 1
"""Tools that hold ids as int32, the public evaluator's among them, make larger ones negative."""


def doubts(pieces: Pieces, where: str) -> Iterator[Problem]:
    """Yield warnings on a prediction of which the connected pieces of every id are known."""
    if not len(pieces.id):
        yield Problem(where, "holds no instance: every voxel is 0", "check that this is the prediction")
        return
    if classes := _classes(pieces):
        yield Problem(where, classes, "give each instance an id of its own, as its connected components")
    else:
        yield from _scattered(pieces, where)
    if (tiny := int(np.count_nonzero(pieces.size < _TINY))) >= _MANY_TINY:
        what = f"{tiny:,} of {len(pieces.id):,} instances have fewer than {_TINY} voxels, too few for a mitochondrion"
        yield Problem(where, what, "each of them counts as a false one; remove them")
    if (largest := int(pieces.id[-1])) > _LARGEST_ID:
        what = f"the largest id is {largest:,}; some tools cannot hold ids above {_LARGEST_ID:,}"
        yield Problem(where, what, "number them anew with `mitobench leaderboard pack --relabel`")


def _classes(pieces: Pieces) -> str | None:
    """Say that ids look like classes of voxels, or return None."""
    ids, total = len(pieces.id), int(pieces.pieces.sum())
    if ids == 1 and total > 1:
        return f"holds one id in {amount(total, 'piece')}: a binary mask, which is scored as one instance"
    if ids <= _FEW_IDS and total >= _MANY_PIECES * ids:
        return f"holds {ids} ids in {total:,} pieces: classes of voxels, each of which is scored as one instance"
    return None


def _scattered(pieces: Pieces, where: str) -> Iterator[Problem]:
    """Yield one warning on all ids of which no piece is nearly the whole."""
    found = np.flatnonzero(pieces.largest < _WHOLE * pieces.size)
    if not len(found):
        return
    worst = found[np.argsort(-pieces.pieces[found], kind="stable")][:_LISTED]
    listed = ", ".join(
        f"{pieces.id[i]} ({pieces.pieces[i]:,} pieces, the largest {pieces.largest[i] / pieces.size[i]:.0%})"
        for i in worst
    )
    more = f" and {len(found) - len(worst):,} more" if len(found) > len(worst) else ""
    what = f"{amount(len(found), 'id')} in pieces, of which the largest is less than {_WHOLE:.0%} of it: {listed}{more}"
    yield Problem(where, what, "give each piece an id of its own if it is an instance")
