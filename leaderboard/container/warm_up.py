"""Compile every loop that an evaluation needs, so that none is compiled while a participant waits."""

from __future__ import annotations

from itertools import product

import numpy as np

from mitobench.evaluate import evaluate_pair
from mitobench.resampling import Bootstrap

__all__ = ["warm_up"]

_IDS = ("u1", "u2", "u4", "u8")
"""Loops are compiled for the types of both volumes; signed ids are counted as unsigned ones."""


def warm_up() -> None:
    """Score a small pair of each combination of types; numba keeps what it compiles in ``NUMBA_CACHE_DIR``."""
    gt = np.zeros((4, 32, 32), np.uint8)
    gt[:, 2:10, 2:10], gt[:, 20:30, 2:10] = 1, 2
    for gt_type, pred_type in product(_IDS, repeat=2):
        evaluate_pair(gt.astype(pred_type), gt.astype(gt_type), intervals=Bootstrap(resamples=100))
