"""The front door: probabilities in, instances out."""

from __future__ import annotations

import csv
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.decode._instances import Instances, find_instances
from baselines.decode._methods import Method, method_of
from baselines.decode._scan import scan
from baselines.decode._source import open_probability, plan_layers
from baselines.decode._spool import Spool
from mitobench.errors import InputWarning, InvalidInputError
from mitobench.files import check_output_folder, replacing
from mitobench.overlap import DEFAULT_MEMORY
from mitobench.volumes import write_hdf5
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mitobench.types import AnyArray, Float64, Int64, PathOrStr, Progress, Shape

__all__ = ["DecodeReport", "decode", "decode_array", "write_scores"]

_SLAB_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class DecodeReport:
    """What was decoded.

    Attributes
    ----------
    method
        With its settings.
    shape, dtype
        Of the volume of instances.
    sizes
        int64 (n,), voxels of the instances 1 to n.
    scores
        float64 (n,), mean of the mask over each, from 0 to 1.
    small
        Number of instances dropped for their size.
    flooded
        Number of connected components of the foreground that had several seeds.
    """

    method: Method
    shape: Shape
    dtype: str
    sizes: Int64
    scores: Float64
    small: int
    flooded: int


def decode(
    probability: Any,  # noqa: ANN401 - paths and arrays of several libraries
    path: PathOrStr,
    method: str | Method,
    *,
    scores: PathOrStr | None = None,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> DecodeReport:
    """Decode probabilities of any size and write the instances to an HDF5 file, dataset ``main``.

    Parameters
    ----------
    probability
        ``path``, ``path::dataset`` or an array, uint8, (channel, z, y, x): mask, and contour where the method needs it.
    path
        File of the instances; replaced if it exists.
    method
        ``mw``, ``cc`` or a method with other settings.
    scores
        CSV file of id and score to write, for `mitobench.evaluate`.
    memory
        Bytes that buffers and tables may take.
    workers
        Threads; as many as processors by default.
    progress
        Called with (voxels done, voxels in all); every voxel counts twice, when it is read and when it is written.

    Raises
    ------
    InvalidInputError
        Not uint8, another number of channels, or an option without sense.
    UnknownNameError
        There is no such method, or no such dataset.
    UnusableFileError
        A file is missing or damaged, or cannot be written.
    MemoryLimitError
        A row, or a component with several seeds, does not fit in ``memory``.
    """
    method = method_of(method)
    folder = check_output_folder(path).parent
    if scores is not None:
        check_output_folder(scores)
    first, second = _halves(progress)
    with _decoded(probability, method, folder, memory, workers, first) as (shape, found):
        deep = max(1, min(16, shape[0], _SLAB_BYTES // (shape[1] * shape[2] * found.dtype.itemsize)))
        chunks = deep, min(256, shape[1]), min(256, shape[2])
        write_hdf5(path, found.sections, shape=shape, dtype=found.dtype, chunks=chunks, progress=second)
        report = _report(method, shape, found)
    if scores is not None:
        write_scores(report, scores)
    return report


def decode_array(
    probability: Any,  # noqa: ANN401 - paths and arrays of several libraries
    method: str | Method,
    *,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
) -> AnyArray:
    """Decode probabilities and return the instances, (z, y, x); otherwise as `decode`.

    Examples
    --------
    >>> import numpy as np
    >>> from baselines.decode import Components
    >>> mask = np.array([[[[255, 250, 0, 249, 0], [0, 0, 0, 0, 240]]]], np.uint8)
    >>> decode_array(mask, Components(min_size=2)).tolist()
    [[[1, 1, 0, 2, 0], [0, 0, 0, 0, 2]]]
    >>> decode_array(mask, Components(min_size=2, connectivity=6)).tolist()
    [[[1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]]
    """
    method = method_of(method)
    with _decoded(probability, method, None, memory, workers) as (shape, found):
        return found.sections(0, shape[0])


def write_scores(report: DecodeReport, path: PathOrStr) -> None:
    """Write a CSV file of id and score.

    Raises
    ------
    UnusableFileError
        The file cannot be written.
    """
    with replacing(path) as part, Path(part).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("id", "score"))
        rows.writerows(enumerate(report.scores.tolist(), start=1))


@contextmanager
def _decoded(
    probability: Any,  # noqa: ANN401
    method: Method,
    folder: Path | None,
    memory: int,
    workers: int | None,
    progress: Progress | None = None,
) -> Iterator[tuple[Shape, Instances]]:
    """Yield the shape and the instances, which can be painted until the block ends."""
    workers = default_workers() if workers is None else workers
    if workers < 1 or memory < 1:
        raise InvalidInputError(f"workers and memory must be at least 1, got workers={workers} and memory={memory}")
    with open_probability(probability, method) as source, Spool(memory // 8, folder) as spool:
        mask = source.mask
        layers = plan_layers(mask.shape, mask.chunks, source.channels, memory=memory, workers=workers, name=mask.name)
        scanned = scan(source, method, layers, spool, memory=memory, progress=progress)
        found = find_instances(scanned, method, spool, memory=memory, workers=workers, name=mask.name)
        _warn_of_nothing(found, scanned.foreground.components, mask.name)
        yield mask.shape, found


def _warn_of_nothing(found: Instances, components: int, name: str) -> None:
    if len(found.sizes):
        return
    why = f"{found.small} are too small" if found.small else "no voxel of the mask is above the threshold"
    if components and not found.small:
        why = "no foreground has a seed"
    warnings.warn(
        f"{name}: no instance was found: {why}; check the thresholds and the order of the channels",
        InputWarning,
        stacklevel=5,
    )


def _report(method: Method, shape: Shape, found: Instances) -> DecodeReport:
    return DecodeReport(method, shape, found.dtype.name, found.sizes, found.scores, found.small, found.flooded)


def _halves(progress: Progress | None) -> tuple[Progress | None, Progress | None]:
    """Return what reading and what writing report to."""
    if progress is None:
        return None, None

    def half(before: int) -> Callable[[int, int], None]:
        return lambda done, total: progress(done + before * total, 2 * total)

    return half(0), half(1)
