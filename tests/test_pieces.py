"""Pieces of instances against their slow twin, on every chunking; shapes that join late; limits."""

import dataclasses
import re
from itertools import product

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitobench.errors import InvalidInputError, MemoryLimitError
from mitobench.pieces import Pieces, count_pieces
from mitobench.pieces._count import _RUN_BYTES, RunCounter
from mitobench.pieces._stitch import Stitcher
from mitobench.pieces._table import Tally, merge
from mitobench.testing import pieces, random_volumes
from mitobench.types import Box
from mitobench.volumes import open_labels
from mitobench.volumes.blocks import boxes

shapes = st.tuples(*[st.integers(1, 12)] * 3)
connectivities = st.sampled_from([6, 26])


def assert_same(found, expected):
    for field in dataclasses.fields(Pieces):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(expected, field.name), err_msg=field.name)
        assert getattr(found, field.name).dtype == getattr(expected, field.name).dtype, field.name


def stored(path, array, chunks, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("main", data=array, chunks=tuple(map(min, chunks, array.shape)), **options)
    return open_labels(path)


def in_blocks(array, edge, connectivity=26, *, order=None, memory=10**9):
    """Count the pieces of an array block by block, in any order."""
    volume = open_labels(array)
    stitcher = Stitcher(volume, connectivity, memory)
    counter = RunCounter(volume.shape, connectivity, stitcher, memory=memory)
    blocks = list(boxes(Box((0, 0, 0), array.shape), edge))
    for i in range(len(blocks)) if order is None else order.permutation(len(blocks)):
        counter.add(array[blocks[i].slices], blocks[i])
    return stitcher.finish()


def noise(seed, shape, ids):
    return np.random.default_rng(seed).integers(0, ids + 1, shape, dtype="u4")


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    shape=shapes,
    edge=st.tuples(*[st.integers(1, 13)] * 3),
    ids=st.integers(1, 9),
    connectivity=connectivities,
)
def test_any_blocks_in_any_order_give_the_pieces_of_the_whole(seed, shape, edge, ids, connectivity):
    labels = noise(seed, shape, ids)
    found = in_blocks(labels, edge, connectivity, order=np.random.default_rng(seed))
    assert_same(found, pieces(labels, connectivity=connectivity))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), shape=shapes, ids=st.integers(1, 4), connectivity=connectivities)
