"""Finished parts of a prediction, kept beside its file, so that a run that was killed can go on."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.networks import name_of
from mitobench.errors import InputWarning, InvalidInputError, UnusableFileError
from mitobench.files import making_folder, replacing
from mitobench.json_files import plain, read_json, write_json
from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from baselines.networks import Network
    from mitobench.types import AnyArray

__all__ = ["Parts", "hash_of", "kept_parts"]

_NAME = re.compile(r"(\d+)-(\d+)_(\d+)-(\d+)_(\d+)-(\d+)\.npy")
_JOB = "job.json"
_VERSION = 1


def hash_of(network: Network) -> str:
    """Return a hash of a network's architecture and weights."""
    found = hashlib.sha256(f"{name_of(network)} {network.config}".encode())
    for name, value in network.state_dict().items():
        array = value.detach().cpu().numpy()
        found.update(f"{name} {array.shape} {array.dtype}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


class Parts:
    """Boxes of the result, each in a file of its own that appears when it is whole.

    Parameters
    ----------
    folder
        Where the files are.
    channels
        Of the result.
    """

    def __init__(self, folder: Path, channels: int) -> None:
        self.folder = folder
        self._channels = channels
        self.boxes: list[Box] = [box for file in sorted(folder.iterdir()) if (box := self._box(file)) is not None]

    def __contains__(self, box: object) -> bool:
        """Tell whether a box lies in a part that is there, perhaps one of a run with more memory."""
        return isinstance(box, Box) and any(_common(box, part) == box for part in self.boxes)

    def put(self, box: Box, voxels: AnyArray) -> None:
        """Keep a part, (channel, z, y, x) of bytes."""
        with replacing(self._file(box)) as temporary, temporary.open("wb") as file:
            np.save(file, voxels)
        self.boxes.append(box)

    def sections(self, z0: int, z1: int) -> AnyArray:
        """Return sections that the parts cover, (channel, z, y, x)."""
        _, height, width = (max(edges) for edges in zip(*(part.stop for part in self.boxes), strict=True))
        box = Box((z0, 0, 0), (z1, height, width))
        voxels = np.empty((self._channels, *box.shape), np.uint8)
        for part in self.boxes:
            common = _common(box, part)
            if common.voxels:
                # Mapped for a moment only, so that no part stays in memory.
                whole = np.load(self._file(part), mmap_mode="r")
                voxels[(slice(None), *common.within(box))] = whole[(slice(None), *common.within(part))]
        return voxels

    def _file(self, box: Box) -> Path:
        spans = zip(*box, strict=True)
        return self.folder / ("_".join(f"{lo}-{hi}" for lo, hi in spans) + ".npy")

    def _box(self, file: Path) -> Box | None:
        """Return the box of a file, None if it is no part or not a whole one."""
        named = _NAME.fullmatch(file.name)
        if named is None:
            return None
        z0, z1, y0, y1, x0, x1 = map(int, named.groups())
        box = Box((z0, y0, x0), (z1, y1, x1))
        try:
            voxels = np.load(file, mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return None
        return box if voxels.shape == (self._channels, *box.shape) and voxels.dtype == np.uint8 else None


@contextmanager
def kept_parts(path: Path, job: Mapping[str, Any], channels: int, *, resume: bool) -> Iterator[Parts]:
    """Yield what earlier runs of the same job left beside a file; thrown away when the block succeeds.

    Parameters
    ----------
    path
        Of the result.
    job
        What the result depends on: plain values, named as the warning calls them.
    channels
        Of the result.
    resume
        Whether to look for such parts at all.

    Raises
    ------
    UnusableFileError
        Nothing can be written there, or another process is at it.

    Warns
    -----
    InputWarning
        There are parts of another job, which are thrown away.
    """
    folder = path.with_name(f".{path.name}.parts")
    with _locked(folder, path), making_folder(folder):
        stale = _changed(folder, plain(job)) if resume else "resume=False"
        if stale:
            _empty(folder)
            write_json({"version": _VERSION, **plain(job)}, folder / _JOB)
        if stale and resume and stale != _JOB:
            warnings.warn(
                f"{path}: an earlier run that did not finish had another {stale}; starting anew",
                InputWarning,
                stacklevel=4,
            )
        yield Parts(folder, channels)
        shutil.rmtree(folder)


def _changed(folder: Path, job: Mapping[str, Any]) -> str | None:
    """Return what tells the job in a folder from this one, the name of the file if there is none, or None."""
    if not (folder / _JOB).exists():
        return _JOB
    try:
        kept = read_json(folder / _JOB, dict, "a job of mitobench")
    except (UnusableFileError, InvalidInputError, TypeError, ValueError):
        return "description"
    return next((key for key, value in {"version": _VERSION, **job}.items() if kept.get(key) != value), None)


def _empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def _common(a: Box, b: Box) -> Box:
    z0, y0, x0 = (max(m, n) for m, n in zip(a.start, b.start, strict=True))
    z1, y1, x1 = (min(m, n) for m, n in zip(a.stop, b.stop, strict=True))
    return Box((z0, y0, x0), (max(z0, z1), max(y0, y1), max(x0, x1)))


@contextmanager
def _locked(folder: Path, path: Path) -> Iterator[None]:
    """Hold a lock that ends with this process, however it ends."""
    lock = folder.with_suffix(".lock")
    with lock.open("ab") as file:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UnusableFileError(
                    f"cannot write {path}: another process is predicting to it now; wait for its end or name another "
                    "file"
                ) from error
        try:
            yield
        finally:
            with suppress(OSError):
                lock.unlink()
