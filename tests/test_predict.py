import errno
import itertools
import math
import warnings

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from baselines.networks import build_network  # noqa: E402
from baselines.predict import Window, plan_prediction, predict, predict_array  # noqa: E402
from baselines.predict import _store as store  # noqa: E402
from mitobench.errors import (  # noqa: E402
    InputWarning,
    InvalidInputError,
    MemoryLimitError,
    UnusableFileError,
)

SMALL = Window(patch=(2, 8, 8), padding=(1, 2, 0), flips="none", batch=2)
SHAPE = (5, 20, 12)
TINY_MEMORY = 11_500


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def make_network(seed=0, name="unet-residual-3d", **config):
    torch.manual_seed(seed)
    network = build_network(name, {"filters": (2, 3), **config})
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.2, 0.8)
    return network.eval()


def constant(value, network=None):
    """Let a network answer one probability everywhere."""
    network = network or make_network()
    last = network.upE[-1][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(math.inf if value == 1 else math.log(value / (1 - value)))
    return network


def make_image(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def ignoring(call, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        return call(*args, **options)


def slow_twin(network, image, window):
    """All windows of the padded volume in one list, blended one by one in double precision."""
    pads = []
    for n, pad, edge in zip(image.shape, window.padding, window.patch, strict=True):
        missing = max(0, edge - n - 2 * pad)
        pads.append((pad + missing // 2, pad + missing - missing // 2))
    padded = np.pad(image, pads, mode="reflect").astype(np.float32)
    padded = padded / np.float32(255) if image.dtype == np.uint8 else padded
    if window.intensity == "centred":
        padded = (padded - np.float32(0.5)) / np.float32(0.5)
    grids = []
    for n, edge in zip(padded.shape, window.patch, strict=True):
        stride = max(1, int(edge * (1 - window.overlap) + 1e-9))
        count = 1 + math.ceil((n - edge) / stride)
        grids.append([min(k * stride, n - edge) for k in range(count)])
    bells = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (window.sigma_scale * n)) ** 2) for n in window.patch]
    weight = 1e-4 + np.einsum("i,j,k->ijk", *bells)
    total = np.zeros(padded.shape)
    axes = {"none": (), "xy": (-2, -1), "xyz": (-3, -2, -1)}[window.flips]
    mirrored = [c for n in range(len(axes) + 1) for c in itertools.combinations(axes, n)]
    places = [
        tuple(slice(s, s + edge) for s, edge in zip(start, window.patch, strict=True))
        for start in itertools.product(*grids)
    ]
    means = np.zeros((len(places), network.config.out_channels, *window.patch))
    for axis in mirrored:
        seen = torch.from_numpy(np.stack([np.flip(padded[at], axis) for at in places]))[:, None]
        with torch.no_grad():
            means += np.flip(torch.sigmoid(network(seen)).double().numpy(), axis) / len(mirrored)
    sums = np.zeros((network.config.out_channels, *padded.shape))
    for at, mean in zip(places, means, strict=True):
        sums[(slice(None), *at)] += weight * mean
        total[at] += weight
    inner = tuple(slice(lo, lo + n) for (lo, _), n in zip(pads, image.shape, strict=True))
    return (sums / total)[(slice(None), *inner)]


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 14), st.integers(1, 14)),
    st.sampled_from([(2, 8, 6), (3, 6, 8), (1, 6, 6)]),
    st.sampled_from([0.0, 0.25, 0.5]),
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 5)),
    st.sampled_from(["none", "xy", "xyz"]),
    st.sampled_from(["unit", "centred"]),
    st.integers(3, 7),
    st.integers(1, 3),
)
def test_the_same_as_the_slow_twin(shape, patch, overlap, padding, flips, intensity, batch, share):
    window = Window(patch=patch, overlap=overlap, padding=padding, flips=flips, intensity=intensity, batch=batch)
    network, image = make_network(), make_image(shape)
    memory = plan_prediction(shape, window).tile_bytes // share
    try:
        plan = plan_prediction(shape, window, memory=memory)
    except MemoryLimitError:
        memory = 10**9
    else:
        assert plan.tile_bytes <= memory
    found = ignoring(predict_array, network, image, window, memory=memory)
    expected = slow_twin(network, image, window)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "config", "patch"),
    [
        ("unet-se-3d", {"filters": (4, 4), "isotropic": (False, True)}, (3, 9, 9)),
        ("unet-2d", {"dropout": (0.5, 0.5)}, (1, 8, 4)),
        ("unet-2d", {"dropout": (0.5, 0.5)}, (2, 8, 4)),
    ],
)
def test_every_network(name, config, patch):
    network, image, window = make_network(name=name, **config), make_image(), Window(patch=patch, batch=3)
    expected = slow_twin(network, image, window)
    assert np.abs(predict_array(network.train(), image, window) - expected).max() < 1e-5
    assert network.training


