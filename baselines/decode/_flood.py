"""Foreground with several seeds: each component is flooded alone, as a list of its voxels."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from baselines.decode._kernels import cut_runs, link_runs, move_values, paint
from baselines.decode._runs import Runs, positions, steps_of, taken
from baselines.decode._scan import load
from baselines.decode._watershed import flood
from mitobench.errors import MemoryLimitError
from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from baselines.decode._scan import Kept, Scan
    from baselines.decode._spool import Spool
    from mitobench.types import AnyArray, Int64, Shape

__all__ = ["Flooded", "flood_components"]

_VOXEL_BYTES, _RUN_BYTES = 34, 150
"""What flooding takes: for each voxel of the component and for each of its runs."""


@dataclass(frozen=True, eq=False)
class Flooded:
    """A flooded component.

    Attributes
    ----------
    runs
        Labelled by the component of the seed that they belong to.
    totals
        int64, sum of the mask over each run.
    """

    runs: Runs
    totals: Int64


@dataclass(frozen=True, eq=False)
class _Part:
    """A component, or the part of it in one strip: its runs labelled by their seeds, 0 for none, and their values."""

    runs: Runs
    values: AnyArray

    @classmethod
    def joined(cls, parts: list[_Part]) -> _Part:
        return cls(Runs.joined([part.runs for part in parts]), np.concatenate([part.values for part in parts]))


def flood_components(
    scan: Scan, spool: Spool, several: AnyArray, seed: Int64, *, memory: int, workers: int, name: str
) -> Iterator[Flooded]:
    """Flood the components that have several seeds.

    Parameters
    ----------
    scan, spool
        What the first pass left.
    several
        bool, of each component whether it has several seeds.
    seed
        int64, of each piece of a seed the seed, or 0 if it is not used.
    memory, workers
        Bytes and threads.
    name
        Of the volume, for errors.

    Yields
    ------
    Flooded
        Each component.

    Raises
    ------
    MemoryLimitError
        A component does not fit in memory.
    """
    shape = scan.layers.shape
    waiting: deque[tuple[int, Future[Flooded]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="mitobench") as pool:
        for part in _components(scan, spool, several, seed):
            size = _bytes_for(part, shape, memory, name)
            while waiting and size + sum(other for other, _ in waiting) > memory:
                yield waiting.popleft()[1].result()
            waiting.append((size, pool.submit(_flood, part, shape)))
        for _, future in waiting:
            yield future.result()


def _components(scan: Scan, spool: Spool, several: AnyArray, seed: Int64) -> Iterator[_Part]:
    """Yield the components with several seeds, each where it ends."""
    pieces = scan.foreground
    last = np.zeros(pieces.components + 1, np.int64)
    last[pieces.component] = pieces.layer
    begun: dict[int, list[_Part]] = {}
    for layer, strips in enumerate(scan.kept):
        for kept in strips:
            for component, part in _parts(kept, spool, several, pieces.component, seed):
                begun.setdefault(component, []).append(part)
        for component in [component for component in begun if last[component] == layer]:
            yield _Part.joined(begun.pop(component))


def _parts(kept: Kept, spool: Spool, several: AnyArray, component: Int64, seed: Int64) -> Iterator[tuple[int, _Part]]:
    """Yield the parts of components with several seeds in a strip."""
    strip = load(spool, kept)
    owner = component[kept.foreground :][strip.piece]
    chosen = np.flatnonzero(several[owner])
    chosen = chosen[np.argsort(owner[chosen], kind="stable")]
    length = strip.length.astype(np.int64)
    first_value = np.cumsum(length) - length
    owners, begin = np.unique(owner[chosen], return_index=True)
    for number, runs in zip(owners.tolist(), np.split(chosen, begin[1:]), strict=False):
        own = strip.seed[runs].astype(np.int64)
        part = Runs(strip.start[runs], length[runs], np.where(own > 0, seed[kept.seeds + own], 0))
        yield number, _Part(part, taken(strip.values, first_value[runs], part.length)[0])


def _bytes_for(part: _Part, shape: Shape, memory: int, name: str) -> int:
    """Return what flooding a component takes, or refuse it."""
    size = _VOXEL_BYTES * len(part.values) + _RUN_BYTES * len(part.runs)
    if size > memory:
        box = _box(part.runs, shape)
        raise MemoryLimitError(
            f"{name}: the foreground from {box.start} to {box.stop} is connected and has several seeds; to flood it "
            f"takes {size:,} bytes, the memory limit is {memory:,}; raise it (memory=, --memory) or the foreground "
            "threshold"
        )
    return size


def _box(runs: Runs, shape: Shape) -> Box:
    z, y, x = np.unravel_index(runs.start, shape)
    low = int(z.min()), int(y.min()), int(x.min())
    return Box(low, (int(z.max()) + 1, int(y.max()) + 1, int((x + runs.length).max())))


def _flood(part: _Part, shape: Shape) -> Flooded:
    """Flood one component."""
    begin = np.cumsum(part.runs.length) - part.runs.length
    order = np.argsort(part.runs.start)
    runs, begin = part.runs[order], begin[order]
    position = positions(runs.start, shape)
    # In the lists, one place that is no voxel parts runs that do not touch.
    apart = np.append(True, position[1:] != position[:-1] + runs.length[:-1])
    place = np.cumsum(runs.length) - runs.length + np.cumsum(apart)
    size = int(place[-1] + runs.length[-1]) + 1
    values, labels = np.zeros(size, np.uint8), np.zeros(size, np.int32)
    move_values(part.values, begin, values, place, runs.length)
    ids = np.unique(np.append(runs.label, 0))
    paint(labels, place, runs.length, np.searchsorted(ids, runs.label), np.arange(1, len(ids) + 1, dtype=np.int32))
    links = np.zeros((size, 4), np.int64 if size >> 31 else np.int32)
    for step, column in zip(steps_of(shape, 6)[0], (2, 0), strict=True):
        link_runs(position, runs.length, place, step, links, column)
    flood(values, labels, links, len(part.values))
    run, offset, length, total = cut_runs(values, labels, place, runs.length)
    return Flooded(Runs(runs.start[run] + offset, length, ids[labels[place[run] + offset] - 1]), total)
