from itertools import pairwise

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitobench.cli import main
from mitobench.errors import InvalidInputError
from mitobench.evaluate import evaluate_pair
from mitobench.phantom import Quality, label_slabs, plan_labels, write_label_pair

SHAPE = (40, 128, 128)
DENSE = {"instances_per_gigavoxel": 1e5, "foreground": 0.12}
THREE = "expected three positive integers; give the voxels along z, y, x"
TOO_SMALL = (
    "dtype uint8 holds ids up to 255, the volume has ids up to 655; use a wider dtype or fewer instances_per_gigavoxel"
)
PERFECT = Quality(missed=0, false=0, split=0, merged=0, jitter_scale=0, jitter_shift=0)


def make(shape=SHAPE, **options):
    slabs = list(label_slabs(shape, **{**DENSE, **options}))
    return np.concatenate([gt for _, gt, _ in slabs]), np.concatenate([pred for _, _, pred in slabs])


def quality(**rates):
    return Quality(**{**PERFECT.__dict__, **rates})


def ids(labels):
    found = np.unique(labels)
    return found[found > 0]


def partners(one, other):
    """Ids of the other volume, background left out, that each id meets."""
    both = (one > 0) & (other > 0)
    pairs = np.unique(np.stack([one[both], other[both]]), axis=1)
    return [pairs[1, pairs[0] == label] for label in np.unique(pairs[0])]


@pytest.fixture(scope="module")
def whole():
    return make(slab=SHAPE[0], seed=3)


@settings(max_examples=15)
@given(slab=st.integers(1, SHAPE[0] + 5))
def test_voxels_do_not_depend_on_the_slabs(whole, slab):
    gt, pred = make(slab=slab, seed=3)
    assert np.array_equal(gt, whole[0])
    assert np.array_equal(pred, whole[1])


def test_slabs_follow_each_other_without_gap():
    starts, depths = zip(*[(z0, len(gt)) for z0, gt, _ in label_slabs((10, 16, 16), slab=4)], strict=True)
    assert starts == (0, 4, 8)
    assert depths == (4, 4, 2)


def test_seed_decides():
    assert all(np.array_equal(*sides) for sides in zip(make(seed=5), make(seed=5), strict=True))
    assert not any(np.array_equal(*sides) for sides in zip(make(seed=5), make(seed=6), strict=True))


def test_quality_leaves_the_ground_truth_as_it_is(whole):
    assert np.array_equal(make(seed=3, quality=PERFECT)[0], whole[0])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("foreground", [0.03, 0.08, 0.3])
def test_foreground(seed, foreground):
    gt, _ = make(seed=seed, foreground=foreground)
    assert np.mean(gt > 0) == pytest.approx(foreground, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 64, 64), (16, 64, 64), (40, 256, 256), (300, 40, 10), (3, 3, 3), (1, 1, 1)])
def test_small_volumes_hold_at_least_one_instance(shape):
    gt, pred = make(shape, instances_per_gigavoxel=1200, foreground=0.08)
    assert gt.shape == pred.shape == shape
    assert len(ids(gt)) == max(1, round(1200 * np.prod(shape) / 1e9))


@pytest.mark.parametrize("density", [2e4, 1e5, 4e5])
def test_number_of_instances(density):
    gt, _ = make(instances_per_gigavoxel=density)
    asked = round(density * gt.size / 1e9)
    assert asked * 0.95 <= len(ids(gt)) <= asked
    assert gt.max() <= asked


def test_all_sizes_occur_at_the_defaults():
    plan = plan_labels((200, 2048, 2048))
    # Ellipsoids of one chain overlap by about a tenth.
    voxels = 0.9 * 4 / 3 * np.pi * (plan.mitochondria.radius[..., 0] * plan.mitochondria.radius[..., 1] ** 2) / 1920
    small, medium, large = np.histogram(voxels.sum(axis=1), [0, 5000, 15000, np.inf])[0]
    assert min(small, medium) > 30
    assert large > 500


def test_ids_are_not_sorted_by_position(whole):
    first_seen = whole[0][whole[0] > 0]
    order = list(dict.fromkeys(first_seen.tolist()))
    rising = sum(a < b for a, b in pairwise(order))
    assert 0.25 < rising / (len(order) - 1) < 0.75


