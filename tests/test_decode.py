"""Decoding: the public results, scikit-image on random volumes, and what neither blocks nor threads may change."""

import os
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import baselines.decode._source as source
from baselines.decode import METHODS, Components, MarkerWatershed, decode, decode_array
from mitobench.errors import (
    InputWarning,
    InvalidInputError,
    MemoryLimitError,
    UnknownNameError,
    UnusableFileError,
)
from mitobench.scores import read_scores

PARITY = Path(os.environ.get("MITOBENCH_PARITY", Path(__file__).parent.parent.parent / "shared" / "parity"))

pytest.importorskip("skimage")

pytestmark = pytest.mark.filterwarnings("ignore:.*no instance was found.*")


@pytest.fixture
def cut(monkeypatch):
    """Return what sets the sections of layers and the voxels of strips."""

    def set_sizes(sections, voxels):
        monkeypatch.setattr(source, "_LAYER_SECTIONS", sections)
        monkeypatch.setattr(source, "_STRIP_VOXELS", voxels)

    return set_sizes


def same(a, b):
    """Tell whether two label volumes are equal up to ids."""
    pairs = np.unique(a.ravel().astype(np.uint64) << np.uint64(32) | b.ravel().astype(np.uint64))
    sides = pairs >> np.uint64(32), pairs & np.uint64(2**32 - 1)
    return all(len(np.unique(side)) == len(pairs) for side in sides) and np.array_equal(a == 0, b == 0)


def without_small(labels, least):
    return np.where(np.bincount(labels.ravel())[labels] < least, 0, labels)


def reference(probability, method, *, whole):
    """Decode with scikit-image: the whole volume, or each component of the foreground alone."""
    from skimage.measure import label
    from skimage.segmentation import watershed

    mask, contour = probability
    rank = {6: 1, 18: 2, 26: 3}[method.seed_connectivity]
    seeds = label((mask > int(255 * method.seed_mask)) & (contour < int(255 * method.seed_contour)), connectivity=rank)
    seeds = without_small(seeds, method.min_seed)
    inside = mask > int(255 * method.foreground)
    if whole:
        return without_small(watershed(-mask.astype(int), seeds, mask=inside), method.min_size)
    components = label(inside, connectivity=1)
    found = np.zeros_like(seeds)
    for component in range(1, components.max() + 1):
        alone = components == component
        if seeds[alone].any():
            found[alone] = watershed(-mask.astype(int), seeds, mask=alone)[alone]
    return without_small(found, method.min_size)


