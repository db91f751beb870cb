"""Outputs appear under their name only when they are whole; HDF5 is written slab by slab."""

import errno
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.files import check_output_folder, creating, replacing
from mitobench.volumes import write_hdf5


def test_a_file_gets_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == tmp_path
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_clear_line(tmp_path):
    def fail():
        with replacing(tmp_path / "a.txt"):
            raise OSError(28, "No space left on device")

    message = f"cannot write {tmp_path}/a.txt: No space left on device; free space or name another folder"
    with pytest.raises(UnusableFileError, match=f"^{re.escape(message)}$"):
        fail()


def test_where_nothing_can_be_written_is_said_beforehand(tmp_path):
    for path, reason in (
        (tmp_path / "no" / "a", f"the folder {tmp_path}/no does not exist; create it first"),
        (tmp_path, "it is a folder; name a file"),
        (Path("/dev/null"), "it is a device or a pipe, which would be replaced; name a file"),
    ):
        with pytest.raises(UnusableFileError, match=f"^{re.escape(f'cannot write {path}: {reason}')}$"):
            check_output_folder(path)


@settings(max_examples=30)
@given(
    shape=st.tuples(*[st.integers(1, 12)] * 3) | st.tuples(*[st.integers(1, 5)] * 4),
    edge=st.tuples(*[st.floats(0.1, 1)] * 4),
    compression=st.sampled_from(["gzip", "lzf", None]),
    slab_bytes=st.sampled_from([1, 10**6]),
)
def test_what_is_written_is_read_back(tmp_path_factory, shape, edge, compression, slab_bytes):
    array = np.random.default_rng(0).integers(0, 3, shape, "i8")
    chunks = tuple(max(1, int(n * share)) for n, share in zip(shape, edge, strict=False))
    path = tmp_path_factory.mktemp("written") / "a.h5"
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mitobench.volumes._write_hdf5._SLAB_BYTES", slab_bytes)
        write_hdf5(
            path,
            lambda z0, z1: array[..., z0:z1, :, :],
            shape=shape,
            dtype="u4",
            dataset="labels",
            chunks=chunks,
            compression=compression,
            progress=lambda done, total: seen.append((done, total)),
        )
    with h5py.File(path) as file:
        assert file["labels"].dtype == np.uint32
        assert file["labels"].chunks == chunks
        assert np.array_equal(file["labels"][:], array)
    assert seen[-1] == (array.size, array.size)


def test_a_failing_source_leaves_no_file(tmp_path):
    def sections(z0, z1):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_hdf5(tmp_path / "a.h5", sections, shape=(4, 4, 4), dtype="u1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunks": (9, 1, 1)}, "chunks is (9, 1, 1), allowed is 1 up to the shape (4, 4, 4); give other chunks"),
        ({"compression": "zip"}, "compression is 'zip', allowed are 'gzip', 'lzf' and None; choose one of them"),
        ({"compression_level": 10}, "compression_level is 10, allowed is 0 to 9; give a number in that range"),
    ],
)
def test_storage_without_sense_is_refused(tmp_path, options, message):
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        write_hdf5(tmp_path / "a.h5", lambda z0, z1: np.zeros((4, 4, 4)), shape=(4, 4, 4), dtype="u1", **options)


def test_a_file_that_is_created_replaces_none(tmp_path):
    path = tmp_path / "a.txt"
    with creating(path) as temporary:
        temporary.write_text("first")
        assert not path.exists()
    message = f"cannot write {path}: it is there already; name another file"
    with pytest.raises(UnusableFileError, match=f"^{re.escape(message)}$") as caught, creating(path) as temporary:
        temporary.write_text("second")
    assert isinstance(caught.value.__cause__, FileExistsError)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_creation_that_fails_leaves_nothing(tmp_path, error):
    def fail():
        with creating(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_knows_no_links_is_one_clear_line(tmp_path, monkeypatch):
    def link(source, target):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", link)
    message = f"cannot write {tmp_path}/a.txt: Operation not permitted; free space or name another folder"
    with pytest.raises(UnusableFileError, match=f"^{re.escape(message)}$"), creating(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert list(tmp_path.iterdir()) == []


def test_of_threads_that_create_the_same_file_one_wins(tmp_path):
    start = threading.Barrier(8)

    def create(name):
        start.wait()
        try:
            with creating(tmp_path / "a.txt") as temporary:
                temporary.write_text(name)
        except UnusableFileError:
            return None
        return name

    with ThreadPoolExecutor(8) as pool:
        winners = [name for name in pool.map(create, "abcdefgh") if name]
    assert len(winners) == 1
    assert (tmp_path / "a.txt").read_text() == winners[0]
