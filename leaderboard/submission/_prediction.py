"""Whether an HDF5 file holds a prediction that can be scored, as far as its headers tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from leaderboard.problem import Problem
from leaderboard.submission._contents import contents_of
from mitobench.volumes.array import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import h5py

    from leaderboard.challenge import Challenge
    from leaderboard.submission._contents import Contents, Stored

__all__ = ["chosen_dataset", "dataset_problems", "shape_problem", "type_problem", "type_warnings"]

_MOST_CHUNK_BYTES = 1 << 29
"""Whoever scores holds a chunk of each volume in memory, of which a container of the platform has a few GB."""
_MOST_CHUNKS = 1 << 22
"""As many as cubes of 12 voxels in the volume of the challenge; a list of them takes about 1 GB."""
_FILTERS = {32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32026: "blosc2", 4: "szip"}
_KINDS = {"b": "a binary mask", "f": "real numbers", "c": "complex numbers"}
_PACK = "`mitobench leaderboard pack`"


def chosen_dataset(
    file: h5py.File, where: str, challenge: Challenge
) -> tuple[str | None, list[Problem], list[Problem]]:
    """Return the dataset to score, or None, with problems and warnings."""
    with reading(f"{where}: cannot be listed"):
        contents = contents_of(file, where)
    if contents.problems:
        return None, contents.problems, []
    volumes = [stored for stored in contents.datasets if len(stored.shape) == 3]
    if len(volumes) != 1:
        return None, [_no_choice(contents, volumes, where, challenge)], []
    return volumes[0].name, list(_filter_problems(volumes[0], where)), list(_others(contents, volumes[0], where))


def _no_choice(contents: Contents, volumes: Sequence[Stored], where: str, challenge: Challenge) -> Problem:
    if volumes:
        names = _listing([stored.name for stored in volumes])
        what = f"holds {len(volumes)} datasets of 3 axes: {names}; expected one, as evaluators read the first or none"
        return Problem(where, what, "write a file with the prediction alone")
    if len(contents.datasets) == 1:
        found = shape_problem(contents.datasets[0].shape, where, challenge)
        if found is not None:
            return found
    listed = ", ".join(f"{stored.name!r} of shape {stored.shape}" for stored in contents.datasets[:5])
    what = f"holds no dataset of 3 axes (z, y, x){f', but {listed}' if listed else ''}"
    return Problem(where, what, f"write the instance ids as {challenge.dataset!r}, as {_PACK} does")


def _filter_problems(stored: Stored, where: str) -> Iterator[Problem]:
    import h5py

    for code in stored.filters:
        if not h5py.h5z.filter_avail(code):
            name = _FILTERS.get(code, "unknown")
            what = f"{stored.name!r} needs the HDF5 filter {code} ({name}), which is not there; expected gzip or lzf"
            yield Problem(where, what, f"write it with gzip, as {_PACK} does")


def _others(contents: Contents, chosen: Stored, where: str) -> Iterator[Problem]:
    names = [stored.name for stored in contents.datasets if stored is not chosen]
    if names:
        what = f"holds other datasets besides {chosen.name!r}, which nobody scores: {_listing(names)}"
        yield Problem(where, what, "leave them out")


def shape_problem(shape: tuple[int, ...], where: str, challenge: Challenge) -> Problem | None:
    """Say what is wrong with a shape, and how to mend it."""
    if shape == challenge.shape:
        return None
    expected = challenge.shape
    first, last = challenge.first_section, challenge.first_section + expected[0] - 1
    what = f"has the shape {shape}; expected {expected} along z, y, x"
    if len(shape) == 4:
        one = tuple(n for n in shape if n != 1) == tuple(n for n in expected if n != 1)
        remedy = "drop the axis of length 1" if one else "keep the instance ids alone, without other channels"
    elif shape == (last + 1, *expected[1:]):
        what += f"; these are all sections, of which {first} to {last} are scored"
        remedy = f"cut them out with {_PACK} --cut"
    elif sorted(shape) == sorted(expected):
        what += "; its axes are in another order"
        remedy = "transpose them to (z, y, x)"
    else:
        remedy = f"write sections {first} to {last} of the whole volume, at full resolution"
    return Problem(where, what, remedy)


def type_problem(dataset: h5py.Dataset, where: str) -> Problem | None:
    """Say what is wrong with the type of the voxels."""
    with reading(f"{where}: cannot tell the type of the voxels"):
        dtype = dataset.dtype
    if dtype.kind in "iu":
        return None
    kind = _KINDS.get(dtype.kind, "no numbers")
    remedy = "label its connected components first" if dtype.kind == "b" else "write whole numbers"
    return Problem(where, f"has voxels of type {dtype}, {kind}; expected instance ids of an integer type", remedy)


def dataset_problems(dataset: h5py.Dataset, where: str) -> Iterator[Problem]:
    """Yield what would take too much memory to read."""
    if dataset.chunks is None:
        return
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    count = math.prod(-(-n // edge) for n, edge in zip(dataset.shape, dataset.chunks, strict=True))
    what = f"is stored in chunks of {dataset.chunks} voxels"
    if size > _MOST_CHUNK_BYTES:
        what += f", {size:,} bytes; expected at most {_MOST_CHUNK_BYTES:,}"
    elif count > _MOST_CHUNKS:
        what += f", {count:,} of them; expected at most {_MOST_CHUNKS:,}"
    else:
        return
    yield Problem(where, what, f"store it as {_PACK} does")


def type_warnings(dataset: h5py.Dataset, where: str) -> Iterator[Problem]:
    """Yield what other evaluators cannot read."""
    if dataset.dtype.kind == "u" and dataset.dtype.itemsize == 8:
        what = "has voxels of type uint64, at which the public evaluator of the challenge crashes"
        yield Problem(where, what, f"{_PACK} writes a smaller type")


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(map(repr, names[:5])) + more
