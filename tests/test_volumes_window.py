"""An HDF5 file in the middle of another file is read as if it were alone."""

import io

import h5py
import numpy as np
import pytest

from mitobench.errors import UnusableFileError
from mitobench.evaluate import evaluate_pair
from mitobench.types import Box
from mitobench.volumes.hdf5 import open_window, volume_of_dataset
from mitobench.volumes.window import FileWindow

VOXELS = np.arange(5 * 7 * 9, dtype="u4").reshape(5, 7, 9)
BEFORE = 777


@pytest.fixture(params=[{"chunks": (2, 3, 4), "compression": "gzip"}, {"chunks": (2, 3, 4)}, {}])
def inside(request, tmp_path):
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.create_dataset("main", data=VOXELS, **request.param)
    path = tmp_path / "around.bin"
    path.write_bytes(b"?" * BEFORE + memory.getvalue() + b"!" * 100)
    return path, len(memory.getvalue())


def test_chunks_are_found_in_the_file_around(inside):
    path, size = inside
    with FileWindow(path, BEFORE, size) as window, open_window(window, "here") as file:
        volume = volume_of_dataset(file["main"], "here", window=window)
        assert volume.raw.path == str(path)
        assert min(volume.raw.locations.values())[0] >= BEFORE
        np.testing.assert_array_equal(volume.read(Box((0, 0, 0), VOXELS.shape)), VOXELS)
        assert evaluate_pair(volume, VOXELS).score == 1


def test_chunks_behind_the_window_are_refused(inside):
    path, size = inside
    with FileWindow(path, BEFORE, size) as window, open_window(window, "here") as file:
        volume = volume_of_dataset(file["main"], "here", window=FileWindow(path, BEFORE, 100))
        with pytest.raises(
            UnusableFileError, match=r"^here: the HDF5 file lists a chunk behind its end; copy it again$"
        ):
            _ = volume.raw
        volume.window.close()


def test_what_is_no_hdf5_file_or_truncated(inside):
    path, size = inside
    with FileWindow(path, 0, 700) as window, pytest.raises(UnusableFileError) as raised:
        open_window(window, "here")
    assert str(raised.value) == "here: not an HDF5 file; expected one; write it again"
    with FileWindow(path, BEFORE, size - 50) as window, pytest.raises(UnusableFileError) as raised:
        open_window(window, "here")
    assert str(raised.value) == f"here: the HDF5 file is truncated ({size - 50} bytes are there); copy it again"


def test_a_window_is_a_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with FileWindow(path, 2, 5) as window:
        assert window.read() == b"23456"
        assert window.read(1) == b""
        assert window.seek(-2, 2) == 3
        assert window.read(9) == b"56"
        assert window.seek(9) == window.tell() == 9
        assert window.read(1) == b""
        with pytest.raises(ValueError, match="place -1 is in front of the first byte"):
            window.seek(-1)
