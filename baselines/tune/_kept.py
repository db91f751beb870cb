"""Some instances of a decoding, as if the others had been dropped while it was decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.overlap import is_one_value
from mitobench.volumes.reader import ThreadReaders

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import AnyArray, Box, LabelVolume, RawChunks, Shape

__all__ = ["Kept"]


@dataclass(frozen=True, eq=False)
class Kept:
    """A volume of instances 1 to n without some of them, the others numbered anew in the same order.

    Attributes
    ----------
    volume
        All of them.
    ids
        (n + 1,), the new id of each, 0 for background and for those that are left out.
    readers
        Of the volume.

    Examples
    --------
    >>> from mitobench.types import Box
    >>> from mitobench.volumes import open_labels
    >>> whole = open_labels(np.array([[[0, 1, 2, 3]]], np.uint8))
    >>> Kept.of(whole, np.array([True, False, True])).read(Box((0, 0, 0), (1, 1, 4))).tolist()
    [[[0, 1, 0, 2]]]
    """

    volume: LabelVolume
    ids: AnyArray
    readers: ThreadReaders

    @classmethod
    def of(cls, volume: LabelVolume, kept: NDArray[np.bool_]) -> LabelVolume:
        """Return the volume without some instances; the volume itself, which is read faster, where it loses none.

        Parameters
        ----------
        volume
            With the ids 1 to n.
        kept
            (n,), whether each instance stays.
        """
        if kept.all():
            return volume
        ids = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)])
        return cls(volume, ids.astype(np.min_scalar_type(int(ids.max()))), ThreadReaders(volume))

    @property
    def name(self) -> str:
        """As of the whole volume."""
        return self.volume.name

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x."""
        return self.volume.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds the ids, as in a decoding."""
        return self.ids.dtype

    @property
    def chunks(self) -> Shape:
        """As of the whole volume."""
        return self.volume.chunks

    @property
    def raw(self) -> RawChunks | None:
        """None: ids change on reading."""
        return None

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of a box."""
        block = self.readers.read(box)
        if is_one_value(block):
            return np.broadcast_to(self.ids[block.flat[0]], block.shape)
        return self.ids.take(block)

    def close(self) -> None:
        """Close the whole volume."""
        self.readers.close()
        self.volume.close()
