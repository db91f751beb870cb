"""Foreground with several seeds: each component is flooded alone, cut out by its box."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from baselines.decode._kernels import flood, paint
from baselines.decode._runs import Runs, places_of
from baselines.decode._scan import load
from mitobench.errors import MemoryLimitError
from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.decode._scan import Layer, Scan
    from baselines.decode._spool import Spool
    from mitobench.types import AnyArray, Int64, Shape

__all__ = ["Flooded", "flood_components"]

_BOX_BYTES, _VOXEL_BYTES = 5, 48
"""What flooding takes: for each voxel of the box, and for each of the component."""


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
    """A component, or the part of it in one layer; ``seeds`` are labelled by their components."""

    foreground: Runs
    values: AnyArray
    seeds: Runs

    @classmethod
    def joined(cls, parts: list[_Part]) -> _Part:
        values = np.concatenate([part.values for part in parts])
        return cls(Runs.joined([p.foreground for p in parts]), values, Runs.joined([p.seeds for p in parts]))


def flood_components(
    scan: Scan, spool: Spool, several: AnyArray, seed: Int64, *, memory: int, workers: int, name: str
) -> Iterator[list[Flooded]]:
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
    list of Flooded
        After each layer, the components that end there.

    Raises
    ------
    MemoryLimitError
        A component does not fit in memory.
    """
    last = np.zeros(scan.foreground.components + 1, np.int64)
    np.maximum.at(last, scan.foreground.component, scan.foreground.layer)
    begun: dict[int, list[_Part]] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="mitobench") as pool:
        for layer, place in enumerate(scan.kept):
            for component, part in _parts(load(spool, place), scan, several, seed):
                begun.setdefault(component, []).append(part)
            ended = [_Part.joined(begun.pop(component)) for component in list(begun) if last[component] == layer]
            sizes = [_bytes_for(part, scan.layers.shape, memory, name) for part in ended]
            # Few are large, and one of these at a time may take all the memory.
            small = [part for part, size in zip(ended, sizes, strict=True) if size * workers <= memory]
            large = [part for part, size in zip(ended, sizes, strict=True) if size * workers > memory]
            done = list(pool.map(lambda part: _flood(part, scan.layers.shape), small))
            yield done + [_flood(part, scan.layers.shape) for part in large]


def _parts(layer: Layer, scan: Scan, several: AnyArray, seed: Int64) -> Iterator[tuple[int, _Part]]:
    """Yield the parts of components with several seeds in a layer."""
    component = scan.foreground.component
    owner, seed_owner = component[layer.foreground.label], component[layer.within]
    first_value = np.cumsum(layer.foreground.length) - layer.foreground.length
    seeds = Runs(layer.seeds.start, layer.seeds.length, seed[layer.seeds.label])
    seeds_of = dict(_grouped(seed_owner, several[seed_owner] & (seeds.label > 0)))
    for number, runs in _grouped(owner, several[owner]):
        part = layer.foreground[runs]
        values = layer.values[places_of(first_value[runs], part.length)]
        yield number, _Part(part, values, seeds[seeds_of.get(number, slice(0))])


def _grouped(key: Int64, which: AnyArray) -> Iterator[tuple[int, AnyArray]]:
    """Yield each key of those chosen with the indices that have it."""
    chosen = np.flatnonzero(which)
    chosen = chosen[np.argsort(key[chosen], kind="stable")]
    keys, begin = np.unique(key[chosen], return_index=True)
    # Without any key there is still one part, an empty one.
    yield from zip(keys.tolist(), np.split(chosen, begin[1:]), strict=False)


def _box(runs: Runs, shape: Shape) -> Box:
    z, y, x = np.unravel_index(runs.start, shape)
    low = int(z.min()), int(y.min()), int(x.min())
    return Box(low, (int(z.max()) + 1, int(y.max()) + 1, int((x + runs.length).max())))


def _bytes_for(part: _Part, shape: Shape, memory: int, name: str) -> int:
    """Return what flooding a component takes, or refuse it."""
    box = _box(part.foreground, shape)
    size = _BOX_BYTES * box.voxels + _VOXEL_BYTES * len(part.values)
    if size > memory:
        raise MemoryLimitError(
            f"{name}: the foreground from {box.start} to {box.stop} is connected and has several seeds; to flood it "
            f"takes {size:,} bytes, the memory limit is {memory:,}; raise it (memory=, --memory) or the foreground "
            "threshold"
        )
    return size


def _flood(part: _Part, shape: Shape) -> Flooded:
    """Flood one component."""
    box = _box(part.foreground, shape)
    _, height, width = padded = tuple(n + 2 for n in box.shape)
    image, labels = np.zeros(np.prod(padded), np.uint8), np.zeros(np.prod(padded), np.int32)
    places = places_of(_moved(part.foreground, shape, box), part.foreground.length)
    image[places] = part.values
    ids, number = np.unique(part.seeds.label, return_inverse=True)
    paint(labels, _moved(part.seeds, shape, box), part.seeds.length, number + 1)
    # Neighbours in the order of their raster, as in scikit-image.
    steps = np.array([-height * width, -width, -1, 1, width, height * width])
    flood(image, labels, steps, len(places))
    return _cut(part, ids[labels[places] - 1])


def _moved(runs: Runs, shape: Shape, box: Box) -> Int64:
    """Return where runs start in the raster of a box with a margin of one voxel."""
    at = [axis - low + 1 for axis, low in zip(np.unravel_index(runs.start, shape), box.start, strict=True)]
    return np.ravel_multi_index(at, tuple(n + 2 for n in box.shape)).astype(np.int64)


def _cut(part: _Part, label: Int64) -> Flooded:
    """Cut the runs of a component where the labels of its voxels change."""
    runs = part.foreground
    changes = np.append(True, label[1:] != label[:-1])
    begin = np.cumsum(runs.length) - runs.length
    changes[begin] = True
    cuts = np.flatnonzero(changes)
    run = np.searchsorted(begin, cuts, side="right") - 1
    length = np.diff(cuts, append=len(label))
    found = Runs(runs.start[run] + cuts - begin[run], length, label[cuts])
    return Flooded(found, np.add.reduceat(part.values, cuts, dtype=np.int64))
