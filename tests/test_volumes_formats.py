"""Every format reads back what its own library wrote, box by box and from several threads."""

import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mitobench.errors import InvalidInputError
from mitobench.types import Box
from mitobench.volumes import open_image, open_labels

INTEGERS = ["u1", "i1", "<u2", ">u2", "<i2", "<u4", ">i4", "<u8", ">u8", "<i8"]


def whole(volume):
    return Box((0, 0, 0), volume.shape)


def boxes(shape):
    edges = [st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True).map(sorted) for n in shape]
    return st.tuples(*edges).map(lambda pairs: Box(*zip(*pairs, strict=True)))


@st.composite
def arrays_and_boxes(draw, dtypes=INTEGERS):
    shape = draw(st.tuples(*[st.integers(1, 5)] * 3))
    array = draw(hnp.arrays(draw(st.sampled_from(dtypes)), shape, elements={}))
    return array, draw(boxes(shape))


def write_npy(folder, array):
    np.save(folder / "v.npy", array)
    return folder / "v.npy"


def write_npy_fortran(folder, array):
    np.save(folder / "v.npy", np.asfortranarray(array))
    return folder / "v.npy"


def write_npz(folder, array):
    np.savez_compressed(folder / "v.npz", labels=array, other=array[0])
    return f"{folder / 'v.npz'}::labels"


def write_tiff(folder, array, **options):
    order = ">" if array.dtype.byteorder == ">" else "<"
    tifffile.imwrite(folder / "v.tif", array, photometric="minisblack", metadata=None, byteorder=order, **options)
    return folder / "v.tif"


def write_tiff_lzw(folder, array):
    return write_tiff(folder, array, compression="lzw", rowsperstrip=2)


def write_tiff_tiles(folder, array):
    predictor = array.dtype.itemsize <= 4
    return write_tiff(folder, array, compression="zlib", predictor=predictor, tile=(16, 16), bigtiff=True)


def write_tiff_folder(folder, array):
    for z, section in enumerate(array):
        tifffile.imwrite(folder / f"seg{z}.tif", section, photometric="minisblack", compression="zlib")
    return folder


def write_png_folder(folder, array):
    for z, section in enumerate(array):
        (folder / f"seg{z}.png").write_bytes(imagecodecs.png_encode(np.ascontiguousarray(section)))
    return folder


def write_zarr(folder, array, **options):
    stored = zarr.create_array(folder / "v.zarr", shape=array.shape, chunks=(2, 3, 2), dtype=array.dtype, **options)
    stored[...] = array
    return folder / "v.zarr"


def write_zarr_v2(folder, array):
    return write_zarr(folder, array, zarr_format=2)


def write_zarr_shards(folder, array):
    return write_zarr(folder, array, shards=(4, 6, 4))


def write_hdf5(folder, array):
    with h5py.File(folder / "v.h5", "w") as file:
        file.create_dataset("labels", data=array, chunks=(1, 1, 1), compression="gzip")
    return folder / "v.h5"


WRITERS = [
    write_npy,
    write_npy_fortran,
    write_npz,
    write_tiff,
    write_tiff_lzw,
    write_tiff_tiles,
    write_tiff_folder,
    write_zarr,
    write_zarr_v2,
    write_zarr_shards,
    write_hdf5,
]


def check_round_trip(write, array, box):
    with tempfile.TemporaryDirectory() as folder:
        volume = open_labels(write(Path(folder), array))
        block = volume.read(box)
        assert volume.shape == array.shape
        assert volume.dtype == array.dtype.newbyteorder("=")
        assert block.dtype == volume.dtype
        assert block.dtype.isnative
        assert all(1 <= chunk <= n for chunk, n in zip(volume.chunks, volume.shape, strict=True))
        np.testing.assert_array_equal(block, array[box.slices])
        volume.close()


@pytest.mark.parametrize("write", WRITERS)
@settings(max_examples=15, deadline=None)
@given(case=arrays_and_boxes())
def test_any_box_of_a_file_equals_the_slice_of_the_array(write, case):
    check_round_trip(write, *case)


@settings(max_examples=15, deadline=None)
@given(case=arrays_and_boxes(["u1", "<u2"]))
def test_any_box_of_a_folder_of_png_equals_the_slice_of_the_array(case):
    check_round_trip(write_png_folder, *case)


@given(case=arrays_and_boxes(), fortran=st.booleans())
def test_any_box_of_an_array_equals_its_slice(case, fortran):
    array, box = np.asarray(case[0], order="F" if fortran else "C"), case[1]
    volume = open_labels(array)
    block = volume.read(box)
    np.testing.assert_array_equal(block, array[box.slices])
    assert block.dtype.isnative
    assert volume.name == "array"
    assert volume.raw is None


@pytest.mark.parametrize("write", [*WRITERS, write_png_folder])
def test_threads_read_at_once(write, tmp_path):
    array = np.random.default_rng(0).integers(0, 60000, (12, 33, 17), np.uint16)
    volume = open_labels(write(tmp_path, array))
    wanted = [Box((z, 3, 5), (z + 2, 30, 15)) for z in range(11)] * 4
    with ThreadPoolExecutor(8) as pool:
        blocks = list(pool.map(volume.read, wanted))
    volume.close()
    assert all(np.array_equal(block, array[box.slices]) for block, box in zip(blocks, wanted, strict=True))


@pytest.mark.parametrize("write", [write_npy, write_tiff_lzw, write_zarr, write_zarr_v2, write_hdf5])
def test_one_image_volume_for_each_channel(write, tmp_path):
    array = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    if write is write_hdf5:
        path = tmp_path / "v.h5"
        with h5py.File(path, "w") as file:
            file["image"] = array
    elif write is write_tiff_lzw:
        path = tmp_path / "v.tif"
        tifffile.imwrite(path, array, photometric="minisblack", compression="lzw")
    elif write is write_npy:
        path = write(tmp_path, array)
    else:
        path = tmp_path / "v.zarr"
        zarr.create_array(path, data=array, chunks=(1, 2, 2, 2), zarr_format=2 if write is write_zarr_v2 else 3)
    channels = open_image(path)
    assert [channel.name for channel in channels] == [f"{path}[0]", f"{path}[1]"]
    for channel, expected in zip(channels, array, strict=True):
        assert channel.shape == (3, 4, 5)
        assert len(channel.chunks) == 3
        np.testing.assert_array_equal(channel.read(Box((1, 0, 2), (3, 3, 4))), expected[1:3, 0:3, 2:4])
    channels[0].close()
    with pytest.raises(InvalidInputError, match=re.escape("shape (2, 3, 4, 5); expected 3 axes (z, y, x)")):
        open_labels(path)


def test_hdf5_is_known_by_its_first_bytes(tmp_path):
    write_hdf5(tmp_path, np.ones((1, 2, 3), np.uint8)).rename(tmp_path / "labels.dat")
    volume = open_labels(f"{tmp_path}/labels.dat::labels")
    assert volume.read(whole(volume)).sum() == 6
    volume.close()
