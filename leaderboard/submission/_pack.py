"""Make the zip file of a submission from predictions in any format."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
import zipfile
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leaderboard.challenge import MITOEM
from leaderboard.submission._doubts import doubts
from leaderboard.submission._open import open_submission
from leaderboard.submission._sections import Sections, smallest_type
from mitobench.errors import InputWarning, InvalidInputError, UnknownNameError, did_you_mean
from mitobench.files import replacing
from mitobench.pieces import count_pieces
from mitobench.volumes import SectionRange, open_labels, write_hdf5
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from leaderboard.challenge import Challenge, ChallengeVolume
    from leaderboard.entry import File
    from mitobench.types import LabelVolume, PathOrStr, Progress, Uint64

__all__ = ["PackReport", "PackedVolume", "pack_submission"]

_CHUNK = (2, 256, 256)
"""Flat, so that slabs of whole chunks, of which several are in memory while they are written, stay small."""
_LARGEST_ID = 2**63 - 1
_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest of a zip file; the same input makes the same bytes on any day."""
_MODE = 0o644 << 16
_UNIX = 3
_PASSES = 2


@dataclass(frozen=True)
class PackedVolume:
    """A prediction that was packed.

    Attributes
    ----------
    name
        Of the volume, such as ``MitoEM-H``.
    file
        The member that holds it.
    dtype
        Type of the voxels.
    instances
        How many there are.
    """

    name: str
    file: File
    dtype: str
    instances: int


@dataclass(frozen=True)
class PackReport:
    """What was packed.

    Attributes
    ----------
    path
        The zip file.
    size
        Its bytes.
    volumes
        In the order of the challenge.
    relabelled
        Whether ids were numbered anew.
    """

    path: str
    size: int
    volumes: tuple[PackedVolume, ...]
    relabelled: bool


@dataclass(frozen=True, eq=False)
class _Prediction:
    """An open prediction: the volume that holds it, and where it begins in there."""

    of: ChallengeVolume
    volume: LabelVolume
    first: int


@dataclass(frozen=True, eq=False)
class _Plan:
    """How one prediction is written."""

    prediction: _Prediction
    dtype: np.dtype[Any]
    ids: Uint64 | None
    instances: int


def pack_submission(
    path: PathOrStr,
    predictions: Mapping[str, Any],
    challenge: Challenge = MITOEM,
    *,
    cut: bool = False,
    relabel: bool = False,
    rgb: bool = False,
    memory: int = 10**9,
    workers: int | None = None,
    progress: Progress | None = None,
) -> PackReport:
    """Write the zip file of a submission, which gets its name when it is complete and was looked through.

    Parameters
    ----------
    path
        Zip file to write; replaced if it exists.
    predictions
        Key of each volume of the challenge, ``human`` and ``rat`` -> whatever `mitobench.volumes.open_labels` takes.
    challenge
        What is to be submitted.
    cut
        Cut the sections to predict out of predictions of all sections.
    relabel
        Number the ids of each volume 1, 2, ... in ascending order. Scores do not change, since ids only decide ties,
        by which of two is smaller.
    rgb
        Colours of TIFF and PNG sections are ids.
    memory
        Bytes that buffers may take.
    workers
        Threads that read; as many as processors by default.
    progress
        Called with (voxels done, voxels in all); each is read twice.

    Raises
    ------
    InvalidInputError
        A prediction is missing, or cannot be a valid one: wrong shape or type, negative ids, or ids too large.
    UnknownNameError
        A key is none of the challenge.
    UnusableFileError
        A prediction cannot be read, or the zip file cannot be written.
    MemoryLimitError
        A prediction cannot be read with so little memory.

    Warns
    -----
    InputWarning
        A prediction is probably not what its maker meant.
    """
    _check_keys(predictions, challenge)
    threads = default_workers() if workers is None else workers
    with replacing(path) as temporary, ExitStack() as stack:
        opened = [_open(predictions[of.key], of, challenge, cut=cut, rgb=rgb, stack=stack) for of in challenge.volumes]
        _warn_of_twins(predictions, challenge)
        steps = _Steps(progress, prod(challenge.shape), _PASSES * len(opened))
        plans = [
            _plan(prediction, challenge, relabel=relabel, memory=memory, workers=threads, steps=steps)
            for prediction in opened
        ]
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix=f".{Path(path).name}.", dir=temporary.parent))
        )
        with zipfile.ZipFile(temporary, "w") as archive:
            for plan in plans:
                _add(archive, folder, plan, challenge, memory=memory, workers=threads, steps=steps)
        with open_submission(temporary, challenge) as submission:
            volumes = tuple(
                PackedVolume(plan.prediction.of.name, file, str(plan.dtype), plan.instances)
                for plan, file in zip(plans, submission.files, strict=True)
            )
        size = temporary.stat().st_size
    return PackReport(str(path), size, volumes, relabel)


