"""Zarr arrays as volumes, format 2 and 3, with or without consolidated metadata, groups of any depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitobench.errors import MissingExtraError, UnknownNameError
from mitobench.volumes._datasets import choose_dataset
from mitobench.volumes.array import ArrayVolume, reading

if TYPE_CHECKING:
    from typing import Any

    import zarr

__all__ = ["open_zarr"]


def open_zarr(path: str, dataset: str | None) -> ArrayVolume:
    """Open one array of a Zarr directory: the root itself, or an array of its groups.

    Raises
    ------
    MissingExtraError
        The zarr library is not installed.
    UnusableFileError
        The directory is not Zarr, or its metadata are damaged.
    UnknownNameError, InvalidInputError
        The array is not there, or none was named and there are several.
    """
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: reading Zarr needs the zarr library, which is not installed; run pip install 'mitobench[formats]'"
        ) from error
    with reading(f"{path}: cannot be opened as Zarr"):
        node = zarr.open(path, mode="r")
        members = () if isinstance(node, zarr.Array) else node.members(max_depth=None)
        arrays = {name: member for name, member in members if isinstance(member, zarr.Array)}
    if isinstance(node, zarr.Array):
        return _root_array(node, path, dataset)
    volumes = [name for name, array in arrays.items() if array.ndim == 3]
    chosen = choose_dataset(list(arrays) if dataset or not volumes else volumes, dataset, path)
    return ArrayVolume(arrays[chosen], path if dataset is None else f"{path}::{chosen}")


def _root_array(array: zarr.Array[Any], path: str, dataset: str | None) -> ArrayVolume:
    if dataset is not None:
        raise UnknownNameError(f"{path}: one array without groups, but {dataset!r} was asked for; give the path alone")
    return ArrayVolume(array, path)
