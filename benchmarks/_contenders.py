"""What `bench_pair` and `bench_convert` time, one contender in one fresh process: prints seconds and voxels as JSON.

Run as ``python -m benchmarks._contenders NAME GT PRED SECTIONS``.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitobench.types import AnyArray

__all__ = ["IN_MEMORY", "SUB_VOLUME"]


def main() -> None:
    name, gt_path, pred_path, sections = sys.argv[1:]
    if name == "read":
        result = time_reading(gt_path, pred_path)
    elif name == "decode":
        result = time_decoding(gt_path, workers=int(sections))
    else:
        result = time_call(IN_MEMORY[name], gt_path, pred_path, sections=int(sections) if name in SUB_VOLUME else None)
    print(json.dumps(result))


def time_reading(*paths: str) -> dict[str, float]:
    import h5py

    start = time.perf_counter()
    voxels = 0
    for path in paths:
        with h5py.File(path) as file:
            labels = file["main"][:]
        voxels = labels.size
        # The second array may take the memory of the first one.
        del labels
    return {"seconds": time.perf_counter() - start, "voxels": voxels}


def time_decoding(folder: str, *, workers: int) -> dict[str, float]:
    """Read and inflate PNG sections, keeping none."""
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from imagecodecs import png_decode

    paths = sorted(Path(folder).iterdir())

    def decode(path: Path) -> int:
        return int(png_decode(path.read_bytes()).size)

    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        voxels = sum(pool.map(decode, paths))
    return {"seconds": time.perf_counter() - start, "voxels": voxels}


def time_call(call: Callable[[AnyArray, AnyArray], object], *paths: str, sections: int | None) -> dict[str, float]:
    import h5py

    gt, pred = (h5py.File(path)["main"][:] for path in paths)
    # Compiling and lazy imports are not what is measured.
    call(gt[:2, :16, :16].copy(), pred[:2, :16, :16].copy())
    gt, pred = gt[:sections], pred[:sections]
    start = time.perf_counter()
    call(gt, pred)
    return {"seconds": time.perf_counter() - start, "voxels": 0 if call is nothing else gt.size}


def nothing(_gt: AnyArray, _pred: AnyArray) -> None:
    """Show what the arrays alone take."""


def equal(gt: AnyArray, pred: AnyArray) -> int:
    return int((gt == pred).sum())


def unique_pairs(gt: AnyArray, pred: AnyArray) -> object:
    import numpy as np

    return np.unique(gt.astype(np.uint64) << np.uint64(32) | pred, return_counts=True)


def contingency_table(gt: AnyArray, pred: AnyArray) -> object:
    from skimage.metrics import contingency_table as count

    return count(gt, pred)  # type: ignore[no-untyped-call]


def overlap_pass(gt: AnyArray, pred: AnyArray) -> object:
    from mitobench.overlap import overlap_pass as count
    from mitobench.volumes import open_labels

    return count(open_labels(gt), open_labels(pred), workers=2)


def evaluate_pair(gt: AnyArray, pred: AnyArray) -> object:
    from mitobench.evaluate import evaluate_pair as evaluate

    return evaluate(pred, gt)


IN_MEMORY: dict[str, Callable[[AnyArray, AnyArray], object]] = {
    "arrays alone": nothing,
    "numpy (gt == pred).sum()": equal,
    "mitobench overlap_pass": overlap_pass,
    "mitobench evaluate_pair": evaluate_pair,
    "numpy.unique of pairs": unique_pairs,
    "skimage contingency_table": contingency_table,
}
# They take too long, or too much memory, for a whole volume.
SUB_VOLUME = {"numpy.unique of pairs", "skimage contingency_table"}

if __name__ == "__main__":
    main()
