"""Connected components of a volume, from those of its tiles."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate, product
from typing import TYPE_CHECKING

import numpy as np

from mitobench.errors import MissingExtraError

if TYPE_CHECKING:
    from baselines.decode._methods import Connectivity
    from mitobench.types import AnyArray, Int64, Shape

__all__ = ["Faces", "Stitcher", "components", "faces_of"]


def components(mask: AnyArray, connectivity: Connectivity) -> tuple[AnyArray, int]:
    """Return the connected components of a mask (z, y, x), numbered from 1, and how many there are.

    Raises
    ------
    MissingExtraError
        The library for it is not installed.
    """
    try:
        import cc3d
    except ImportError as error:
        raise MissingExtraError(
            "decoding needs connected-components-3d, which is not installed; run pip install 'mitobench[baselines]'"
        ) from error
    if sum(n > 1 for n in mask.shape) < 2:
        # In a line 6 neighbours are all there are, and for 26 cc3d 4.1 plans too few labels there and fails.
        connectivity = 6
    labels, number = cc3d.connected_components(mask, connectivity=connectivity, return_N=True, binary_image=True)
    return labels, int(number)


@dataclass(frozen=True, eq=False)
class Faces:
    """What the neighbours of a tile have to know of its labels, which run from 1 to ``number``.

    Attributes
    ----------
    number
        0 if all of the tile is background.
    place
        Rows and columns of the tile.
    sections, rows, columns
        The first and the last of each: (y, x), (z, x) and (z, y).
    """

    number: int
    place: tuple[slice, slice]
    sections: tuple[AnyArray, AnyArray]
    rows: tuple[AnyArray, AnyArray]
    columns: tuple[AnyArray, AnyArray]


def faces_of(labels: AnyArray, number: int, place: tuple[slice, slice]) -> Faces:
    """Copy the faces of a tile, (z, y, x)."""
    pairs = ((np.take(labels, 0, axis), np.take(labels, -1, axis)) for axis in range(3))
    return Faces(number, place, *pairs)


class Stitcher:
    """Takes in the faces of tiles, layer by layer, and knows in the end which labels belong together.

    Labels of tiles become those of the volume by adding an offset.

    Parameters
    ----------
    connectivity
        Neighbours of a voxel.
    """

    _PATCH = 256
    """Edge of the parts of planes that are looked at, unless they are empty."""

    def __init__(self, connectivity: Connectivity) -> None:
        self._connectivity: Connectivity = connectivity
        self._last: AnyArray | None = None
        self._pairs: list[Int64] = []
        self.number = 0

    def add(self, tiles: list[Faces], shape: Shape) -> list[int]:
        """Take in the tiles of one layer of this shape, those without labels may be left out; return their offsets."""
        *offsets, self.number = accumulate((tile.number for tile in tiles), initial=self.number)
        depth, height, width = shape
        first, last = (np.zeros((height, width), np.uint32) for _ in range(2))
        # Planes go through the whole layer, so that corners of tiles are inside of them.
        rows: dict[int, AnyArray] = defaultdict(lambda: np.zeros((2, depth, width), np.uint32))
        columns: dict[int, AnyArray] = defaultdict(lambda: np.zeros((2, depth, height), np.uint32))
        for tile, offset in zip(tiles, offsets, strict=True):
            y, x = tile.place
            moved = [_moved(face, offset) for face in (*tile.sections, *tile.rows, *tile.columns)]
            first[y, x], last[y, x] = moved[:2]
            rows[y.start][1][:, x], rows[y.stop][0][:, x] = moved[2:4]
            columns[x.start][1][:, y], columns[x.stop][0][:, y] = moved[4:]
        for before, after in (*rows.values(), *columns.values()):
            self._touch(before, after)
        if self._last is not None:
            self._touch(self._last, first)
        self._last = last
        return offsets

    def finish(self) -> tuple[Int64, int]:
        """Return the component of each label, from 1 by its lowest label, with 0 for 0; and how many there are."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        a, b = np.concatenate([np.empty((0, 2), np.int64), *self._pairs]).T
        graph = coo_array((np.ones(len(a), np.bool_), (a, b)), shape=(self.number + 1, self.number + 1))
        number, component = connected_components(graph, directed=False)
        return component.astype(np.int64), int(number) - 1

    def _touch(self, a: AnyArray, b: AnyArray) -> None:
        """Note which labels of two adjacent planes are connected, patch by patch.

        Patches overlap by the reach of a voxel.
        """
        edge = self._PATCH
        for i, j in product(range(0, a.shape[0], edge), range(0, a.shape[1], edge)):
            patch = slice(i, i + edge + 1), slice(j, j + edge + 1)
            if a[patch].any() and b[patch].any():
                self._pairs.append(_connected(np.stack([a[patch], b[patch]]), self._connectivity))


def _connected(planes: AnyArray, connectivity: Connectivity) -> Int64:
    """Return pairs of labels, (n, 2), that link those connected in two planes.

    Two planes are a volume of their own, and what is connected there is connected in the whole.
    """
    joined, _ = components(planes != 0, connectivity)
    label, whole = planes.reshape(-1), joined.reshape(-1)
    changes = np.append(True, (label[1:] != label[:-1]) | (whole[1:] != whole[:-1])) & (label != 0)
    keys = np.unique(whole[changes].astype(np.uint64) << np.uint64(32) | label[changes])
    whole, label = (keys >> np.uint64(32)).astype(np.int64), (keys & np.uint64(2**32 - 1)).astype(np.int64)
    same = whole[1:] == whole[:-1]
    return np.stack([label[:-1][same], label[1:][same]], axis=1)


def _moved(labels: AnyArray, offset: int) -> AnyArray:
    """Add an offset to all labels but 0."""
    moved = labels.astype(np.uint32)
    np.add(moved, np.uint32(offset), out=moved, where=moved > 0)
    return moved