def test_the_parts_of_a_block_too_large_for_memory_are_joined_too(seed, shape, ids, connectivity):
    """Each voxel may be a run: blocks are cut after every 20 voxels, or line."""
    labels = noise(seed, shape, ids)
    volume = open_labels(labels)
    stitcher = Stitcher(volume, connectivity, 10**9)
    RunCounter(shape, connectivity, stitcher, memory=_RUN_BYTES * 20).add(labels, Box((0, 0, 0), shape))
    assert_same(stitcher.finish(), pieces(labels, connectivity=connectivity))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    shape=shapes,
    chunks=st.tuples(*[st.integers(1, 13)] * 3),
    workers=st.integers(1, 4),
    connectivity=connectivities,
)
def test_any_chunks_of_a_file_give_the_pieces_of_the_array(
    tmp_path_factory, seed, shape, chunks, workers, connectivity
):
    labels = noise(seed, shape, 3)
    volume = stored(tmp_path_factory.mktemp("chunks") / "a.h5", labels, chunks, compression="gzip")
    assert_same(
        count_pieces(volume, workers=workers, connectivity=connectivity), pieces(labels, connectivity=connectivity)
    )


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"])
@pytest.mark.parametrize("layout", ["plain", "fortran", "reversed", "strided"])
def test_any_integer_type_and_layout(dtype, layout):
    labels = random_volumes(np.random.default_rng(3), instances=20, edge=20)[1].astype(dtype)
    expected = pieces(labels)
    if layout == "fortran":
        labels = np.asfortranarray(labels)
    elif layout == "reversed":
        labels = np.ascontiguousarray(labels[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]
    elif layout == "strided":
        labels = labels.repeat(2, axis=2)[:, :, ::2]
    assert_same(count_pieces(open_labels(labels)), expected)


@pytest.mark.parametrize("step", [s for s in product((-1, 0, 1), repeat=3) if s > (0, 0, 0)], ids=str)
@pytest.mark.parametrize("edge", [(2, 2, 2), (4, 4, 4), (1, 4, 4), (4, 1, 2)], ids=str)
def test_two_voxels_that_touch_are_one_piece_whatever_lies_between_them(step, edge):
    """At a face, edge or corner of blocks, and in the middle of one."""
    for first in product((1, 2), repeat=3):
        labels = np.zeros((4, 4, 4), "u2")
        labels[first] = labels[tuple(np.add(first, step))] = 9
        assert in_blocks(labels, edge, 26).pieces.tolist() == [1]
        assert in_blocks(labels, edge, 6).pieces.tolist() == [1 if np.abs(step).sum() == 1 else 2]


@pytest.mark.parametrize("edge", [(8, 8, 8), (3, 4, 5), (1, 8, 8)], ids=str)
@pytest.mark.parametrize("connectivity", [6, 26])
def test_opposite_faces_of_the_volume_do_not_touch(edge, connectivity):
    labels = np.zeros((8, 8, 8), "u1")
    labels[:, :, [0, -1]] = 1
    labels[:, [0, -1], 3] = 2
    labels[[0, -1], 3:5, 5] = 3
    assert in_blocks(labels, edge, connectivity).pieces.tolist() == [2, 2, 2]


def spiral(edge):
    """Return one winding line of voxels, in the plane, that fills the square with gaps of one voxel."""
    plane = np.zeros((edge, edge), "u2")
    y, x, dy, dx = 0, 0, 0, 1
    plane[y, x] = 1

    def free(y, x):
        return 0 <= y < edge and 0 <= x < edge and not plane[y, x]

    for _ in range(4 * edge):
        # Go on while what comes after the next voxel is free too.
        while free(y + dy, x + dx) and (
            not (0 <= y + 2 * dy < edge and 0 <= x + 2 * dx < edge) or not plane[y + 2 * dy, x + 2 * dx]
        ):
            y, x = y + dy, x + dx
            plane[y, x] = 1
        dy, dx = dx, -dy
    return plane


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("edge", [(3, 3, 3), (1, 7, 7), (5, 2, 9), (40, 40, 40)], ids=str)
def test_a_spiral_and_a_comb_are_one_piece_each(axis, edge):
    """Their arms join only in the middle, or in the last line of the last block."""
    comb = np.zeros((33, 33), "u2")
    comb[:, ::2] = comb[-1] = 1
    for plane, size in ((spiral(33), spiral(33).sum()), (comb, comb.sum()), (comb[::-1], comb.sum())):
        labels = np.zeros((33, 33, 33), "u2")
        np.moveaxis(labels, axis, 0)[16] = plane
        assert [*in_blocks(labels, edge, 6, order=np.random.default_rng(0)).largest] == [size]


def test_all_workers_give_the_same_bits(tmp_path):
    labels = noise(1, (40, 60, 70), 6)
    volume = stored(tmp_path / "a.h5", labels, (7, 16, 33), compression="gzip")
    one, two, four = (count_pieces(volume, workers=n) for n in (1, 2, 4))
    assert_same(one, pieces(labels))
    assert_same(two, one)
    assert_same(four, one)


def test_sparse_ids_of_64_bits_stay_exact():
    labels = np.zeros((3, 5, 7), "u8")
    labels[0, 0, 0], labels[2, 4, 6] = 2**64 - 1, 2**64 - 1
    labels[1, 2, 2:5], labels[1, 2, 5] = 2**63, 2**63 + 1
    labels[0, 4] = 5_000_000_000
    found = count_pieces(open_labels(labels))
    assert found.id.tolist() == [5_000_000_000, 2**63, 2**63 + 1, 2**64 - 1]
    assert found.size.tolist() == [7, 3, 1, 2]
    assert found.pieces.tolist() == [1, 1, 1, 2]
    assert found.largest.tolist() == [7, 3, 1, 1]
    assert len(found) == 4


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 6, 7), (300, 200, 100)], ids=str)
@pytest.mark.parametrize("value", [0, 4])
def test_volumes_of_one_value(shape, value):
    volumes = np.full(shape, value, "u2"), np.broadcast_to(np.uint16(value), shape)
    for labels in volumes:
        found = count_pieces(open_labels(labels))
        voxels = labels.size
        assert [column.tolist() for column in dataclasses.astuple(found)] == (
            [[4], [voxels], [1], [voxels]] if value else [[], [], [], []]
        )