def test_perfect_prediction_differs_by_ids_only():
    gt, pred = make(quality=PERFECT)
    assert np.array_equal(gt > 0, pred > 0)
    assert all(len(met) == 1 for met in partners(gt, pred) + partners(pred, gt))
    assert not np.array_equal(gt, pred)


def test_default_quality_is_that_of_a_good_model():
    gt, pred = make((40, 256, 256), instances_per_gigavoxel=5e4, foreground=0.1)
    assert 0.65 < evaluate_pair(pred, gt).overall["ap_75"] < 0.9


def test_missed():
    gt, pred = make(quality=quality(missed=1))
    assert not pred.any()
    some = make(quality=quality(missed=0.4))[1]
    assert 0.4 * len(ids(gt)) < len(ids(some)) < 0.8 * len(ids(gt))


def test_false_adds_instances_elsewhere():
    gt, pred = make(quality=quality(false=0.5))
    background = ids(np.where(gt == 0, pred, 0))
    assert 0.3 * len(ids(gt)) < len(background) < 0.7 * len(ids(gt))
    assert all(len(met) == 1 for met in partners(gt, pred)), "an invented instance covers no true one"


def test_split_makes_two_of_one():
    gt, pred = make(quality=quality(split=1))
    assert np.array_equal(gt > 0, pred > 0)
    assert len(ids(pred)) == pytest.approx(2 * len(ids(gt)), rel=0.1)
    assert max(len(met) for met in partners(gt, pred)) == 2
    assert all(len(met) == 1 for met in partners(pred, gt))


def test_merged_shares_an_id():
    gt, pred = make(quality=quality(merged=1))
    assert np.array_equal(gt > 0, pred > 0)
    assert all(len(met) == 1 for met in partners(gt, pred))
    assert sum(len(met) > 1 for met in partners(pred, gt)) >= 0.9 * len(ids(pred))
    assert len(ids(pred)) <= len(ids(gt)) / 2


@pytest.mark.parametrize("jitter", [{"jitter_scale": 0.1}, {"jitter_shift": 0.2}])
def test_jitter_moves_boundaries_a_little(jitter):
    gt, pred = make(quality=quality(**jitter))
    common, union = np.count_nonzero((gt > 0) & (pred > 0)), np.count_nonzero((gt > 0) | (pred > 0))
    assert 0.5 < common / union < 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missed": 1.2}, "missed is 1.2"),
        ({"false": -0.1}, "false is -0.1"),
        ({"jitter_shift": np.nan}, "jitter_shift is nan"),
        ({"missed": 0.5, "split": 0.5, "merged": 0.5}, "missed + split + merged is 1.5"),
    ],
)
def test_quality_refuses(options, message):
    with pytest.raises(InvalidInputError) as error:
        Quality(**options)
    assert str(error.value) == f"{message}, allowed is 0 to 1; give a number in that range"


def test_quality_forgives_rounding():
    missed, split, merged = 0.56, 0.34, 0.1
    assert missed + split + merged > 1
    assert Quality(missed=missed, split=split, merged=merged)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (4, 4)}, f"shape is (4, 4), {THREE}"),
        ({"shape": (4, 0, 4)}, f"shape is (4, 0, 4), {THREE}"),
        ({"shape": (4, 4, 2.5)}, f"shape is (4, 4, 2.5), {THREE}"),
        ({"shape": 7}, f"shape is 7, {THREE}"),
        ({"chunks": (1, 2)}, f"chunks is (1, 2), {THREE}"),
        ({"chunks": (64, 8, 8)}, f"chunks is (64, 8, 8), allowed is 1 up to the shape {SHAPE}; give other chunks"),
        ({"foreground": 0.9}, "foreground is 0.9, allowed is 0.001 to 0.5; give a number in that range"),
        ({"seed": -1}, "seed is -1, allowed is 0 to 18446744073709551615; give a number in that range"),
        ({"dtype": "float32"}, "dtype is float32, labels need an integer type; use uint16 or uint32"),
        ({"compression": "zip"}, "compression is 'zip', allowed are 'gzip', 'lzf' and None; choose one of them"),
        ({"compression_level": 10}, "compression_level is 10, allowed is 0 to 9; give a number in that range"),
        ({"dtype": "uint8", "instances_per_gigavoxel": 1e6}, TOO_SMALL),
    ],
)
def test_refused_and_nothing_written(tmp_path, options, message):
    with pytest.raises(InvalidInputError) as error:
        write_label_pair(tmp_path / "gt.h5", tmp_path / "pred.h5", **{"shape": SHAPE, **options})
    assert str(error.value) == message
    assert list(tmp_path.iterdir()) == []


