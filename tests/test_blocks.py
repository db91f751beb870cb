"""The block grid: every voxel once, no chunk twice, within memory."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitobench.errors import MemoryLimitError
from mitobench.types import Box
from mitobench.volumes.blocks import GRIDLESS, Plan, Side, boxes, plan_pass

shapes = st.tuples(*[st.integers(1, 40)] * 3)
edges = st.tuples(*[st.integers(1, 45)] * 3)


@given(shape=shapes, edge=edges)
def test_boxes_hold_every_voxel_once(shape, edge):
    seen = np.zeros(shape, int)
    for box in boxes(Box((0, 0, 0), shape), edge):
        seen[box.slices] += 1
    assert (seen == 1).all()


@given(shape=shapes, edge=edges, start=shapes)
def test_boxes_keep_to_the_grid_of_the_origin(shape, edge, start):
    stop = tuple(a + b for a, b in zip(start, shape, strict=True))
    for box in boxes(Box(start, stop), edge):
        for lo, hi, low_end, high_end, e in zip(*box, start, stop, edge, strict=True):
            assert lo == low_end or lo % e == 0
            assert hi == high_end or hi % e == 0
            assert lo // e == (hi - 1) // e


@given(shape=shapes, first=edges, second=edges, sizes=st.tuples(*[st.sampled_from([1, 2, 8])] * 2))
def test_blocks_and_tiles_hold_every_voxel_once_and_end_where_chunks_end(shape, first, second, sizes):
    plan = plan_pass(shape, Side(first, sizes[0]), Side(second, sizes[1]), memory=10**9, workers=2)
    seen = np.zeros(shape, int)
    for block in plan.blocks():
        for tile in plan.tiles(block):
            seen[tile.slices] += 1
        for chunks in (first, second):
            for lo, hi, n, edge in zip(*block, shape, chunks, strict=True):
                assert lo % edge == 0
                assert hi % edge == 0 or hi == n
    assert (seen == 1).all()
    assert plan.rereads == 1


@given(shape=shapes, first=edges, second=edges, memory=st.integers(1, 100_000))
def test_a_plan_keeps_within_memory_or_says_what_is_needed(shape, first, second, memory):
    try:
        plan = plan_pass(shape, Side(first, 2), Side(second, 4), memory=memory, workers=3)
    except MemoryLimitError:
        smallest = 2 * math.prod(map(min, first, shape))
        assert memory < smallest * 2 + 4 * 2 * math.prod(map(min, second, shape)) + smallest * 4
        return
    assert plan.block_bytes * plan.workers <= memory
    seen = np.zeros(shape, int)
    for block in plan.blocks():
        for tile in plan.tiles(block):
            seen[tile.slices] += 1
    assert (seen == 1).all()


def test_equal_chunks_are_their_own_blocks():
    plan = plan_pass((500, 4096, 4096), Side((8, 128, 128), 2), Side((8, 128, 128), 2), memory=10**9, workers=2)
    assert plan.block == plan.tile == (8, 128, 128)
    assert plan.block_bytes == 2 * 2 * 8 * 128 * 128
    assert plan.workers == 2


@pytest.mark.parametrize(("itemsize", "tile"), [(1, (7, 64, 128)), (8, (1, 4096, 4096))])
def test_sections_against_small_chunks_are_read_once(itemsize, tile):
    """7x64x128 against 1x4096x4096, the pair of the documentation: one layer of seven sections at a time."""
    plan = plan_pass((500, 4096, 4096), Side((7, 64, 128), 2), Side((1, 4096, 4096), itemsize), memory=10**9, workers=2)
    assert plan.block == (7, 4096, 4096)
    assert plan.rereads == 1
    assert plan.tile == tile, "the side with fewer bytes is the one to hold whole"
    assert plan.workers == 2
    assert plan.block_bytes * plan.workers <= 10**9


def test_a_tight_limit_costs_rereads_and_says_so():
    sides = Side((7, 64, 128), 2), Side((1, 4096, 4096), 2)
    plan = plan_pass((500, 4096, 4096), *sides, memory=60_000_000, workers=2)
    assert plan.rereads > 1
    assert plan.block_bytes <= 60_000_000
    roomy = plan_pass((500, 4096, 4096), *sides, memory=plan.one_read_bytes, workers=2)
    assert roomy.rereads == 1


def test_arrays_without_chunks_take_the_grid_of_the_other_side_and_cost_nothing():
    plan = plan_pass((50, 100, 100), Side(GRIDLESS, 8), Side((5, 10, 10), 2), memory=10_000, workers=1)
    assert plan.block == (5, 10, 10)
    assert plan.block_bytes == 2 * 500
    both = plan_pass((50, 100, 100), Side(GRIDLESS, 8), Side(GRIDLESS, 8), memory=1, workers=4)
    assert both.block_bytes == 0
    assert both.workers == 4


def test_too_little_memory_is_refused():
    message = (
        "one chunk of each volume needs 4,000,000 bytes, more than the memory limit of 1,000,000; "
        "raise the limit (memory=, --memory) or store the volumes in smaller chunks"
    )
    with pytest.raises(MemoryLimitError, match=f"^{re.escape(message)}$"):
        plan_pass((10, 1000, 1000), Side((1, 1000, 1000), 2), Side((1, 1000, 1000), 2), memory=10**6, workers=1)


@given(shape=shapes, block=edges, chunks=edges)
def test_rereads_count_the_chunks_that_blocks_touch(shape, block, chunks):
    def chunks_of(box):
        return {tuple(lo // e for lo, e in zip(part.start, chunks, strict=True)) for part in boxes(box, chunks)}

    touched = sum(len(chunks_of(b)) for b in Plan(shape, block, block, 0, 1, 0, 0, 0).blocks())
    there = len(chunks_of(Box((0, 0, 0), shape)))
    from mitobench.volumes.blocks import _rereads

    assert _rereads(shape, block, chunks) == pytest.approx(touched / there)
