"""How a volume is seen by a network: windows, their weights, and what happens to an image before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from baselines.networks import Network
    from mitobench.types import Float64, Shape

__all__ = ["FLOOR", "Window", "bell", "check_patch"]

Flips = Literal["none", "xy", "xyz"]
Intensity = Literal["unit", "centred"]

FLOOR = 1e-4
"""Added to the weight of every voxel, so that none at the rim of the volume is divided by nothing."""

_BATCH_VOXELS = 2**20

_FLIPPED: dict[Flips, tuple[tuple[int, ...], ...]] = {
    "none": (),
    "xy": ((-1,), (-2,), (-2, -1)),
    "xyz": ((-1,), (-2,), (-2, -1), (-3,), (-3, -1), (-3, -2), (-3, -2, -1)),
}


@dataclass(frozen=True, kw_only=True)
class Window:
    """Windows of one prediction. The defaults are those of the published recipe.

    Attributes
    ----------
    patch
        Voxels of a window along z, y, x, as in training.
    overlap
        Share of a window that the next one sees too, from 0 to less than 1. The last window of an axis is pushed back
        until it ends with the volume.
    sigma_scale
        Standard deviation of the weight along each axis, as a share of the window.
    flips
        Mirror images that are averaged before blending: of all axes named, 4 for ``xy``, 8 for ``xyz``.
    batch
        Windows that the network is given at a time; by default as many as have a million voxels, and one at least.
    intensity
        ``unit``: the network sees values from 0 to 1; ``centred``: from -1 to 1.
    padding
        Voxels by which the volume is mirrored at both ends of each axis; they are predicted and thrown away.

    Raises
    ------
    InvalidInputError
        A value makes no sense.

    Examples
    --------
    >>> Window(patch=(17, 257, 257)).stride
    (8, 128, 128)
    >>> Window().at_a_time, Window(patch=(16, 96, 96)).at_a_time
    (1, 7)
    """

    patch: Shape = (32, 256, 256)
    overlap: float = 0.5
    sigma_scale: float = 0.1
    flips: Flips = "xy"
    batch: int | None = None
    intensity: Intensity = "unit"
    padding: Shape = (0, 0, 0)

    def __post_init__(self) -> None:
        _check_edges("patch", self.patch, least=1)
        _check_edges("padding", self.padding, least=0)
        _check_number("overlap", self.overlap, 0 <= self.overlap < 1, "from 0 to less than 1")
        _check_number("sigma_scale", self.sigma_scale, 0 < self.sigma_scale < math.inf, "more than 0")
        if self.batch is not None:
            _check_number("batch", self.batch, isinstance(self.batch, int) and self.batch >= 1, "whole numbers from 1")
        for name, value, kind in (("flips", self.flips, Flips), ("intensity", self.intensity, Intensity)):
            if value not in get_args(kind):
                raise InvalidInputError(f"{name} of a window is {value!r}; allowed: {', '.join(get_args(kind))}")

    @property
    def stride(self) -> Shape:
        """Voxels from one window to the next along z, y, x."""
        # Rounded first: 10 * (1 - 0.9) is a little less than 1.
        z, y, x = (max(1, int(round(edge * (1 - self.overlap), 6))) for edge in self.patch)
        return z, y, x

    @property
    def at_a_time(self) -> int:
        """Most windows that the network is given at a time."""
        # Several, where they are small: for a single small one PyTorch takes the slowest of its ways on a CPU.
        return self.batch or max(1, _BATCH_VOXELS // math.prod(self.patch))

    @property
    def flips_of_axes(self) -> tuple[tuple[int, ...], ...]:
        """Axes that each mirror image turns around, counted from the last; the image itself is not among them."""
        return _FLIPPED[self.flips]


def bell(edge: int, sigma_scale: float) -> Float64:
    """Return the Gaussian along one axis of a window, 1 in its middle.

    The weight of a voxel is the product of those of the three axes, and `FLOOR`.

    Examples
    --------
    >>> bell(3, 0.5).round(3).tolist()
    [0.801, 1.0, 0.801]
    """
    from_middle = np.arange(edge) - (edge - 1) / 2
    weights: Float64 = np.exp(-0.5 * (from_middle / (sigma_scale * edge)) ** 2)
    return weights


def check_patch(network: Network, window: Window) -> None:
    """Refuse windows that the network cannot take.

    Raises
    ------
    InvalidInputError
        As said.
    """
    from baselines.networks import name_of

    config = network.config
    if not config.fits(window.patch):
        more = "multiples of" if config.fits(config.multiple) else "one more than multiples of"
        raise InvalidInputError(
            f"patch of a window is {window.patch}, which the network {name_of(network)} cannot take; expected z, y, x "
            f"that are {more} {config.multiple}"
        )


def _check_edges(name: str, values: Any, *, least: int) -> None:  # noqa: ANN401 - callers give anything
    whole = isinstance(values, tuple) and len(values) == 3
    if not whole or not all(isinstance(n, int) and not isinstance(n, bool) and n >= least for n in values):
        raise InvalidInputError(
            f"{name} of a window is {values!r}; allowed: three whole numbers (z, y, x) from {least}"
        )


def _check_number(name: str, value: float, good: bool, allowed: str) -> None:  # noqa: FBT001
    if not good:
        raise InvalidInputError(f"{name} of a window is {value!r}; allowed: {allowed}")