def test_splits_can_overflow_the_dtype_too():
    options = {"dtype": "uint8", "instances_per_gigavoxel": 3e5}
    assert make(quality=PERFECT, **options)[0].dtype == np.uint8
    with pytest.raises(InvalidInputError, match="dtype uint8 holds ids up to 255, the volume has ids up to"):
        label_slabs(SHAPE, quality=quality(split=1), **options)


def test_one_file_for_both_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="are both"):
        write_label_pair(tmp_path / "one.h5", tmp_path / "one.h5", shape=SHAPE)


@pytest.mark.parametrize(
    ("compression", "chunks"),
    [("gzip", None), ("gzip", (7, 30, 50)), ("gzip", SHAPE), ("lzf", (7, 64, 64)), (None, None), (None, (40, 32, 32))],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u4", "int64"])
def test_files_hold_the_slabs(tmp_path, compression, chunks, dtype):
    options = {**DENSE, "seed": 4, "dtype": dtype}
    paths = tmp_path / "gt.h5", tmp_path / "pred.h5"
    write_label_pair(*paths, shape=SHAPE, chunks=chunks, compression=compression, **options)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path, expected in zip(paths, make(**options), strict=True):
        with h5py.File(path) as file:
            stored = file["main"]
            assert list(file) == ["main"]
            assert stored.compression == compression
            assert stored.dtype == np.dtype(dtype)
            assert not stored.shuffle
            assert chunks is None or stored.chunks == chunks
            assert np.array_equal(stored[()], expected)


def test_many_slabs_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("mitobench.volumes._write_hdf5._SLAB_BYTES", 1)
    done = []
    write_label_pair(
        tmp_path / "gt.h5",
        tmp_path / "pred.h5",
        shape=SHAPE,
        chunks=(7, 64, 64),
        compression_level=1,
        progress=lambda *now: done.append(now),
        **DENSE,
    )
    assert done[-1] == (2 * np.prod(SHAPE),) * 2
    assert done == sorted(done)
    with h5py.File(tmp_path / "gt.h5") as file:
        assert file["main"].compression_opts == 1
        assert np.array_equal(file["main"][()], make()[0])


def test_failure_half_way_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("mitobench.volumes._write_hdf5._SLAB_BYTES", 1)

    def stop(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_label_pair(tmp_path / "gt.h5", tmp_path / "pred.h5", shape=SHAPE, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(20))
def test_no_seed_warns(seed):
    make((8, 32, 32), seed=seed, instances_per_gigavoxel=3e6, quality=Quality(split=0.5))


def test_command(tmp_path, capsys):
    folder = tmp_path / "pair"
    arguments = ["phantom", "make", str(folder), "--shape", "40,128,128", "--density", "1e5", "--foreground", "0.12"]
    assert main([*arguments, "--dtype", "uint32", "--compression", "lzf", "--chunks", "7,64,128", "--no-image"]) == 0
    assert capsys.readouterr() == (f"{folder / 'gt.h5'}\n{folder / 'pred.h5'}\n", "")
    with h5py.File(folder / "pred.h5") as file:
        assert file["main"].chunks == (7, 64, 128)
        assert file["main"].compression == "lzf"
        assert np.array_equal(file["main"][()], make(dtype="uint32")[1])


@pytest.mark.parametrize(
    ("folder", "options", "message"),
    [
        ("pair", ["--shape", "4,4,0"], f"shape is (4, 4, 0), {THREE}"),
        ("a/b", ["--shape", "4,4,4"], "cannot make {}: the folder {} does not exist; create it first"),
    ],
)
def test_command_refuses(tmp_path, capsys, folder, options, message):
    path = tmp_path / folder
    assert main(["phantom", "make", str(path), *options]) == 2
    message = message.format(path, path.parent)
    assert capsys.readouterr() == ("", f"mitobench: error: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_command_refuses_a_file_in_place_of_the_folder(tmp_path, capsys):
    (tmp_path / "pair").write_text("")
    assert main(["phantom", "make", str(tmp_path / "pair"), "--shape", "4,4,4"]) == 2
    assert capsys.readouterr().err.startswith(f"mitobench: error: cannot make {tmp_path / 'pair'}: ")
