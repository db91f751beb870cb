"""Random overlap tables in which neighbours share their fate, for tests of intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mitobench.overlap import OverlapTable

if TYPE_CHECKING:
    from mitobench.types import Float64, Int64, Shape

__all__ = ["Population", "random_population", "random_prediction"]

_EDGE = 12
_EXTENT = 3


@dataclass(frozen=True, eq=False)
class Population:
    """Ground truths in a volume of blocks, each of which `mitobench.resampling.plan_blocks` leaves in one piece.

    Attributes
    ----------
    shape
        Voxels along z, y, x.
    blocks
        Along z, y, x.
    size
        int64 (n,), voxels.
    block
        int64 (n,), the block that each is in.
    centre
        int64 (n, 3).
    """

    shape: Shape
    blocks: Shape
    size: Int64
    block: Int64
    centre: Int64


def random_population(rng: np.random.Generator, blocks: Shape, per_block: float) -> Population:
    """Return ground truths of random sizes, so many in a block on average.

    Parameters
    ----------
    rng
        Source of the randomness.
    blocks
        Along z, y, x.
    per_block
        Expected number in a block.
    """
    block = np.repeat(np.arange(math.prod(blocks)), rng.poisson(per_block, math.prod(blocks)))
    z, y, x = blocks
    size = np.exp(rng.normal(8.5, 1, len(block))).astype(np.int64) + 100
    return Population((_EDGE * z, _EDGE * y, _EDGE * x), blocks, size, block, _centres(rng, block, blocks))


def random_prediction(
    rng: np.random.Generator, population: Population, *, recall: Float64, false: float = 0.1
) -> OverlapTable:
    """Return the table of a prediction that finds ground truths at IoU 0.8, with IoU from 0.76.

    Half of the others are predicted with an IoU below 0.74, the rest is missing.

    Parameters
    ----------
    rng
        Source of the randomness.
    population
        The ground truths.
    recall
        float64 (blocks,), how many of the ground truths of each block are found.
    false
        How many predictions on background there are for each ground truth.
    """
    n = len(population.size)
    found = rng.random(n) < recall[population.block]
    iou = np.where(found, rng.uniform(0.76, 1, n), rng.uniform(0.3, 0.74, n) * (rng.random(n) < 0.5))
    shared = (population.size * iou).astype(np.int64)
    alone = rng.integers(0, math.prod(population.blocks), rng.poisson(false * n))
    gt = np.arange(1, n + 1)
    invented = n + 1 + np.arange(len(alone))
    rows = [
        (gt, gt, shared, population.centre),
        (gt, 0 * gt, population.size - shared, population.centre),
        (
            0 * invented,
            invented,
            rng.permutation(population.size)[: len(alone)],
            _centres(rng, alone, population.blocks),
        ),
    ]
    return _table(population.shape, *(np.concatenate(column) for column in zip(*rows, strict=True)))


def _centres(rng: np.random.Generator, block: Int64, blocks: Shape) -> Int64:
    corner = np.stack(np.unravel_index(block, blocks), axis=1) * _EDGE
    return corner + rng.integers(1, _EDGE - 1, corner.shape)


def _table(shape: Shape, gt: Int64, pred: Int64, count: Int64, centre: Int64) -> OverlapTable:
    rows = np.lexsort((pred, gt))
    rows = rows[count[rows] > 0]
    low = centre[rows] - _EXTENT // 2
    return OverlapTable(
        voxels=math.prod(shape),
        gt_id=gt[rows].astype(np.uint64),
        pred_id=pred[rows].astype(np.uint64),
        count=count[rows],
        box_min=low,
        box_max=low + _EXTENT,
        coord_sum=centre[rows] * count[rows, None],
    )