def test_memory_changes_no_bit():
    network, image = make_network(), make_image()
    whole = predict_array(network, image, SMALL)
    counts = set()
    for memory in (10_100, TINY_MEMORY, 13_500, 14_600):
        plan = plan_prediction(SHAPE, SMALL, memory=memory)
        counts.add(len(plan.tiles))
        cut = predict_array(network, image, SMALL, memory=memory)
        assert np.abs(cut - whole).max() < 5e-6
    assert len(counts) > 2


def test_the_oracle_of_monai():
    inferers = pytest.importorskip("monai.inferers", reason="MONAI is only compared with")
    window = Window(patch=(3, 8, 8), flips="none")
    network, image = make_network(), make_image()
    plan = plan_prediction(SHAPE, window)
    with torch.no_grad():
        theirs = inferers.sliding_window_inference(
            torch.from_numpy(image)[None, None].float() / 255, (3, 8, 8), 2,
            lambda x: torch.sigmoid(network(x)), overlap=0.5, roi_weight_map=torch.from_numpy(plan.weight()).float(),
        )[0].numpy()  # fmt: skip
    assert np.abs(predict_array(network, image, window) - theirs).max() < 1e-5


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from([0.0, 0.5, 0.7]),
    st.tuples(st.integers(0, 9), st.integers(0, 20), st.integers(0, 20)),
    st.integers(1, 30),
)
def test_a_plan_holds_every_voxel_once(shape, patch, overlap, padding, share):
    window = Window(patch=patch, overlap=overlap, padding=padding)
    whole = plan_prediction(shape, window)
    assert (whole.recomputed, len(whole.tiles)) == (0, 1)
    try:
        plan = plan_prediction(shape, window, memory=whole.tile_bytes // share)
    except MemoryLimitError:
        return
    seen = np.zeros(shape, int)
    for box in plan.boxes():
        assert box.shape[0] <= window.stride[0]
        seen[box.slices] += 1
    assert (seen == 1).all()
    assert plan.axes == whole.axes
    assert plan.tile_bytes <= whole.tile_bytes // share
    assert plan.recomputed >= 0
    for axis, n, edge, pad in zip(plan.axes, shape, patch, padding, strict=True):
        assert all(s + edge > 0 and s < n for s in axis.starts)
        assert axis.total(np.ones(edge)).min() >= 1
        if n + 2 * pad >= edge:
            assert min(axis.starts) >= -pad
            assert max(axis.starts) + edge <= n + pad


def test_the_published_size_fits_in_4_gb():
    window = Window(padding=(8, 96, 96), batch=8)
    plan = plan_prediction((500, 4096, 4096), window, memory=3 * 10**9)
    assert plan.tile_bytes <= 3 * 10**9
    assert plan.recomputed < 0.07
    assert [len(axis.starts) for axis in plan.axes] == [32, 33, 33]


def test_what_does_not_fit():
    with pytest.raises(MemoryLimitError) as raised:
        plan_prediction(SHAPE, SMALL, memory=1000)
    least = str(raised.value).split()[10]
    assert str(raised.value) == (
        f"windows of (2, 8, 8) in batches of 2 need {least} bytes, more than the memory limit of 1,000; raise the "
        "limit (memory=, --memory) or predict with smaller windows or batches"
    )
    assert plan_prediction(SHAPE, SMALL, memory=int(least.replace(",", ""))).tile_bytes <= TINY_MEMORY


@pytest.mark.parametrize(("value", "byte"), [(0.3, 76), (0.999, 254), (1, 255), (0.0001, 0)])
def test_a_constant_network_is_constant(tmp_path, value, byte):
    network = constant(value)
    found = predict_array(network, make_image(), SMALL)
    assert np.abs(found - value).max() < 1e-6
    predict(network, make_image(), tmp_path / "p.h5", SMALL)
    assert (read(tmp_path / "p.h5") == byte).all()


def read(path):
    with h5py.File(path) as file:
        return file["main"][:]


def test_the_file(tmp_path):
    network, image, calls = make_network(), make_image((20, 150, 140)), []
    window = Window(patch=(8, 64, 64), flips="none", batch=4)
    report = predict(network, image, tmp_path / "p.h5", window, progress=lambda *call: calls.append(call))
    with h5py.File(tmp_path / "p.h5") as file:
        data = file["main"]
        assert (data.shape, data.dtype, data.compression) == ((2, 20, 150, 140), np.uint8, "gzip")
    probability = predict_array(network, image, window)
    assert np.array_equal(read(tmp_path / "p.h5"), np.floor(255 * (probability + np.float32(1e-6))).astype(np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["p.h5"]
    assert calls[-1] == (image.size, image.size)
    assert (report.voxels, report.predicted, report.tiles, report.device) == (image.size, image.size, 1, "cpu")
    assert 0 < report.network_seconds < report.seconds
    assert report.voxels_per_second == report.predicted / report.seconds


@pytest.mark.parametrize("kind", ["path", "float32", "float64", "channel"])
def test_images_of_other_kinds(tmp_path, kind):
    network, image = make_network(), make_image()
    expected = predict_array(network, image, SMALL)
    if kind == "path":
        with h5py.File(tmp_path / "im.h5", "w") as file:
            file.create_dataset("main", data=image, chunks=(2, 8, 8), compression="gzip")
        given_ = tmp_path / "im.h5"
    else:
        given_ = image[None] if kind == "channel" else (image / 255).astype(kind)
    assert np.abs(predict_array(network, given_, SMALL) - expected).max() < 1e-6


def test_two_channels():
    image = np.stack([make_image(seed=1), make_image(seed=2)])
    network = make_network(in_channels=2)
    found = predict_array(network, image, SMALL)
    assert found.shape == (2, *SHAPE)
    assert not np.allclose(found, predict_array(network, image[::-1], SMALL))


class Killed(BaseException):
    pass


def killed_after(monkeypatch, parts):
    """Stop a run while it writes the part after so many."""
    put = store.Parts.put
    left = [parts]

    def stopping(self, box, voxels):
        if not left[0]:
            raise Killed
        left[0] -= 1
        put(self, box, voxels)

    monkeypatch.setattr(store.Parts, "put", stopping)


def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    network, image = make_network(), make_image()
    predict(network, image, tmp_path / "whole.h5", SMALL)
    plan = plan_prediction(SHAPE, SMALL, memory=TINY_MEMORY)
    assert len(plan.tiles) > 2
    predict(network, image, tmp_path / "cut.h5", SMALL, memory=TINY_MEMORY)
    expected = (tmp_path / "cut.h5").read_bytes()
    assert np.abs(read(tmp_path / "cut.h5").astype(int) - read(tmp_path / "whole.h5")).max() <= 1
    for parts in (0, 1, 2, 6, len(plan.boxes()) - 1):
        path = tmp_path / f"{parts}.h5"
        with monkeypatch.context() as patch:
            killed_after(patch, parts)
            with pytest.raises(Killed):
                predict(network, image, path, SMALL, memory=TINY_MEMORY)
        assert not path.exists()
        report = predict(network, image, path, SMALL, memory=TINY_MEMORY)
        assert report.voxels - report.predicted == sum(box.voxels for box in plan.boxes()[:parts])
        assert path.read_bytes() == expected


def leave_parts(path, network, image, monkeypatch, parts=3):
    with monkeypatch.context() as patch:
        killed_after(patch, parts)
        with pytest.raises(Killed):
            predict(network, image, path, SMALL)


def test_parts_missing_in_the_middle(tmp_path, monkeypatch):
    network, image, path = make_network(), make_image(), tmp_path / "p.h5"
    predict(network, image, path, SMALL)
    expected = path.read_bytes()
    leave_parts(path, network, image, monkeypatch, 4)
    parts = sorted((tmp_path / ".p.h5.parts").glob("*.npy"))
    assert len(parts) == 4
    parts[1].unlink()
    parts[3].write_bytes(parts[3].read_bytes()[:-1])
    report = predict(network, image, path, SMALL)
    assert 0 < report.predicted < report.voxels
    assert path.read_bytes() == expected


def test_a_run_goes_on_with_less_memory(tmp_path, monkeypatch):
    network, image, path = make_network(), make_image(), tmp_path / "p.h5"
    leave_parts(path, network, image, monkeypatch)
    report = predict(network, image, path, SMALL, memory=TINY_MEMORY)
    assert report.predicted < report.voxels
    whole = np.floor(255 * (predict_array(network, image, SMALL) + np.float32(1e-6)))
    assert np.abs(read(path) - whole).max() <= 1


@pytest.mark.parametrize("what", ["network", "image", "settings"])
def test_another_job_starts_anew(tmp_path, monkeypatch, what):
    network, image, window, path = make_network(), make_image(), SMALL, tmp_path / "p.h5"
    leave_parts(path, network, image, monkeypatch)
    if what == "network":
        network = make_network(seed=1)
    elif what == "image":
        image[-1, -1, -1] ^= 1
    else:
        window = Window(patch=SMALL.patch, flips="none")
    with pytest.warns(InputWarning) as caught:
        report = predict(network, image, path, window)
    assert [str(warning.message) for warning in caught] == [
        f"{path}: an earlier run that did not finish had another {what}; starting anew"
    ]
    assert report.predicted == report.voxels
    predict(network, image, tmp_path / "q.h5", window)
    assert path.read_bytes() == (tmp_path / "q.h5").read_bytes()


def test_resume_can_be_refused_and_a_broken_job_starts_anew(tmp_path, monkeypatch):
    network, image, path = make_network(), make_image(), tmp_path / "p.h5"
    leave_parts(path, network, image, monkeypatch)
    report = predict(network, image, path, SMALL, resume=False)
    assert report.predicted == report.voxels
    for content in ("[1]", "{"):
        leave_parts(path, network, image, monkeypatch)
        (tmp_path / ".p.h5.parts" / "job.json").write_text(content)
        with pytest.warns(InputWarning, match="had another description; starting anew$"):
            predict(network, image, path, SMALL)


def test_one_process_at_a_time(tmp_path, monkeypatch):
    network, image, path, seen = make_network(), make_image(), tmp_path / "p.h5", []

    def second(*_):
        if not seen:
            with pytest.raises(UnusableFileError) as raised:
                predict(network, image, path, SMALL)
            seen.append(str(raised.value))

    predict(network, image, path, SMALL, progress=second)
    assert seen == [
        f"cannot write {path}: another process is predicting to it now; wait for its end or name another file"
    ]


@pytest.mark.parametrize("where", ["parts", "file"])
def test_a_full_disk(tmp_path, monkeypatch, where):
    network, image, path = make_network(), make_image(), tmp_path / "p.h5"
    path.write_text("what was there before")
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_, **__):
        raise full

    with monkeypatch.context() as patch:
        if where == "parts":
            patch.setattr(np, "save", fail)
        else:
            patch.setattr("mitobench.volumes._write_hdf5._finish", fail)
        with pytest.raises(UnusableFileError) as raised:
            predict(network, image, path, SMALL)
    assert str(raised.value).startswith("cannot write ")
    assert str(raised.value).endswith(": No space left on device; free space or name another folder")
    assert path.read_text() == "what was there before"
    assert {entry.name for entry in tmp_path.iterdir()} <= {"p.h5", ".p.h5.parts"}
    report = predict(network, image, path, SMALL)
    assert report.predicted == (report.voxels if where == "parts" else 0)
    assert read(path).shape == (2, *SHAPE)


def test_an_absent_folder(tmp_path):
    with pytest.raises(UnusableFileError) as raised:
        predict(make_network(), make_image(), tmp_path / "no" / "p.h5", SMALL)
    path = tmp_path / "no"
    assert str(raised.value) == f"cannot write {path / 'p.h5'}: the folder {path} does not exist; create it first"


def test_small_volumes_are_mirrored():
    window = Window(patch=(4, 16, 16))
    with pytest.warns(InputWarning) as caught:
        found = predict_array(make_network(), make_image((1, 5, 20)), window)
    (message,) = [str(warning.message) for warning in caught]
    assert message == (
        "array: shape (1, 5, 20) is smaller than a window of (4, 16, 16); its mirror images fill the rest, which the "
        "network never saw in training"
    )
    assert caught[0].filename == __file__
    assert np.abs(found - slow_twin(make_network(), make_image((1, 5, 20)), window)).max() < 1e-5


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.5, np.inf])
def test_numbers_that_are_no_intensity(tmp_path, value):
    image = np.full(SHAPE, 0.5, np.float32)
    image[3, 19, 4] = value
    with pytest.raises(InvalidInputError) as raised:
        predict(make_network(), image, tmp_path / "p.h5", SMALL)
    assert str(raised.value) == (
        f"array: the voxel (3, 19, 4) is {np.float32(value)}; expected uint8, or real numbers from 0 to 1; mend or "
        "rescale it"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", ["uint16", "int8", "int64"])
def test_types_whose_white_nobody_knows(dtype):
    with pytest.raises(InvalidInputError) as raised:
        predict_array(make_network(), np.zeros(SHAPE, dtype), SMALL)
    assert str(raised.value) == (
        f"array: voxels of type {dtype}; expected uint8, or real numbers from 0 to 1; divide by the value of white: "
        "(image / white).astype('float32')"
    )


def test_channels_that_the_network_has_not():
    with pytest.raises(InvalidInputError) as raised:
        predict_array(make_network(), np.zeros((3, *SHAPE), np.uint8), SMALL)
    assert str(raised.value) == "array: 3 channels; expected 1, as the network has; keep those"


def test_a_network_that_is_not_well(tmp_path):
    network = constant(0.5)
    with torch.no_grad():
        network.upE[-1][-1].bias.fill_(math.nan)
    with pytest.raises(InvalidInputError) as raised:
        predict(network, make_image(), tmp_path / "p.h5", SMALL)
    assert str(raised.value) == ("array: the network gives values that are no numbers in section 0; check its weights")
    assert not (tmp_path / "p.h5").exists()


@pytest.mark.parametrize(
    ("name", "config", "patch", "expected"),
    [
        ("unet-residual-3d", {}, (3, 8, 7), "multiples of (1, 2, 2)"),
        (
            "unet-se-3d",
            {"filters": (4, 4), "isotropic": (True, True)},
            (4, 9, 9),
            "one more than multiples of (2, 2, 2)",
        ),
    ],
)
def test_windows_that_do_not_fit(name, config, patch, expected):
    with pytest.raises(InvalidInputError) as raised:
        predict_array(make_network(name=name, **config), make_image(), Window(patch=patch))
    assert str(raised.value) == (
        f"patch of a window is {patch}, which the network {name} cannot take; expected z, y, x that are {expected}"
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"patch": (1, 2)}, "patch of a window is (1, 2); allowed: three whole numbers (z, y, x) from 1"),
        ({"patch": (1, 0, 2)}, "patch of a window is (1, 0, 2); allowed: three whole numbers (z, y, x) from 1"),
        ({"padding": (1, -1, 2)}, "padding of a window is (1, -1, 2); allowed: three whole numbers (z, y, x) from 0"),
        ({"overlap": 1}, "overlap of a window is 1; allowed: from 0 to less than 1"),
        ({"overlap": math.nan}, "overlap of a window is nan; allowed: from 0 to less than 1"),
        ({"sigma_scale": 0}, "sigma_scale of a window is 0; allowed: more than 0"),
        ({"batch": 1.5}, "batch of a window is 1.5; allowed: whole numbers from 1"),
        ({"flips": "z"}, "flips of a window is 'z'; allowed: none, xy, xyz"),
        ({"intensity": "raw"}, "intensity of a window is 'raw'; allowed: unit, centred"),
    ],
)
def test_windows_that_make_no_sense(values, message):
    with pytest.raises(InvalidInputError) as raised:
        Window(**values)
    assert str(raised.value) == message


