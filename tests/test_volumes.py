"""Arrays as volumes, dispatch on the name of a source, and what is refused, in which words."""

import re
import subprocess
import sys

import dask.array
import h5py
import imagecodecs
import numpy as np
import pytest
import zarr

from mitobench.errors import InvalidInputError, UnknownNameError, UnusableFileError
from mitobench.types import Box
from mitobench.volumes import open_image, open_labels
from mitobench.volumes._datasets import choose_dataset, split_source
from mitobench.volumes.blocks import GRIDLESS
from mitobench.volumes.reader import ThreadReaders


def test_native_memory_is_not_copied():
    array = np.zeros((3, 4, 5), np.uint32)
    assert np.shares_memory(open_labels(array).read(Box((1, 1, 1), (3, 4, 5))), array)


@pytest.mark.parametrize("order", ["C", "F"])
def test_any_box_of_an_array_in_memory_is_free(order):
    assert open_labels(np.zeros((9, 10, 10), np.uint16, order=order)).chunks == GRIDLESS


class Lazy:
    """Sliced like a Dask array: ``chunks`` lists every chunk, ``chunksize`` the largest."""

    chunks = ((2, 2), (5,), (3, 3))
    chunksize = (2, 5, 3)

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, index):
        return Lazy(self.array[index])

    def __array__(self, dtype=None, copy=None):
        return self.array


def test_lazy_arrays_are_computed_on_reading():
    array = np.arange(120, dtype=np.int32).reshape(4, 5, 6)
    volume = open_labels(Lazy(array))
    assert volume.chunks == (2, 5, 3)
    np.testing.assert_array_equal(volume.read(Box((1, 2, 3), (3, 5, 6))), array[1:3, 2:5, 3:6])


def test_a_failing_lazy_array_is_reported_in_one_line():
    class Failing(Lazy):
        def __getitem__(self, index):
            raise RuntimeError("worker\ndied")

    volume = open_labels(Failing(np.zeros((4, 5, 6), int)))
    message = (
        "array: cannot read the voxels from (0, 0, 0) to (1, 1, 1) (RuntimeError: worker died); check that the file is "
        "whole and readable, or write it again"
    )
    with pytest.raises(UnusableFileError, match=f"^{re.escape(message)}$"):
        volume.read(Box((0, 0, 0), (1, 1, 1)))


def test_arrays_of_other_libraries(tmp_path):
    array = np.arange(120, dtype=np.int32).reshape(4, 5, 6)
    stored = zarr.create_array(tmp_path / "a.zarr", data=array, chunks=(1, 2, 3))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("g/a", data=array, chunks=(2, 2, 2))
        for source, name, chunks in [(stored, "array", (1, 2, 3)), (dataset, f"{tmp_path}/a.h5::g/a", (2, 2, 2))]:
            volume = open_labels(source)
            assert (volume.name, volume.chunks) == (name, chunks)
            np.testing.assert_array_equal(volume.read(Box((0, 0, 0), volume.shape)), array)


def test_an_open_volume_is_used_as_it_is():
    volume = open_labels(np.ones((1, 1, 1), int))
    assert open_labels(volume) is volume


@pytest.mark.parametrize("box", [Box((0, 0, 0), (2, 4, 6)), Box((-1, 0, 0), (1, 4, 5)), Box((-2, 0, 0), (-1, 4, 5))])
def test_a_box_outside_the_volume_is_refused(box):
    message = f"array: the box from {box.start} to {box.stop} reaches outside the volume of shape (3, 4, 5)"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(np.zeros((3, 4, 5), int)).read(box)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros((4, 5), int),
            (
                "shape (4, 5); expected 3 axes (z, y, x); stack its sections into one array; a single section is "
                "array[None]"
            ),
        ),
        (
            np.zeros((1, 3, 4, 5), int),
            "shape (1, 3, 4, 5); expected 3 axes (z, y, x); drop the axis of length 1: array[0]",
        ),
        (
            np.zeros((3, 4, 5, 1), int),
            "shape (3, 4, 5, 1); expected 3 axes (z, y, x); drop the axis of length 1: array[:, :, :, 0]",
        ),
        (
            np.zeros((2, 3, 4, 5), int),
            "shape (2, 3, 4, 5); expected 3 axes (z, y, x); keep one part: array[0]",
        ),
        (
            np.zeros((3, 0, 5), int),
            "shape (3, 0, 5) has an empty axis; expected at least one voxel; check how it was written",
        ),
        (
            np.zeros((3, 4, 5), bool),
            (
                "this is a binary mask of type bool; expected instance ids of an integer type; label its connected "
                "components first"
            ),
        ),
        (
            np.zeros((3, 4, 5), np.float32),
            (
                "voxels of type float32; expected instance ids of an integer type; if the values are whole numbers, "
                "convert them with array.astype('uint32')"
            ),
        ),
        (
            [[[1]]],
            (
                "not a volume; expected a path, or an array of shape (z, y, x) from NumPy, h5py, Zarr or "
                "Dask; convert it with numpy.asarray"
            ),
        ),
    ],
)
def test_what_is_no_label_volume_is_refused(array, message):
    name = "array" if isinstance(array, np.ndarray) else "builtins.list"
    with pytest.raises(InvalidInputError, match=f"^{name}: {re.escape(message)}$"):
        open_labels(array)


@pytest.mark.parametrize("dtype", [complex, "U3", object, "M8[s]", np.float16])
def test_types_without_ids_are_refused(dtype):
    with pytest.raises(InvalidInputError, match="expected instance ids of an integer type"):
        open_labels(np.zeros((1, 1, 1), dtype))


