"""The result as one HDF5 dataset of bytes, (channel, z, y, x), compressed in threads where HDF5 would use one."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from typing import TYPE_CHECKING

import h5py
import imagecodecs
import numpy as np

from mitobench.files import replacing
from mitobench.types import Box
from mitobench.volumes import plain_errors
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mitobench.types import AnyArray, Shape

__all__ = ["write_channels"]

_CHUNK: Shape = (16, 128, 128)
_LEVEL = 4
_WAITING = 4
"""Rows of chunks in memory."""


def write_channels(
    path: Path, read: Callable[[int, Box], AnyArray], *, shape: Shape, channels: int, workers: int | None = None
) -> None:
    """Write a new file, which gets its name when it is complete.

    Parameters
    ----------
    path
        File to write; replaced if it exists.
    read
        Called with a channel and a box of whole rows; returns its bytes, (z, y, x).
    shape
        Voxels along z, y, x.
    channels
        Number of them.
    workers
        Threads that compress; by default one per processor.

    Raises
    ------
    UnusableFileError
        The file cannot be written.
    """
    depth, height, width = (min(edge, n) for edge, n in zip(_CHUNK, shape, strict=True))
    with replacing(path) as part, plain_errors(), h5py.File(part, "w") as file:
        target = file.create_dataset(
            "main",
            (channels, *shape),
            np.uint8,
            chunks=(1, depth, height, width),
            compression="gzip",
            compression_opts=_LEVEL,
        )
        with ThreadPoolExecutor(workers or default_workers()) as pool:
            waiting: deque[tuple[int, Box, Future[list[bytes]]]] = deque()
            for channel, box in product(range(channels), _rows(shape, depth, height)):
                row = read(channel, box)
                waiting.append((channel, box, pool.submit(_packed, row, (depth, height, width))))
                if len(waiting) > _WAITING:
                    _store(target, *waiting.popleft())
            for item in waiting:
                _store(target, *item)


def _rows(shape: Shape, depth: int, height: int) -> Iterator[Box]:
    for z, y in product(range(0, shape[0], depth), range(0, shape[1], height)):
        yield Box((z, y, 0), (min(z + depth, shape[0]), min(y + height, shape[1]), shape[2]))


def _packed(row: AnyArray, chunk: Shape) -> list[bytes]:
    """Return the chunks of a row as HDF5's deflate filter would store them, also the last ones whole."""
    edges = zip(row.shape, chunk, strict=True)
    row = np.pad(row, [(0, -n % edge) for n, edge in edges])
    columns = np.split(row, row.shape[2] // chunk[2], axis=2)
    return [imagecodecs.zlibng_encode(column.tobytes(), _LEVEL) for column in columns]


def _store(target: h5py.Dataset, channel: int, box: Box, packed: Future[list[bytes]]) -> None:
    for k, content in enumerate(packed.result()):
        target.id.write_direct_chunk((channel, box.start[0], box.start[1], k * target.chunks[3]), content)
