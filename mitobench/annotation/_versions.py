"""Two versions of an annotation as one volume, so that a prediction meets both in one pass."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.annotation._kernels import number_pairs
from mitobench.errors import InputWarning, InvalidInputError
from mitobench.overlap import overlap_pass
from mitobench.volumes.reader import ThreadReaders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitobench.overlap import OverlapTable
    from mitobench.types import AnyArray, Box, LabelVolume, Shape

__all__ = ["TwoVersions", "triples_pass"]

_NUMBER = np.dtype(np.uint32)


def triples_pass(
    old: LabelVolume, new: LabelVolume, pairs: OverlapTable, pred: LabelVolume, limits: Mapping[str, Any]
) -> OverlapTable:
    """Count, in one pass over three volumes, the voxels that an old, a new and a predicted instance share.

    Parameters
    ----------
    old, new, pred
        Volumes of one shape.
    pairs
        The overlap table of ``old`` and ``new``.
    limits
        ``memory``, ``workers`` and ``progress``.

    Returns
    -------
    OverlapTable
        With 1 + the row in ``pairs`` for the ids of the ground truth.
    """
    both = TwoVersions(old, new, pairs, memory=limits["memory"] // 2)
    if both.rereads > 1:
        warnings.warn(
            f"chunks of {both.name} are read up to {both.rereads} times, for the memory limit of {limits['memory']:,} "
            f"bytes; with {2 * both.one_read_bytes:,} (memory=, --memory) once is enough",
            InputWarning,
            stacklevel=2,
        )
    try:
        return overlap_pass(both, pred, **limits)
    finally:
        both.close()


class TwoVersions:
    """A volume of the numbers of the pairs of ids that two volumes hold, worked out when it is read.

    Its chunks end where chunks of both volumes end, or, if these boxes are too large, are sections of such a box. Then
    a chunk of a volume is read once for each of them that it reaches into, ``rereads`` times at most.

    Parameters
    ----------
    old, new
        Volumes of one shape.
    pairs
        Their overlap table.
    memory
        Bytes that reading the smallest boxes may take, if that can be.
    """

    def __init__(self, old: LabelVolume, new: LabelVolume, pairs: OverlapTable, *, memory: int) -> None:
        self._volumes = old, new
        self._readers = ThreadReaders(old), ThreadReaders(new)
        self._ids = pairs.gt_id, pairs.pred_id
        self.name = f"{old.name} and {new.name}"
        self.shape = old.shape
        self.raw = None
        z, y, x = (min(math.lcm(a, b), n) for a, b, n in zip(old.chunks, new.chunks, self.shape, strict=True))
        self.one_read_bytes = z * y * x * self.dtype.itemsize
        sections = max(1, min(z, memory // (y * x * self.dtype.itemsize)))
        self.rereads = -(-z // sections)
        self.chunks: Shape = (sections, y, x)

    @property
    def dtype(self) -> np.dtype[Any]:
        """A type of as many bytes as reading a voxel takes, by which passes are planned: its number and both ids."""
        return np.dtype(f"V{_NUMBER.itemsize + sum(volume.dtype.itemsize for volume in self._volumes)}")

    def read(self, box: Box) -> AnyArray:
        """Return the number of the pair of ids of each voxel, uint32, 0 for background in both.

        Raises
        ------
        InvalidInputError
            A pair is not in the table.
        """
        old, new = (_unsigned(reader.read(box)) for reader in self._readers)
        if not any(old.strides) and not any(new.strides):
            number = self._numbers(old[:1, :1, :1], new[:1, :1, :1])
            return np.broadcast_to(number[0], box.shape)
        return self._numbers(old, new).reshape(box.shape)

    def close(self) -> None:
        """Close what was opened here; the two volumes stay open."""
        for readers in self._readers:
            readers.close()

    def _numbers(self, old: AnyArray, new: AnyArray) -> AnyArray:
        out = np.empty(old.size, _NUMBER)
        if not number_pairs(_line(old), _line(new), *self._ids, out):
            raise InvalidInputError(f"{self.name}: changed while they were read; compare when they are complete")
        return out


def _unsigned(block: AnyArray) -> AnyArray:
    return block if block.dtype.kind == "u" else block.view(f"u{block.dtype.itemsize}")


def _line(block: AnyArray) -> AnyArray:
    """Return the voxels one after the other, read-only, so that the compiled loop sees few types."""
    line = np.require(block, requirements=["C", "A"]).reshape(-1)
    line.flags.writeable = False
    return line
