"""What the microscope and the cutting do to each section."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from mitobench.phantom._checks import check_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mitobench.types import Float64, Int64

__all__ = ["Artefacts", "Sections", "draw_sections"]


@dataclass(frozen=True)
class Artefacts:
    """How often a section is damaged. Labels always are those of the tissue, in the place where the section shows it.

    Attributes
    ----------
    missing
        Fraction of the sections that are black.
    repeated
        Fraction that show the section before in their place.
    contrast
        Fraction that are much brighter, darker or flatter than the others.
    misaligned
        Fraction that are displaced by 4 to 12 voxels.
    scratched
        Fraction that a dark line crosses.
    jitter
        Standard deviation in voxels of the displacement that every section has.

    Raises
    ------
    InvalidInputError
        A fraction is outside 0..1, or the jitter outside 0..4.
    """

    missing: float = 0.01
    repeated: float = 0.01
    contrast: float = 0.02
    misaligned: float = 0.01
    scratched: float = 0.02
    jitter: float = 0.4

    def __post_init__(self) -> None:
        for field in fields(self):
            check_range(field.name, getattr(self, field.name), 0, 4 if field.name == "jitter" else 1)

    @classmethod
    def none(cls) -> Artefacts:
        """Return those of a perfect series of sections."""
        return cls(missing=0, repeated=0, contrast=0, misaligned=0, scratched=0, jitter=0)


@dataclass(frozen=True, eq=False)
class Sections:
    """How each of n sections looks.

    Attributes
    ----------
    source
        int64 (n,), the section whose tissue the image shows.
    missing
        bool (n,), black ones.
    shift
        float64 (n, 2), displacement of the tissue in voxels, y and x, the labels' too.
    look
        float64 (n, 9): gain, offset, shading in the four corners, then a scratch: its angle, its distance from the
        middle in shares of the width, and its half width in voxels, 0 for none.
    """

    source: Int64
    missing: NDArray[np.bool_]
    shift: Float64
    look: Float64


def draw_sections(rng: np.random.Generator, count: int, artefacts: Artefacts) -> Sections:
    """Draw the looks and faults of all sections; the first one is never missing or repeated."""
    missing, repeated, contrast, misaligned, scratched = (
        rng.random(count) < rate
        for rate in (
            artefacts.missing, artefacts.repeated, artefacts.contrast, artefacts.misaligned, artefacts.scratched,
        )
    )  # fmt: skip
    missing[0] = repeated[0] = False
    jump = rng.uniform(4, 12, (count, 2)) * rng.choice([-1, 1], (count, 2))
    shift = np.clip(_drift(rng, count) * artefacts.jitter + artefacts.jitter * rng.normal(size=(count, 2)), -12, 12)
    shift += np.where(misaligned[:, None], jump, 0)
    look = np.column_stack(
        [
            1 + 0.03 * rng.normal(size=count) + np.where(contrast, rng.choice([-0.45, 0.3], count), 0),
            2.5 * rng.normal(size=count) + np.where(contrast, rng.choice([-35, 30], count), 0),
            4 * rng.normal(size=(count, 4)),
            rng.uniform(0, np.pi, count),
            rng.uniform(-0.4, 0.4, count),
            np.where(scratched, rng.uniform(1.5, 5, count), 0),
        ]
    )
    return Sections(np.arange(count) - repeated, missing, shift, look)


def _drift(rng: np.random.Generator, count: int) -> Float64:
    """Return a slow wandering of standard deviation 1 to 2, without an end."""
    phase, period = rng.uniform(0, 2 * np.pi, (2, 6)), np.geomspace(12, 150, 6)
    waves = np.sin(2 * np.pi * np.arange(count)[:, None, None] / period + phase)
    return np.asarray(waves.sum(axis=-1))
