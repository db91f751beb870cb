"""What goes wrong when sections are cut and imaged: sections lost, displaced, covered in part, blurred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from baselines.augment._transform import Transform, check_number, check_whole
from baselines.augment._warp import rotated
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from baselines.augment._transform import Image, Pair
    from mitobench.types import AnyArray, Shape

__all__ = ["Misalignment", "MissingParts", "MissingSection", "MotionBlur"]


@dataclass(frozen=True, kw_only=True)
class MissingSection(Transform):
    """Take out sections between the first and the last, so that the tissue jumps there.

    Attributes
    ----------
    sections
        How many.
    """

    sections: int = 2

    def __post_init__(self) -> None:
        check_whole("a missing section", 0, sections=self.sections)

    def margin(self) -> Shape:
        """Return the sections that will be missing."""
        return self.sections, 0, 0

    def check(self, shape: Shape) -> None:
        """Refuse crops with too few sections between the first and the last."""
        _check_depth("taking out sections", shape, self.sections + 2 if self.sections else 1)

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        if not self.sections:
            return image, labels
        missing = 1 + rng.choice(len(image) - 2, self.sections, replace=False)
        return np.delete(image, missing, axis=0), np.delete(labels, missing, axis=0)


@dataclass(frozen=True, kw_only=True)
class Misalignment(Transform):
    """Displace one section between the first and the last, or all from there on; labels move with the image.

    Which of the two is as likely as not. The output is smaller than the input by the largest displacement.

    Attributes
    ----------
    displacement
        Largest displacement, pixels: shifts are windows at offsets below it; a rotation moves corners up to it.
    rotate
        Probability that the displacement is a rotation instead of a shift.
    """

    displacement: int = 16
    rotate: float = 0.5

    def __post_init__(self) -> None:
        check_whole("a misalignment", 0, displacement=self.displacement)
        check_number("a misalignment", 0, 1, rotate=self.rotate)

    def margin(self) -> Shape:
        """Return what the output is smaller by."""
        return 0, self.displacement, self.displacement

    def check(self, shape: Shape) -> None:
        """Refuse crops in which no section lies between others, or that leave no output."""
        _check_depth("misalignment", shape, 3)
        if min(shape[1:]) <= self.displacement:
            raise InvalidInputError(
                f"misalignment by up to {self.displacement} pixels needs larger sections than a crop of "
                f"{shape[1]} x {shape[2]} has; give it a larger crop or a smaller displacement"
            )

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        first = int(rng.integers(1, len(image) - 1))
        moved = slice(first, first + 1 if rng.random() < 0.5 else None)
        move = self._rotated if rng.random() < self.rotate else self._shifted
        return move(image, labels, moved, rng)

    def _shifted(self, image: Image, labels: AnyArray, moved: slice, rng: np.random.Generator) -> Pair:
        y, x, moved_y, moved_x = rng.integers(0, max(1, self.displacement), 4).tolist()
        out_image, out_labels = self._window(image, y, x).copy(), self._window(labels, y, x).copy()
        out_image[moved] = self._window(image, moved_y, moved_x)[moved]
        out_labels[moved] = self._window(labels, moved_y, moved_x)[moved]
        return out_image, out_labels

    def _rotated(self, image: Image, labels: AnyArray, moved: slice, rng: np.random.Generator) -> Pair:
        # Half of the diagonal, with the published 1.42 for the root of two.
        radius = 1.42 * (max(image.shape[1:]) - self.displacement) / 2
        largest = 2 * np.arcsin(min(1.0, self.displacement / 2 / radius))
        turned = rotated(image[moved], labels[moved], rng.uniform(-largest, largest))
        image, labels = image.copy(), labels.copy()
        image[moved], labels[moved] = turned
        middle = self.displacement // 2
        return self._window(image, middle, middle), self._window(labels, middle, middle)

    def _window(self, array: AnyArray, y: int, x: int) -> AnyArray:
        height, width = (n - self.displacement for n in array.shape[1:])
        return array[:, y : y + height, x : x + width]


@dataclass(frozen=True, kw_only=True)
class MissingParts(Transform):
    """Cover a band across some sections with the mean of the section; labels stay.

    The band is a line between random points of two opposite edges, made wide. Published chains apply a probability
    twice: once to the crop, which is that of the step, and again to each section, which is ``section``.

    Attributes
    ----------
    radius
        How far the band reaches from the line, in steps from pixel to pixel: what as many dilations by a cross add.
    one_in
        At most one of so many consecutive sections is hit.
    section
        Probability of a section to be hit, among those that may.
    """

    radius: int = 40
    one_in: int = 3
    section: float = 0.9

    def __post_init__(self) -> None:
        check_whole("missing parts", 0, radius=self.radius)
        check_whole("missing parts", 1, one_in=self.one_in)
        check_number("missing parts", 0, 1, section=self.section)

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        out = image.copy()
        k = 0
        while k < len(out):
            if rng.random() < self.section:
                out[k][self.band(image.shape[1], image.shape[2], rng)] = image[k].mean()
                k += self.one_in
            else:
                k += 1
        return out, labels

    def band(self, height: int, width: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Return where a random band covers a section, bool (height, width)."""
        upright = rng.random() < 0.5
        length, across = (height, width) if upright else (width, height)
        start, stop = rng.integers(across, size=2).tolist()
        near = _near_line(length, across, start, stop, self.radius)
        return near if upright else near.T


@dataclass(frozen=True, kw_only=True)
class MotionBlur(Transform):
    """Smear some sections along y or x, the same axis for all; labels stay.

    Attributes
    ----------
    sections
        How many; all, if there are not so many.
    taps
        Pixels that are averaged, an odd number.
    """

    sections: int = 2
    taps: int = 11

    def __post_init__(self) -> None:
        check_whole("a motion blur", 0, sections=self.sections)
        check_whole("a motion blur", 1, taps=self.taps)
        if self.taps % 2 == 0:
            raise InvalidInputError(f"taps of a motion blur is {self.taps}; allowed: odd numbers")

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        blurred = rng.choice(len(image), min(self.sections, len(image)), replace=False)
        axis = int(rng.integers(1, 3))
        out = image.copy()
        # Running sums may end below zero by rounding.
        out[blurred] = ndimage.uniform_filter1d(image[blurred], self.taps, axis, mode="mirror").clip(0, 1)
        return out, labels


def _check_depth(what: str, shape: Shape, least: int) -> None:
    if shape[0] < least:
        raise InvalidInputError(
            f"{what} needs {least} sections or more, a crop has {shape[0]}; choose a deeper patch, or leave this "
            "step out"
        )


def _near_line(length: int, width: int, start: int, stop: int, radius: int) -> NDArray[np.bool_]:
    """Return which pixels of (length, width) are few steps from a line from the first row to the last.

    Parameters
    ----------
    start, stop
        Columns of the line in the first row and in the last.
    radius
        Most steps, each to one of the four neighbours.
    """
    # Where a line advances by at most one column a row, nothing of it is nearer to a pixel than its part in the pixel's
    # row. Of a line that advances by more, that is its part in the pixel's column, or its end for columns beyond it.
    rows, columns = np.arange(length)[:, None], np.arange(width)
    if abs(stop - start) < length:
        steps = np.abs(columns - np.rint(start + (stop - start) * rows / max(1, length - 1)))
    else:
        on_line = np.clip(columns, min(start, stop), max(start, stop))
        line = np.rint((on_line - start) * (length - 1) / (stop - start))
        steps = np.abs(rows - line) + np.abs(columns - on_line)
    near: NDArray[np.bool_] = steps <= radius
    return near
