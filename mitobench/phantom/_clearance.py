"""How much room there is in a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from mitobench.phantom._kernels import measure_depth
from mitobench.phantom._rows import segment_rows

if TYPE_CHECKING:
    from mitobench.phantom._processes import Processes
    from mitobench.types import AnyArray, Float64

__all__ = ["Clearance"]

_AT_A_TIME = 20_000
"""Points looked up at a time, which bounds the memory."""

_NEIGHBOURS = 48


class Clearance:
    """Measures depths in processes, by the segments around the nodes nearest to a point.

    Attributes
    ----------
    rows
        float32 (n, 21), the segments.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._tree = cKDTree(processes.point)
        self.rows = segment_rows(processes.point, processes.side, processes.radius, processes.along, processes.owner)

    def __call__(self, points: Float64, owner: AnyArray) -> tuple[Float64, Float64]:
        """Return how deep in nm points lie in their process, negative outside, and the way to the nearest other."""
        depth, toward = np.empty(len(points)), np.empty((len(points), 3))
        k = range(1, min(_NEIGHBOURS, self._tree.n) + 1)
        for start in range(0, len(points), _AT_A_TIME):
            part = slice(start, min(start + _AT_A_TIME, len(points)))
            _, index = self._tree.query(points[part], k=k, workers=-1 if len(points) > 1000 else 1)
            measure_depth(self.rows, self._processes.owner, points[part], owner[part], index, depth[part], toward[part])
        return depth, toward
