"""What a network is to predict, made from instance labels: the mask and the contour, section by section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mitobench.types import AnyArray

__all__ = [
    "ContourKind",
    "Smoothing",
    "difference_contour",
    "mask",
    "separate_touching",
    "smooth_instances",
    "touching_contour",
    "window_contour",
]

Bools: TypeAlias = NDArray[np.bool_]
_MARGIN = 10
"""Pixels around an instance that its smoothing reaches."""

ContourKind = Literal["window", "difference", "touching"]
Smoothing = Literal["v1", "v2"]


def mask(labels: AnyArray) -> Bools:
    """Return where instances are, bool (z, y, x)."""
    return labels > 0


def window_contour(labels: AnyArray, radius: int = 2) -> Bools:
    """Return the pixels whose window in their section holds more than one label, background included.

    With a radius of 2 the contour of a straight border is 4 pixels wide, two on each side. Never across sections.

    Parameters
    ----------
    labels
        Instance ids (z, y, x), 0 for background.
    radius
        The window is 2 radius + 1 pixels wide.

    Examples
    --------
    >>> labels = np.repeat([[[0, 0, 0, 0, 7, 7, 7, 7]]], 5, axis=1)
    >>> window_contour(labels)[0, 2].astype(int).tolist()
    [0, 0, 1, 1, 1, 1, 0, 0]
    """
    # A window holds two labels if and only if it holds two neighbours that differ.
    return _reaches(_differs(labels, 2), radius, axis=2) | _reaches(_differs(labels, 1), radius, axis=1)


def difference_contour(labels: AnyArray) -> Bools:
    """Return the pixels next to one whose neighbours on both sides differ from each other, along x or along y.

    A straight border is 4 pixels wide, as in `window_contour`; corners and slanted borders are thinner.

    Examples
    --------
    >>> labels = np.repeat([[[0, 0, 0, 0, 7, 7, 7, 7]]], 5, axis=1)
    >>> difference_contour(labels)[0, 2].astype(int).tolist()
    [0, 0, 1, 1, 1, 1, 0, 0]
    """
    edge = np.zeros(labels.shape, np.bool_)
    for axis in (1, 2):
        padded = np.pad(labels, [(1, 1) if k == axis else (0, 0) for k in range(3)], mode="symmetric")
        ahead = [slice(2, None) if k == axis else slice(None) for k in range(3)]
        behind = [slice(0, -2) if k == axis else slice(None) for k in range(3)]
        edge |= padded[tuple(ahead)] != padded[tuple(behind)]
    return _dilated(_dilated(edge, 1, axis=1), 1, axis=2)


def touching_contour(labels: AnyArray, radius: int = 2) -> Bools:
    """Return the pixels whose window in their section holds more than one instance; background does not count.

    Examples
    --------
    >>> labels = np.repeat([[[0, 0, 0, 0, 7, 7, 5, 5]]], 5, axis=1)
    >>> touching_contour(labels, radius=1)[0, 2].astype(int).tolist()
    [0, 0, 0, 0, 0, 1, 1, 0]
    """
    largest = np.iinfo(labels.dtype).max
    highest, lowest = labels, np.where(labels > 0, labels, largest)
    for axis in (1, 2):
        highest = _over_window(np.maximum, highest, radius, axis)
        lowest = _over_window(np.minimum, lowest, radius, axis)
    return (highest > lowest) & (highest > 0)


def separate_touching(labels: AnyArray) -> AnyArray:
    """Return the labels without the pixels that see two instances in their 3 x 3 window, so that none touch.

    The border to the background stays where it is.

    Examples
    --------
    >>> separate_touching(np.array([[[0, 4, 4, 4, 9, 9, 9]]])).tolist()
    [[[0, 4, 4, 0, 0, 9, 9]]]
    """
    return np.where(touching_contour(labels, radius=1), 0, labels)


def smooth_instances(labels: AnyArray, kind: Smoothing) -> AnyArray:
    """Return the labels with the outline of each instance smoothed, section by section, twice.

    Where two smoothed instances overlap, the one of the higher id stays. Parts thinner than about 4 pixels vanish.

    Parameters
    ----------
    labels
        Instance ids (z, y, x).
    kind
        ``v2``: Gaussian of sigma 2, above 0.5. ``v1``: dilated by a cross before and after the Gaussian, above 0.8.
    """
    for _ in range(2):
        labels = _smoothed_once(labels, kind)
    return labels


def _smoothed_once(labels: AnyArray, kind: Smoothing) -> AnyArray:
    import pandas as pd
    from scipy import ndimage

    codes, ids = pd.factorize(labels.ravel(), sort=True)
    boxes = ndimage.find_objects(codes.reshape(labels.shape) + 1)
    smoothed = np.zeros_like(labels)
    for label, box in zip(ids, boxes, strict=True):
        if label == 0:
            continue
        around = (box[0], *(slice(max(0, part.start - _MARGIN), part.stop + _MARGIN) for part in box[1:]))
        smoothed[around][_smooth_shape(labels[around] == label, kind)] = label
    return smoothed


def _smooth_shape(shape: Bools, kind: Smoothing) -> Bools:
    from scipy import ndimage

    cross = ndimage.generate_binary_structure(2, 1)[None]
    if kind == "v1":
        shape = ndimage.binary_dilation(shape, cross)
    soft = ndimage.gaussian_filter(shape.astype(np.float32), (0, 2, 2))
    if kind == "v2":
        return np.asarray(soft > 0.5)
    return np.asarray(ndimage.grey_dilation(soft, footprint=cross) > 0.8)


def _differs(labels: AnyArray, axis: int) -> Bools:
    """Return where a pixel and the next one along an axis differ; one shorter along it."""
    length = labels.shape[axis]
    differs: Bools = _along(labels, axis, 1, length) != _along(labels, axis, 0, length - 1)
    return differs


def _reaches(between: Bools, radius: int, axis: int) -> Bools:
    """Return the pixels whose window holds both sides of a difference between neighbours along an axis."""
    across = 3 - axis
    # Such a difference k lies between the pixels k and k + 1, both of which must be in the window.
    shape = list(between.shape)
    shape[axis] += 1
    found = np.zeros(shape, np.bool_)
    length = between.shape[axis]
    for shift in range(-radius + 1, radius + 1):
        first = max(0, -shift)
        last = max(first, min(length, length + 1 - shift))
        _along(found, axis, first + shift, last + shift)[...] |= _along(between, axis, first, last)
    return _dilated(found, radius, across)


def _dilated(found: Bools, radius: int, axis: int) -> Bools:
    out: Bools = _over_window(np.logical_or, found, radius, axis)
    return out


def _over_window(combine: np.ufunc, values: AnyArray, radius: int, axis: int) -> AnyArray:
    """Return a ufunc over all values within a radius along an axis; the window ends where the section does."""
    out: AnyArray = values.copy()
    length = values.shape[axis]
    for shift in range(1, min(radius, length - 1) + 1):
        low, high = _along(out, axis, 0, length - shift), _along(out, axis, shift, length)
        combine(low, _along(values, axis, shift, length), out=low)
        combine(high, _along(values, axis, 0, length - shift), out=high)
    return out


def _along(values: AnyArray, axis: int, start: int, stop: int) -> AnyArray:
    """Return a view of part of an axis."""
    return values[tuple(slice(start, stop) if k == axis else slice(None) for k in range(values.ndim))]
