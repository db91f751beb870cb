"""From components and seeds to instances: sizes, scores, ids, and the volume section by section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.decode._flood import flood_components
from baselines.decode._kernels import paint
from baselines.decode._methods import MarkerWatershed
from baselines.decode._runs import Runs, unique_pairs
from baselines.decode._scan import load

if TYPE_CHECKING:
    from baselines.decode._methods import Method
    from baselines.decode._scan import Scan
    from baselines.decode._spool import Place, Spool
    from mitobench.types import AnyArray, Float64, Int64

__all__ = ["Instances", "find_instances"]

_SEVERAL = -1
"""In place of its instance, for a component that has several."""


@dataclass(frozen=True, eq=False)
class Instances:
    """The instances of a volume. Ids go from 1 to n in the raster order of their first voxels.

    Attributes
    ----------
    sizes
        int64 (n,), voxels.
    scores
        float64 (n,), mean of the mask over the instance, from 0 to 1.
    small
        Number of instances dropped for their size.
    flooded
        Number of components of the foreground with several seeds.
    """

    sizes: Int64
    scores: Float64
    small: int
    flooded: int
    _scan: Scan
    _spool: Spool
    _id_of_piece: AnyArray
    _id_of_owner: AnyArray
    _cut: tuple[tuple[Place, ...], ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds the ids."""
        return self._id_of_owner.dtype

    def sections(self, start: int, stop: int) -> AnyArray:
        """Paint some sections, (z, y, x)."""
        layers = self._scan.layers
        sections = np.zeros((stop - start, *layers.shape[1:]), self.dtype)
        flat, before = sections.reshape(-1), start * layers.shape[1] * layers.shape[2]
        for layer in range(start // layers.depth, -(-stop // layers.depth)):
            for kept in self._scan.kept[layer]:
                strip = load(self._spool, kept)
                paint(flat, strip.start - before, strip.length, strip.piece, self._id_of_piece[kept.foreground :])
            for cut in self._cut[layer]:
                first, length, owner = self._spool.get(cut)
                paint(flat, first - before, length, owner, self._id_of_owner)
        return sections


def find_instances(scan: Scan, method: Method, spool: Spool, *, memory: int, workers: int, name: str) -> Instances:
    """Tell the instances of a volume after its first pass, flooding where that is needed.

    Raises
    ------
    MemoryLimitError
        A component with several seeds does not fit in memory.
    UnusableFileError
        A temporary file cannot be written.
    """
    pieces = scan.foreground
    if isinstance(method, MarkerWatershed):
        seed = _used_seeds(scan, method.min_seed)
        owner = _owners(scan, seed)
        owners = scan.seeds.components
    else:
        seed, owner, owners = np.zeros(1, np.int64), np.arange(pieces.components + 1), pieces.components
    owner_of_piece = owner[pieces.component]
    whole = owner_of_piece > 0
    sums = _Sums(owners)
    sums.add(owner_of_piece[whole], pieces.voxels[whole], pieces.total[whole], pieces.first[whole])
    several = owner == _SEVERAL
    cut: list[list[Place]] = [[] for _ in scan.kept]
    floods = flood_components(scan, spool, several, seed, memory=memory, workers=workers, name=name)
    for one in floods if several.any() else ():
        sums.add(one.runs.label, one.runs.length, one.totals, one.runs.start)
        _put_aside(one.runs, scan.layers.voxels, spool, cut)
    ids, chosen = sums.ids(max(1, method.min_size))
    dtype = np.min_scalar_type(len(chosen))
    return Instances(
        sums.voxels[chosen],
        sums.total[chosen] / sums.voxels[chosen] / 255,
        int(np.count_nonzero(sums.voxels)) - len(chosen),
        int(np.count_nonzero(several)),
        scan,
        spool,
        np.where(whole, ids[owner_of_piece], 0).astype(dtype),
        ids.astype(dtype),
        tuple(map(tuple, cut)),
    )


def _used_seeds(scan: Scan, least: int) -> Int64:
    """Return of each piece of a seed the seed, or 0 where that is too small."""
    seeds = scan.seeds
    voxels = np.bincount(seeds.component, seeds.voxels)
    return np.where(voxels[seeds.component] >= max(1, least), seeds.component, 0)


def _owners(scan: Scan, seed: Int64) -> Int64:
    """Return the seed in each component of the foreground: 0 for none, `_SEVERAL` for more than one."""
    pairs = unique_pairs(scan.foreground.component[scan.pairs[:, 0]], seed[scan.pairs[:, 1]])
    pairs = pairs[pairs[:, 1] > 0]
    owner = np.zeros(scan.foreground.components + 1, np.int64)
    owner[pairs[:, 0]] = pairs[:, 1]
    owner[np.bincount(pairs[:, 0], minlength=len(owner)) > 1] = _SEVERAL
    return owner


class _Sums:
    """Voxels, sum of the mask and first voxel of each instance."""

    def __init__(self, number: int) -> None:
        self.voxels = np.zeros(number + 1, np.int64)
        self.total = np.zeros(number + 1, np.int64)
        self._first = np.full(number + 1, np.iinfo(np.int64).max)

    def add(self, owner: Int64, voxels: Int64, total: Int64, first: Int64) -> None:
        """Add parts of instances."""
        np.add.at(self.voxels, owner, voxels)
        np.add.at(self.total, owner, total)
        np.minimum.at(self._first, owner, first)

    def ids(self, least: int) -> tuple[Int64, Int64]:
        """Return the id of each instance, 0 where it is too small, and the instances by id."""
        chosen = np.flatnonzero(self.voxels >= least)
        chosen = chosen[np.argsort(self._first[chosen])]
        ids = np.zeros(len(self.voxels), np.int64)
        ids[chosen] = np.arange(1, len(chosen) + 1)
        return ids, chosen


def _put_aside(runs: Runs, layer_voxels: int, spool: Spool, cut: list[list[Place]]) -> None:
    """Keep the runs of a flooded component, which are in raster order, by the layer in which they lie."""
    layer = runs.start // layer_voxels
    numbers, begin = np.unique(layer, return_index=True)
    for number, first, last in zip(numbers.tolist(), begin, [*begin[1:], len(runs)], strict=True):
        part = runs[first:last]
        cut[number].append(spool.put(part.start, part.length.astype(np.int32), part.label.astype(np.uint32)))
