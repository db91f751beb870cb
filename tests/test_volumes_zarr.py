"""Zarr: groups of any depth, both formats, damaged chunks, the library missing."""

import re
import sys

import numpy as np
import pytest
import zarr

from mitobench.errors import InvalidInputError, MissingExtraError, UnknownNameError, UnusableFileError
from mitobench.types import Box
from mitobench.volumes import open_labels

ARRAY = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
pytestmark = pytest.mark.parametrize("zarr_format", [2, 3])


def add(group, name, array=ARRAY):
    group.create_array(name, shape=array.shape, chunks=(1,) * array.ndim, dtype=array.dtype)[...] = array


def test_the_only_3d_array_of_nested_groups(tmp_path, zarr_format):
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=zarr_format)
    add(root, "volumes/labels/neurons")
    add(root, "volumes/offsets", np.zeros(3))
    volume = open_labels(tmp_path / "a.zarr")
    assert volume.name == str(tmp_path / "a.zarr")
    np.testing.assert_array_equal(volume.read(Box((0, 1, 2), (3, 4, 5))), ARRAY[:, 1:, 2:])


def test_a_named_array(tmp_path, zarr_format):
    path = tmp_path / "run"
    root = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    add(root, "a/gt")
    add(root, "a/pred", ARRAY + 1)
    add(root, "flat", ARRAY[0])
    volume = open_labels(f"{path}::a/pred")
    assert volume.name == f"{path}::a/pred"
    assert volume.read(Box((0, 0, 0), (1, 1, 1))) == 1
    assert open_labels(path / "a" / "pred").read(Box((0, 0, 0), (1, 1, 1))) == 1
    with pytest.raises(InvalidInputError, match=re.escape(f"{path}: 2 datasets found inside (")):
        open_labels(path)
    with pytest.raises(UnknownNameError, match=re.escape("no dataset 'a/gtt' inside, did you mean 'a/gt'?")):
        open_labels(f"{path}::a/gtt")
    with pytest.raises(InvalidInputError, match=re.escape(f"{path}::flat: shape (4, 5); expected 3 axes")):
        open_labels(f"{path}::flat")


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_consolidated_metadata(tmp_path, zarr_format):
    add(zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=zarr_format), "x/gt")
    zarr.consolidate_metadata(tmp_path / "a.zarr")
    volume = open_labels(tmp_path / "a.zarr")
    np.testing.assert_array_equal(volume.read(Box((0, 0, 0), volume.shape)), ARRAY)


def test_a_root_array_has_no_datasets(tmp_path, zarr_format):
    zarr.create_array(tmp_path / "a.zarr", data=ARRAY, zarr_format=zarr_format)
    message = f"{tmp_path}/a.zarr: one array without groups, but 'gt' was asked for; give the path alone"
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
        open_labels(f"{tmp_path}/a.zarr::gt")


def test_an_empty_group(tmp_path, zarr_format):
    zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=zarr_format)
    message = f"{tmp_path}/a.zarr: no dataset found inside; expected one array of 3 dimensions (z, y, x)"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path / "a.zarr")


def test_the_only_array_is_refused_for_its_axes(tmp_path, zarr_format):
    add(zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=zarr_format), "0", ARRAY[None, None])
    message = (
        f"{tmp_path}/a.zarr: shape (1, 1, 3, 4, 5); expected 3 axes (z, y, x); drop the axis of length 1: array[0, 0]"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path / "a.zarr")


def test_the_unit_of_reading_is_the_shard_where_there_is_one(tmp_path, zarr_format):
    shards = None if zarr_format == 2 else (2, 4, 4)
    array = zarr.create_array(tmp_path / "a", data=ARRAY, chunks=(1, 2, 2), shards=shards, zarr_format=zarr_format)
    assert open_labels(array).chunks == (shards or (1, 2, 2))


def test_a_shard_too_large_to_hold_is_read_by_its_chunks(tmp_path, zarr_format, monkeypatch):
    monkeypatch.setattr("mitobench.volumes.array._WHOLE_SHARD_BYTES", ARRAY.itemsize * 2 * 4 * 4 - 1)
    shards = None if zarr_format == 2 else (2, 4, 4)
    array = zarr.create_array(tmp_path / "a", data=ARRAY, chunks=(1, 2, 2), shards=shards, zarr_format=zarr_format)
    assert open_labels(array).chunks == (1, 2, 2)


def test_chunks_that_were_never_written_hold_the_fill_value(tmp_path, zarr_format):
    zarr.create_array(
        tmp_path / "a", shape=(3, 4, 5), dtype="u4", chunks=(1, 2, 2), fill_value=9, zarr_format=zarr_format
    )
    assert (open_labels(tmp_path / "a").read(Box((0, 0, 0), (2, 2, 2))) == 9).all()


def test_a_damaged_chunk_is_unreadable(tmp_path, zarr_format):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=ARRAY, chunks=(1, 4, 5), zarr_format=zarr_format)
    chunk = path / ("1.0.0" if zarr_format == 2 else "c/1/0/0")
    chunk.write_bytes(chunk.read_bytes()[:7])
    volume = open_labels(path)
    assert volume.read(Box((0, 0, 0), (1, 4, 5))).sum() == 190
    with pytest.raises(UnusableFileError) as caught:
        volume.read(Box((1, 0, 0), (2, 4, 5)))
    assert str(caught.value).startswith(f"{path}: cannot read the voxels from (1, 0, 0) to (2, 4, 5) (")
    assert "\n" not in str(caught.value)


def test_damaged_metadata_are_unreadable(tmp_path, zarr_format):
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / (".zarray" if zarr_format == 2 else "zarr.json")).write_text('{"shape": ')
    with pytest.raises(UnusableFileError, match=re.escape(f"{path}: cannot be opened as Zarr (")):
        open_labels(path)


def test_the_extra_is_named_when_zarr_is_missing(tmp_path, zarr_format, monkeypatch):
    zarr.create_array(tmp_path / "a.zarr", data=ARRAY, zarr_format=zarr_format)
    monkeypatch.setitem(sys.modules, "zarr", None)
    message = (
        f"{tmp_path}/a.zarr: reading Zarr needs the zarr library, which is not installed; run pip install "
        "'mitobench[formats]'"
    )
    with pytest.raises(MissingExtraError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path / "a.zarr")
