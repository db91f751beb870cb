"""The compiled loops by themselves: ``python -m pytest benchmarks --benchmark-enable --benchmark-only``."""

import zlib

import imagecodecs
import numpy as np
import pytest

from mitobench.overlap._count import OverlapCounter
from mitobench.overlap._table import OverlapTable
from mitobench.phantom import label_slabs
from mitobench.types import Box

SHAPE = (7, 512, 512)


@pytest.fixture(scope="module")
def pair():
    return next(label_slabs(SHAPE, slab=SHAPE[0], instances_per_gigavoxel=20_000))[1:]


@pytest.mark.parametrize("pred_dtype", ["u2", "u8"])
def test_count_blocks(benchmark, pair, pred_dtype):
    """Label pairs of mitochondria, the common case."""
    gt, pred = pair[0], pair[1].astype(pred_dtype)
    benchmark.extra_info["bytes"] = gt.nbytes + pred.nbytes
    counter = OverlapCounter()
    benchmark(counter.add, gt, pred, Box((0, 0, 0), SHAPE))
    assert counter.finish().voxels % gt.size == 0


def test_count_noise(benchmark):
    """The worst case: every voxel another pair, no run longer than one."""
    rng = np.random.default_rng(0)
    gt, pred = rng.integers(1, 30, (2, *SHAPE), dtype="u2")
    counter = OverlapCounter()
    benchmark(counter.add, gt, pred, Box((0, 0, 0), SHAPE))
    assert len(counter.finish()) == 29 * 29


def test_merge_tables(benchmark):
    """Two tables of 1e5 pairs each, as of a whole MitoEM volume with a very bad prediction."""
    rng = np.random.default_rng(0)
    tables = []
    for _ in range(2):
        ids = rng.integers(1, 10**5, (2, 10**5)).astype(np.uint64)
        ones, coords = np.ones(10**5, np.int64), np.zeros((10**5, 3), np.int64)
        tables.append(OverlapTable(10**5, *ids, ones, coords, coords, coords))
    merged = benchmark(OverlapTable.merge, *tables)
    assert merged.count.sum() == 2 * 10**5


@pytest.mark.parametrize("decoder", ["zlib, fresh output", "zlib-ng, kept buffer"])
def test_inflate(benchmark, pair, decoder):
    """The chunk of 7x128x128 uint16 with most foreground, gzip 4: why chunks are inflated into kept buffers."""
    chunks = [pair[0][:, y : y + 128, x : x + 128] for y in range(0, 512, 128) for x in range(0, 512, 128)]
    content = max(chunks, key=np.count_nonzero).tobytes()
    stored = zlib.compress(content, 4)
    if decoder.startswith("zlib,"):
        assert benchmark(zlib.decompress, stored, 15, len(content)) == content
    else:
        out = np.empty(len(content), np.uint8)
        benchmark(imagecodecs.zlibng_decode, stored, out=out)
        assert out.tobytes() == content
