"""What an HDF5 file of a stranger holds: found without following a link or opening what lies elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leaderboard.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    import h5py

__all__ = ["Contents", "Stored", "contents_of"]

_MOST_OBJECTS = 10_000
_ELSEWHERE = "links to other files"
_ALONE = "write one dataset with its voxels into the file"


@dataclass(frozen=True)
class Stored:
    """A dataset that was found.

    Attributes
    ----------
    name
        Its path in the file.
    shape
        As it is stored.
    filters
        Numbers of the filters that are needed to read it.
    """

    name: str
    shape: tuple[int, ...]
    filters: tuple[int, ...]


@dataclass(frozen=True)
class Contents:
    """What was found in a file.

    Attributes
    ----------
    datasets
        Those whose voxels are in the file.
    problems
        Whatever would lead to other files, or has no end.
    """

    datasets: list[Stored] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def contents_of(file: h5py.File, where: str) -> Contents:
    """Walk over all groups of a file.

    Only hard links are followed. Opening a dataset by the low level of h5py reads its header and nothing else, whereas
    its shape may depend on other files if it is virtual.
    """
    import h5py

    found = Contents()
    seen: set[Any] = set()
    waiting = [("", file.id)]
    while waiting:
        path, group = waiting.pop()
        for name, item in _items(group, path, where, found):
            key = h5py.h5o.get_info(item)
            if (key.fileno, key.addr) in seen:
                continue
            seen.add((key.fileno, key.addr))
            if len(seen) > _MOST_OBJECTS:
                what = f"holds more than {_MOST_OBJECTS:,} objects; expected one dataset"
                found.problems.append(Problem(where, what, _ALONE))
                return found
            if isinstance(item, h5py.h5g.GroupID):
                waiting.append((name, item))
            elif isinstance(item, h5py.h5d.DatasetID):
                _note(item, name, where, found)
    return found


def _items(group: Any, path: str, where: str, found: Contents) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - of h5py
    """Yield what hard links lead to, and note links that lead out of the file."""
    import h5py

    for name in list(group):
        inside = f"{path}/{name.decode(errors='replace')}".lstrip("/")
        kind = group.links.get_info(name).type
        if kind == h5py.h5l.TYPE_HARD:
            yield inside, h5py.h5o.open(group, name)
        elif kind != h5py.h5l.TYPE_SOFT:
            found.problems.append(Problem(where, f"{inside!r} {_ELSEWHERE}; expected none", _ALONE))


def _note(item: Any, name: str, where: str, found: Contents) -> None:  # noqa: ANN401
    import h5py

    plist = item.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        found.problems.append(Problem(where, f"{name!r} is virtual: its voxels lie in other files", _ALONE))
    elif plist.get_external_count():
        found.problems.append(Problem(where, f"the voxels of {name!r} lie in other files", _ALONE))
    else:
        filters = tuple(int(plist.get_filter(i)[0]) for i in range(plist.get_nfilters()))
        found.datasets.append(Stored(name, tuple(map(int, item.shape)), filters))
