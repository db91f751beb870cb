"""What changes the image alone: brightness, and cuboids that are blurred or noisy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from baselines.augment._transform import Transform, check_choice, check_number
from baselines.augment._warp import resize_image, resize_labels

if TYPE_CHECKING:
    from baselines.augment._transform import Image, Pair
    from mitobench.types import AnyArray

__all__ = ["Brightness", "BrightnessMode", "CutBlur", "CutNoise"]

BrightnessMode = Literal["3d", "2d", "mix"]


@dataclass(frozen=True, kw_only=True)
class Brightness(Transform):
    """Change contrast, brightness and gamma.

    With u, v, w uniform from -1/2 to 1/2: ``x (1 + contrast u) + brightness v``, clipped to 0 and 1, to the power of
    ``2 ** (2 gamma w)``.

    Attributes
    ----------
    contrast, brightness
        Width of the range of the factor and of the summand.
    gamma
        The exponent goes from ``2 ** -gamma`` to ``2 ** gamma``.
    mode
        ``3d``: one change for all sections. ``2d``: one for each. ``mix``: one or the other, equally likely.
    """

    contrast: float = 0.3
    brightness: float = 0.3
    gamma: float = 1.0
    mode: BrightnessMode = "mix"

    def __post_init__(self) -> None:
        check_number("a change of brightness", 0, 2, contrast=self.contrast, brightness=self.brightness)
        check_number("a change of brightness", 0, 5, gamma=self.gamma)
        check_choice("a change of brightness", BrightnessMode, mode=self.mode)

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        each = rng.random() < 0.5 if self.mode == "mix" else self.mode == "2d"
        draws = rng.uniform(-0.5, 0.5, (len(image) if each else 1, 3))
        changes = np.broadcast_to(draws, (len(image), 3)).tolist()
        out = np.empty_like(image)
        # One section after another, because a section stays in the cache.
        for section, changed, (u, v, w) in zip(image, out, changes, strict=True):
            np.multiply(section, 1 + self.contrast * u, out=changed)
            np.add(changed, self.brightness * v, out=changed)
            np.clip(changed, 0, 1, out=changed)
            np.power(changed, 2 ** (2 * self.gamma * w), out=changed)
        return out, labels


@dataclass(frozen=True, kw_only=True)
class CutBlur(Transform):
    """Show a cuboid at a random place in coarse pixels.

    References
    ----------
    Yoo et al., CVPR 2020, doi:10.1109/CVPR42600.2020.00840, here without the way back.

    Attributes
    ----------
    edge
        Edges of the cuboid, in those of the crop.
    low, high
        Limits of how many pixels wide the coarse pixels are, in y and x; uniform between them.
    """

    edge: float = 0.4
    low: float = 2.0
    high: float = 8.0

    def __post_init__(self) -> None:
        check_number("a cut that is blurred", 0, 1, edge=self.edge)
        check_number("a cut that is blurred", 1, 1000, low=self.low)
        check_number("a cut that is blurred", self.low, 1000, high=self.high)

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        out = image.copy()
        cut = out[random_cuboid(image.shape, self.edge, rng)]
        coarse = rng.uniform(self.low, self.high)
        height, width = cut.shape[1:]
        if cut.size:
            small = resize_image(cut, max(1, int(height / coarse)), max(1, int(width / coarse)))
            # Nearest pixels, as for labels.
            cut[:] = resize_labels(small, height, width)
        return out, labels


@dataclass(frozen=True, kw_only=True)
class CutNoise(Transform):
    """Add uniform noise to a cuboid at a random place.

    Attributes
    ----------
    edge
        Edges of the cuboid, in those of the crop.
    amplitude
        The noise goes from -amplitude to amplitude.
    """

    edge: float = 0.4
    amplitude: float = 0.3

    def __post_init__(self) -> None:
        check_number("a cut with noise", 0, 1, edge=self.edge, amplitude=self.amplitude)

    def _apply(self, image: Image, labels: AnyArray, rng: np.random.Generator) -> Pair:
        out = image.copy()
        cut = out[random_cuboid(image.shape, self.edge, rng)]
        noise = rng.random(cut.shape, dtype=np.float32)
        cut += self.amplitude * (2 * noise - 1)
        np.clip(cut, 0, 1, out=cut)
        return out, labels


def random_cuboid(shape: tuple[int, ...], edge: float, rng: np.random.Generator) -> tuple[slice, ...]:
    """Return a box at a random place, its edges a share of those of the shape, at least a voxel unless it is none."""
    lengths = [max(1, int(edge * n)) if edge else 0 for n in shape]
    starts = [int(rng.integers(n - length + 1)) for n, length in zip(shape, lengths, strict=True)]
    return tuple(slice(start, start + length) for start, length in zip(starts, lengths, strict=True))
