"""Measured cable lengths: equal to those of kimimaro on the whole volume, with bounded memory and processes."""

import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import ndimage

from mitobench.cable import _measure, _skeleton, cable_lengths
from mitobench.cable._crops import cut_out, margins
from mitobench.cable._pool import in_processes
from mitobench.errors import InvalidInputError, MemoryLimitError, MissingExtraError
from mitobench.overlap import overlap_pass
from mitobench.volumes import open_labels

DATA = Path(os.environ.get("MITOBENCH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ISOTROPIC, MITOEM = (1.0, 1.0, 1.0), (30.0, 8.0, 8.0)


def message(text):
    return f"^{re.escape(text)}$"


def instances_of(volume):
    return overlap_pass(volume, volume).gt


def measured(labels, **options):
    volume = open_labels(labels)
    return cable_lengths(volume, instances_of(volume), **options)


def of_whole_volume(labels, anisotropy=ISOTROPIC, voxel_size=MITOEM):
    """The lengths as the public tool computes them, from one call of kimimaro."""
    import kimimaro

    skeletons = kimimaro.skeletonize(labels, anisotropy=anisotropy, dust_threshold=0, progress=False)
    lengths = {}
    for instance in np.unique(labels[labels > 0]).tolist():
        if instance not in skeletons:
            lengths[instance] = 1.0
            continue
        voxels = np.rint(skeletons[instance].vertices / np.array(anisotropy, "f4"))
        first, second = skeletons[instance].edges.T
        delta = (voxels[second] - voxels[first]) * np.array(voxel_size)
        lengths[instance] = float(np.sum(np.sqrt(np.sum(delta * delta, axis=1))))
    return lengths


def random_labels(rng, kind):
    shape = rng.integers(2, [18, 30, 30])
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(0.3, 3))
    if kind == "bands that touch, no background":
        return np.digitize(smooth, np.quantile(smooth, [0.2, 0.5, 0.7])).astype("u2") + np.uint16(1)
    if kind == "blobs":
        return ndimage.label(smooth > np.quantile(smooth, 0.6))[0].astype("u8") * np.uint64(2**40 + 1)
    if kind == "scattered blobs of few ids":
        return ndimage.label(smooth > np.quantile(smooth, 0.7))[0].astype("i4") % 4
    if kind == "noise":
        return rng.integers(0, 4, shape).astype("u1")
    return np.full(shape, 9, "u1")


@pytest.mark.parametrize(
    "kind",
    [
        "bands that touch, no background",
        "blobs",
        "scattered blobs of few ids",
        "noise",
        "one instance and nothing else",
    ],
)
@pytest.mark.parametrize("anisotropy", [ISOTROPIC, MITOEM, (29.3, 7.7, 8.1), (900.0, 900.0, 900.0)], ids=str)
def test_crops_give_what_the_whole_volume_gives(kind, anisotropy):
    rng = np.random.default_rng([len(kind), int(anisotropy[0])])
    for _ in range(4):
        labels = random_labels(rng, kind)
        assert measured(labels, anisotropy=anisotropy, memory=10**7) == of_whole_volume(labels, anisotropy)


@pytest.mark.parametrize("anisotropy", [ISOTROPIC, (30.0, 10.0, 10.0)])
def test_real_mitochondria(anisotropy):
    path = DATA / "epfl" / "testing_aniso10x10x30nm.h5"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there: set MITOBENCH_DATA to the folder of shared files")
    volume = open_labels(f"{path}::label")
    lengths = cable_lengths(volume, instances_of(volume), anisotropy=anisotropy, voxel_size=(30.0, 10.0, 10.0))
    with h5py.File(path) as file:
        assert lengths == of_whole_volume(file["label"][:], anisotropy, (30.0, 10.0, 10.0))
    volume.close()


def test_kimimaro_has_the_parameters_that_are_written_out_here():
    from kimimaro.intake import DEFAULT_TEASAR_PARAMS

    assert DEFAULT_TEASAR_PARAMS == _skeleton.TEASAR


@pytest.mark.parametrize("anisotropy", [ISOTROPIC, MITOEM])
@pytest.mark.parametrize(("axis", "step"), [(0, 30.0), (1, 8.0), (2, 8.0)])
@pytest.mark.parametrize("start", [0, 3])
def test_a_straight_rod_is_as_long_as_its_steps(axis, step, start, anisotropy):
    """Also where it begins at the border of the volume."""
    for voxels in (2, 3, 7):
        labels = np.zeros((12, 12, 12), "u2")
        np.moveaxis(labels, axis, 0)[start : start + voxels, 5, 6] = 1
        assert measured(labels, anisotropy=anisotropy) == {1: (voxels - 1) * step}


def test_a_diagonal_rod_and_single_voxels():
    labels = np.zeros((9, 9, 9), "u2")
    for k in range(5):
        labels[k + 2, k + 2, k + 2] = 300
    labels[0, 0, 0] = labels[8, 8, 0] = 7
    labels[0, 4, 8] = 8
    diagonal = 4 * math.sqrt(30**2 + 8**2 + 8**2)
    assert measured(labels) == {7: 1.0, 8: 1.0, 300: pytest.approx(diagonal, rel=1e-15)}


def test_components_of_an_instance_add_up():
    labels = np.zeros((9, 9, 20), "u2")
    labels[4, 4, 2:7] = labels[4, 4, 10:18] = labels[1, 1, 1] = 5
    assert measured(labels) == {5: 4 * 8.0 + 7 * 8.0}


def test_no_instances_have_no_lengths():
    assert measured(np.zeros((3, 3, 3), "u1")) == {}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.ones((1, 1, 1), "u1"), {1: 1.0}),
        (np.array([[[1, 1, 1, 2, 2]]]), {1: 16.0, 2: 8.0}),
        (np.array([[[3]], [[3]], [[0]]]), {3: 30.0}),
    ],
)
def test_volumes_so_thin_that_kimimaro_cannot_take_them_whole(labels, expected):
    with pytest.raises(IndexError):
        of_whole_volume(labels)
    assert measured(labels) == expected


