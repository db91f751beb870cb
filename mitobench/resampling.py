"""What is drawn again and again to learn how far a score depends on which instances happen to be in the volume."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mitobench.matching import Matching
    from mitobench.overlap import Instances
    from mitobench.types import AnyArray, Float64, Int64, Shape

__all__ = [
    "Bootstrap",
    "Part",
    "Replicates",
    "Sample",
    "Unit",
    "Units",
    "Weights",
    "draw",
    "draw_swaps",
    "plan_blocks",
    "plan_units",
]

Unit = Literal["blocks", "instances"]
Weights: TypeAlias = NDArray[np.uint8]
"""How often each unit is in each resample, (resamples, units); 255 is never reached, its chance is below 1e-500."""
Replicates: TypeAlias = "dict[str, dict[str, Float64]]"
"""Metric -> bucket -> float64 (resamples,), NaN where undefined."""

_EXTENTS = 3
"""A block is at least as long as so many instances, so that few of them have neighbours in another block."""
_BLOCKS = 16
"""And there are at most so many blocks: the larger they are, the farther neighbours may be alike."""
_CHUNK = 2**21
"""Weights that are made floating-point numbers at a time."""


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How intervals are made.

    Attributes
    ----------
    resamples
        How often the units are drawn, 100 to 100,000.
    level
        Probability that the interval is to hold the expected score, 0.5 to 0.999.
    unit
        What is drawn: ``"blocks"`` of the volume, see `plan_blocks`, or single ``"instances"``, as if no instance
        could tell anything about its neighbours.
    seed
        Whole number from 0; equal seeds give equal numbers.

    Raises
    ------
    InvalidInputError
        A field has a value outside of these.
    """

    resamples: int = 1000
    level: float = 0.95
    unit: Unit = "blocks"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            allowed = ", ".join(map(repr, get_args(Unit)))
            raise InvalidInputError(f"unit of the bootstrap is {self.unit!r}; allowed: {allowed}")
        # Frozen: the plain numbers can only be put in place this way.
        object.__setattr__(self, "resamples", _whole("resamples of the bootstrap are", self.resamples, 100, 100_000))
        object.__setattr__(self, "seed", _whole("seed of the bootstrap is", self.seed, 0, 2**63 - 1))
        if isinstance(self.level, bool) or not isinstance(self.level, int | float) or not 0.5 <= self.level <= 0.999:
            raise InvalidInputError(f"level of the intervals is {self.level!r}; allowed: a number from 0.5 to 0.999")


@dataclass(frozen=True, eq=False)
class Units:
    """Which unit each instance belongs to.

    Attributes
    ----------
    gt, pred
        int64 (n,), a number below ``count``.
    count
        Number of units, those that hold nothing among them.
    """

    gt: Int64
    pred: Int64
    count: int

    @property
    def occupied(self) -> int:
        """Number of units that hold an instance."""
        return len(np.union1d(self.gt, self.pred))

    def sums(self, unit: Int64, values: AnyArray) -> Float64:
        """Return the sum of some values in each unit, float64 (count,), given the unit of each."""
        return np.bincount(unit, weights=values, minlength=self.count).astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class Part:
    """A matching and how often each of its units counts in each resample."""

    matching: Matching
    units: Units
    weights: Weights


@dataclass(frozen=True, eq=False)
class Sample:
    """What a metric is resampled from.

    Attributes
    ----------
    parts
        One matching, or several under the same rule that are scored as one, as if they were of different volumes.
    workers
        Threads.
    """

    parts: Sequence[Part]
    workers: int = 1

    @property
    def first(self) -> Matching:
        """The matching of the first part."""
        return self.parts[0].matching

    def totals(self, columns: Callable[[Part], Sequence[Float64]]) -> Float64:
        """Return weighted sums over all units of all parts, float64 (columns, resamples).

        Parameters
        ----------
        columns
            Makes, of a part, float64 (units,) each.
        """
        by_part = [_weighted(np.stack(columns(part)), part.weights) for part in self.parts]
        return np.asarray(np.sum(by_part, axis=0))


def plan_blocks(shape: Shape, gt: Instances) -> Shape:
    """Return into how many equal blocks a volume is divided along z, y, x.

    The longest side of a block, in units of the median extent of the ground truths along that axis, is halved as long
    as the halves are at least 3 such extents long and no more than 16 blocks come of it. So a block holds many
    instances and most of their neighbours. Intervals are too narrow where instances of different blocks are alike,
    which larger blocks prevent; that there are few of them costs little, because `mitobench.uncertainty.tail` allows
    for it. ``python -m benchmarks.coverage`` shows both.

    Parameters
    ----------
    shape
        Voxels of the volume along z, y, x.
    gt
        Ground truths.

    References
    ----------
    Hall, Stoch. Proc. Appl. 20 (1985), doi:10.1016/0304-4149(85)90212-1; Künsch, Ann. Stat. 17 (1989),
    doi:10.1214/aos/1176347265 (blocks of dependent data).

    Examples
    --------
    >>> from mitobench.testing import overlap_table
    >>> cube = np.ones((2, 4, 4), np.uint8)
    >>> plan_blocks((50, 100, 100), overlap_table(cube, cube).gt)
    (4, 2, 2)
    >>> plan_blocks((6, 100, 30), overlap_table(cube, cube).gt)
    (1, 8, 2)
    """
    blocks = [1, 1, 1]
    if len(gt) == 0:
        return 1, 1, 1
    extent = np.maximum(np.median(gt.box_max - gt.box_min, axis=0), 1)
    while True:
        length = np.array(shape) / blocks / extent
        axis = int(np.argmax(length))
        if length[axis] < 2 * _EXTENTS or 2 * math.prod(blocks) > _BLOCKS:
            return blocks[0], blocks[1], blocks[2]
        blocks[axis] *= 2


