"""Draw the pictures of docs/augmentation.md from synthetic tissue: ``python docs/augmentation_pictures.py [DIR]``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from imagecodecs import png_encode

from baselines.augment import (
    Brightness,
    CutBlur,
    CutNoise,
    Elastic,
    Flip,
    Misalignment,
    MissingParts,
    MissingSection,
    MotionBlur,
    Rescale,
    Rotate,
)
from mitobench.phantom import Artefacts, plan_tissue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from baselines.augment import Transform
    from mitobench.types import AnyArray

DOCS = Path(__file__).parent
CROP, PATCH = (28, 260, 260), (24, 160, 160)
SECTION = 12
GAP = 6
# A section is about four pixels thick.
THICKNESS = 4
# Grain is what makes a file large; the eye does not miss it.
SHADES = 20


class Row(NamedTuple):
    """An augmentation at three strengths."""

    transforms: Sequence[Transform]
    seeds: Sequence[int]
    side: bool = False
    """Whether it is seen from the side, x to the right and z downwards, instead of in one section."""


ROWS = {
    "brightness": Row([Brightness(contrast=s, brightness=s, gamma=s / 0.3) for s in (0.15, 0.3, 0.6)], [82] * 3),
    "flip": Row([Flip()] * 3, [9, 1, 4]),
    "rotate": Row([Rotate(), Rotate(), Rotate(angles="any")], [1, 4, 3]),
    "rescale": Row([Rescale(low=0.9, high=1.1), Rescale(), Rescale(low=0.65, high=1.6)], [1] * 3),
    "elastic": Row([Elastic(alpha=alpha) for alpha in (16, 32, 64)], [0] * 3),
    "missing-section": Row([MissingSection(sections=number) for number in (1, 2, 4)], [0] * 3, side=True),
    "missing-parts": Row([MissingParts(radius=radius) for radius in (14, 28, 45)], [32] * 3),
    "shift": Row([Misalignment(displacement=most, rotate=0) for most in (8, 16, 32)], [28] * 3, side=True),
    "rotation": Row([Misalignment(displacement=most, rotate=1) for most in (8, 16, 32)], [1] * 3),
    "motion-blur": Row([MotionBlur(taps=taps) for taps in (5, 11, 21)], [16] * 3),
    "cut-blur": Row([CutBlur(low=width, high=width) for width in (2, 4, 8)], [6] * 3),
    "cut-noise": Row([CutNoise(amplitude=most) for most in (0.1, 0.3, 0.6)], [6] * 3),
}


def main(arguments: list[str]) -> None:
    """Write the pictures into a folder, docs/images unless one is named."""
    folder = Path(arguments[0]) if arguments else DOCS / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures().items():
        (folder / name).write_bytes(png_encode(picture, level=9))


def pictures() -> dict[str, NDArray[np.uint8]]:
    """Return every picture, file name -> grey values (height, width)."""
    image, labels = tissue()
    return {f"augment-{name}.png": draw(row, image, labels) for name, row in ROWS.items()}


def tissue() -> tuple[AnyArray, AnyArray]:
    """Return undamaged tissue with many mitochondria."""
    clean = Artefacts(missing=0, repeated=0, contrast=0, misaligned=0, scratched=0, jitter=0)
    plan = plan_tissue(CROP, seed=4, instances_per_gigavoxel=20_000, foreground=0.3, artefacts=clean)
    return np.asarray(plan.image(0, CROP[0]), np.float32) / 255, plan.gt(0, CROP[0])


def draw(row: Row, image: AnyArray, labels: AnyArray) -> NDArray[np.uint8]:
    """Return what is there without the augmentation, and with it at three strengths, side by side."""
    panels = [panel(image, labels, side=row.side)]
    for transform, seed in zip(row.transforms, row.seeds, strict=True):
        panels.append(panel(*transform(image, labels, np.random.default_rng(seed)), side=row.side))
    gap = np.full((panels[0].shape[0], GAP), 255, np.uint8)
    return np.hstack([part for panel in panels for part in (panel, gap)][:-1])


def panel(image: AnyArray, labels: AnyArray, *, side: bool) -> NDArray[np.uint8]:
    """Return the middle of a section, or of a cut across all of them, with white lines between labels."""
    image, labels = (
        array[tuple(slice((n - shown) // 2, (n + shown) // 2) for n, shown in zip(array.shape, PATCH, strict=True))]
        for array in (image, labels)
    )
    across = PATCH[1] // 2
    grey, ids = (array[:, across].repeat(THICKNESS, axis=0) if side else array[SECTION] for array in (image, labels))
    shades = np.rint(grey * (SHADES - 1)) * (230 / (SHADES - 1))
    border = np.zeros(ids.shape, bool)
    border[1:] |= ids[1:] != ids[:-1]
    border[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    return np.where(border, 255, shades).astype(np.uint8)


if __name__ == "__main__":
    main(sys.argv[1:])
