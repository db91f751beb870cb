"""Conversion to chunked HDF5 and OME-Zarr: the same voxels in every format, within memory, and what stands beside."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import warnings

import h5py
import numpy as np
import pytest
import zarr
from conversions import DTYPES, TARGETS, image, make_sections, message, stored, voxels
from hypothesis import given
from hypothesis import strategies as st

from mitobench.dataset.conversion import checksum, convert
from mitobench.dataset.conversion._plan import plan_conversion
from mitobench.errors import InputWarning, MemoryLimitError
from mitobench.types import Box
from mitobench.volumes import open_image, open_labels


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "compression"), TARGETS)
def test_every_format_and_type_keeps_every_voxel(tmp_path, name, compression, dtype):
    array = voxels((5, 40, 33), dtype)
    path = tmp_path / name
    made = convert(image(array), path, chunks=(2, 16, 16), compression=compression)
    assert np.array_equal(stored(path), array)
    assert stored(path).dtype == array.dtype
    assert (made.path, made.shape, made.dtype, made.chunks) == (path, (5, 40, 33), array.dtype, (2, 16, 16))
    assert made.checksum == checksum(image(array)) == checksum(open_image(path)[0])
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@given(data=st.data())
def test_any_shapes_and_limits(tmp_path_factory, data):
    edges = st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(1, 40))
    shape, chunks, source = (data.draw(edges) for _ in range(3))
    array = voxels(shape, data.draw(st.sampled_from(DTYPES)))
    folder = tmp_path_factory.mktemp("any")
    with h5py.File(folder / "source.h5", "w") as file:
        file.create_dataset("main", data=array, chunks=tuple(map(min, source, shape)))
    name, compression = data.draw(st.sampled_from(TARGETS))
    memory, workers = data.draw(st.sampled_from([10**5, 3 * 10**5, 10**9])), data.draw(st.integers(1, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        volume = image(str(folder / "source.h5"))
        try:
            convert(volume, folder / name, chunks=chunks, compression=compression, memory=memory, workers=workers)
        except MemoryLimitError:
            assert memory < 10**9
        else:
            assert np.array_equal(stored(folder / name), array)
    volume.close()
    shutil.rmtree(folder)


def test_the_checksum_is_what_its_documentation_says():
    array = voxels((3, 4, 5), ">u2")
    sections = b"".join(hashlib.sha256(section.astype("<u2").tobytes()).digest() for section in array)
    expected = "sha256:" + hashlib.sha256(b"uint16 3 4 5\n" + sections).hexdigest()
    assert checksum(image(array)) == expected
    assert checksum(image(array), memory=3000, workers=1) == expected


def test_equal_calls_make_equal_files(tmp_path):
    array = voxels((9, 60, 50))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        convert(image(array), tmp_path / name / "im.h5", compression="gzip", workers=3)
        convert(image(array), tmp_path / name / "im.zarr", workers=2)
    files = [sorted(p for p in (tmp_path / name).rglob("*") if p.is_file()) for name in ("a", "b")]
    assert len(files[0]) > 3
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]


# What stands beside the voxels.


def test_hdf5_says_what_it_holds(tmp_path):
    array = voxels((5, 40, 30), "u2")
    made = convert(
        image(array), tmp_path / "a.h5", labels=True, dataset="volumes/ids", metadata={"tissue": "rat"}, level=4
    )
    with h5py.File(tmp_path / "a.h5") as file:
        data = file["volumes/ids"]
        assert data.attrs["voxel_size_nm"].tolist() == [30, 8, 8]
        assert (data.attrs["checksum"], data.attrs["source"], data.attrs["kind"]) == (made.checksum, "array", "labels")
        assert json.loads(data.attrs["metadata"]) == {"tissue": "rat"}
        assert (data.compression, data.compression_opts) == ("gzip", 4)
        assert data.id.get_num_chunks() > 0
    assert open_labels(tmp_path / "a.h5").shape == array.shape


def test_background_is_not_stored(tmp_path):
    labels = np.zeros((4, 64, 64), "u2")
    labels[0, 0, 0] = 3
    made = convert(open_labels(labels), tmp_path / "l.h5", labels=True, chunks=(2, 32, 32))
    assert 0 < made.bytes_written < 200
    with h5py.File(tmp_path / "l.h5") as file:
        assert file["main"].id.get_num_chunks() == 1
    convert(open_labels(labels), tmp_path / "l.zarr", labels=True, chunks=(2, 32, 32))
    files = [p.relative_to(tmp_path / "l.zarr").as_posix() for p in (tmp_path / "l.zarr").rglob("*") if p.is_file()]
    assert sorted(files) == ["0/c/0/0/0", "0/zarr.json", "zarr.json"]


def test_noise_that_gzip_cannot_shrink_is_stored_as_it_is(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64)).astype("u1")
    made = convert(image(noise), tmp_path / "n.h5", compression="gzip", chunks=(2, 32, 32))
    assert made.bytes_written == noise.size
    assert np.array_equal(stored(tmp_path / "n.h5"), noise)


@pytest.mark.parametrize("labels", [False, True])
def test_ome_zarr_has_what_the_specification_asks_for(tmp_path, labels):
    array = voxels((10, 70, 51), "u2")
    convert(image(array), tmp_path / "v.zarr", labels=labels, levels=4, chunks=(4, 16, 16))
    group = json.loads((tmp_path / "v.zarr" / "zarr.json").read_text())
    assert (group["zarr_format"], group["node_type"]) == (3, "group")
    ome = group["attributes"]["ome"]
    assert ome["version"] == "0.5"
    assert ("image-label" in ome) == labels
    (scales,) = ome["multiscales"]
    assert {"name", "type", "metadata"} <= set(scales)
    assert scales["axes"] == [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    assert [level["path"] for level in scales["datasets"]] == ["0", "1", "2", "3"]
    transforms = [level["coordinateTransformations"] for level in scales["datasets"]]
    assert [each[0] for each in transforms] == [
        {"type": "scale", "scale": scale} for scale in ([30, 8, 8], [30, 16, 16], [30, 32, 32], [60, 64, 64])
    ]
    shifts = [each[1]["translation"] for each in transforms if len(each) > 1]
    assert shifts == ([] if labels else [[0, 4, 4], [0, 12, 12], [15, 28, 28]])
    read = zarr.open(tmp_path / "v.zarr", mode="r")
    assert [read[str(n)].shape for n in range(4)] == [(10, 70, 51), (10, 35, 26), (10, 18, 13), (5, 9, 7)]
    assert all(read[str(n)].metadata.dimension_names == ("z", "y", "x") for n in range(4))
    assert np.array_equal(read["1"][:], halved(array, labels=labels))


def halved(array, *, labels):
    """Return every second voxel, or the mean of 1x2x2, slowly."""
    if labels:
        return array[:, ::2, ::2]
    out = np.zeros((array.shape[0], -(-array.shape[1] // 2), -(-array.shape[2] // 2)), array.dtype)
    for z, y, x in np.ndindex(out.shape):
        block = np.pad(array[z, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2], [(0, 2), (0, 2)], mode="edge")[:2, :2]
        out[z, y, x] = np.floor(block.mean() + 0.5)
    return out


def test_our_own_readers_open_it(tmp_path):
    labels = voxels((5, 40, 30), "u2")
    convert(open_labels(labels), tmp_path / "l.zarr", labels=True)
    convert(open_labels(labels), tmp_path / "p.zarr", labels=True, levels=2)
    for source in ("l.zarr", "p.zarr::0"):
        volume = open_labels(str(tmp_path / source))
        assert np.array_equal(volume.read(Box((0, 0, 0), (5, 40, 30))), labels)


# Types are never wrapped.


def test_the_type_of_labels(tmp_path):
    labels = np.zeros((3, 8, 8), "i8")
    labels[2, 3, 4] = 300
    made = convert(open_labels(labels), tmp_path / "small.h5", labels=True, dtype="smallest")
    assert made.dtype == np.uint16
    assert np.array_equal(stored(tmp_path / "small.h5"), labels)
    assert convert(open_labels(labels), tmp_path / "u4.zarr", labels=True, dtype="uint32").dtype == np.uint32
    assert message(convert, open_labels(labels), tmp_path / "u1.h5", labels=True, dtype="uint8") == (
        "array: sections 2 to 2 have voxels from 0 to 300, but uint8 holds 0 to 255; choose a larger type "
        "(dtype=, --dtype)"
    )
    labels[0, 0, 0] = -1
    assert message(convert, open_labels(labels), tmp_path / "neg.h5", labels=True, dtype="smallest") == (
        "array: an id is -1; expected 0 for background and positive ids"
    )
    assert not (tmp_path / "neg.h5.partial").exists()


# Limits.


@given(data=st.data())
def test_a_plan_covers_every_voxel_once_within_memory(data):
    edges = st.tuples(*[st.integers(1, 60)] * 3)
    shape, source, target = (data.draw(edges) for _ in range(3))
    target = tuple(map(min, target, shape))
    memory, workers = data.draw(st.integers(1, 10**6)), data.draw(st.integers(1, 9))
    try:
        plan = plan_conversion(shape, source, target, source_itemsize=1, itemsize=2, memory=memory, workers=workers)
    except MemoryLimitError:
        return
    seen = np.zeros(shape, np.uint8)
    for unit in plan.units():
        for band in plan.bands(unit):
            assert all(lo % edge == 0 for lo, edge in zip(band.start, target, strict=True))
            for piece in plan.pieces(band):
                seen[piece.slices] += 1
    assert seen.min() == seen.max() == 1
    assert plan.in_flight * plan.depth * plan.height * shape[2] * 2 <= memory
    assert 1 <= plan.workers <= workers
    assert plan.rereads == 1 or plan.one_read_bytes > memory


def test_sections_of_mitoem_are_decoded_once_within_a_gigabyte():
    for itemsize, chunks in ((1, (16, 256, 256)), (2, (8, 256, 256)), (4, (4, 256, 256))):
        for workers in (2, 8, 64):
            plan = plan_conversion(
                (1000, 4096, 4096),
                (1, 4096, 4096),
                chunks,
                source_itemsize=itemsize,
                itemsize=itemsize,
                memory=10**9,
                workers=workers,
            )
            assert (plan.rereads, plan.height) == (1, 4096)
            assert plan.in_flight == 2
            assert plan.workers >= min(workers, 3)


def test_a_small_limit_is_said(tmp_path):
    source = make_sections(tmp_path / "im", voxels((8, 512, 512)))
    with pytest.warns(InputWarning) as told:
        convert(image(str(source)), tmp_path / "im.zarr", chunks=(8, 64, 64), memory=1_900_000, workers=1)
    (warning,) = told
    assert str(warning.message) == (
        f"chunks of {source} are decoded 2.0 times, for the memory limit of 1,900,000 bytes; with 2,621,440 (memory=, "
        "--memory) once is enough"
    )
    assert np.array_equal(stored(tmp_path / "im.zarr"), voxels((8, 512, 512)))
    assert message(convert, image(str(source)), tmp_path / "b.zarr", memory=10**6, kind=MemoryLimitError) == (
        "one row of chunks along x and what is read for it need 2,621,440 bytes, more than the memory limit of "
        "1,000,000; raise the limit (memory=, --memory) or choose smaller chunks (chunks=, --chunks)"
    )


@pytest.mark.parametrize("name", ["im.h5", "im.zarr"])
def test_memory_stays_within_the_limit(tmp_path, name):
    limit, slack = 30_000_000, 25_000_000
    source = make_sections(tmp_path / "im", voxels((96, 1024, 1024)))
    tiny = make_sections(tmp_path / "tiny", voxels((2, 8, 8)))
    options = ("--memory", str(limit), "--workers", "2")
    base = peak(tmp_path, str(tiny), f"tiny-{name}", *options)
    used = peak(tmp_path, str(source), name, "--chunks", "8,128,128", *options)
    assert used - base < limit + slack < 96 * 1024 * 1024


def peak(folder, *arguments):
    """Return the peak memory of a conversion in a process of its own."""
    command = [sys.executable, "-m", "mitobench", "dataset", "convert", *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_progress_counts_every_voxel(tmp_path):
    seen = []
    convert(image(voxels((9, 16, 16))), tmp_path / "a.h5", chunks=(2, 8, 8), progress=lambda *n: seen.append(n))
    assert seen[-1] == (2 * 9 * 256, 2 * 9 * 256)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
