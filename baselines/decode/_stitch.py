"""Connected components of a volume, from those of its strips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from baselines.decode._kernels import join_pairs
from baselines.decode._runs import Runs, connected, unique_pairs

if TYPE_CHECKING:
    from baselines.decode._methods import Connectivity
    from mitobench.types import AnyArray, Box, Int64, Shape

__all__ = ["Stitcher", "at_faces"]


def at_faces(start: Int64, box: Box, shape: Shape) -> AnyArray:
    """Tell which runs of a box of whole rows have neighbours outside of it, perhaps.

    Examples
    --------
    >>> from mitobench.types import Box
    >>> at_faces(np.arange(60, 120, 5), Box((3, 0, 0), (6, 4, 5)), (9, 4, 5)).nonzero()[0].tolist()
    [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
    """
    row = start // shape[2]
    section, row = np.divmod(row, shape[1])
    (z0, y0, _), (z1, y1, _) = box
    found: AnyArray = (section == z0) | (section == z1 - 1) | (row == y0) | (row == y1 - 1)
    return found


class Stitcher:
    """Takes in the faces of strips, layer by layer, and knows in the end which of their pieces belong together.

    Parameters
    ----------
    shape
        Of the volume.
    connectivity
        Neighbours of a voxel.
    """

    def __init__(self, shape: Shape, connectivity: Connectivity) -> None:
        self._shape = shape
        self._connectivity: Connectivity = connectivity
        self._last = Runs.joined([])
        self._pairs = [np.empty((0, 2), np.int64)]

    def add(self, faces: list[Runs], stop: int) -> None:
        """Take in the runs at the faces of one layer, which ends before section ``stop``, labelled by their pieces."""
        runs = Runs.joined([self._last, *faces])
        runs = runs[np.argsort(runs.start, kind="stable")]
        joined, _ = connected(runs.start, runs.length, self._shape, self._connectivity)
        order = np.argsort(joined, kind="stable")
        joined, piece = joined[order], runs.label[order]
        links = (joined[1:] == joined[:-1]) & (piece[1:] != piece[:-1])
        self._pairs.append(unique_pairs(piece[:-1][links], piece[1:][links]))
        self._last = runs[runs.start >= (stop - 1) * self._shape[1] * self._shape[2]]

    def finish(self, number: int) -> tuple[Int64, int]:
        """Return the component of each piece, from 1 by its lowest piece, with 0 for 0; and how many there are."""
        component, components = join_pairs(np.concatenate(self._pairs), number + 1)
        return component - 1, int(components) - 1
