"""A ground truth and its prediction, painted slab by slab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from mitobench.phantom._checks import check_dtype, check_range, check_shape
from mitobench.phantom._geometry import VOXEL_NM, Mitochondria, draw_chains, draw_spots
from mitobench.phantom._paint import Strokes, paint, to_strokes
from mitobench.phantom._quality import Quality, predict
from mitobench.types import AnyArray, Int64, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import DTypeLike

__all__ = ["LabelOptions", "LabelPlan", "Slab", "label_slabs", "plan_labels"]

Slab = tuple[int, AnyArray, AnyArray]


class LabelOptions(TypedDict, total=False):
    """What the voxels of a pair depend on, beside its shape.

    Attributes
    ----------
    seed
        Equal seeds and options give equal voxels.
    dtype
        Integer type of the ids, by default uint16. They run to the number of instances, in random order.
    instances_per_gigavoxel
        Number of true instances per 1e9 voxels, by default 1,200; there is at least one.
    foreground
        Fraction of the voxels that they cover, by default 0.08. Their size follows from this and their number.
    quality
        Errors of the prediction, by default ``Quality()``.
    """

    seed: int
    dtype: DTypeLike
    instances_per_gigavoxel: float
    foreground: float
    quality: Quality


@dataclass(frozen=True, eq=False)
class LabelPlan:
    """All that the voxels of a pair depend on.

    Attributes
    ----------
    shape, dtype
        Of both volumes.
    mitochondria
        The true instances; instance i has the id ``gt_id[i]``.
    gt_id
        int64 (n,), 1 to n in random order.
    gt, pred
        What to paint.
    """

    shape: Shape
    dtype: np.dtype[Any]
    mitochondria: Mitochondria
    gt_id: Int64
    gt: Strokes
    pred: Strokes

    def paint(self, strokes: Strokes, z0: int, z1: int) -> AnyArray:
        """Return the sections z0 to z1 of `gt` or `pred`."""
        return paint(np.zeros((min(z1, self.shape[0]) - z0, *self.shape[1:]), self.dtype), z0, strokes)


def label_slabs(shape: Shape, *, slab: int = 16, **options: Unpack[LabelOptions]) -> Iterator[Slab]:
    """Paint a ground truth and a prediction, a slab of sections at a time.

    Parameters
    ----------
    shape
        Voxels along z, y, x; a voxel is 30 x 8 x 8 nm.
    slab
        Sections painted at a time.
    **options
        See `LabelOptions`. Equal options give equal voxels, whatever the slabs.

    Returns
    -------
    iterator of (int, array, array)
        First section, ground truth and prediction of shape (sections, y, x).

    Raises
    ------
    InvalidInputError
        An option has no sense, or the dtype cannot hold the ids.
    """
    check_range("slab", slab, 1, np.inf)
    plan = plan_labels(shape, **options)
    starts = range(0, plan.shape[0], slab)
    return ((z, plan.paint(plan.gt, z, z + slab), plan.paint(plan.pred, z, z + slab)) for z in starts)


def plan_labels(
    shape: Shape,
    *,
    seed: int = 0,
    dtype: DTypeLike = np.uint16,
    instances_per_gigavoxel: float = 1200.0,
    foreground: float = 0.08,
    quality: Quality = Quality(),  # noqa: B008 (frozen)
) -> LabelPlan:
    """Check the options and draw everything that is random; see `label_slabs`."""
    shape = check_shape("shape", shape)
    check_range("seed", seed, 0, 2**64 - 1)
    check_range("foreground", foreground, 0.001, 0.5)
    check_range("instances_per_gigavoxel", instances_per_gigavoxel, 0, 1e8)
    # A generator each: another quality leaves the ground truth as it is, and more may be spawned without any change.
    gt_rng, pred_rng = np.random.default_rng(seed).spawn(2)
    count = max(1, round(instances_per_gigavoxel * np.prod(shape, dtype=float) / 1e9))
    dtype = check_dtype(dtype, count)
    mitochondria = _draw(gt_rng, count, shape, foreground)
    gt_id = gt_rng.permutation(count) + 1
    pred = predict(pred_rng, mitochondria, shape, quality)
    check_dtype(dtype, int(pred.label.max(initial=0)))
    return LabelPlan(shape, dtype, mitochondria, gt_id, to_strokes(mitochondria, gt_id, shape), pred)


def _draw(rng: np.random.Generator, count: int, shape: Shape, foreground: float) -> Mitochondria:
    """Draw, place and size mitochondria until the asked fraction of the volume is covered."""
    volume_nm3 = np.prod(shape, dtype=float) * np.prod(VOXEL_NM)
    chains = draw_chains(rng, count, foreground * volume_nm3 / count)
    mitochondria = chains.moved(draw_spots(rng, chains, shape))
    # Borders and neighbours hide an unknown part: measure it on some sections rather than model it.
    depth, starts = _samples(shape)
    for _ in range(3):
        strokes = to_strokes(mitochondria, np.ones(count, np.int64), shape)
        painted = (paint(np.zeros((depth, *shape[1:]), np.uint8), z, strokes) for z in starts)
        covered = np.mean([np.count_nonzero(sample) / sample.size for sample in painted])
        if covered > 0:
            mitochondria = mitochondria.scaled(float(np.clip(np.cbrt(foreground / covered), 0.5, 2)))
    return mitochondria


def _samples(shape: Shape) -> tuple[int, list[int]]:
    """Return depth and starts of what to measure: everything if that is little, else single sections."""
    enough = 2**27 // (shape[1] * shape[2])
    if enough >= shape[0]:
        return shape[0], [0]
    return 1, np.linspace(0, shape[0] - 1, min(shape[0], max(24, enough))).astype(int).tolist()