@pytest.mark.parametrize("memory", [10**5, 10**6, 10**9])
def test_every_instance_is_cut_out_once_with_a_margin_within_the_volume(memory):
    rng = np.random.default_rng(3)
    labels = ndimage.label(rng.random((20, 40, 40)) > 0.9)[0].astype("u2")
    volume = open_labels(labels)
    instances = instances_of(volume)
    crops = list(cut_out(volume, instances, margins(volume.shape, instances), {}, memory))
    assert sorted(crop.id for crop in crops) == instances.id.tolist()
    for crop in crops:
        assert np.array_equal(crop.mask, labels[crop.box.slices] == crop.id)
        assert crop.mask.sum() == (labels == crop.id).sum()
        for axis, (start, stop) in enumerate(zip(*crop.box, strict=True)):
            sides = np.moveaxis(crop.mask, axis, 0)
            assert start == 0 or not sides[0].any()
            assert stop == labels.shape[axis] or not sides[-1].any()


def test_neighbours_come_from_one_read(tmp_path):
    labels = np.arange(1, 8 * 20 * 20 + 1, dtype="u2").reshape(8, 20, 20)
    volume = open_labels(labels)
    reads = []

    class Counting:
        name, shape, dtype = volume.name, volume.shape, volume.dtype

        def read(self, box):
            reads.append(box)
            return volume.read(box)

    instances = instances_of(volume)
    list(cut_out(Counting(), instances, margins(volume.shape, instances), {}, memory=8 * 2 * 1000))
    assert len(reads) < len(instances) / 10
    assert max(box.voxels for box in reads) <= 1000


def test_processes_change_nothing(tmp_path, monkeypatch):
    rng = np.random.default_rng(5)
    labels = ndimage.label(ndimage.gaussian_filter(rng.normal(size=(30, 60, 60)), 2) > 0.05)[0].astype("u2")
    with h5py.File(tmp_path / "gt.h5", "w") as file:
        file.create_dataset("main", data=labels, chunks=(7, 16, 16), compression="gzip")
    volume = open_labels(tmp_path / "gt.h5")
    instances, calls = instances_of(volume), []
    serial = cable_lengths(volume, instances, workers=1, progress=lambda *args: calls.append(args))
    assert calls == [(n, len(instances)) for n in range(1, len(instances) + 1)]
    monkeypatch.setattr(_measure, "_VOXELS_WORTH_PROCESSES", 0)
    calls.clear()
    assert cable_lengths(volume, instances, workers=2, progress=lambda *args: calls.append(args)) == serial
    assert calls == [(n, len(instances)) for n in range(1, len(instances) + 1)]
    assert list(serial) == instances.id.tolist()
    volume.close()


@pytest.mark.parametrize(("cost", "most"), [(1, 4), (1000, 1)])
def test_what_is_under_way_is_bounded(cost, most):
    asked, results = [], {}

    def arguments():
        for number in range(12):
            assert len(asked) - len(results) <= most
            asked.append(number)
            yield number, -number, cost

    in_processes(abs, arguments(), results.__setitem__, workers=2, budget=100)
    assert results == {number: number for number in range(12)}


