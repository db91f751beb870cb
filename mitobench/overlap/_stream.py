"""One pass over one volume or two: blocks are shared among threads, each with its own reader and its own sums."""

from __future__ import annotations

import math
import threading
import warnings
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from itertools import islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from mitobench.errors import InputWarning, InvalidInputError
from mitobench.volumes.array import ArrayVolume
from mitobench.volumes.blocks import GRIDLESS, Plan, Side, plan_pass
from mitobench.volumes.reader import BoxReader, ConstantChunks
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitobench.types import AnyArray, Box, Progress, Volume

__all__ = [
    "DEFAULT_MEMORY",
    "Accumulator",
    "AccumulatorOfOne",
    "check_same_shape",
    "stream",
    "stream_one",
]

DEFAULT_MEMORY = 10**9
"""Bytes that the buffers of a pass may take when the caller does not say."""


_SHARE_VOXELS = 1 << 20
"""Voxels that a worker takes at a time."""


class Accumulator(Protocol):
    """What one worker does with the blocks that it gets."""

    def add(self, first: AnyArray, second: AnyArray, box: Box) -> None:
        """Take in the voxels of one box; the arrays are valid during the call only."""


class AccumulatorOfOne(Protocol):
    """What one worker does with the blocks of one volume."""

    def add(self, block: AnyArray, box: Box) -> None:
        """Take in the voxels of one box; the array is valid during the call only."""


A = TypeVar("A", bound=Accumulator)
B = TypeVar("B", bound=AccumulatorOfOne)


def stream(
    first: Volume,
    second: Volume,
    make: Callable[[], A],
    *,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[A]:
    """Show every voxel of two volumes to exactly one accumulator.

    Parameters
    ----------
    first, second
        Volumes of one shape.
    make
        Makes the accumulator of a worker.
    memory
        Bytes that the buffers may take.
    workers
        Threads; as many as processors by default.
    progress
        Called with (voxels done, voxels in all), one thread at a time.

    Returns
    -------
    list
        One accumulator per worker, in no particular order of blocks.

    Raises
    ------
    InvalidInputError
        The shapes differ, or ``workers`` or ``memory`` is not positive.
    MemoryLimitError
        Not even one chunk of each volume fits in ``memory``.
    UnusableFileError
        A chunk is damaged.
    """
    check_same_shape(first, second)
    workers = default_workers() if workers is None else workers
    if workers < 1 or memory < 1:
        raise InvalidInputError(f"workers and memory must be at least 1, got workers={workers} and memory={memory}")
    plan = plan_pass(first.shape, _side(first), _side(second), memory=memory, workers=workers)
    if plan.rereads > 1:
        warnings.warn(
            f"chunks of {(first, second)[plan.resident].name} are read {plan.rereads:.1f} times, for the memory limit "
            f"of {memory:,} bytes; with {plan.one_read_bytes:,} (memory=, --memory) once is enough",
            InputWarning,
            stacklevel=2,
        )
    return _Pass(plan, (first, second), progress).run(make)


def stream_one(
    volume: Volume,
    make: Callable[[], B],
    *,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[B]:
    """Show every voxel of one volume to exactly one accumulator; otherwise as `stream`.

    Examples
    --------
    >>> class Count:
    ...     voxels = 0
    ...
    ...     def add(self, block, box):
    ...         self.voxels += block.size
    >>> counts = stream_one(ArrayVolume(np.zeros((20, 300, 400), np.uint16)), Count, workers=3)
    >>> len(counts), sum(count.voxels for count in counts)
    (3, 2400000)
    """
    # One value in memory costs nothing to read and takes the other side's grid.
    beside = ArrayVolume(np.broadcast_to(np.uint8(0), volume.shape))
    passed = stream(volume, beside, lambda: _OfFirst(make()), memory=memory, workers=workers, progress=progress)
    return [one.accumulator for one in passed]


class _OfFirst(Generic[B]):
    """Shows the first of two volumes to an accumulator of one."""

    def __init__(self, accumulator: B) -> None:
        self.accumulator = accumulator

    def add(self, first: AnyArray, _second: AnyArray, box: Box) -> None:
        self.accumulator.add(first, box)


def check_same_shape(first: Volume, second: Volume) -> None:
    """Refuse volumes of different shapes, with a hint when only the order of the axes differs."""
    if first.shape == second.shape:
        return
    hint = "cut or resample them to the same region first"
    if sorted(first.shape) == sorted(second.shape):
        hint = "one shape is a permutation of the other: transpose one volume to the axis order (z, y, x)"
    raise InvalidInputError(
        f"{first.name} has the shape {first.shape} and {second.name} has {second.shape}; "
        f"both must have the same (z, y, x) shape: {hint}"
    )


def _side(volume: Volume) -> Side:
    return Side(volume.chunks, 0 if volume.chunks == GRIDLESS else volume.dtype.itemsize)


class _Pass:
    """The state that the threads of one pass share."""

    def __init__(self, plan: Plan, volumes: tuple[Volume, Volume], progress: Progress | None) -> None:
        self._plan = plan
        self._volumes = volumes
        self._constants = ConstantChunks(), ConstantChunks()
        self._progress = progress
        self._lock = threading.Lock()
        self._blocks = plan.blocks()
        self._share = max(1, _SHARE_VOXELS // math.prod(plan.block))
        self._done = 0
        self._stopped = False

    def run(self, make: Callable[[], A]) -> list[A]:
        """Start the workers and wait; the first error, or Ctrl-C, stops them all."""
        with ThreadPoolExecutor(self._plan.workers, thread_name_prefix="mitobench") as pool:
            futures = [pool.submit(self._work, make) for _ in range(self._plan.workers)]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                self._stopped = True
        return [future.result() for future in futures]

    def _work(self, make: Callable[[], A]) -> A:
        accumulator = make()
        readers = [BoxReader(v, c) for v, c in zip(self._volumes, self._constants, strict=True)]
        try:
            while blocks := self._next_blocks():
                for block in blocks:
                    self._add_block(accumulator, readers, block)
                self._report(blocks)
        finally:
            for reader in readers:
                reader.close()
        return accumulator

    def _next_blocks(self) -> list[Box]:
        """Take neighbouring blocks, enough of them to fetch from the file in few large reads."""
        with self._lock:
            return [] if self._stopped else list(islice(self._blocks, self._share))

    def _add_block(self, accumulator: Accumulator, readers: list[BoxReader], block: Box) -> None:
        resident = self._plan.resident
        whole = readers[resident].read(block)
        if self._plan.tile == self._plan.block:
            piece = readers[1 - resident].read(block)
            accumulator.add(*((whole, piece) if resident == 0 else (piece, whole)), block)
            return
        for tile in self._plan.tiles(block):
            piece, beside = readers[1 - resident].read(tile), whole[tile.within(block)]
            accumulator.add(*((beside, piece) if resident == 0 else (piece, beside)), tile)

    def _report(self, blocks: list[Box]) -> None:
        if self._progress is None:
            return
        with self._lock:
            self._done += sum(block.voxels for block in blocks)
            z, y, x = self._plan.shape
            self._progress(self._done, z * y * x)
