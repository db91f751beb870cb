"""What the benchmarks of files time, one contender in one fresh process: prints seconds and voxels as JSON.

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

__all__ = ["IN_MEMORY", "OF_ONE_FILE", "SUB_VOLUME"]


def main() -> None:
    name, gt_path, pred_path, sections = sys.argv[1:]
    if name == "read":
        result = time_reading(gt_path, pred_path)
    elif name == "decode":
        result = time_decoding(gt_path, workers=int(sections))
    elif name in OF_ONE_FILE:
        result = time_file(OF_ONE_FILE[name], gt_path, workers=int(sections))
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


def time_file(call: Callable[[str, int], object], path: str, *, workers: int) -> dict[str, float]:
    """Time a call that reads the volume itself."""
    import tempfile
    from pathlib import Path

    import h5py

    with h5py.File(path) as file, tempfile.TemporaryDirectory() as folder:
        voxels, corner = file["main"].size, file["main"][:2, :16, :16]
        small = str(Path(folder) / "small.h5")
        with h5py.File(small, "w") as other:
            other.create_dataset("main", data=corner, chunks=corner.shape, compression="gzip")
        # Compiling and lazy imports are not what is measured.
        call(small, workers)
    start = time.perf_counter()
    call(path, workers)
    return {"seconds": time.perf_counter() - start, "voxels": voxels}


def read_whole(path: str, _workers: int) -> AnyArray:
    import h5py

    with h5py.File(path) as file:
        labels: AnyArray = file["main"][:]
    return labels


def overlap_with_itself(path: str, workers: int) -> object:
    from mitobench.overlap import overlap_pass as count
    from mitobench.volumes import open_labels

    volume = open_labels(path)
    return count(volume, volume, workers=workers)


def count_pieces(path: str, workers: int) -> object:
    from mitobench.pieces import count_pieces as count
    from mitobench.volumes import open_labels

    return count(open_labels(path), workers=workers)


def components_of_whole(path: str, workers: int) -> object:
    import cc3d
    import numpy as np

    labels = read_whole(path, workers)
    number, first, voxels = np.unique(
        cc3d.connected_components(labels, connectivity=26), return_index=True, return_counts=True
    )
    return number, labels.ravel()[first], voxels


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
OF_ONE_FILE: dict[str, Callable[[str, int], object]] = {
    "plain h5py read": read_whole,
    "mitobench overlap_pass with itself": overlap_with_itself,
    "mitobench count_pieces": count_pieces,
    "cc3d of the whole, numpy.unique": components_of_whole,
}
# They take too long, or too much memory, for a whole volume.
SUB_VOLUME = {"numpy.unique of pairs", "skimage contingency_table"}

if __name__ == "__main__":
    main()
