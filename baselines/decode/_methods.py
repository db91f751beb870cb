"""How probabilities become instances: the two methods of the baselines as values."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from mitobench.errors import InvalidInputError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["METHODS", "Components", "Connectivity", "MarkerWatershed", "Method", "byte_of", "method_of"]

Connectivity = Literal[6, 18, 26]
"""Voxels are neighbours if they share a face; an edge too; a corner too."""


@dataclass(frozen=True)
class MarkerWatershed:
    """Instances grow from seeds, away from contours, through the foreground (MW).

    Seeds are the connected components of (mask > `seed_mask`) and (contour < `seed_contour`). The watershed of the
    negative mask is flooded from them in the foreground (mask > `foreground`), through faces. Foreground without a seed
    is background.

    The defaults are those of the published MitoEM result. The public code of that date drops no seeds; later versions
    drop those below 32 voxels. Where no MitoEM setting is named, its own defaults are 0.9, 0.8, 0.85 and 128 voxels.

    Attributes
    ----------
    seed_mask, seed_contour, foreground
        Probabilities from 0 to 1; of a stored byte p holds p > int(255 * probability), or < for the contour.
    min_seed
        Seeds of fewer voxels are dropped.
    min_size
        Instances of fewer voxels are dropped.
    seed_connectivity
        Neighbours of a voxel within a seed: 6, 18 or 26.

    Raises
    ------
    InvalidInputError
        A value is out of range.

    Examples
    --------
    >>> MarkerWatershed(foreground=0.5).min_size
    1024
    """

    seed_mask: float = 0.85
    seed_contour: float = 0.6
    foreground: float = 0.8
    min_seed: int = 0
    min_size: int = 1024
    seed_connectivity: Connectivity = 26

    def __post_init__(self) -> None:
        thresholds = {name: getattr(self, name) for name in ("seed_mask", "seed_contour", "foreground")}
        _check("marker watershed", self.seed_connectivity, thresholds, min_seed=self.min_seed, min_size=self.min_size)


@dataclass(frozen=True)
class Components:
    """Instances are the connected components of mask > `threshold` (CC).

    Attributes
    ----------
    threshold
        Probability from 0 to 1; of a stored byte p holds p > int(255 * threshold).
    min_size
        Instances of fewer voxels are dropped.
    connectivity
        Neighbours of a voxel within an instance: 6, 18 or 26.

    Raises
    ------
    InvalidInputError
        A value is out of range.
    """

    threshold: float = 0.8
    min_size: int = 128
    connectivity: Connectivity = 26

    def __post_init__(self) -> None:
        _check("components", self.connectivity, {"threshold": self.threshold}, min_size=self.min_size)


Method = MarkerWatershed | Components


def _check(owner: str, connectivity: int, thresholds: Mapping[str, float], **sizes: int) -> None:
    for name, value in thresholds.items():
        # Also what is not a number is not in the range.
        if not 0 <= value <= 1:
            raise InvalidInputError(f"{name} of {owner} is {value}; allowed: probabilities from 0 to 1")
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidInputError(f"{name} of {owner} is {value}; allowed: whole numbers of voxels from 0")
    if connectivity not in get_args(Connectivity):
        raise InvalidInputError(f"connectivity of {owner} is {connectivity}; allowed: 6, 18, 26")


METHODS: Mapping[str, Method] = MappingProxyType({"mw": MarkerWatershed(), "cc": Components()})
"""The methods by their names on the command line, with the published settings."""


def method_of(method: str | Method) -> Method:
    """Return the method of this name, or the one given.

    Raises
    ------
    UnknownNameError
        There is none of this name.

    Examples
    --------
    >>> method_of("cc").threshold
    0.8
    """
    if not isinstance(method, str):
        return method
    if method not in METHODS:
        raise UnknownNameError(
            f"unknown method {method!r}{did_you_mean(method, METHODS)}; allowed: {', '.join(METHODS)}"
        )
    return METHODS[method]


def byte_of(probability: float) -> int:
    """Return the stored byte that a probability is compared with.

    Examples
    --------
    >>> [byte_of(p) for p in (0.5, 0.8, 0.85, 1)]
    [127, 204, 216, 255]
    """
    return int(255 * probability)
