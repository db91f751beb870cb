"""Do labels lie on the mitochondria of the image? Membranes are thin dark lines, and labels end there.

The borders of labels are correlated with dark lines of the image, for shifts along z, y and x. On the EPFL hippocampus
at 30 x 10 x 10 nm, three sections show a shift of one section or of a few voxels (tests/test_dataset_check.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench.dataset._values import Problem
from mitobench.errors import MitobenchError
from mitobench.types import Box

if TYPE_CHECKING:
    from mitobench.dataset._values import DatasetVolume
    from mitobench.types import AnyArray, Float64, Volume

__all__ = ["misalignment"]

_EDGE = 1024
"""Voxels along y and x that are looked at, in the middle of a section."""
_SECTIONS = 3
_SHIFTS = range(-2, 3)
"""Sections up and down that are tried."""
_REACH = 32
"""Voxels along y and x that are tried."""
_LINE = 1.5
"""Standard deviation of the filter that finds dark lines, in voxels."""
_CLEAR = 10.0
"""Standard deviations above the mean that make a peak clear; below, nothing is said."""
_TOLERANCE = 4
"""Voxels along y and x that labels may be off."""
_BETTER = 1.3
"""How many times better than in its own place a fit must be to be reported."""


def misalignment(volume: DatasetVolume) -> list[Problem]:
    """Return a problem if the labels clearly fit the image better at another place than at their own.

    A few sections decide. Where there is no clear peak, as in tiny volumes or on images without dark membranes, nothing
    is said.
    """
    if not volume.image_parts or not volume.label_parts:
        return []
    try:
        scores = _scores(volume)
    except MitobenchError:
        return []
    if scores is None or not scores.max() - scores.mean() > _CLEAR * scores.std():
        return []
    near = slice(_REACH - _TOLERANCE, _REACH + _TOLERANCE + 1)
    if scores.max() < _BETTER * scores[-_SHIFTS.start, near, near].max():
        return []
    dz, dy, dx = (int(i) for i in np.unravel_index(scores.argmax(), scores.shape))
    dz, dy, dx = dz + _SHIFTS.start, dy - _REACH, dx - _REACH
    what = f"the borders of the labels fit the image best {dz:+d} sections, {dy:+d} rows and {dx:+d} columns away"
    return [Problem("misaligned", f"{volume.name} labels", what, "check that image and labels are of one volume")]


def _scores(volume: DatasetVolume) -> Float64 | None:
    """Return how well the labels fit at each shift along z, y, x; None for a volume that is too small."""
    sections = volume.label_sections()
    margin = -_SHIFTS.start
    inside = range(max(sections.start, margin), min(sections.stop, volume.shape[0] - margin))
    if len(inside) < _SECTIONS or min(volume.shape[1:]) <= 2 * _REACH:
        return None
    chosen = [inside[(2 * step + 1) * len(inside) // (2 * _SECTIONS)] for step in range(_SECTIONS)]
    image, labels = volume.image(), volume.labels()
    try:
        if labels.shape[1:] != image.shape[1:]:
            return None
        each = [
            [_correlation(_middle(labels, z - sections.start), _middle(image, z + dz)) for dz in _SHIFTS]
            for z in chosen
        ]
    finally:
        image.close()
        labels.close()
    return np.sum(each, axis=0)  # type: ignore[no-any-return]


def _middle(volume: Volume, z: int) -> AnyArray:
    """Read the middle of a section."""
    (y0, y1), (x0, x1) = ((max(0, (n - _EDGE) // 2), min(n, (n + _EDGE) // 2)) for n in volume.shape[1:])
    section: AnyArray = volume.read(Box((z, y0, x0), (z + 1, y1, x1)))[0]
    return section


def _correlation(labels: AnyArray, image: AnyArray) -> Float64:
    """Correlate borders with dark lines, for shifts up to the reach along y and x."""
    from scipy import fft, ndimage

    borders = _borders(labels)
    lines = ndimage.gaussian_laplace(np.nan_to_num(image.astype(np.float32)), _LINE)
    borders, lines = borders - borders.mean(), lines - lines.mean()
    product = fft.rfft2(lines) * np.conj(fft.rfft2(borders))
    shifted = np.roll(fft.irfft2(product, labels.shape), (_REACH, _REACH), (0, 1))
    scale = max(float(np.abs(borders).sum() * lines.std()), 1e-9)
    return shifted[: 2 * _REACH + 1, : 2 * _REACH + 1].astype(np.float64) / scale  # type: ignore[no-any-return]


def _borders(labels: AnyArray) -> AnyArray:
    """Mark the voxels on both sides of each change of id."""
    borders = np.zeros(labels.shape, np.float32)
    rows, columns = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    borders[1:][rows], borders[:-1][rows] = 1, 1
    borders[:, 1:][columns], borders[:, :-1][columns] = 1, 1
    return borders