@pytest.mark.parametrize("name", ["unet-residual-3d", "unet-se-3d", "unet-2d"])
def test_half_precision_is_close_and_another_one(name):
    config = {"filters": (4, 4), "isotropic": (False, True)} if name == "unet-se-3d" else {}
    network = make_network(name=name, **({"dropout": (0.5, 0.5)} if name == "unet-2d" else config))
    window = Window(patch=(3, 9, 9) if name == "unet-se-3d" else (2, 8, 8))
    full, half = (predict_array(network, make_image(), window, precision=kind) for kind in ("full", "half"))
    assert half.dtype == np.float32
    assert 0 < np.abs(full - half).max() < 0.02
    assert np.array_equal(full, predict_array(network, make_image(), window, device="cpu", precision="auto"))


def test_a_run_does_not_go_on_in_another_precision(tmp_path, monkeypatch):
    network, image, path = make_network(), make_image(), tmp_path / "p.h5"
    leave_parts(path, network, image, monkeypatch)
    with pytest.warns(InputWarning, match="another settings; starting anew$"):
        report = predict(network, image, path, SMALL, precision="half")
    assert (report.predicted, report.precision) == (report.voxels, "half")


def test_a_precision_that_is_none():
    with pytest.raises(InvalidInputError) as raised:
        predict_array(make_network(), make_image(), SMALL, precision="16")
    assert str(raised.value) == "precision is '16'; allowed: auto, full, half"


