"""What every augmentation is: a frozen set of strengths, applied to an image and its labels with a Generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from mitobench.errors import InvalidInputError
from mitobench.types import AnyArray

if TYPE_CHECKING:
    from mitobench.types import Shape

__all__ = ["Image", "Pair", "Transform", "check_choice", "check_number", "check_square", "check_whole"]

Image: TypeAlias = NDArray[np.float32]
"""(z, y, x), values from 0 to 1."""

Pair: TypeAlias = tuple[Image, AnyArray]
"""An image and its labels, of one shape."""


class Transform(ABC):
    """An augmentation. It keeps no state: equal strengths, arrays and states of the Generator give equal bits."""

    on_patch: ClassVar[bool] = False
    """Whether a chain applies it to the patch, after the crop, instead of to the larger crop before it."""

    def __call__(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        """Return the image and its labels, augmented by one set of random numbers.

        Parameters
        ----------
        image
            float32 (z, y, x), values from 0 to 1.
        labels
            Instance ids (z, y, x), 0 for background.
        rng
            The only source of chance.

        Returns
        -------
        The image and the labels, of the types given. The arrays given stay as they are; those returned may be the same
        ones, or share their memory.

        Raises
        ------
        InvalidInputError
            The crop has a shape for which this augmentation means nothing.
        """
        depth, height, width = image.shape
        self.check((depth, height, width))
        return self._apply(image, labels, rng)

    def ratio(self) -> float:
        """Return how many times as large as its output the input must be in y and x, before the margin is added."""
        return 1.0

    def margin(self) -> Shape:
        """Return how many voxels larger than its output the input must be in z, y and x."""
        return 0, 0, 0

    def check(self, shape: Shape) -> None:  # noqa: B027 - most transforms take any shape
        """Refuse a crop of a shape for which this augmentation means nothing.

        Raises
        ------
        InvalidInputError
            As said.
        """

    @abstractmethod
    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair: ...


def check_number(of: str, low: float, high: float, /, **values: float) -> None:
    """Refuse strengths out of their range.

    Raises
    ------
    InvalidInputError
        One is not a number from low to high.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise InvalidInputError(f"{name} of {of} is {value!r}; allowed: {low:g} to {high:g}")


def check_whole(of: str, low: int, /, **values: int) -> None:
    """Refuse counts and widths that are none.

    Raises
    ------
    InvalidInputError
        One is not an integer from low.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise InvalidInputError(f"{name} of {of} is {value!r}; allowed: whole numbers from {low}")


def check_choice(of: str, allowed: object, /, **values: str) -> None:
    """Refuse words that are not of a Literal.

    Raises
    ------
    InvalidInputError
        As said.
    """
    for name, value in values.items():
        if value not in get_args(allowed):
            raise InvalidInputError(f"{name} of {of} is {value!r}; allowed: {', '.join(get_args(allowed))}")


def check_square(what: str, shape: Shape) -> None:
    """Refuse sections that a turn would give another shape.

    Raises
    ------
    InvalidInputError
        As said.
    """
    if shape[1] != shape[2]:
        raise InvalidInputError(
            f"{what} needs square sections, a crop has {shape[1]} x {shape[2]} pixels; choose a square patch, or leave "
            "this step out"
        )