def terraces(rng, shape, levels):
    """Return smooth random bytes of few values, so that most neighbours are equal."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(rng.random((2, *shape)), (0, 1, 1, 1))
    low, high = smooth.min(axis=(1, 2, 3), keepdims=True), smooth.max(axis=(1, 2, 3), keepdims=True)
    return (np.floor((smooth - low) / (high - low + 1e-9) * levels) * (255 // (levels - 1))).astype(np.uint8)


@pytest.mark.parametrize("case", range(8))
@pytest.mark.parametrize("small", [False, True], ids=["one block", "many blocks"])
def test_the_public_results(case, small, cut):
    path = PARITY / "decode.h5"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    if small:
        cut(3, 5000)
    with h5py.File(path) as file:
        probability, mw, cc = (file[f"case_{case}"][name][()] for name in ("probability", "mw", "cc"))
    assert same(decode_array(probability, MarkerWatershed(min_size=128)), mw)
    assert same(decode_array(probability, "cc"), cc)
    assert same(decode_array(probability[:1], "cc"), cc)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*[st.integers(1, 14)] * 3),
    levels=st.integers(2, 9),
    thresholds=st.tuples(*[st.floats(0, 1)] * 3),
    sizes=st.tuples(st.integers(0, 4), st.integers(0, 9)),
    connectivity=st.sampled_from([6, 18, 26]),
    blocks=st.tuples(st.sampled_from([1, 3, 16]), st.sampled_from([1, 40, 300, 1 << 22])),
    workers=st.integers(1, 3),
)
def test_random_volumes_are_as_scikit_image_decodes_each_component(
    seed, shape, levels, thresholds, sizes, connectivity, blocks, workers
):
    probability = terraces(np.random.default_rng(seed), shape, levels)
    method = MarkerWatershed(*thresholds, *sizes, connectivity)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "_LAYER_SECTIONS", blocks[0])
        patch.setattr(source, "_STRIP_VOXELS", blocks[1])
        found = decode_array(probability, method, workers=workers)
    assert same(found, reference(probability, method, whole=False))
    ids, first = np.unique(found, return_index=True)
    assert np.array_equal(ids[ids > 0], 1 + np.arange(np.count_nonzero(ids)))
    assert np.all(np.diff(first[ids > 0]) > 0), "ids follow the first voxels"
    assert found.dtype == np.uint8 or found.max() > 255


@pytest.mark.parametrize("seed", range(20))
def test_one_component_is_as_scikit_image_decodes_the_whole_volume(seed, cut):
    cut(2, 50)
    rng = np.random.default_rng(seed)
    probability = terraces(rng, (9, 20, 20), int(rng.integers(2, 9)))
    probability[0] = np.maximum(probability[0], 10)
    probability[1] = rng.integers(0, 256, (9, 20, 20))
    method = MarkerWatershed(seed_mask=0.1, seed_contour=0.1, foreground=0.02, min_size=0)
    found = decode_array(probability, method)
    assert found.all()
    assert same(found, reference(probability, method, whole=True))


@pytest.mark.parametrize("seed", range(10))
def test_unequal_seeds_are_as_scikit_image_decodes_the_whole_volume(seed, cut):
    """No two seed voxels have one value, so that no heap has to choose; there are many components and plateaus."""
    from skimage.measure import label

    cut(3, 300)
    rng = np.random.default_rng(seed)
    mask = terraces(rng, (9, 24, 24), 5)[0] // 3 * 2
    places = rng.choice(mask.size, 80, replace=False)
    mask.ravel()[places] = 175 + np.arange(80)
    contour = np.full(mask.shape, 255, np.uint8)
    contour.ravel()[places] = 0
    probability = np.stack([mask, contour])
    method = MarkerWatershed(seed_mask=0.5, seed_contour=0.5, foreground=0.45, min_size=0, seed_connectivity=6)
    assert label(mask > 114, connectivity=1).max() > 3
    assert same(decode_array(probability, method), reference(probability, method, whole=True))


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("seed", range(5))
def test_components_are_those_of_scikit_image(connectivity, seed, cut):
    from skimage.measure import label

    cut(2, 70)
    mask = terraces(np.random.default_rng(seed), (8, 15, 17), 9)[0]
    whole = label(mask > 127, connectivity={6: 1, 18: 2, 26: 3}[connectivity])
    assert same(decode_array(mask[None], Components(0.5, 5, connectivity)), without_small(whole, 5))


def bridge():
    """Return two seeds in one foreground that a bridge of one voxel joins, across many blocks."""
    mask = np.zeros((7, 9, 40), np.uint8)
    mask[1:6, 1:8, 1:15] = mask[1:6, 1:8, 25:39] = 250
    mask[3, 4, 15:25] = 220
    return np.stack([mask, np.zeros_like(mask)])


@pytest.mark.parametrize("blocks", [(1, 1), (2, 200), (16, 1 << 22)], ids=str)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_thin_bridge_is_shared_whatever_the_blocks(blocks, workers, cut):
    cut(*blocks)
    method = MarkerWatershed(seed_mask=0.9, min_size=0)
    found = decode_array(bridge(), method, workers=workers)
    assert found[3, 4, 1:39].tolist() == [1] * 19 + [2] * 19
    assert np.unique(found).tolist() == [0, 1, 2]


def test_seeds_that_touch_by_a_corner_are_one_instance_in_two_components(cut):
    cut(1, 1)
    probability = np.zeros((2, 2, 2, 2), np.uint8)
    probability[0, 0, 0, 0] = probability[0, 1, 1, 1] = 250
    for connectivity, ids in ((26, [1, 1]), (18, [1, 2]), (6, [1, 2])):
        found = decode_array(probability, MarkerWatershed(min_size=0, seed_connectivity=connectivity))
        assert [found[0, 0, 0], found[1, 1, 1]] == ids
    assert decode_array(probability, MarkerWatershed(min_size=2)).sum() == 2, "its size is that of both"


def test_a_seed_outside_of_the_foreground_joins_what_it_touches():
    probability = np.zeros((2, 1, 1, 5), np.uint8)
    probability[0] = [250, 200, 200, 250, 0]
    joined = MarkerWatershed(seed_mask=0.7, foreground=0.9, min_size=0, min_seed=4)
    assert decode_array(probability, joined).tolist() == [[[1, 0, 0, 1, 0]]]
    assert not decode_array(probability, MarkerWatershed(0.7, 0.6, 0.9, 5, 0)).any()


def test_foreground_without_a_seed_is_background():
    probability = np.zeros((2, 1, 1, 6), np.uint8)
    probability[0] = [250, 210, 0, 210, 210, 0]
    assert decode_array(probability, MarkerWatershed(min_size=0)).tolist() == [[[1, 1, 0, 0, 0, 0]]]


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 7), (3, 1, 1), (4, 5, 6)])
def test_all_and_nothing(shape):
    full = np.stack([np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8)])
    for method in (MarkerWatershed(min_size=0), Components(min_size=0)):
        assert np.all(decode_array(full, method) == 1)
        with pytest.warns(InputWarning, match=r"^array(\[0\])?: no instance was found: no voxel of the mask is above"):
            assert not decode_array(full * np.uint8(0), method).any()


def write(path, probability, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("main", data=probability, **options)
    return str(path)


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("chunks", [None, (1, 2, 5, 7), (2, 9, 20, 20), (1, 4, 8, 8)], ids=str)
def test_files_give_what_arrays_give(tmp_path, method, chunks, cut):
    cut(4, 300)
    probability = terraces(np.random.default_rng(3), (9, 20, 20), 12)
    name = write(tmp_path / "p.h5", probability, chunks=chunks, compression=chunks and "gzip")
    seen = []
    given = {"mw": MarkerWatershed(0.5, 0.6, 0.4, 0, 5), "cc": Components(0.5, 5)}[method]
    out = tmp_path / "seg.h5"
    report = decode(name, out, given, scores=tmp_path / "s.csv", workers=2, progress=lambda *at: seen.append(at))
    with h5py.File(out) as file:
        labels = file["main"][()]
    assert np.array_equal(labels, decode_array(probability, given))
    assert (report.shape, report.dtype, report.method) == (labels.shape, labels.dtype.name, given)
    assert np.array_equal(report.sizes, np.bincount(labels.ravel())[1:])
    means = [probability[0][labels == i].mean() / 255 for i in range(1, labels.max() + 1)]
    assert np.allclose(report.scores, means, rtol=1e-12)
    assert read_scores(tmp_path / "s.csv") == dict(enumerate(report.scores.tolist(), start=1))
    assert seen == sorted(seen)
    assert seen[-1] == (2 * labels.size, 2 * labels.size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.h5", "s.csv", "seg.h5"]


def test_spilling_to_a_file_changes_nothing(tmp_path, monkeypatch):
    import baselines.decode._front as front

    expected = decode_array(bridge(), MarkerWatershed(min_size=0))
    spool = front.Spool
    monkeypatch.setattr(front, "Spool", lambda _memory, folder: spool(1, folder))
    decode(bridge(), tmp_path / "seg.h5", MarkerWatershed(min_size=0))
    with h5py.File(tmp_path / "seg.h5") as file:
        assert np.array_equal(file["main"][()], expected)
    assert [path.name for path in tmp_path.iterdir()] == ["seg.h5"]


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    import baselines.decode._spool as spool

    class Full:
        def __init__(self, **_):
            pass

        def seek(self, _):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(spool.tempfile, "SpooledTemporaryFile", Full)
    with pytest.raises(UnusableFileError) as raised:
        decode(bridge(), tmp_path / "seg.h5", "mw")
    message = f"cannot write a temporary file in {tmp_path}: No space left on device; free space or name another folder"
    assert str(raised.value) == message
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_what_was_there(tmp_path):
    out = tmp_path / "seg.h5"
    out.write_bytes(b"before")

    def stop(done, total):
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(bridge(), out, MarkerWatershed(min_size=0), progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["seg.h5"]
    assert out.read_bytes() == b"before"


def test_memory_limits():
    probability = bridge()
    with pytest.raises(MemoryLimitError) as raised:
        decode_array(probability, "mw", memory=600)
    assert str(raised.value) == (
        "array[0]: rows of 40 voxels do not fit in the memory limit of 600 bytes; give at least 640 (memory=, --memory)"
    )
    method = MarkerWatershed(seed_mask=0.9, min_size=0)
    with pytest.raises(MemoryLimitError) as raised:
        decode_array(probability, method, memory=40_000, workers=1)
    assert str(raised.value) == (
        "array[0]: the foreground from (1, 1, 1) to (6, 8, 39) is connected and has several seeds; to flood it takes "
        "44,310 bytes, the memory limit is 40,000; raise it (memory=, --memory) or the foreground threshold"
    )
    with pytest.raises(MemoryLimitError, match=r"^array\[0\]: falls into [0-9,]+ pieces or more, too many for the"):
        decode_array(np.random.default_rng(0).integers(0, 256, (2, 9, 20, 20), np.uint8), "mw", memory=80_000)


@pytest.mark.parametrize("method", [MarkerWatershed(seed_mask=0.9, min_size=0), Components()], ids=["mw", "cc"])
def test_little_memory_changes_nothing(method, tmp_path, monkeypatch):
    """Strips smaller than chunks are read, one at a time, and components are flooded one after the other."""
    import baselines.decode._front as front

    probability = np.tile(bridge(), (1, 1, 3, 1))
    name = write(tmp_path / "p.h5", probability, chunks=(1, 7, 20, 8), compression="gzip")
    expected = decode_array(probability, method)
    planned = []
    plan = front.plan_layers
    monkeypatch.setattr(
        front, "plan_layers", lambda *args, **options: planned.append(plan(*args, **options)) or planned[0]
    )
    assert np.array_equal(decode_array(name, method, memory=45_000, workers=3), expected)
    assert planned[0].rows < 20
    assert planned[0].at_once < 3


@pytest.mark.parametrize(
    ("shape", "chunk", "memory", "expected"),
    [
        ((200, 2048, 2048), (16, 128, 128), 10**9, (16, 128, 2)),
        ((200, 2048, 2048), (1, 1, 1), 10**9, (16, 128, 2)),
        ((200, 2048, 2048), (1, 512, 2048), 10**9, (4, 512, 2)),
        ((200, 2048, 2048), (1, 2048, 2048), 10**9, (1, 2048, 2)),
        ((9, 20, 20), (16, 128, 128), 10**9, (9, 20, 2)),
        ((1000, 4096, 4096), (16, 256, 256), 10**9, (16, 256, 2)),
        ((1000, 4096, 4096), (16, 256, 256), 4 * 10**8, (16, 256, 1)),
        ((1000, 4096, 4096), (16, 256, 256), 10**8, (16, 95, 1)),
        ((1000, 4096, 4096), (16, 256, 256), 10**5, (1, 1, 1)),
    ],
)
def test_strips_are_rows_of_chunks_that_fit_in_memory(shape, chunk, memory, expected):
    planned = source.plan_layers(shape, chunk, 2, memory=memory, workers=2, name="p")
    assert (planned.depth, planned.rows, planned.at_once) == expected
    assert planned.count == -(-shape[0] // planned.depth)
    strips = planned.strips(planned.count - 1)
    assert (
        sum(strip.voxels for strip in strips) == (shape[0] - (planned.count - 1) * planned.depth) * shape[1] * shape[2]
    )


@pytest.mark.parametrize(
    ("shape", "method", "channels", "expected"),
    [
        ((3, 4, 5), "mw", 1, "2, mask and contour"),
        ((3, 3, 4, 5), "mw", 3, "2, mask and contour"),
        ((3, 3, 4, 5), "cc", 3, "1, the mask, or 2, mask and contour"),
    ],
)
def test_channels_that_do_not_fit(shape, method, channels, expected, tmp_path):
    with pytest.raises(InvalidInputError) as raised:
        decode(np.zeros(shape, np.uint8), tmp_path / "seg.h5", method)
    assert str(raised.value) == (
        f"array: {channels} channels; expected {expected}, as (channel, z, y, x); keep those or choose the method that "
        "fits the network"
    )
    assert list(tmp_path.iterdir()) == []


def test_probabilities_that_are_no_bytes():
    with pytest.raises(InvalidInputError) as raised:
        decode_array(np.full((2, 3, 4, 5), np.nan, np.float32), "mw")
    assert str(raised.value) == (
        "array: probabilities of type float32; expected uint8, 255 for 1; convert probabilities p from 0 to 1 with "
        "(255 * p).astype('uint8')"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MarkerWatershed(seed_mask=1.1),
            "seed_mask of marker watershed is 1.1; allowed: probabilities from 0 to 1",
        ),
        (
            lambda: MarkerWatershed(foreground=float("nan")),
            "foreground of marker watershed is nan; allowed: probabilities from 0 to 1",
        ),
        (lambda: Components(min_size=-1), "min_size of components is -1; allowed: whole numbers of voxels from 0"),
        (lambda: Components(connectivity=8), "connectivity of components is 8; allowed: 6, 18, 26"),
    ],
)
def test_settings_without_sense(make, message):
    with pytest.raises(InvalidInputError) as raised:
        make()
    assert str(raised.value) == message


def test_other_bad_input(tmp_path):
    with pytest.raises(UnknownNameError) as raised:
        decode(bridge(), tmp_path / "seg.h5", "nw")
    assert str(raised.value) == "unknown method 'nw'; allowed: mw, cc"
    with pytest.raises(InvalidInputError) as raised:
        decode_array(bridge(), "mw", workers=0)
    assert str(raised.value) == "workers and memory must be at least 1, got workers=0 and memory=1000000000"
    with pytest.raises(UnusableFileError, match=r"the folder .*/none does not exist; create it first$"):
        decode(bridge(), tmp_path / "none" / "seg.h5", "mw")


def test_why_nothing_was_found():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decode_array(bridge(), MarkerWatershed(seed_mask=1, min_size=0))
        decode_array(bridge(), MarkerWatershed(min_size=10**6))
    assert [str(one.message) for one in caught] == [
        "array[0]: no instance was found: no foreground has a seed; check the thresholds and the order of the channels",
        "array[0]: no instance was found: 1 are too small; check the thresholds and the order of the channels",
    ]
