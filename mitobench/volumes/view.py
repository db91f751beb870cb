"""Part of a volume, and volumes one behind the other, as volumes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import InvalidInputError
from mitobench.types import AnyArray, Box, RawChunks, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitobench.types import Volume

__all__ = ["SectionRange", "Stacked"]


@dataclass(frozen=True, eq=False)
class SectionRange:
    """Some consecutive sections of a volume. Nothing is copied; closing it closes the volume.

    Attributes
    ----------
    volume
        The whole.
    start, stop
        The first section, and the one after the last.

    Raises
    ------
    InvalidInputError
        The range is empty or reaches outside.

    Examples
    --------
    >>> from mitobench.volumes import open_labels
    >>> whole = open_labels(np.arange(24).reshape(6, 2, 2))
    >>> part = SectionRange(whole, 4, 6)
    >>> part.shape, part.read(Box((0, 0, 0), (1, 1, 2))).tolist()
    ((2, 2, 2), [[[16, 17]]])
    """

    volume: Volume
    start: int
    stop: int

    def __post_init__(self) -> None:
        depth = self.volume.shape[0]
        if not 0 <= self.start < self.stop <= depth:
            raise InvalidInputError(
                f"{self.volume.name}: sections {self.start} to {self.stop} of {depth} were asked for; expected at "
                "least one section inside the volume"
            )

    @property
    def name(self) -> str:
        """The name of the volume, with the sections behind it."""
        return f"{self.volume.name}[{self.start}:{self.stop}]"

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x."""
        return self.stop - self.start, *self.volume.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return self.volume.dtype

    @property
    def chunks(self) -> Shape:
        """Chunks of the volume; where the range starts inside of one, two of them are read for one of these."""
        return self.volume.chunks

    @cached_property
    def raw(self) -> RawChunks | None:
        """Where the chunks lie, if the range begins where a chunk does, and a chunk that it cuts is stored whole."""
        depth, raw = self.volume.chunks[0], self.volume.raw
        ends = self.stop % depth == 0 or self.stop == self.volume.shape[0]
        if raw is None or self.start % depth or not (ends or raw.padded):
            return None
        first, last = self.start // depth, -(-self.stop // depth)
        inside = {(z - first, y, x): at for (z, y, x), at in raw.locations.items() if first <= z < last}
        return replace(raw, locations=inside)

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box, counted from the first section of the range."""
        (z0, y0, x0), (z1, y1, x1) = box
        if not 0 <= z0 <= z1 <= self.stop - self.start:
            raise _outside(self, box)
        return self.volume.read(Box((z0 + self.start, y0, x0), (z1 + self.start, y1, x1)))

    def close(self) -> None:
        """Close the volume."""
        self.volume.close()


@dataclass(frozen=True, eq=False)
class Stacked:
    """Volumes that follow one another along z. Closing it closes them all.

    Attributes
    ----------
    parts
        At least one, all of one shape along y and x.
    name
        How messages call the whole.

    Raises
    ------
    InvalidInputError
        They differ along y or x, or no integer type holds the ids of all.
    """

    parts: tuple[Volume, ...]
    name: str

    def __post_init__(self) -> None:
        first = self.parts[0]
        for part in self.parts:
            if part.shape[1:] != first.shape[1:]:
                raise InvalidInputError(
                    f"{part.name}: sections of {part.shape[1]} x {part.shape[2]} voxels; expected "
                    f"{first.shape[1]} x {first.shape[2]} as in {first.name}; use them one by one"
                )
        if self.dtype.kind == "f" and all(part.dtype.kind in "iu" for part in self.parts):
            found = ", ".join(f"{part.name} is {part.dtype}" for part in self.parts)
            raise InvalidInputError(f"{self.name}: no integer type holds all of them ({found}); convert one of them")

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x."""
        return sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds the voxels of all parts."""
        return np.result_type(*(part.dtype for part in self.parts))

    @property
    def chunks(self) -> Shape:
        """Chunks of the first part."""
        return self.parts[0].chunks

    @property
    def raw(self) -> None:
        """Nothing: the parts lie in several files."""

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box, a view where it lies in one part and no type has to change."""
        if not 0 <= box.start[0] <= box.stop[0] <= self.shape[0]:
            raise _outside(self, box)
        pieces = list(self._pieces(box))
        whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return whole.astype(self.dtype, copy=False)

    def _pieces(self, box: Box) -> Iterator[AnyArray]:
        (z0, y0, x0), (z1, y1, x1) = box
        offset = 0
        for part in self.parts:
            lo, hi = max(z0 - offset, 0), min(z1 - offset, part.shape[0])
            if lo < hi:
                yield part.read(Box((lo, y0, x0), (hi, y1, x1)))
            offset += part.shape[0]

    def close(self) -> None:
        """Close all the parts."""
        for part in self.parts:
            part.close()


def _outside(volume: Volume, box: Box) -> InvalidInputError:
    return InvalidInputError(
        f"{volume.name}: the box from {box.start} to {box.stop} reaches outside the volume of shape {volume.shape}"
    )
