"""`convert`: any volume to chunked HDF5 or OME-Zarr, resumable after a kill."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.dataset.conversion._engine import Engine, HashOnly, threads
from mitobench.dataset.conversion._folder import check_target, explained, working_in
from mitobench.dataset.conversion._job import Job
from mitobench.dataset.conversion._settings import make_settings
from mitobench.dataset.conversion._work import Limits, combined
from mitobench.errors import InputWarning
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from mitobench.dataset.conversion._plan import Plan
    from mitobench.types import PathOrStr, Progress, Shape, Volume

__all__ = ["Conversion", "checksum", "convert"]


@dataclass(frozen=True)
class Conversion:
    """What was made.

    Attributes
    ----------
    path
        The file or folder.
    shape, dtype, chunks
        At full resolution.
    levels
        Of the pyramid.
    checksum
        Of the voxels, as `checksum` returns it for the source and for the result.
    bytes_written
        Size of all stored chunks.
    verified
        Whether every chunk was read back and compared.
    """

    path: Path
    shape: Shape
    dtype: np.dtype[Any]
    chunks: Shape
    levels: int
    checksum: str
    bytes_written: int
    verified: bool


def convert(
    volume: Volume,
    path: PathOrStr,
    *,
    labels: bool = False,
    chunks: Sequence[int] | None = None,
    compression: str | None = "auto",
    level: int | None = None,
    dtype: str = "keep",
    voxel_size: Sequence[float] = (30.0, 8.0, 8.0),
    dataset: str = "main",
    levels: int = 1,
    metadata: Mapping[str, Any] | None = None,
    memory: int = 10**9,
    workers: int | None = None,
    verify: bool = True,
    resume: bool = True,
    progress: Progress | None = None,
) -> Conversion:
    """Write a volume as chunked HDF5 or OME-Zarr 0.5, which gets its name when it is complete.

    The work lies in ``PATH.partial`` until then. Killed at any moment, the same call goes on with what is not done.

    Parameters
    ----------
    volume
        What to convert; stays open.
    path
        File or folder to make, named ``*.h5`` or ``*.zarr``.
    labels
        Whether the voxels are ids rather than an image.
    chunks
        Voxels of a chunk (z, y, x), by default 256x256 and as many sections as make 1 MB.
    compression
        ``gzip``, ``lzf`` (HDF5), ``zstd`` (Zarr) or None. By default zstd for Zarr, and for HDF5 gzip for labels and
        None for images, of which gzip takes off a fifth at the price of twice the time.
    level
        Of gzip (0 to 9) and zstd (1 to 19), by default 1.
    dtype
        ``keep``, an integer type that must hold all voxels, or ``smallest``: the smallest unsigned type that holds all
        ids, found in a pass of its own.
    voxel_size
        In nm, (z, y, x).
    dataset
        Name inside an HDF5 file. Arrays of OME-Zarr are called 0, 1, ...
    levels
        Of a pyramid (Zarr): means of an image, first voxels of labels. Axes are halved until voxels are about cubes.
    metadata
        Texts and numbers to store beside the voxels.
    memory
        Bytes that the buffers may take.
    workers
        Threads; as many as processors by default.
    verify
        Read every chunk back and compare.
    resume
        Go on with what an earlier call left; False throws that away, and replaces a target that exists.
    progress
        Called with (voxels done, voxels in all), of all levels and of the verification.

    Returns
    -------
    Conversion
        What was made.

    Raises
    ------
    InvalidInputError
        An option has no sense, voxels do not fit the type, or an unfinished conversion had other options or data.
    MemoryLimitError
        Not even one row of chunks fits in ``memory``.
    UnusableFileError
        The source cannot be read, the target cannot be written, exists already, or does not hold what was written.

    Warns
    -----
    InputWarning
        The memory limit makes chunks of the source be decoded more than once.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from mitobench.volumes import open_image
    >>> (image,) = open_image(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = convert(image, Path(folder, "im.zarr"))
    >>> made.shape, made.checksum == checksum(image)
    ((2, 3, 4), True)
    """
    settings = make_settings(
        volume,
        path,
        dataset=dataset,
        chunks=chunks,
        compression=compression,
        level=level,
        voxel_size=voxel_size,
        levels=levels,
        labels=labels,
        dtype=dtype,
        metadata=metadata or {},
    )
    limits = Limits(memory, default_workers() if workers is None else workers)
    _warn_of_rereads(volume, limits.plan(volume, settings.chunks, volume.dtype.itemsize), memory)
    target = Path(path)
    folder = check_target(target, resume=resume)
    with working_in(folder, resume=resume), explained(target, folder):
        made = Job(volume, target, folder, settings, limits, progress).run(verify=verify)
    return Conversion(target, volume.shape, made.dtype, settings.chunks, levels, made.checksum, made.size, verify)


def _warn_of_rereads(volume: Volume, plan: Plan, memory: int) -> None:
    if plan.rereads > 1:
        warnings.warn(
            f"chunks of {volume.name} are decoded {plan.rereads:.1f} times, for the memory limit of {memory:,} bytes; "
            f"with {plan.one_read_bytes:,} (memory=, --memory) once is enough",
            InputWarning,
            stacklevel=3,
        )


def checksum(volume: Volume, *, memory: int = 10**9, workers: int | None = None) -> str:
    """Return a checksum of the voxels that does not depend on how they are stored.

    It is the SHA-256 of a line with type and shape, such as ``uint8 1000 4096 4096``, followed by the SHA-256 (32
    bytes) of each section, taken over its voxels in C order, little-endian.

    Parameters
    ----------
    volume
        Any volume.
    memory
        Bytes that the buffers may take.
    workers
        Threads; as many as processors by default.

    Examples
    --------
    >>> import numpy as np
    >>> from mitobench.volumes import open_labels
    >>> checksum(open_labels(np.zeros((2, 3, 4), np.uint8)))[:20]
    'sha256:42442a4ace4e5'
    """
    limits = Limits(memory, default_workers() if workers is None else workers)
    plan = limits.plan(volume, (1, min(256, volume.shape[1]), volume.shape[2]), volume.dtype.itemsize)
    dtype = volume.dtype.newbyteorder("<")
    with threads(plan.workers) as pool:
        done = Engine(volume, dtype, plan, HashOnly(math.prod(volume.shape)), pool).run(plan.units())
        return combined(dtype, volume.shape, [digest for unit in done for digest in unit.sections])
