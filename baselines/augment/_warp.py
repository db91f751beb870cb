"""Sections seen at other places: the image between pixels, the labels at the nearest one, zero outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from baselines.augment._transform import Image, Pair
    from mitobench.types import AnyArray, Float64

__all__ = ["resize_image", "resize_labels", "rotated", "warp"]

_INVISIBLE = 0.17
"""Sigma of a Gaussian whose weight on the next pixel is half a step of float32: filtering with it changes nothing."""


def warp(image: Image, labels: AnyArray, y: Float64, x: Float64) -> Pair:
    """Return all sections sampled at the same places.

    Parameters
    ----------
    image, labels
        (z, y, x).
    y, x
        For each pixel of the output, (height, width), where it is taken from, in pixels; (0, 0) is the centre of the
        first one.
    """
    return _bilinear(image, y, x), _nearest(labels, y, x)


def rotated(image: Image, labels: AnyArray, angle: float) -> Pair:
    """Return all sections turned about their centre by an angle in radians, in their old shape."""
    height, width = image.shape[1:]
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    y, x = np.arange(height)[:, None] - middle_y, np.arange(width) - middle_x
    cos, sin = np.cos(angle), np.sin(angle)
    return warp(image, labels, middle_y + cos * y - sin * x, middle_x + sin * y + cos * x)


def resize_image(image: Image, height: int, width: int) -> Image:
    """Return all sections in another size: smoothed by as much as they shrink, then linear, mirrored at the edges.

    As ``skimage.transform.resize(order=1, anti_aliasing=True)`` does.
    """
    sigma = [max(0.0, (old / new - 1) / 2) for old, new in zip(image.shape[1:], (height, width), strict=True)]
    if max(sigma) > _INVISIBLE:
        image = ndimage.gaussian_filter(image, (0, *sigma), mode="mirror")
    y, x = _places(image.shape[1], height), _places(image.shape[2], width)
    return _bilinear(image, *np.broadcast_arrays(y[:, None], x[None]))


def resize_labels(labels: AnyArray, height: int, width: int) -> AnyArray:
    """Return all sections in another size, each pixel the one of the input that its centre lies in."""
    y, x = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp)
        for old, new in zip(labels.shape[1:], (height, width), strict=True)
    )
    out: AnyArray = labels.take(y, axis=1).take(x, axis=2)
    return out


def _places(old: int, new: int) -> Float64:
    """Return where the centres of the new pixels lie on an axis of old ones, mirrored at the first and last centre."""
    places = np.abs((np.arange(new) + 0.5) * old / new - 0.5)
    mirrored: Float64 = np.where(places > old - 1, 2 * (old - 1) - places, places)
    return np.clip(mirrored, 0, old - 1)


def _bilinear(image: Image, y: Float64, x: Float64) -> Image:
    # Each output pixel is a weighted sum of four, the same four in all sections: a sparse matrix, faster than
    # scipy.ndimage.map_coordinates, which looks for them again in each section.
    matrix = _bilinear_matrix(image.shape[1], image.shape[2], y, x)
    out = np.empty((len(image), y.size), np.float32)
    for section, result in zip(image, out, strict=True):
        result[:] = matrix @ section.ravel()
    # Rounding of the weights may lead above the largest value.
    np.minimum(out, 1, out=out)
    return out.reshape(-1, *y.shape)


def _bilinear_matrix(height: int, width: int, y: Float64, x: Float64) -> sparse.csr_array:
    """Return the matrix from the pixels of a section to those at these places."""
    rows, columns = np.floor(y).astype(np.int32), np.floor(x).astype(np.int32)
    along_y, along_x = y - rows, x - columns
    weights = np.empty((*y.shape, 4), np.float32)
    pixels = np.empty((*y.shape, 4), np.int32)
    for corner, (down, right) in enumerate(np.ndindex(2, 2)):
        weight = (along_y if down else 1 - along_y) * (along_x if right else 1 - along_x)
        inside = _inside(rows + down, columns + right, height, width)
        weights[..., corner] = weight * inside
        pixels[..., corner] = ((rows + down) * width + columns + right) * inside
    starts = np.arange(0, 4 * y.size + 1, 4, dtype=np.int32)
    return sparse.csr_array((weights.ravel(), pixels.ravel(), starts), shape=(y.size, height * width))


def _nearest(labels: AnyArray, y: Float64, x: Float64) -> AnyArray:
    depth, height, width = labels.shape
    rows, columns = np.floor(y + 0.5).astype(np.intp), np.floor(x + 0.5).astype(np.intp)
    inside = _inside(rows, columns, height, width)
    out: AnyArray = labels.reshape(depth, -1).take((rows * width + columns) * inside, axis=1)
    if not inside.all():
        out[:, ~inside] = 0
    return out


def _inside(rows: AnyArray, columns: AnyArray, height: int, width: int) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return inside
