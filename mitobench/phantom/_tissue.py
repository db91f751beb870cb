"""A volume of synthetic tissue: its image, its ground truth and a prediction, section by section."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.phantom._bodies import MITOCHONDRION, draw_bodies
from mitobench.phantom._checks import check_dtype, check_range, check_shape
from mitobench.phantom._clearance import Clearance
from mitobench.phantom._fates import predicted_labels, true_labels
from mitobench.phantom._geometry import VOXEL_NM
from mitobench.phantom._imaging import Artefacts, Sections, draw_sections
from mitobench.phantom._kernels import BLOCK, EDGE, REACH, Labels, Near, list_near, paint_labels
from mitobench.phantom._labels import LabelOptions
from mitobench.phantom._processes import draw_processes
from mitobench.phantom._quality import Quality
from mitobench.phantom._rows import body_rows, tube_rows
from mitobench.phantom.texture import develop, render
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

    from mitobench.types import AnyArray, Shape

__all__ = ["TissueOptions", "TissuePlan", "plan_tissue"]

_ROWS = 256
"""Rows rendered at a time, which bounds the memory."""


class TissueOptions(LabelOptions, total=False):
    """What the voxels of a volume of tissue depend on, beside its shape: those of `LabelOptions` and one more.

    Attributes
    ----------
    artefacts
        How often sections are damaged, by default ``Artefacts()``.
    """

    artefacts: Artefacts


@dataclass(frozen=True, eq=False)
class TissuePlan:
    """All that the voxels of a volume depend on; each section is a function of this and its number alone.

    Attributes
    ----------
    shape, dtype
        Of the volumes; the dtype is that of the labels.
    seed
        Of the noise.
    tubes, bodies
        float32 (n, 21), segments of processes and of what lies in them, as `mitobench.phantom._kernels` reads them.
    mitochondria
        Number of true instances drawn; ids run to it.
    gt_labels, pred_labels
        Ids of the bodies.
    sections
        Looks and faults of the sections.
    """

    shape: Shape
    dtype: np.dtype[Any]
    seed: int
    tubes: NDArray[np.float32]
    bodies: NDArray[np.float32]
    mitochondria: int
    gt_labels: Labels
    pred_labels: Labels
    sections: Sections

    def image(self, z0: int, z1: int) -> AnyArray:
        """Return the sections z0 to z1 of the image, uint8 (z1 - z0, y, x)."""
        return self._stack(self._image, z0, z1, np.dtype(np.uint8))

    def gt(self, z0: int, z1: int) -> AnyArray:
        """Return the sections z0 to z1 of the ground truth, (z1 - z0, y, x)."""
        return self._stack(lambda z, out: self._labels(self.gt_labels, z, out), z0, z1, self.dtype)

    def pred(self, z0: int, z1: int) -> AnyArray:
        """Return the sections z0 to z1 of the prediction, (z1 - z0, y, x)."""
        return self._stack(lambda z, out: self._labels(self.pred_labels, z, out), z0, z1, self.dtype)

    def _stack(self, section: Callable[[int, AnyArray], None], z0: int, z1: int, dtype: np.dtype[Any]) -> AnyArray:
        z1 = min(z1, self.shape[0])
        out = np.zeros((z1 - z0, *self.shape[1:]), dtype.newbyteorder("="))
        with ThreadPoolExecutor(default_workers()) as pool:
            list(pool.map(section, range(z0, z1), out))
        return out.astype(dtype, copy=False)

    def _place(self, z: int, source: int) -> tuple[float, float, float]:
        y, x = self.sections.shift[z]
        return VOXEL_NM[0] * source, VOXEL_NM[1] * float(y), VOXEL_NM[2] * float(x)

    def _near(self, rows: NDArray[np.float32], reach: float, place: tuple[float, float, float]) -> Near:
        high, wide = (-(-edge // BLOCK) for edge in self.shape[1:])
        return Near(*list_near(rows, reach, place, (high, wide)), wide)

    def _labels(self, labels: Labels, z: int, out: AnyArray) -> None:
        place = self._place(z, z)
        near = self._near(self.bodies, labels.reach, place)
        paint_labels(self.bodies, labels, near, self.seed, place, 0, out)

    def _image(self, z: int, out: AnyArray) -> None:
        if self.sections.missing[z]:
            return
        source = int(self.sections.source[z])
        place = self._place(source, source)
        near = self._near(self.tubes, REACH, place), self._near(self.bodies, EDGE * VOXEL_NM[1], place)
        for y in range(0, self.shape[1], _ROWS):
            part = out[y : y + _ROWS]
            grey = np.empty((len(part) + 2, self.shape[2] + 2), np.float32)
            render(self.tubes, self.bodies, near, self.seed, place, source, y - 1, grey)
            develop(grey, self.sections.look[z], self.seed, z, y, self.shape[1], part)


def plan_tissue(
    shape: Shape,
    *,
    seed: int = 0,
    dtype: DTypeLike = np.uint16,
    instances_per_gigavoxel: float = 1200.0,
    foreground: float = 0.08,
    quality: Quality = Quality(),  # noqa: B008 (frozen)
    artefacts: Artefacts = Artefacts(),  # noqa: B008 (frozen)
) -> TissuePlan:
    """Draw a volume of tissue with mitochondria, and how it is imaged and predicted.

    Parameters
    ----------
    shape
        Voxels along z, y, x; a voxel is 30 x 8 x 8 nm.
    seed
        Equal seeds and options give equal voxels, however many sections are made at a time.
    dtype
        Integer type of the ids.
    instances_per_gigavoxel, foreground
        Mitochondria per 1e9 voxels, and about what fraction of the voxels they cover. There are fewer where the
        processes have no room for them.
    quality
        Errors of the prediction. Invented instances are at distractors.
    artefacts
        How often sections are damaged.

    Returns
    -------
    TissuePlan
        Its methods `image`, `gt` and `pred` make any sections.

    Raises
    ------
    InvalidInputError
        An option has no sense, or the dtype cannot hold the ids.
    """
    shape = check_shape("shape", shape)
    check_range("seed", seed, 0, 2**64 - 1)
    check_range("foreground", foreground, 0.001, 0.5)
    check_range("instances_per_gigavoxel", instances_per_gigavoxel, 0, 1e8)
    count = max(1, round(instances_per_gigavoxel * np.prod(shape, dtype=float) / 1e9))
    dtype = check_dtype(dtype, count)
    # A generator each: what is asked of one leaves the others as they are.
    tube_rng, body_rng, pred_rng, section_rng = np.random.default_rng(seed).spawn(4)
    size = (np.array(shape) - 1) * VOXEL_NM
    processes = draw_processes(tube_rng, size)
    volume = foreground * np.prod(shape, dtype=float) * np.prod(VOXEL_NM) / count
    clearance = Clearance(processes)
    bodies = draw_bodies(body_rng, processes, clearance, size, count, volume)
    gt, pred = true_labels(body_rng, bodies), predicted_labels(pred_rng, bodies, quality)
    check_dtype(dtype, int(max(pred.before.max(), pred.after.max())))
    sections = draw_sections(section_rng, shape[0], artefacts)
    tubes = tube_rows(tube_rng, processes, clearance)
    true = sum(body.kind == MITOCHONDRION for body in bodies)
    noise = int(np.random.default_rng(seed).integers(2**62))
    return TissuePlan(shape, dtype, noise, tubes, body_rows(bodies), true, gt, pred, sections)
