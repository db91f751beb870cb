"""The viewer at work: how it refuses bad input, and what its server answers."""

import http.client
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import h5py
import numpy as np
import pytest
from view_pair import labels, write, write_all

from mitobench.cli import main
from mitobench.errors import InputWarning, InvalidInputError, MissingExtraError, UnknownNameError, UnusableFileError
from mitobench.evaluate import evaluate_benchmark, evaluate_pair
from mitobench.report import Report
from mitobench.types import Box
from mitobench.view import _start, open_scene, start_viewer
from mitobench.view._lazy import LazyArray
from mitobench.volumes import open_labels


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with gt.h5, pred.h5, image.h5 and report.json."""
    monkeypatch.chdir(tmp_path)
    write_all()
    return tmp_path


@pytest.fixture
def report(folder):
    return Report.from_json("report.json")


# --- bad input

MOVED = "say where it is now with --gt (gt= in Python)"
BAD_CALLS = {
    ("--image", "turned.h5"): (
        "turned.h5 has the shape (60, 12, 80) and the volume tiny of the report has (12, 60, 80); both must have the "
        "same (z, y, x) shape: one shape is a permutation of the other: transpose the volume to the axis order (z, y, "
        "x)"
    ),
    ("--gt", "short.h5"): (
        "short.h5 has the shape (5, 60, 80) and the volume tiny of the report has (12, 60, 80); both must have the "
        "same (z, y, x) shape: give the volume that was scored, or an image of the same region"
    ),
    ("--gt", "pred.h5", "--pred", "gt.h5"): (
        "pred.h5 is not what the report was made from: id 4 has 0 voxels at (5, 30, 40), expected 400; give the volume "
        "that was scored, or evaluate it again"
    ),
    ("--image", "nothing.h5"): (
        "nothing.h5: does not exist; expected HDF5, Zarr, TIFF, .npy, .npz or a folder of PNG or TIFF sections; check "
        "the path"
    ),
    ("--volume", "tinny"): "the report has no volume 'tinny', did you mean 'tiny'?; its volumes are tiny",
    ("--voxel-size", "30,8"): "argument --voxel-size: '30,8' is not 3 numbers; expected such as 30,8,8",
    ("--voxel-size", "30,0,8"): "voxel_size is (30.0, 0.0, 8.0); expected three numbers above 0, in nm",
    ("--port", "70000"): "port is 70000; expected 1 to 65535, or 0 for any that is free",
}


def refused(capsys, *arguments):
    """Return the last line of standard error of a call that must be refused and print nothing else."""
    try:
        code = main(["view", *arguments])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    line = err.splitlines()[-1]
    assert line.startswith("mitobench: error: ")
    return line.removeprefix("mitobench: error: ")


@pytest.mark.parametrize("arguments", BAD_CALLS, ids=" ".join)
def test_bad_calls_end_in_one_clear_line(folder, capsys, arguments):
    gt = labels()[0]
    write("turned.h5", gt.swapaxes(0, 1))
    write("short.h5", gt[:5])
    assert refused(capsys, "report.json", *arguments) == BAD_CALLS[arguments]


def test_labels_that_have_moved_are_asked_for(folder, capsys):
    (folder / "gt.h5").rename(folder / "elsewhere.h5")
    assert refused(capsys, "report.json") == (
        "the ground truth that the report names cannot be opened (gt.h5: does not exist; expected HDF5, Zarr, TIFF, "
        f".npy, .npz or a folder of PNG or TIFF sections; check the path); {MOVED}"
    )


def test_arrays_have_no_name_to_open_them_by(folder):
    report = evaluate_pair(*labels()[::-1])
    with pytest.raises(UnusableFileError, match=r"cannot be opened \(array: does not exist.*say where"):
        open_scene(report)
    gt, pred = labels()
    with open_scene(report, gt=gt, pred=pred) as scene:
        assert len(scene.mistakes) == 5


def test_a_taken_port_is_named(folder, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert refused(capsys, "report.json", "--port", str(port)) == (
            f"cannot listen on port {port} of 127.0.0.1 (Address already in use); choose another port, or 0 for any "
            "that is free"
        )


def test_without_the_extra_the_user_is_told_what_to_install(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "neuroglancer", None)
    monkeypatch.delitem(sys.modules, "mitobench.view._server", raising=False)
    with open_scene(report) as scene, pytest.raises(MissingExtraError) as caught:
        start_viewer(scene)
    assert str(caught.value) == (
        "the viewer needs the neuroglancer library (import of neuroglancer halted; None in sys.modules); run pip "
        "install 'mitobench[view]'"
    )


def test_a_report_without_instances_cannot_be_shown(report):
    bare = replace(report, volumes=(replace(report.volumes[0], instances={}),))
    with pytest.raises(InvalidInputError) as caught:
        open_scene(bare)
    assert str(caught.value) == (
        "the report lists no instances of tiny; expected those that `mitobench evaluate --json` writes; evaluate it "
        "again"
    )


def test_a_volume_is_chosen_by_name(folder):
    report = evaluate_benchmark({"a": ("pred.h5", "gt.h5"), "b": ("gt.h5", "gt.h5")})
    with open_scene(report) as first, open_scene(report, volume="b") as second:
        assert (len(first.mistakes), len(second.mistakes)) == (5, 0)
        assert second.centre == (6, 30, 40)
    with pytest.raises(UnknownNameError):
        open_scene(report, volume="c")


def test_files_of_a_scene_are_closed_with_it(report):
    with open_scene(report, image="image.h5") as scene:
        assert scene.contrast(scene.image[0])[0] < 10
    for volume in (scene.gt, scene.pred, *scene.image):
        with pytest.raises(UnusableFileError):
            volume.read(Box((0, 0, 0), (1, 1, 1)))


def test_a_browser_is_opened_only_where_there_is_a_screen(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)) or True)
    monkeypatch.setattr(_start.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    assert not _start.open_browser("http://127.0.0.1")
    monkeypatch.setenv("DISPLAY", ":0")
    assert _start.open_browser("http://127.0.0.1")
    assert opened == ["http://127.0.0.1"]


# --- the server


class Client:
    """Ask the server of one address."""

    def __init__(self, url):
        self.parts = urlsplit(url)
        self.token = self.parts.path.split("/")[2]

    def get(self, path):
        connection = http.client.HTTPConnection(self.parts.hostname, self.parts.port, timeout=30)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body

    def page(self, name=""):
        status, body = self.get(f"/v/{self.token}/{name}")
        assert status == 200, name
        return body

    def state(self):
        """The state as a browser receives it."""
        connection = http.client.HTTPConnection(self.parts.hostname, self.parts.port, timeout=30)
        connection.request("GET", f"/events/{self.token}?c=test&gc=&gs=")
        response = connection.getresponse()
        while True:
            line = response.readline()
            message = json.loads(line[6:]) if line.startswith(b"data: ") else {}
            if message.get("k") == "s":
                connection.close()
                return message["s"]

    def chunk(self, key, start, stop, scale="1,1,1"):
        bounds = "/".join(",".join(map(str, corner)) for corner in (start, stop))
        status, body = self.get(f"/neuroglancer/npz/{key}/{scale}/{bounds}")
        assert status == 200
        return np.load(BytesIO(zlib.decompress(body)))


def key_of(layer):
    source = layer["source"][0] if isinstance(layer["source"], list) else layer["source"]
    assert source.startswith("python://volume/")
    return source.removeprefix("python://volume/")


@pytest.fixture
def served(folder):
    """The command line at work in a process of its own."""
    command = [sys.executable, "-m", "mitobench", "view", "report.json", "--image", "image.h5", "--no-browser"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_the_server_serves_the_page_the_voxels_and_the_lists(served):
    url = served.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v/[0-9a-f]{40}/", url)
    client = Client(url)
    assert b'<script defer src="errors.js"></script></head>' in client.page()
    assert client.page("errors.js").startswith(b"// Loaded after neuroglancer")
    errors = json.loads(client.page("errors.json"))
    assert (errors["layer"], errors["first"], len(errors["views"])) == ("errors", "gt 2", 5)

    image, gt, pred, listed = client.state()["layers"]
    assert len(listed["annotations"]) == 5
    arrays = {"image": h5py.File("image.h5")["main"][()], "gt": labels()[0], "pred": labels()[1]}
    for layer, array in zip((image, gt, pred), arrays.values(), strict=True):
        status, body = client.get(f"/neuroglancer/info/{key_of(layer)}")
        info = json.loads(body)
        assert (status, info["shape"], info["downsamplingLayout"]) == (200, [80, 60, 12], "2d")
        assert info["coordinateSpace"]["x"] == [8e-9, "m"]
        chunk = client.chunk(key_of(layer), (10, 20, 5), (50, 45, 6))
        assert np.array_equal(chunk, array[5:6, 20:45, 10:50].T)
    assert json.loads(client.get(f"/neuroglancer/info/{key_of(pred)}")[1])["dataType"] == "uint64"
    assert np.array_equal(client.chunk(key_of(gt), (0, 0, 5), (40, 30, 6), "2,2,1"), labels()[0][5:6, ::2, ::2].T)

    properties = urlsplit(gt["source"][1].removeprefix("precomputed://"))
    assert properties.netloc == client.parts.netloc
    assert json.loads(client.get(f"{properties.path}/info")[1])["inline"]["ids"] == ["1", "2", "3", "4", "5"]

    status, mesh = client.get(f"/neuroglancer/mesh/{key_of(gt)}/2")
    count = struct.unpack_from("<I", mesh)[0]
    corners = np.frombuffer(mesh, "<f4", 3 * count, 4).reshape(-1, 3) / [8e-9, 8e-9, 3e-8]
    assert status == 200
    assert np.allclose([corners.min(0), corners.max(0)], [[5, 30, 1], [25, 50, 11]], atol=1e-3)
    assert client.get(f"/neuroglancer/mesh/{key_of(gt)}/999")[0] == 404

    stranger = "0" * 40
    for path in (f"/v/{stranger}/", f"/v/{stranger}/errors.json", f"/neuroglancer/info/{stranger}.{stranger}"):
        assert client.get(path)[0] == 404

    served.send_signal(signal.SIGTERM)
    out, err = served.communicate(timeout=60)
    assert (served.returncode, out) == (0, "")
    assert err == "tiny: 5 errors listed; Ctrl-C ends\nstopped\n"


class NoSession:
    url = "here"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Stopped:
    def wait(self):
        pass


@pytest.fixture
def unserved(folder, monkeypatch):
    """The command line without a server, stopped at once."""
    monkeypatch.setattr("mitobench.view.start_viewer", lambda scene, port: NoSession())
    monkeypatch.setattr("mitobench.cli.view.Event", Stopped)


def test_ctrl_c_is_how_it_ends(unserved, monkeypatch, capsys):
    def pressed(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Stopped, "wait", pressed)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["view", "report.json", "--no-browser"]) == 0
    assert signal.getsignal(signal.SIGTERM) == before
    assert capsys.readouterr() == ("here\n", "tiny: 5 errors listed; Ctrl-C ends\nstopped\n")


def test_without_a_browser_it_says_what_to_do(unserved, monkeypatch, capsys):
    monkeypatch.setattr("mitobench.view.open_browser", lambda url: False)
    assert main(["view", "report.json"]) == 2
    message = "no web browser could be opened; run it with --no-browser and open the address that it prints"
    assert capsys.readouterr() == ("", f"mitobench: error: {message}\n")


def test_a_long_list_is_cut_and_that_is_said(unserved, monkeypatch, capsys):
    monkeypatch.setattr("mitobench.view.MOST_ERRORS", 2)
    assert main(["view", "report.json", "--no-browser"]) == 0
    assert capsys.readouterr().err == "tiny: the largest 2 of 5 errors listed; Ctrl-C ends\nstopped\n"


def test_damage_is_a_warning_and_no_end(report):
    pytest.importorskip("neuroglancer")
    from mitobench.view._server import _Xyz

    with h5py.File("gt.h5") as file:
        where = file["main"].id.get_chunk_info(0).byte_offset
    with Path("gt.h5").open("r+b") as file:
        file.seek(where)
        file.write(bytes(20))
    volume = open_labels("gt.h5")
    array = _Xyz(LazyArray(volume, volume.dtype), volume.name)
    with (
        pytest.warns(InputWarning, match=r"gt\.h5: cannot read the voxels"),
        pytest.raises(ValueError, match=r"gt\.h5"),
    ):
        _ = array[0:5, 0:5, 0:1]
    assert np.array_equal(array[40:50, 20:30, 7:8], labels()[0][7:8, 20:30, 40:50].T)
    volume.close()


def test_two_sessions_run_side_by_side(report):
    with open_scene(report) as scene, start_viewer(scene) as one, start_viewer(scene) as other:
        assert one.url != other.url
        for session in (one, other):
            assert len(Client(session.url).state()["layers"]) == 3