def test_what_a_process_raises_is_raised_here():
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        in_processes(math.sqrt, [(n, 4.0 - n, 1) for n in range(9)], lambda *_: None, workers=2, budget=9)


def test_the_instance_is_named_when_kimimaro_fails(monkeypatch):
    monkeypatch.setattr(_skeleton, "_trace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        measured(np.full((2, 2, 2), 4, "u1"))
    assert caught.value.__notes__ == ["while the skeleton of instance 4 was traced"]


def test_a_process_that_dies_is_an_error_in_one_line():
    text = (
        "a process that traced skeletons died, most likely for want of memory; give fewer workers or a lower memory "
        "limit"
    )
    with pytest.raises(MemoryLimitError, match=message(text)):
        in_processes(os._exit, [(1, 3, 1)], lambda *_: None, workers=2, budget=9)


SCRIPT = """
import multiprocessing, numpy as np, signal
from mitobench.cable import _measure, cable_lengths
from mitobench.overlap import overlap_pass
from mitobench.volumes import open_labels

signal.signal(signal.SIGINT, signal.default_int_handler)
labels = np.zeros((130, 130, 260), "u1")
labels[2:-2, 2:-2, 2:128], labels[2:-2, 2:-2, 132:-2] = 1, 2
labels[0, 0, :200:2] = np.arange(5, 105)
volume = open_labels(labels)
instances = overlap_pass(volume, volume).gt
print("started", flush=True)
_measure._VOXELS_WORTH_PROCESSES = 0
shown = []
def progress(done, total):
    if not shown:
        shown.append(done)
        print(*(process.pid for process in multiprocessing.active_children()), flush=True)
cable_lengths(volume, instances, workers=3, progress=progress)
"""


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="watches the processes through /proc")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_scripts_leave_no_process(tmp_path, ending):
    """Ctrl-C reaches the whole group; two large blocks take seconds. The script has no guard and yet is run once."""
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "started\n"
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert workers
    if ending == signal.SIGINT:
        os.killpg(process.pid, ending)
    else:
        process.kill()
    out, err = process.communicate(timeout=60)
    assert out == ""
    assert err.count("Traceback") == (ending == signal.SIGINT), err
    deadline = time.monotonic() + 60
    while any(is_alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_memory_that_does_not_suffice_is_refused_with_the_sum_that_does():
    labels = np.zeros((20, 30, 40), "u1")
    labels[3:17, 4, 5:25] = 6
    labels[9, 20:22, 9] = 7
    needed = 16 * 3 * 22 * 40 + (16 * 3 * 22 * 40 - 1) // 7
    text = (
        f"array: the skeleton of instance 6, a box of (16, 3, 22) voxels, needs {needed:,} bytes, but the limit is "
        f"{needed - 1:,}; raise it (memory=, --memory), or give a table of cable lengths"
    )
    with pytest.raises(MemoryLimitError, match=message(text)):
        measured(labels, memory=needed - 1)
    lengths = measured(labels, memory=needed)
    assert lengths == measured(labels)
    labels[:] = 0
    labels[5, 0, 5] = 1
    text = (
        "array: the skeleton of the border of (20, 1, 40) voxels needs 36,571 bytes, but the limit is 1,000; raise it "
        "(memory=, --memory), or give a table of cable lengths"
    )
    with pytest.raises(MemoryLimitError, match=message(text)):
        measured(labels, memory=1000)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"workers": 0, "memory": 5}, "workers and memory must be at least 1, got workers=0 and memory=5"),
        (
            {"anisotropy": (1.0, 0.0, 1.0)},
            "anisotropy is (1.0, 0.0, 1.0); expected three positive numbers, along z, y and x",
        ),
        (
            {"voxel_size": (8.0, math.inf, 8.0)},
            "voxel_size is (8.0, inf, 8.0); expected three positive numbers, along z, y and x",
        ),
        ({"voxel_size": (8.0, 8.0)}, "voxel_size is (8.0, 8.0); expected three positive numbers, along z, y and x"),
    ],
)
def test_wrong_options_are_refused(options, text):
    with pytest.raises(InvalidInputError, match=message(text)):
        measured(np.ones((2, 2, 2), "u1"), **options)


def test_without_kimimaro_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "kimimaro", None)
    text = (
        "array: measuring cable lengths needs the kimimaro library, which is not installed; run pip install "
        "'mitobench[cable]', or give a table of cable lengths"
    )
    with pytest.raises(MissingExtraError, match=message(text)):
        measured(np.ones((2, 2, 2), "u1"))
