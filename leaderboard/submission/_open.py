"""Open the submission of a stranger."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboard.archive import ScratchError, fetch, list_members
from leaderboard.challenge import MITOEM
from leaderboard.problem import Problem
from leaderboard.submission._names import find_predictions, name_problems, other_files
from leaderboard.submission._prediction import (
    chosen_dataset,
    dataset_problems,
    shape_problem,
    type_problem,
    type_warnings,
)
from mitobench.errors import InvalidInputError, MitobenchError
from mitobench.volumes.array import reading
from mitobench.volumes.hdf5 import open_window, volume_of_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from leaderboard.archive import Member
    from leaderboard.challenge import Challenge
    from leaderboard.entry import File
    from mitobench.types import LabelVolume, PathOrStr
    from mitobench.volumes.hdf5 import Hdf5Volume
    from mitobench.volumes.window import FileWindow

__all__ = ["Examined", "Opened", "Submission", "examine", "open_submission"]

_SLACK_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class Submission:
    """The predictions of a submission, open.

    Attributes
    ----------
    volumes
        Name of the volume, such as ``MitoEM-H`` -> its prediction, of the shape of the challenge.
    files
        The files that hold them, in the order of the challenge, with SHA-256 of their bytes.
    """

    volumes: Mapping[str, LabelVolume]
    files: tuple[File, ...]


@dataclass(frozen=True, eq=False)
class Opened:
    """A prediction that was found.

    Attributes
    ----------
    where
        How messages call its file.
    volume
        Its voxels.
    usable
        Whether they can be scored, as far as headers tell.
    """

    where: str
    volume: Hdf5Volume
    usable: bool


@dataclass(frozen=True, eq=False)
class Examined:
    """What can be said of a submission before its voxels are read.

    Attributes
    ----------
    predictions
        Name of the volume -> what was found for it.
    files
        Those that could be read.
    problems, warnings
        In the order in which they were found.
    """

    predictions: dict[str, Opened] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


@contextmanager
def open_submission(
    path: PathOrStr, challenge: Challenge = MITOEM, *, scratch: PathOrStr | None = None
) -> Iterator[Submission]:
    """Open the predictions of a submission, and refuse one that cannot be scored. No voxel is read yet.

    Members that a zip file holds uncompressed are read where they lie, others are unpacked to a temporary folder.

    Parameters
    ----------
    path
        A zip file, or the folder that it was unpacked to.
    challenge
        What it has to hold.
    scratch
        Folder to unpack to, by default that of the system; nothing stays there.

    Raises
    ------
    InvalidInputError
        Something is wrong with it; the first of all problems is named, and how many more there are.
    UnusableFileError
        There is no such file or folder, or no space to unpack it.
    """
    with examine(path, challenge, scratch) as found:
        if found.problems:
            more = len(found.problems) - 1
            others = f"; and {more} more: run `mitobench leaderboard check`" if more else ""
            raise InvalidInputError(f"{found.problems[0]}{others}")
        yield Submission({name: opened.volume for name, opened in found.predictions.items()}, tuple(found.files))


@contextmanager
def examine(path: PathOrStr, challenge: Challenge, scratch: PathOrStr | None) -> Iterator[Examined]:
    """Open whatever of a submission can be opened, with all problems that headers tell."""
    # Any integer type is allowed, and chunks reach beyond the volume.
    most_bytes = prod(challenge.shape) * 8 * 3 // 2 + _SLACK_BYTES
    listing = list_members(path, most_bytes=most_bytes, files=len(challenge.volumes))
    found = Examined(problems=list(listing.problems))
    if listing.members or not listing.problems:
        found.problems.extend(name_problems(str(path), listing.members, challenge))
        found.warnings.extend(other_files(str(path), listing.members, challenge))
    members = {
        name: member for name, member in find_predictions(listing.members, challenge).items() if not member.refused
    }
    with ExitStack() as stack:
        folder = stack.enter_context(_scratch_folder(scratch, list(members.values())))
        for name, member in members.items():
            _open_member(name, member, folder, challenge, found, stack)
        yield found


@contextmanager
def _scratch_folder(scratch: PathOrStr | None, members: Sequence[Member]) -> Iterator[Path]:
    """Yield a folder with enough space for what has to be unpacked."""
    needed = sum(member.size for member in members if member.is_compressed)
    parent = Path(scratch or tempfile.gettempdir())
    if not needed:
        yield parent
        return
    remedy = "name another folder (scratch=, --scratch)"
    try:
        free = shutil.disk_usage(parent).free
        folder = tempfile.TemporaryDirectory(prefix="mitobench-", dir=parent)
    except OSError as error:
        raise ScratchError(f"{parent}: nothing can be unpacked there ({error.strerror}); {remedy}") from error
    with folder as inside:
        if free < needed:
            raise ScratchError(
                f"{parent}: {free:,} bytes are free, {needed:,} are needed to unpack the submission; {remedy}"
            )
        yield Path(inside)


def _open_member(
    name: str, member: Member, folder: Path, challenge: Challenge, found: Examined, stack: ExitStack
) -> None:
    try:
        window, file = fetch(member, folder)
        stack.enter_context(window)
        found.files.append(file)
        _open_volume(name, member.where, window, challenge, found, stack)
    except ScratchError:
        raise
    except MitobenchError as error:
        found.problems.append(Problem.of_error(error, member.where))


def _open_volume(
    name: str, where: str, window: FileWindow, challenge: Challenge, found: Examined, stack: ExitStack
) -> None:
    file = stack.enter_context(open_window(window, where))
    dataset_name, problems, warnings = chosen_dataset(file, where, challenge)
    found.warnings.extend(warnings)
    if dataset_name is not None:
        with reading(f"{where}: {dataset_name!r} cannot be opened"):
            dataset = file[dataset_name]
            problems += [
                problem
                for problem in (shape_problem(dataset.shape, where, challenge), type_problem(dataset, where))
                if problem is not None
            ]
            problems += dataset_problems(dataset, where)
            found.warnings.extend(type_warnings(dataset, where))
            volume = volume_of_dataset(dataset, where, window=window)
        found.predictions[name] = Opened(where, volume, not problems)
    found.problems.extend(problems)