def test_chunks_of_one_value_are_joined_with_the_others(tmp_path):
    labels = np.zeros((12, 32, 32), "u2")
    labels[2:9, 3:30, 5:28] = 3
    labels[5, 10, 10] = 0
    labels[11, 31, 31] = 3
    volume = stored(tmp_path / "a.h5", labels, (3, 8, 8), compression="gzip")
    assert_same(count_pieces(volume, workers=2), pieces(labels))


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8"])
def test_negative_ids_are_refused(dtype):
    labels = np.ones((2, 2, 2), dtype)
    labels[1, 1, 1] = -2
    message = (
        "array: holds negative ids (such as -2); ids must be 0 for background and positive for instances; "
        "set the negative voxels to 0"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        count_pieces(open_labels(labels))


def test_another_connectivity_is_refused():
    with pytest.raises(InvalidInputError, match=r"^connectivity is 18, allowed is 6 or 26$"):
        count_pieces(open_labels(np.ones((2, 2, 2), "u1")), connectivity=18)


@pytest.mark.parametrize("options", [{"workers": 0}, {"memory": 0}])
def test_limits_must_be_positive(options):
    with pytest.raises(InvalidInputError, match="workers and memory must be at least 1"):
        count_pieces(open_labels(np.ones((2, 2, 2), "u1")), **options)


def test_ids_that_are_no_instances_hit_the_memory_limit_with_a_message():
    every_voxel = np.arange(1, 64**3 + 1, dtype="u4").reshape(64, 64, 64)
    message = (
        "array: holds too many pieces of instances for the memory limit of 8,000,000 bytes; are these instance ids? "
        "If so raise the limit (memory=, --memory)"
    )
    with pytest.raises(MemoryLimitError, match=f"^{re.escape(message)}$"):
        count_pieces(open_labels(every_voxel), memory=8_000_000, workers=2)


def test_pieces_that_cannot_go_on_take_no_memory():
    """A quarter of a million pieces in all, in a limit that holds those of a few sections."""
    labels = np.zeros((250, 64, 64), "u1")
    labels[::2, ::2, ::2] = 1
    labels[1::2, 1::2, 1::2] = 2
    limit = 2 * (96 + 48) * 4 * 32 * 32
    found = in_blocks(labels, (1, 64, 64), 6, memory=limit)
    assert_same(found, pieces(labels, connectivity=6))
    assert found.pieces.tolist() == [125 * 32 * 32] * 2


def test_progress_counts_every_voxel():
    seen = []
    count_pieces(open_labels(np.ones((32, 256, 256), "u1")), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (32 * 256 * 256,) * 2
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@given(st.lists(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), max_size=5), max_size=4))
def test_a_tally_counts_what_a_dictionary_would(rounds):
    tallies = [Tally() for _ in rounds]
    expected = {}
    for tally, found in zip(tallies, rounds, strict=True):
        for one, size in found:
            tally.add(np.array([one], "u8"), np.array([size]))
            expected.setdefault(one, []).append(size)
        assert tally.rows == len(found)
    total = merge(*(tally.total() for tally in tallies))
    assert dict(zip(total.id.tolist(), zip(total.size, total.pieces, total.largest, strict=True), strict=True)) == {
        one: (sum(sizes), len(sizes), max(sizes)) for one, sizes in sorted(expected.items())
    }
    assert sum(tally.rows for tally in tallies) == sum(len({one for one, _ in found}) for found in rounds)


@pytest.mark.parametrize("connectivity", [6, 26])
def test_another_library_finds_the_same_pieces(connectivity):
    cc3d = pytest.importorskip("cc3d", reason="connected-components-3d comes with the extra 'cable'")
    labels = np.random.default_rng(0).integers(0, 3, (40, 150, 170), dtype="u2").repeat(2, axis=2)
    found = count_pieces(open_labels(labels), connectivity=connectivity, workers=2)
    components = cc3d.connected_components(labels, connectivity=connectivity)
    number, first, size = np.unique(components, return_index=True, return_counts=True)
    ids, size = labels.ravel()[first[number != 0]], size[number != 0]
    assert found.id.tolist() == [1, 2]
    for row, one in enumerate(found.id):
        of_id = size[ids == one]
        assert (found.size[row], found.pieces[row], found.largest[row]) == (of_id.sum(), len(of_id), of_id.max())
