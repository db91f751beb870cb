"""Writes PNG sections that compress like electron micrographs, as a process of its own.

Run as ``python -m benchmarks._sections FOLDER Z,Y,X SEED``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from imagecodecs import png_encode
from scipy.ndimage import gaussian_filter

__all__: list[str] = []

_ROOM = 64


def main() -> None:
    folder, shape, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    depth, height, width = map(int, shape.split(","))
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(height + _ROOM, width + _ROOM)).astype(np.float32)
    grain, cells = gaussian_filter(noise, 1), gaussian_filter(noise, 12)
    grain, cells = grain / grain.std() * 18, cells / cells.std() * 18
    folder.mkdir(parents=True, exist_ok=True)
    for z in range(depth):
        y, x = rng.integers(0, _ROOM, 2)
        section = cells[:height, :width] + grain[y : y + height, x : x + width] + 128
        (folder / f"im{z:04d}.png").write_bytes(png_encode(section.clip(0, 255).astype(np.uint8), level=6))


if __name__ == "__main__":
    main()
