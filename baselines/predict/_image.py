"""The image: checked before anything is computed, then read with mirrored borders."""

from __future__ import annotations

import hashlib
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.mirror import read_mirrored
from mitobench.errors import InputWarning, InvalidInputError
from mitobench.types import Box
from mitobench.volumes import open_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.predict._window import Window
    from mitobench.types import AnyArray, Shape, Volume

__all__ = ["Image", "opened"]

_SLAB_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Image:
    """Channels of one image, of bytes or of real numbers from 0 to 1.

    Attributes
    ----------
    channels
        At least one, all of one shape and type.
    """

    channels: tuple[Volume, ...]

    @property
    def name(self) -> str:
        """How messages call it."""
        name = self.channels[0].name
        return name.removesuffix("[0]") if len(self.channels) > 1 else name

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x."""
        z, y, x = map(int, self.channels[0].shape)
        return z, y, x

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the voxels as they are read: uint8 or float32."""
        return np.dtype(np.uint8 if self.channels[0].dtype == np.uint8 else np.float32)

    def read(self, box: Box, out: AnyArray) -> None:
        """Read the voxels of a box that may reach outside, where the image is mirrored, to (channel, z, y, x)."""
        for channel, voxels in zip(self.channels, out, strict=True):
            voxels[:] = read_mirrored(channel, box)

    def scan(self) -> str:
        """Return a hash of all voxels, and check each of them on the way.

        Raises
        ------
        InvalidInputError
            A real number is not from 0 to 1.
        """
        found = hashlib.sha256(f"{self.shape} {self.dtype}".encode())
        for channel in self.channels:
            for box in _slabs(channel):
                voxels = np.ascontiguousarray(channel.read(box))
                if voxels.dtype.kind == "f":
                    _check_range(voxels, box, channel.name)
                found.update(voxels.view(np.uint8).data)
        return found.hexdigest()


@contextmanager
def opened(image: Any, images: int, window: Window) -> Iterator[Image]:  # noqa: ANN401 - paths and arrays
    """Open an image and check that a network with so many channels can see it; files are closed at the end.

    Raises
    ------
    InvalidInputError
        The voxels are neither bytes nor real numbers, or the number of channels is another one.

    Warns
    -----
    InputWarning
        It is smaller than a window.
    """
    channels = open_image(image)
    try:
        found = Image(channels)
        _check(found, images)
        _warn_of_a_small_one(found, window)
        yield found
    finally:
        channels[0].close()


def _check(image: Image, images: int) -> None:
    if len(image.channels) != images:
        raise InvalidInputError(
            f"{image.name}: {len(image.channels)} channels; expected {images}, as the network has; keep those"
        )
    dtype = image.channels[0].dtype
    if dtype != np.uint8 and dtype.kind != "f":
        raise InvalidInputError(
            f"{image.name}: voxels of type {dtype}; expected uint8, or real numbers from 0 to 1; divide by the value "
            "of white: (image / white).astype('float32')"
        )


def _warn_of_a_small_one(image: Image, window: Window) -> None:
    padded = [n + 2 * pad for n, pad in zip(image.shape, window.padding, strict=True)]
    if any(n < edge for n, edge in zip(padded, window.patch, strict=True)):
        warnings.warn(
            f"{image.name}: shape {image.shape} is smaller than a window of {window.patch}; its mirror images fill the "
            "rest, which the network never saw in training",
            InputWarning,
            stacklevel=7,
        )


def _slabs(volume: Volume) -> Iterator[Box]:
    """Yield boxes of whole chunks and about `_SLAB_BYTES`, if chunks are not larger."""
    (depth, height, width), (cz, cy, _) = volume.shape, volume.chunks
    row = width * volume.dtype.itemsize
    dy = min(height, cy * max(1, _SLAB_BYTES // (cz * cy * row)))
    dz = cz * max(1, _SLAB_BYTES // (cz * dy * row))
    for z in range(0, depth, dz):
        for y in range(0, height, dy):
            yield Box((z, y, 0), (min(z + dz, depth), min(y + dy, height), width))


def _check_range(voxels: AnyArray, box: Box, name: str) -> None:
    # Written so that what is no number fails too.
    good = (voxels >= 0) & (voxels <= 1)
    if not good.all():
        at = np.unravel_index(int(np.argmin(good)), voxels.shape)
        place = tuple(int(i) + lo for i, lo in zip(at, box.start, strict=True))
        raise InvalidInputError(
            f"{name}: the voxel {place} is {voxels[at]}; expected uint8, or real numbers from 0 to 1; mend or rescale "
            "it"
        )
