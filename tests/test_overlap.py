"""The streaming pass against its slow twin, on every kind of storage, and the laws of merging tables."""

import dataclasses
import re
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from mitobench.errors import InputWarning, InvalidInputError, MemoryLimitError, UnusableFileError
from mitobench.overlap import OverlapTable, overlap_pass, stream
from mitobench.overlap._count import OverlapCounter
from mitobench.overlap._kernels import COLUMNS, count_runs
from mitobench.testing import overlap_table, random_volumes
from mitobench.types import Box
from mitobench.volumes import open_labels
from mitobench.volumes.hdf5 import open_hdf5

DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"]
STORAGE = {
    "gzip": {"compression": "gzip", "compression_opts": 4},
    "gzip, shuffle": {"compression": "gzip", "shuffle": True},
    "lzf": {"compression": "lzf"},
    "lzf, shuffle, fletcher32": {"compression": "lzf", "shuffle": True, "fletcher32": True},
    "fletcher32": {"fletcher32": True},
    "plain chunks": {},
    "scale-offset": {"scaleoffset": 0},
    "contiguous": None,
}


def assert_same(table, expected):
    for field in dataclasses.fields(OverlapTable):
        np.testing.assert_array_equal(getattr(table, field.name), getattr(expected, field.name), err_msg=field.name)


def pair(seed=0, edge=24, dtype="u2"):
    gt, pred = random_volumes(np.random.default_rng(seed), instances=20, edge=edge)
    return gt.astype(dtype), pred.astype(dtype)


def write(path, array, *, chunks=(5, 7, 9), **storage):
    with h5py.File(path, "w") as file:
        if storage.pop("contiguous", False):
            file.create_dataset("main", data=array)
        else:
            file.create_dataset("main", data=array, chunks=tuple(map(min, chunks, array.shape)), **storage)
    return str(path)


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "u8"])
def test_every_storage_gives_the_table_of_the_arrays(tmp_path, storage, dtype):
    gt, pred = pair(dtype=dtype)
    options = STORAGE[storage] if STORAGE[storage] is not None else {"contiguous": True}
    files = [write(tmp_path / f"{i}.h5", a, **options) for i, a in enumerate((gt, pred))]
    volumes = [open_hdf5(file, None) for file in files]
    assert all((volume.raw is None) == (storage == "scale-offset") for volume in volumes)
    assert_same(overlap_pass(*volumes, workers=2), overlap_table(gt, pred))


@pytest.mark.parametrize("gt_dtype", DTYPES)
@pytest.mark.parametrize("pred_dtype", DTYPES)
def test_any_two_integer_types_meet(gt_dtype, pred_dtype):
    gt, pred = pair(edge=12)
    gt, pred = gt.astype(gt_dtype), pred.astype(pred_dtype)
    assert_same(overlap_pass(open_labels(gt), open_labels(pred)), overlap_table(gt, pred))


