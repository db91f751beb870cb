"""Say all that is wrong with a submission at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from leaderboard.challenge import MITOEM
from leaderboard.problem import Problem
from leaderboard.submission._doubts import doubts
from leaderboard.submission._open import examine
from mitobench.errors import MemoryLimitError, MitobenchError
from mitobench.pieces import count_pieces
from mitobench.types import Box
from mitobench.volumes.blocks import boxes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leaderboard.challenge import Challenge
    from leaderboard.entry import File
    from leaderboard.submission._open import Examined, Opened
    from mitobench.types import PathOrStr, Progress

__all__ = ["CheckReport", "FoundVolume", "check_submission"]


@dataclass(frozen=True)
class FoundVolume:
    """A prediction that was found.

    Attributes
    ----------
    name
        Of the volume, such as ``MitoEM-H``.
    where
        The file.
    dataset
        Inside of it.
    shape
        Voxels along z, y, x.
    dtype
        Type of the voxels.
    instances
        How many there are; None where the voxels could not be read as instance ids.
    """

    name: str
    where: str
    dataset: str
    shape: tuple[int, ...]
    dtype: str
    instances: int | None


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes
    ----------
    problems
        Why the submission cannot be scored; none if it can.
    warnings
        What its maker probably did not mean.
    volumes
        The predictions that were found.
    files
        The files that hold them, with SHA-256 of their bytes.
    """

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    volumes: tuple[FoundVolume, ...]
    files: tuple[File, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, ready for JSON."""
        return {
            "problems": [asdict(problem) for problem in self.problems],
            "warnings": [asdict(warning) for warning in self.warnings],
            "volumes": [{**asdict(volume), "shape": list(volume.shape)} for volume in self.volumes],
            "files": [asdict(file) for file in self.files],
        }


def check_submission(
    path: PathOrStr,
    challenge: Challenge = MITOEM,
    *,
    scratch: PathOrStr | None = None,
    memory: int = 10**9,
    workers: int | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Look for everything that keeps a submission from being scored, or its maker from the score that was meant.

    Every voxel is read of each prediction whose headers are right.

    Parameters
    ----------
    path
        A zip file, or the folder that it was unpacked to.
    challenge
        What it has to hold.
    scratch
        Folder to unpack compressed members to, by default that of the system; nothing stays there.
    memory
        Bytes that the buffers may take.
    workers
        Threads; as many as processors by default.
    progress
        Called with (voxels read, voxels in all).

    Raises
    ------
    UnusableFileError
        There is no such file or folder, or no space to unpack it.
    MemoryLimitError
        What has to be known of the voxels does not fit in ``memory``.
    """
    with examine(path, challenge, scratch) as found:
        check = _Check(found, challenge, memory, workers, progress)
        volumes = tuple(check.volume(name, opened) for name, opened in found.predictions.items())
        return CheckReport(tuple(found.problems), tuple(found.warnings), volumes, tuple(found.files))


class _Check:
    """Reads the voxels, and adds to what was found."""

    def __init__(
        self,
        found: Examined,
        challenge: Challenge,
        memory: int,
        workers: int | None,
        progress: Progress | None,
    ) -> None:
        self._found = found
        self._limits = {"memory": memory, "workers": workers}
        self._progress = progress
        self._voxels = prod(challenge.shape)
        self._total = self._voxels * sum(opened.usable for opened in found.predictions.values())
        self._done = 0

    def volume(self, name: str, opened: Opened) -> FoundVolume:
        """Read one prediction as far as possible."""
        volume = opened.volume
        instances = None
        try:
            if opened.usable:
                instances = self._instances(opened)
            elif volume.dtype.kind == "f":
                self._found.problems.extend(_nan_problem(opened))
        except MemoryLimitError:
            raise
        except MitobenchError as error:
            self._found.problems.append(Problem.of_error(error, opened.where))
        dataset = volume.dataset.name.lstrip("/")
        return FoundVolume(name, opened.where, dataset, volume.shape, str(volume.dtype), instances)

    def _instances(self, opened: Opened) -> int:
        pieces = count_pieces(opened.volume, progress=self._report if self._progress else None, **self._limits)  # type: ignore[arg-type]
        self._done += self._voxels
        self._found.warnings.extend(doubts(pieces, opened.where))
        return len(pieces.id)

    def _report(self, done: int, _total: int) -> None:
        if self._progress is not None:
            self._progress(self._done + done, self._total)


def _nan_problem(opened: Opened) -> Iterator[Problem]:
    """Yield a problem if real numbers are not even numbers, at the first of them."""
    volume = opened.volume
    for box in boxes(Box((0, 0, 0), volume.shape), (volume.chunks[0], volume.chunks[1], volume.shape[2])):
        if found := int(np.count_nonzero(np.isnan(volume.read(box)))):
            what = f"holds NaN, {found:,} of them from voxel {box.start} to {box.stop}"
            yield Problem(opened.where, what, "find out where they come from, and write 0 for background")
            return
