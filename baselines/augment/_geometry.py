"""Flips, turns, scales and elastic warps: the sections of a crop all move alike, and the labels with the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from scipy import ndimage

from baselines.augment._transform import Transform, check_choice, check_number, check_square
from baselines.augment._warp import resize_image, resize_labels, rotated, warp

if TYPE_CHECKING:
    from baselines.augment._transform import Image, Pair
    from mitobench.types import AnyArray, Float64, Shape

__all__ = ["Angles", "Elastic", "Factors", "Flip", "Rescale", "Rotate"]

Angles = Literal["right", "any"]
Factors = Literal["zoom", "window"]


@dataclass(frozen=True, kw_only=True)
class Flip(Transform):
    """Mirror along z, y and x and swap y with x, each with probability a half, on the finished patch.

    Attributes
    ----------
    transpose
        Whether y and x may be swapped, for which they must be of one length.

    Examples
    --------
    >>> image = np.arange(8, dtype=np.float32).reshape(2, 2, 2) / 8
    >>> flipped, labels = Flip()(image, (8 * image).astype(int), np.random.default_rng(0))
    >>> np.array_equal(8 * flipped, labels), sorted(labels.ravel().tolist())
    (True, [0, 1, 2, 3, 4, 5, 6, 7])
    """

    on_patch: ClassVar[bool] = True
    transpose: bool = True

    def check(self, shape: Shape) -> None:
        """Refuse sections that are not square, if they may be transposed."""
        if self.transpose:
            check_square("a flip that swaps y and x", shape)

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        *mirrored, swapped = (rng.random(4) < 0.5).tolist()
        axes = tuple(axis for axis, chosen in enumerate(mirrored) if chosen)
        image, labels = np.flip(image, axes), np.flip(labels, axes)
        return (image.swapaxes(1, 2), labels.swapaxes(1, 2)) if swapped and self.transpose else (image, labels)


@dataclass(frozen=True, kw_only=True)
class Rotate(Transform):
    """Turn all sections about their centre by one angle.

    Attributes
    ----------
    angles
        ``right``: by 0, 1, 2 or 3 right angles, equally likely. ``any``: by any angle; what comes in from outside is
        zero, so the input is 1.42 times as large.
    """

    angles: Angles = "right"

    def __post_init__(self) -> None:
        check_choice("a rotation", Angles, angles=self.angles)

    def ratio(self) -> float:
        """Return 1.42, the diagonal of a square, unless all angles are right ones."""
        return 1.42 if self.angles == "any" else 1.0

    def check(self, shape: Shape) -> None:
        """Refuse sections that are not square, if the angles are right ones."""
        if self.angles == "right":
            check_square("a rotation by right angles", shape)

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        if self.angles == "any":
            return rotated(image, labels, rng.uniform(0, 2 * np.pi))
        turns = int(rng.integers(4))
        return np.rot90(image, turns, (1, 2)), np.rot90(labels, turns, (1, 2))


@dataclass(frozen=True, kw_only=True)
class Rescale(Transform):
    """Stretch or squeeze y and x, each by a factor of its own, within the shape of the crop.

    What is stretched is a window at a random place; what is squeezed gets zeros on both sides. The image is resized
    linearly and smoothed by as much as it shrinks, labels take the nearest pixel.

    Attributes
    ----------
    low, high
        Limits of the factor, which is uniform between them.
    factors
        ``zoom``: the factor says how much larger things become. ``window``: it is the length of the window, or of the
        padded crop, in lengths of the crop, so that factors above 1 make things smaller.
    """

    low: float = 0.8
    high: float = 1.25
    factors: Factors = "zoom"

    def __post_init__(self) -> None:
        check_number("a rescaling", 0.1, 1, low=self.low)
        check_number("a rescaling", 1, 10, high=self.high)
        check_choice("a rescaling", Factors, factors=self.factors)

    def ratio(self) -> float:
        """Return 1 / low, or high if that is more and the factor is that of the window: then no zeros are seen."""
        return max(1 / self.low, self.high if self.factors == "window" else 1.0)

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        height, width = image.shape[1:]
        window, padding = zip(*(self._part(n, rng) for n in (height, width)), strict=True)
        image, labels = (
            np.pad(array[:, *window], ((0, 0), *padding)) if np.any(padding) else array[:, *window]
            for array in (image, labels)
        )
        return resize_image(image, height, width), resize_labels(labels, height, width)

    def _part(self, length: int, rng: np.random.Generator) -> tuple[slice, tuple[int, int]]:
        """Return which part of an axis becomes all of it, and how many zeros come before and behind it."""
        factor = rng.uniform(self.low, self.high)
        new = max(1, int(length * factor if self.factors == "window" else length / factor))
        if new > length:
            return slice(0, length), ((new - length) // 2, (new - length + 1) // 2)
        start = int(rng.integers(length - new + 1))
        return slice(start, start + new), (0, 0)


@dataclass(frozen=True, kw_only=True)
class Elastic(Transform):
    """Warp all sections by one smooth random field of displacements in y and x.

    A displacement is ``alpha`` times noise, uniform from -1 to 1 and smoothed by a Gaussian, so its standard deviation
    is far below alpha: with a sigma of 4 about alpha / 25 pixels. What comes in from outside is zero.

    Attributes
    ----------
    alpha
        Strength, in pixels before the smoothing.
    sigma
        Of the Gaussian, pixels; the noise is zero outside the section.
    """

    alpha: float = 16.0
    sigma: float = 4.0

    def __post_init__(self) -> None:
        check_number("an elastic warp", 0, 1000, alpha=self.alpha)
        check_number("an elastic warp", 0, 100, sigma=self.sigma)

    def margin(self) -> Shape:
        """Return what the published code adds in y and x: alpha + 1 pixels on each side, more than is ever used."""
        return 0, 2 * (int(self.alpha) + 1), 2 * (int(self.alpha) + 1)

    def displacement(self, height: int, width: int, rng: np.random.Generator) -> Float64:
        """Return a random field, (2, height, width), in pixels along y and x."""
        noise = rng.uniform(-1, 1, (2, height, width))
        field: Float64 = self.alpha * ndimage.gaussian_filter(noise, (0, self.sigma, self.sigma), mode="constant")
        return field

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        height, width = image.shape[1:]
        y, x = self.displacement(height, width, rng)
        return warp(image, labels, y + np.arange(height)[:, None], x + np.arange(width))