@pytest.mark.filterwarnings("ignore:chunks of .* are read")
@settings(max_examples=30)
@given(
    shape=st.tuples(*[st.integers(1, 20)] * 3),
    gt_chunks=st.none() | st.tuples(*[st.integers(1, 20)] * 3),
    pred_chunks=st.none() | st.tuples(*[st.integers(1, 20)] * 3),
    memory=st.sampled_from([20_000, 10**8]),
    workers=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_any_two_chunkings_give_the_same_table(tmp_path_factory, shape, gt_chunks, pred_chunks, memory, workers, seed):
    rng = np.random.default_rng(seed)
    gt, pred = (rng.integers(0, 3, shape, dtype="u1").cumsum(axis=2) % 5 // 2 for _ in range(2))
    folder = tmp_path_factory.mktemp("chunkings")
    files = [
        write(folder / f"{i}.h5", a.astype("u1"), chunks=chunks, compression="gzip")
        if chunks
        else write(folder / f"{i}.h5", a.astype("u1"), contiguous=True)
        for i, (a, chunks) in enumerate([(gt, gt_chunks), (pred, pred_chunks)])
    ]
    volumes = [open_hdf5(file, None) for file in files]
    expected = overlap_table(gt, pred)
    assert_same(stream_table(*volumes, memory=memory, workers=workers), expected)


def stream_table(gt, pred, *, memory, workers):
    """Count with a limit on the blocks alone: small limits would otherwise forbid the smallest hash table."""
    counters = stream(gt, pred, OverlapCounter, memory=memory, workers=workers)
    return OverlapTable.merge(*(counter.finish() for counter in counters))


@settings(max_examples=60)
@given(
    arrays=st.integers(0, 2**32),
    shape=st.tuples(*[st.integers(1, 9)] * 2, st.integers(1, 40)),
    ids=st.sampled_from([1, 2, 50]),
    view=st.sampled_from(["plain", "strided", "fortran", "reversed", "broadcast", "readonly", "unaligned"]),
)
def test_the_counter_takes_any_memory_layout(arrays, shape, ids, view):
    rng = np.random.default_rng(arrays)
    gt, pred = (rng.integers(0, ids + 1, shape).repeat(3, axis=2)[..., : shape[2]] for _ in "gp")
    gt, pred = laid_out(gt.astype("u4"), view), pred.astype("u2")
    counter = OverlapCounter()
    counter.add(gt, pred, Box((0, 0, 0), shape))
    assert_same(counter.finish(), overlap_table(gt, pred))


def laid_out(array, view):
    z, y, x = array.shape
    match view:
        case "strided":
            whole = np.zeros((z + 2, y + 3, x + 5), array.dtype)
            whole[1:-1, 2:-1, 3:-2] = array
            return whole[1:-1, 2:-1, 3:-2]
        case "fortran":
            return np.asfortranarray(array)
        case "reversed":
            return np.ascontiguousarray(array[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]
        case "broadcast":
            return np.broadcast_to(array[0, 0, 0], array.shape)
        case "readonly":
            array.flags.writeable = False
            return array
        case "unaligned":
            return np.frombuffer(b"x" + array.tobytes(), array.dtype, offset=1).reshape(array.shape)
    return array


def test_the_kernel_resumes_after_the_table_has_grown():
    """Every voxel is a pair of its own: the table grows many times, also in the middle of a box."""
    gt = np.arange(1, 40 * 40 * 40 + 1, dtype="u4").reshape(40, 40, 40)
    pred = gt[::-1].copy()
    assert_same(overlap_pass(open_labels(gt), open_labels(pred)), overlap_table_of_distinct(gt, pred))


def overlap_table_of_distinct(gt, pred):
    order = np.argsort(gt.ravel())
    where = np.argwhere(gt)[order]
    ones = np.ones(gt.size, np.int64)
    ids = gt.ravel()[order].astype(np.uint64), pred.ravel()[order].astype(np.uint64)
    return OverlapTable(gt.size, *ids, ones, where, where + 1, where)


def test_the_kernels_compile_where_nothing_can_be_cached():
    code = """if True:
        import numba.core.caching as caching
        caching.CacheImpl._locator_classes = caching.CodeLibraryCacheImpl._locator_classes = []
        import numpy as np
        from mitobench import evaluate_pair
        one = np.ones((2, 2, 2), "u1")
        print(evaluate_pair(one, one).volumes[0].gt.instances)
    """
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_full_table_stops_the_kernel_before_the_line_that_might_not_fit():
    line = np.arange(1, 9, dtype="u2")
    line.flags.writeable = False
    keys, rows = np.zeros((16, 2), "u8"), np.zeros((16, COLUMNS), "i8")
    scratch = np.zeros(3, "u8")
    arguments = ((0, 0), line, (0, 0), (0, 0, 0), (1, 1, 8), 0, keys, rows)
    assert count_runs(line, *arguments, 0, scratch.view("u1"), scratch) == (1, 8)
    assert count_runs(line, *arguments, 8, scratch.view("u1"), scratch) == (0, 8)


def test_huge_ids_cost_nothing_and_stay_exact():
    gt = np.zeros((4, 6, 8), "u8")
    gt[0], gt[1, :3], gt[2] = 5_000_000_000, 2**63, 2**64 - 1
    pred = np.roll(gt, 1, axis=1)
    table = overlap_pass(open_labels(gt), open_labels(pred))
    assert_same(table, overlap_table(gt, pred))
    assert table.gt.id.tolist() == [5_000_000_000, 2**63, 2**64 - 1]


def test_blocks_of_one_value_are_counted_by_their_box(tmp_path):
    gt, pred = np.full((20, 30, 40), 7, "u2"), np.full((20, 30, 40), 9, "u2")
    pred[:5] = 0
    volumes = [
        open_hdf5(write(tmp_path / f"{i}.h5", a, chunks=(5, 10, 20), compression="gzip"), None)
        for i, a in enumerate((gt, pred))
    ]
    assert_same(overlap_pass(*volumes), overlap_table(gt, pred))


def test_chunks_never_written_hold_the_fill_value(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("main", (8, 8, 8), "u2", chunks=(4, 4, 4), fillvalue=3, compression="gzip")
        data[:4, :4, :4] = 5
        expected = data[:]
    volume = open_hdf5(str(tmp_path / "a.h5"), None)
    assert_same(overlap_pass(volume, volume), overlap_table(expected, expected))


def test_skipped_filters_and_user_blocks_are_respected(tmp_path):
    data = np.arange(256, dtype="u2").reshape(4, 8, 8)
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        stored = file.create_dataset("main", data.shape, "u2", chunks=(4, 8, 8), compression="gzip", shuffle=True)
        stored.id.write_direct_chunk((0, 0, 0), data.tobytes(), filter_mask=0b11)
        file.create_dataset("flat", data=data)
    chunked, flat = (open_hdf5(str(tmp_path / "a.h5"), name) for name in ("main", "flat"))
    assert chunked.raw is not None
    assert flat.raw is not None
    assert_same(overlap_pass(chunked, flat), overlap_table(data, data))


def test_mapped_files_are_counted_from_their_rows(tmp_path):
    """Wider than what is read at a time, so that sections are cut into rows, the last cut a shorter one."""
    gt, pred = (v.repeat(16, axis=1).repeat(90, axis=2).astype("u4") for v in pair(edge=12))
    np.save(tmp_path / "gt.npy", gt)
    tifffile.imwrite(tmp_path / "pred.tif", pred, photometric="minisblack")
    volumes = [open_labels(tmp_path / name) for name in ("gt.npy", "pred.tif")]
    assert [volume.raw is not None for volume in volumes] == [True, True]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mitobench.volumes._rows._BYTES", 50 * gt.strides[1])
        volumes = [open_labels(tmp_path / name) for name in ("gt.npy", "pred.tif")]
        assert volumes[0].chunks == (1, 50, gt.shape[2])
        assert_same(overlap_pass(*volumes), overlap_table(gt, pred))


def test_a_file_open_for_writing_is_read_through_h5py(tmp_path):
    """What the writer has not flushed is not on disk yet."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("main", data=np.ones((4, 4, 4), "u1"), chunks=(2, 2, 2))
        data[:] = 2
        assert overlap_pass(open_labels(data), open_labels(data)).gt.id.tolist() == [2]


tables = st.builds(
    lambda seed, edge: overlap_table(*random_volumes(np.random.default_rng(seed), instances=4, edge=edge)),
    st.integers(0, 2**32),
    st.integers(3, 8),
)


@settings(max_examples=40)
@given(a=tables, b=tables, c=tables)
def test_merging_is_associative_and_commutative_with_an_empty_element(a, b, c):
    merge = OverlapTable.merge
    assert_same(merge(a, OverlapTable.empty()), a)
    assert_same(merge(a, b), merge(b, a))
    assert_same(merge(merge(a, b), c), merge(a, merge(b, c)))
    assert_same(merge(a, b, c), merge(merge(a, b), c))


def test_sizes_boxes_and_centroids_come_from_the_table():
    gt = np.zeros((4, 6, 8), "u2")
    gt[1:3, 2:5, 3:7] = 4
    pred = np.zeros_like(gt)
    pred[1:3, 2:5, 3:5] = 6
    table = overlap_pass(open_labels(gt), open_labels(pred))
    assert table.gt.id.tolist() == [4]
    assert table.gt.size.tolist() == [24]
    assert table.gt.box_min.tolist() == [[1, 2, 3]]
    assert table.gt.box_max.tolist() == [[3, 5, 7]]
    assert table.gt.centroid.tolist() == [[1.5, 3.0, 4.5]]
    assert table.pred.box_max.tolist() == [[3, 5, 5]]


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8"])
@pytest.mark.parametrize("side", ["gt", "pred"])
def test_negative_ids_are_refused(dtype, side):
    good, bad = np.zeros((2, 2, 2), dtype), np.zeros((2, 2, 2), dtype)
    bad[1, 1, 1] = -2
    volumes = (bad, good) if side == "gt" else (good, bad)
    message = (
        "array: holds negative ids (such as -2); ids must be 0 for background and positive for instances; "
        "set the negative voxels to 0"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        overlap_pass(*(open_labels(v) for v in volumes))


def test_different_shapes_are_refused_with_a_hint_at_the_axis_order():
    volumes = [open_labels(np.zeros(shape, "u1")) for shape in [(2, 3, 4), (4, 3, 2), (2, 3, 5)]]
    message = (
        "array has the shape (2, 3, 4) and array has (4, 3, 2); both must have the same (z, y, x) shape: "
        "one shape is a permutation of the other: transpose one volume to the axis order (z, y, x)"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        overlap_pass(volumes[0], volumes[1])
    with pytest.raises(InvalidInputError, match=r"cut or resample them to the same region first$"):
        overlap_pass(volumes[0], volumes[2])


@pytest.mark.parametrize("filters", [{"compression": "gzip"}, {"compression": "lzf", "fletcher32": True}])
def test_a_flipped_byte_is_found_and_its_chunk_named(tmp_path, filters):
    gt, _ = pair()
    path = write(tmp_path / "a.h5", np.random.default_rng(0).permuted(gt), chunks=(24, 12, 24), **filters)
    volume = open_hdf5(path, None)
    offset, size, _ = volume.raw.locations[0, 1, 0]
    with Path(path).open("r+b") as file:
        file.seek(offset + size // 2)
        byte = file.read(1)
        file.seek(offset + size // 2)
        file.write(bytes([byte[0] ^ 0xFF]))
    with pytest.raises(UnusableFileError, match=r"a\.h5: the chunk at voxel \(0, 12, 0\) is damaged \("):
        overlap_pass(volume, volume)


def test_a_file_cut_while_it_is_read_is_an_error(tmp_path):
    path = write(tmp_path / "a.h5", pair()[0], contiguous=True)
    volume = open_hdf5(path, None)
    assert volume.raw is not None
    with Path(path).open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(UnusableFileError, match="the file ends before it does"):
        overlap_pass(volume, volume)


def test_a_limit_that_makes_chunks_be_read_again_is_a_warning(tmp_path):
    gt, pred = pair()
    volumes = [
        open_hdf5(write(tmp_path / f"{i}.h5", a, chunks=c, compression="gzip"), None)
        for i, (a, c) in enumerate([(gt, (5, 6, 6)), (pred, (1, 24, 24))])
    ]
    text = (
        f"chunks of {tmp_path}/1.h5 are read 4.0 times, for the memory limit of 3,500 bytes; with 7,272 (memory=, "
        "--memory) once is enough"
    )
    with pytest.warns(InputWarning, match=f"^{re.escape(text)}$"):
        table = stream_table(*volumes, memory=3500, workers=2)
    assert_same(table, overlap_table(gt, pred))


def test_ids_that_are_no_instances_hit_the_memory_limit_with_a_message():
    noise = np.arange(1, 64**3 + 1, dtype="u4").reshape(64, 64, 64)
    with pytest.raises(MemoryLimitError, match=r"more than [\d,]+ pairs of overlapping instances, too many"):
        overlap_pass(open_labels(noise), open_labels(noise), memory=8_000_000, workers=1)


def test_the_first_error_stops_all_workers():
    class Failing:
        def add(self, first, second, box):
            raise ZeroDivisionError

    volume = open_labels(np.ones((64, 256, 256), "u1"))
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        stream(volume, volume, Failing, workers=2)
    assert threading.active_count() == before


def test_progress_counts_every_voxel():
    volume = open_labels(np.ones((32, 256, 256), "u1"))
    seen = []
    overlap_pass(volume, volume, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (volume.shape[0] * 256 * 256,) * 2
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("options", [{"workers": 0}, {"memory": 0}])
def test_limits_must_be_positive(options):
    volume = open_labels(np.ones((2, 2, 2), "u1"))
    with pytest.raises(InvalidInputError, match="workers and memory must be at least 1"):
        overlap_pass(volume, volume, **options)
