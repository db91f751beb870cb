"""Which file of a submission is which prediction, by name."""

from __future__ import annotations

import difflib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from leaderboard.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from leaderboard.archive import Member
    from leaderboard.challenge import Challenge, ChallengeVolume

__all__ = ["find_predictions", "name_problems", "other_files"]

_ARCHIVES = {".zip", ".gz", ".tar", ".tgz", ".7z", ".rar", ".xz", ".bz2", ".zst"}
_HDF5 = {".h5", ".hdf5", ".hdf", ".he5"}
_LISTED = 5


def find_predictions(members: Sequence[Member], challenge: Challenge) -> dict[str, Member]:
    """Return the file of each volume that has one of the right name; later ones of a name do not count."""
    by_name = {member.name: member for member in reversed(members)}
    return {volume.name: by_name[volume.file] for volume in challenge.volumes if volume.file in by_name}


def name_problems(where: str, members: Sequence[Member], challenge: Challenge) -> Iterator[Problem]:
    """Yield files that are missing, with those that were probably meant, and names that two files share."""
    found = find_predictions(members, challenge)
    others = [member for member in members if member not in found.values()]
    for volume in challenge.volumes:
        twins = [member.name for member in members if _base(member).casefold() == volume.file.casefold()]
        if len(set(twins)) > 1:
            what = f"several files could be {volume.file}: {_listing(twins)}; expected one"
            yield Problem(where, what, "delete those that are not meant")
        elif volume.name not in found:
            yield _missing(where, volume, others)


def other_files(where: str, members: Sequence[Member], challenge: Challenge) -> Iterator[Problem]:
    """Yield a warning if there is more than the predictions."""
    expected = {volume.file for volume in challenge.volumes}
    names = [member.name for member in members if member.name not in expected]
    if names:
        yield Problem(where, f"holds other files, which nobody scores: {_listing(names)}", "leave them out")


def _missing(where: str, volume: ChallengeVolume, others: Sequence[Member]) -> Problem:
    names = {member.name: _base(member) for member in others}
    what = f"holds no {volume.file}"
    if meant := _meant(volume, names):
        inside = " at the top" if names[meant] == volume.file else ""
        return Problem(where, f"{what}{inside}, did you mean {meant!r}?", f"rename it to {volume.file}")
    packed = [name for name in names if PurePosixPath(name).suffix.lower() in _ARCHIVES]
    if packed:
        return Problem(where, f"{what}, but {packed[0]!r}; expected no archive inside", "unpack that one and pack anew")
    holds = f"; it holds {_listing(list(names))}" if names else ""
    return Problem(where, f"{what}, the prediction of {volume.name}{holds}", "add it")


def _meant(volume: ChallengeVolume, names: Mapping[str, str]) -> str | None:
    """Return the path whose base name is right, or right but for its case, or names the volume, or is close."""
    same = [name for name, base in names.items() if base.casefold() == volume.file.casefold()]
    if same:
        return min(same, key=lambda name: names[name] != volume.file)
    hdf5 = {name: base for name, base in names.items() if PurePosixPath(base).suffix.lower() in _HDF5}
    if keyed := [name for name, base in hdf5.items() if volume.key in base.lower()]:
        return keyed[0]
    close = difflib.get_close_matches(volume.file, hdf5.values(), n=1)
    return next((name for name, base in hdf5.items() if close and base == close[0]), None)


def _base(member: Member) -> str:
    """Return the last part of a name; some tools of Windows write backslashes."""
    return PurePosixPath(member.name.replace("\\", "/")).name


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(repr, names[:_LISTED])) + more