class _Steps:
    """Passes over volumes of one size, as one progress."""

    def __init__(self, progress: Progress | None, voxels: int, passes: int) -> None:
        self._progress = progress
        self._voxels = voxels
        self._total = voxels * passes
        self._before = -voxels

    def next(self) -> Progress | None:
        """Return what reports the next pass."""
        self._before += self._voxels
        return None if self._progress is None else self._report

    def _report(self, done: int, _total: int) -> None:
        if self._progress is not None:
            self._progress(self._before + done, self._total)


def _check_keys(predictions: Mapping[str, Any], challenge: Challenge) -> None:
    keys = [volume.key for volume in challenge.volumes]
    for key in predictions:
        if key not in keys:
            raise UnknownNameError(
                f"the challenge has no volume {key!r}{did_you_mean(key, keys)}; allowed: {', '.join(keys)}"
            )
    for key in keys:
        if key not in predictions:
            raise InvalidInputError(f"a submission needs predictions of {' and '.join(keys)}; got none of {key}")


def _open(
    source: Any,  # noqa: ANN401 - arrays of several libraries
    of: ChallengeVolume,
    challenge: Challenge,
    *,
    cut: bool,
    rgb: bool,
    stack: ExitStack,
) -> _Prediction:
    """Open a prediction and check what does not need its voxels."""
    volume = open_labels(source, rgb=rgb)
    if isinstance(source, str | os.PathLike):
        stack.enter_context(closing(volume))
    first, (depth, *section) = challenge.first_section, challenge.shape
    if volume.shape == challenge.shape:
        return _Prediction(of, volume, 0)
    if volume.shape != (first + depth, *section):
        raise InvalidInputError(
            f"{volume.name}: the prediction of {of.name} has the shape {volume.shape}; expected {challenge.shape} "
            f"along z, y, x, or {(first + depth, *section)} to cut sections {first} to {first + depth - 1} out of it"
        )
    if not cut:
        raise InvalidInputError(
            f"{volume.name}: the prediction of {of.name} has all {first + depth:,} sections; expected sections {first} "
            f"to {first + depth - 1}; cut them out of it with cut=True, --cut"
        )
    return _Prediction(of, volume, first)


def _warn_of_twins(predictions: Mapping[str, Any], challenge: Challenge) -> None:
    for one, other in combinations(challenge.volumes, 2):
        if _same(predictions[one.key], predictions[other.key]):
            text = f"the predictions of {one.name} and {other.name} are the same; check the names of the files"
            warnings.warn(text, InputWarning, stacklevel=3)


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401
    if isinstance(one, str | os.PathLike) and isinstance(other, str | os.PathLike):
        return Path(one).resolve() == Path(other).resolve()
    return one is other


def _plan(
    prediction: _Prediction,
    challenge: Challenge,
    *,
    relabel: bool,
    memory: int,
    workers: int,
    steps: _Steps,
) -> _Plan:
    """Read all voxels, to know the ids; warn of what is doubtful."""
    first = prediction.first
    part = SectionRange(prediction.volume, first, first + challenge.shape[0])
    pieces = count_pieces(part, memory=memory, workers=workers, progress=steps.next())
    count = len(pieces.id)
    ids = pieces.id if relabel else None
    if relabel:
        pieces = replace(pieces, id=np.arange(1, count + 1, dtype=np.uint64))
    largest = int(pieces.id[-1]) if count else 0
    name = prediction.volume.name
    if largest > _LARGEST_ID:
        raise InvalidInputError(
            f"{name}: the largest id is {largest:,}; expected at most {_LARGEST_ID:,}; number the ids anew with "
            "relabel=True, --relabel"
        )
    for doubt in doubts(pieces, f"{name}, the prediction of {prediction.of.name}"):
        warnings.warn(str(doubt), InputWarning, stacklevel=3)
    return _Plan(prediction, smallest_type(largest), ids, count)


def _add(
    archive: zipfile.ZipFile,
    folder: Path,
    plan: _Plan,
    challenge: Challenge,
    *,
    memory: int,
    workers: int,
    steps: _Steps,
) -> None:
    """Write a prediction to a file, and the file to the zip file."""
    part = folder / plan.prediction.of.file
    with Sections(
        plan.prediction.volume,
        plan.prediction.first,
        challenge.shape[0],
        dtype=plan.dtype,
        ids=plan.ids,
        memory=memory,
        workers=workers,
    ) as sections:
        write_hdf5(
            part,
            sections,
            shape=challenge.shape,
            dtype=plan.dtype,
            dataset=challenge.dataset,
            chunks=_chunks(challenge.shape),
            progress=steps.next(),
        )
    info = zipfile.ZipInfo(part.name, _DATE)
    info.external_attr, info.create_system, info.file_size = _MODE, _UNIX, part.stat().st_size
    with part.open("rb") as source, archive.open(info, "w") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    part.unlink()


def _chunks(shape: Sequence[int]) -> tuple[int, int, int]:
    z, y, x = (min(edge, n) for edge, n in zip(_CHUNK, shape, strict=True))
    return z, y, x