def test_paths_that_hold_no_volume(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "one.PNG").write_bytes(imagecodecs.png_encode(np.zeros((4, 4), np.uint8)))
    np.save(tmp_path / "a.npy", np.zeros((1, 1, 1), int))
    formats = "expected HDF5, Zarr, TIFF, .npy, .npz or a folder of PNG or TIFF sections"
    for source, error, message in [
        ("no.h5", UnusableFileError, f"/no.h5: does not exist; {formats}; check the path"),
        (
            "notes.txt",
            UnusableFileError,
            f"/notes.txt: not a format that holds a volume; {formats}; convert it to one of these",
        ),
        (
            "one.PNG",
            UnusableFileError,
            f"/one.PNG: not a format that holds a volume; {formats}; name the folder of its section",
        ),
        (
            "a.npy::main",
            InvalidInputError,
            "/a.npy: one volume without datasets, but 'main' was asked for; give the path alone",
        ),
    ]:
        with pytest.raises(error, match=f"^{re.escape(f'{tmp_path}{message}')}$"):
            open_labels(tmp_path / source)


def test_a_3d_image_is_one_volume_of_any_real_type():
    for dtype in (np.uint8, np.int16, np.float16, np.float64):
        (volume,) = open_image(np.zeros((3, 4, 5), dtype))
        assert (volume.shape, volume.name, volume.dtype) == ((3, 4, 5), "array", dtype)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros((2, 1, 3, 4, 5), np.uint8),
            (
                "shape (2, 1, 3, 4, 5); expected 3 axes (z, y, x) or 4 axes (channel, z, y, x); keep one part: "
                "array[0, 0]"
            ),
        ),
        (
            np.zeros((3, 4, 5), complex),
            "voxels of type complex128; expected integers or real numbers; convert them first",
        ),
    ],
)
def test_what_is_no_image_is_refused(array, message):
    with pytest.raises(InvalidInputError, match=f"^array: {re.escape(message)}$"):
        open_image(array)


def test_an_image_without_channels_is_refused():
    with pytest.raises(InvalidInputError, match="empty axis"):
        open_image(np.zeros((0, 3, 4, 5), np.uint8))


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("a.h5", ("a.h5", None)),
        ("a.h5::x/y", ("a.h5", "x/y")),
        ("a::b.h5::x", ("a::b.h5", "x")),
        ("C:\\data\\a.h5", ("C:\\data\\a.h5", None)),
        ("C:\\a.h5::x", ("C:\\a.h5", "x")),
        ("a.h5::", ("a.h5", None)),
    ],
)
def test_split_source(source, parts):
    assert split_source(source) == parts


def test_the_only_dataset_or_the_one_asked_for():
    assert choose_dataset(["main"], None, "a.h5") == "main"
    assert choose_dataset(["a", "g/b"], "/g/b", "a.h5") == "g/b"
    assert choose_dataset(["/a", "/g/b"], "g/b", "a.h5") == "/g/b"


@pytest.mark.parametrize(
    ("names", "wanted", "error", "message"),
    [
        (
            ["gt", "image"],
            "gtt",
            UnknownNameError,
            "a.h5: no dataset 'gtt' inside, did you mean 'gt'?; the datasets are 'gt', 'image'",
        ),
        (
            ["gt", "image"],
            None,
            InvalidInputError,
            "a.h5: 2 datasets found inside ('gt', 'image'); name the one to use, as in a.h5::gt",
        ),
        (
            [f"d{i}" for i in range(12)],
            "zzz",
            UnknownNameError,
            (
                "a.h5: no dataset 'zzz' inside; the datasets are 'd0', 'd1', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7', 'd8', "
                "'d9' and 2 more"
            ),
        ),
        (
            [],
            None,
            InvalidInputError,
            "a.h5: no dataset found inside; expected one array of 3 dimensions (z, y, x)",
        ),
    ],
)
def test_no_dataset_can_be_chosen(names, wanted, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        choose_dataset(names, wanted, "a.h5")


def test_importing_the_room_loads_no_format_library():
    code = (
        "import sys, mitobench.volumes;"
        "print(sorted({'h5py', 'imagecodecs', 'tifffile', 'zarr', 'dask'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_dask_arrays_are_read_by_their_chunks():
    array = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)
    volume = open_labels(dask.array.from_array(array, chunks=(2, 5, 4)))
    assert (volume.shape, volume.dtype, volume.chunks) == ((4, 5, 6), np.uint16, (2, 5, 4))
    assert (volume.read(Box((1, 2, 3), (4, 5, 6))) == array[1:, 2:, 3:]).all()


@pytest.mark.parametrize(
    ("options", "is_fast"),
    [
        ({"chunks": (1, 3, 4, 5), "compression": "gzip", "shuffle": True}, True),
        ({"chunks": (1, 2, 8, 11)}, True),
        ({}, True),
        ({"chunks": (2, 3, 4, 5), "compression": "gzip"}, False),
    ],
)
def test_channels_are_read_where_they_lie(tmp_path, options, is_fast):
    array = np.random.default_rng(2).integers(0, 255, (3, 7, 10, 11), np.uint8)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("main", data=array, **options)
    channels = open_image(tmp_path / "c.h5")
    for channel, expected in zip(channels, array, strict=True):
        assert (channel.raw is not None) == is_fast
        readers = ThreadReaders(channel)
        whole = Box((0, 0, 0), channel.shape)
        assert np.array_equal(readers.read(whole), expected)
        assert np.array_equal(readers.read(Box((2, 3, 4), (5, 8, 9))), expected[2:5, 3:8, 4:9])
        readers.close()
    channels[0].close()