def test_the_network_stays_as_it_is():
    network = make_network()
    before = store.hash_of(network)
    predict_array(network, make_image(), SMALL, precision="half")
    assert store.hash_of(network) == before


@pytest.mark.parametrize(("batch", "sizes"), [(4, {4}), (7, {6}), (100, {12}), (None, {12}), (1, {1})])
def test_windows_come_in_batches_of_one_size(batch, sizes):
    seen = set()
    network = make_network()
    network.register_forward_pre_hook(lambda _, images: seen.add(len(images[0])))
    predict_array(network, make_image((4, 20, 12)), Window(patch=(2, 8, 6), flips="none", batch=batch))
    assert seen == sizes


def test_devices():
    for device, message in (
        ("gpu", "device is 'gpu'; allowed: auto, cpu, cuda"),
        ("cuda", "device is 'cuda', but no GPU can be used here; choose 'cpu' or 'auto'"),
    ):
        if device == "cuda" and torch.cuda.is_available():
            continue
        with pytest.raises(InvalidInputError) as raised:
            predict_array(make_network(), make_image(), SMALL, device=device)
        assert str(raised.value) == message


def test_workers_are_set_for_the_while_only(monkeypatch):
    seen = []
    network = make_network()
    network.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    predict_array(network, make_image(), SMALL, workers=2)
    assert set(seen) == {2}
    assert torch.get_num_threads() == 1


def test_workers_that_are_no_number():
    with pytest.raises(InvalidInputError) as raised:
        predict_array(make_network(), make_image(), SMALL, workers=0)
    assert str(raised.value) == "workers is 0; allowed: whole numbers from 1"


def test_a_gpu_that_is_too_small(monkeypatch):
    network = make_network()

    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    network.register_forward_pre_hook(full)
    with pytest.raises(MemoryLimitError) as raised:
        predict_array(network, make_image(), SMALL, device="cpu")
    assert str(raised.value) == (
        "a batch of 2 windows of (2, 8, 8) does not fit in the memory of cpu; predict with a smaller batch"
    )
