"""NumPy files: pickles refused, archives of several arrays, truncated files."""

import re

import numpy as np
import pytest

from mitobench.errors import InvalidInputError, UnknownNameError, UnusableFileError
from mitobench.types import Box
from mitobench.volumes import open_labels

ARRAY = np.arange(60, dtype=np.int16).reshape(3, 4, 5)


def test_a_npy_file_is_mapped_not_loaded(tmp_path):
    np.save(tmp_path / "a.npy", ARRAY)
    volume = open_labels(tmp_path / "a.npy")
    block = volume.read(Box((1, 0, 0), (2, 4, 5)))
    with (tmp_path / "a.npy").open("r+b") as file:
        file.seek(-ARRAY.nbytes + 2 * 20, 2)
        file.write(np.int16(-7).tobytes())
    assert block[0, 0, 0] == -7


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_pickled_objects_are_refused(tmp_path, name):
    array = np.full((1, 1, 1), {}, object)
    if name == "a.npy":
        np.save(tmp_path / name, array, allow_pickle=True)
    else:
        np.savez(tmp_path / name, array)
    message = (
        f"{tmp_path / name}: the array holds pickled Python objects, which are never loaded; expected numbers; save it "
        "again with an integer dtype, as in array.astype('uint32')"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\x93NUMPY\x01\x00"])
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_what_is_no_numpy_file_is_unreadable(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        UnusableFileError, match=f"^{re.escape(str(tmp_path / name))}: cannot be opened as a {name[1:]}"
    ):
        open_labels(tmp_path / name)


def test_a_truncated_file_is_unreadable_at_opening(tmp_path):
    np.save(tmp_path / "a.npy", ARRAY)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(UnusableFileError, match=r"a\.npy: cannot be opened as a \.npy file \(ValueError: "):
        open_labels(tmp_path / "a.npy")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_only_array_of_an_archive(tmp_path, save):
    save(tmp_path / "a.npz", ARRAY)
    volume = open_labels(tmp_path / "a.npz")
    assert (volume.name, volume.shape, volume.dtype) == (str(tmp_path / "a.npz"), ARRAY.shape, ARRAY.dtype)
    first, second = (volume.read(Box((0, 1, 2), (3, 4, 5))) for _ in range(2))
    np.testing.assert_array_equal(first, ARRAY[:, 1:, 2:])
    assert np.shares_memory(first, second)


def test_several_arrays_of_an_archive(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, gt=ARRAY, pred=ARRAY + 1)
    volume = open_labels(f"{path}::pred")
    assert volume.name == f"{path}::pred"
    assert volume.read(Box((0, 0, 0), (1, 1, 1))) == 1
    message = f"{path}: 2 datasets found inside ('gt', 'pred'); name the one to use, as in {path}::gt"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(path)
    with pytest.raises(UnknownNameError, match="did you mean 'gt'"):
        open_labels(f"{path}::gtt")


def test_a_damaged_archive_is_unreadable_when_read(tmp_path):
    path = tmp_path / "a.npz"
    array = np.arange(30000, dtype=np.uint16).reshape(3, 100, 100)
    np.savez(path, array)
    data = bytearray(path.read_bytes())
    data[data.index(array.tobytes()) + 50000] ^= 1
    path.write_bytes(data)
    volume = open_labels(path)
    with pytest.raises(UnusableFileError, match=r"\(BadZipFile: Bad CRC-32 for file 'arr_0\.npy'\)"):
        volume.read(Box((0, 0, 0), (1, 1, 1)))