def plan_units(matchings: Sequence[Matching], shape: Shape, unit: Unit) -> tuple[Units, ...]:
    """Return the units of predictions of the same ground truth, numbered alike for all of them.

    A ground truth belongs to the block that its centroid lies in, or is a unit of its own. A prediction belongs to the
    unit of the ground truth of highest IoU, so that no pair is torn apart; one that touches none belongs to the block
    of its own centroid, or is a unit of its own.

    Parameters
    ----------
    matchings
        At least one, all with equal ground truths.
    shape
        Voxels of the volume along z, y, x.
    unit
        As in `Bootstrap`.
    """
    gt = matchings[0].gt
    if unit == "blocks":
        blocks = plan_blocks(shape, gt)
        own = _block_of(gt, shape, blocks)
        free = [_block_of(matching.pred, shape, blocks) for matching in matchings]
        count = math.prod(blocks)
    else:
        own, free, count = np.arange(len(gt)), [], len(gt)
        for matching in matchings:
            alone = matching.best_of_pred < 0
            free.append(count - 1 + np.cumsum(alone))
            count += int(alone.sum())
    return tuple(
        Units(own, _with_partners(matching, own, alone), count) for matching, alone in zip(matchings, free, strict=True)
    )


def draw(bootstrap: Bootstrap, units: int, *, volume: int = 0) -> Weights:
    """Return how often each of some units is drawn, with replacement, as many as there are, in each resample.

    Parameters
    ----------
    bootstrap
        Number of resamples, seed.
    units
        How many there are.
    volume
        Number of the volume in a benchmark: each has its own random numbers.

    References
    ----------
    Efron, Ann. Stat. 7 (1979), doi:10.1214/aos/1176344552.

    Examples
    --------
    >>> draw(Bootstrap(resamples=100), 64).sum(axis=1).tolist() == [64] * 100
    True
    """
    rng = _generator(bootstrap, volume)
    weights = np.zeros((bootstrap.resamples, units), np.uint8)
    for row in weights if units else ():
        row[:] = np.bincount(rng.integers(0, units, units), minlength=units)
    return weights


def draw_swaps(bootstrap: Bootstrap, units: int) -> Weights:
    """Return which units change sides in each resample, each with probability 1/2; in the first one none does.

    Parameters
    ----------
    bootstrap
        Number of resamples, without the first one; seed.
    units
        How many there are.

    Examples
    --------
    >>> swaps = draw_swaps(Bootstrap(resamples=100), 64)
    >>> swaps.shape, swaps[0].any(), set(swaps[1:].ravel().tolist())
    ((101, 64), np.False_, {0, 1})
    """
    swaps = _generator(bootstrap, 0, 1).integers(0, 2, (bootstrap.resamples + 1, units), np.uint8)
    swaps[0] = 0
    return swaps


def _generator(bootstrap: Bootstrap, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(bootstrap.seed, spawn_key=key)))


def _weighted(columns: Float64, weights: Weights) -> Float64:
    """Return columns @ weights.T, float64 (columns, resamples)."""
    resamples, units = weights.shape
    step = max(1, _CHUNK // resamples)
    total = np.zeros((resamples, len(columns)))
    for k in range(0, units, step):
        total += weights[:, k : k + step].astype(np.float64) @ columns[:, k : k + step].T
    return total.T


def _block_of(instances: Instances, shape: Shape, blocks: Shape) -> Int64:
    index = (instances.centroid * blocks / shape).astype(np.int64)
    return np.asarray(np.ravel_multi_index(tuple(index.T), blocks))


def _with_partners(matching: Matching, own: Int64, alone: Int64) -> Int64:
    """Return the unit of each prediction: that of its best ground truth, or its own where it has none."""
    best = matching.best_of_pred
    unit = alone.copy()
    unit[best >= 0] = own[matching.pair_gt[best[best >= 0]]]
    return unit


def _whole(what: str, value: object, low: int, high: int) -> int:
    try:
        number = low - 1 if isinstance(value, bool | np.bool_) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = low - 1
    if not low <= number <= high:
        raise InvalidInputError(f"{what} {value!r}; allowed: whole numbers from {low:,} to {high:,}")
    return number
