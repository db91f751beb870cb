"""The viewer: the list of errors, what neuroglancer and napari get, and what is read for it."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from view_pair import SHAPE, labels, write, write_all

from mitobench.cli import build_parser
from mitobench.evaluate import evaluate_pair
from mitobench.report import Report
from mitobench.types import Box
from mitobench.view import _lazy, _mesh, napari_layers
from mitobench.view._lazy import LazyArray, image_dtype, label_dtype
from mitobench.view._mesh import coarse_mask, strides
from mitobench.view._mistakes import find_mistakes, worst
from mitobench.view._segments import segment_properties
from mitobench.view._state import first_state, view_of
from mitobench.volumes import open_labels

PAGE = Path(__file__).parent.parent / "docs" / "view.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with gt.h5, pred.h5, image.h5 and report.json."""
    monkeypatch.chdir(tmp_path)
    write_all()
    return tmp_path


@pytest.fixture
def report(folder):
    return Report.from_json("report.json")


# --- the list of errors


def test_the_list_has_each_mistake_once_and_the_largest_first(report):
    mistakes = find_mistakes(report.volumes[0].instances)
    assert [(m.name, m.verdict, m.gt, m.pred) for m in mistakes] == [
        ("gt 2", "missed", (2,), ()),
        ("gt 3", "split", (3,), (30, 31)),
        ("gt 4", "merged", (4, 5), (40,)),
        ("gt 5", "merged", (4, 5), (40,)),
        ("pred 60", "false", (), (60,)),
    ]
    assert mistakes[0].text == "missed, small, 4,000 voxels (gt 2)"
    assert mistakes[0].box == Box((1, 30, 5), (11, 50, 25))
    assert mistakes[0].centre == (5.5, 39.5, 14.5)
    assert worst(mistakes) == mistakes[0]
    assert worst(mistakes[-1:]) == mistakes[-1]
    assert worst([]) is None


def test_a_piece_of_an_instance_that_is_matched_all_the_same_is_listed():
    gt, pred = np.zeros((1, 10, 40), np.uint8), np.zeros((1, 10, 40), np.uint8)
    gt[:, :, :20] = 1
    pred[:, :, :18], pred[:, :, 18:20] = 1, 2
    assert [m.name for m in find_mistakes(evaluate_pair(pred, gt).volumes[0].instances)] == ["pred 2"]


# --- what neuroglancer gets


def test_segment_properties_follow_the_precomputed_format(report):
    columns = report.volumes[0].instances["gt"]
    properties = segment_properties({**columns, "id": [2**64 - 1, *columns["id"][1:]]})
    assert properties["@type"] == "neuroglancer_segment_properties"
    inline = properties["inline"]
    assert inline["ids"] == [str(2**64 - 1), "2", "3", "4", "5"]
    tags, size, iou = inline["properties"]
    assert tags["tags"] == sorted(tags["tags"])
    assert {tags["tags"][k] for k in tags["values"][1]} == {"missed", "small"}
    assert all(row == sorted(row) for row in tags["values"])
    assert (size["id"], size["data_type"], size["values"]) == ("size", "uint32", columns["size"])
    assert (iou["id"], iou["data_type"], iou["values"]) == ("iou", "float32", columns["iou"])
    assert segment_properties({**columns, "size": [2**40] * 5})["inline"]["properties"][1]["data_type"] == "float32"


def state_of(report, errors, first=None):
    sources = {"gt": ["gt-volume", "gt-properties"], "pred": ["pred-volume", "pred-properties"]}
    shape = report.volumes[0].shape
    return first_state(shape=shape, voxel_size=(30, 8, 8), images=[], labels=sources, errors=errors, first=first)


def test_the_viewer_begins_at_the_error_that_it_is_told(report):
    mistakes = find_mistakes(report.volumes[0].instances)
    state = state_of(report, mistakes, mistakes[1])
    assert state["dimensions"] == {"x": [8e-9, "m"], "y": [8e-9, "m"], "z": [3e-8, "m"]}
    assert state["position"] == [40.0, 10.0, 4.0]
    gt, pred, errors = state["layers"]
    assert (gt["name"], gt["source"], gt["segments"]) == ("ground truth", ["gt-volume", "gt-properties"], ["3"])
    assert (pred["name"], pred["segments"]) == ("prediction", ["30", "31"])
    assert state["selectedLayer"]["layer"] == errors["name"] == "errors"
    assert [a["id"] for a in errors["annotations"]] == [m.name for m in mistakes]
    split = errors["annotations"][1]
    assert split["point"] == state["position"]
    assert split["segments"] == [["3"], ["30", "31"]]
    pairs = zip(errors["annotationProperties"], split["props"], strict=True)
    verdict, bucket, size, iou = (spec | {"value": value} for spec, value in pairs)
    assert verdict["enum_labels"][verdict["value"]] == "split"
    assert bucket["enum_labels"][bucket["value"]] == "small"
    assert (size["value"], iou["value"]) == (800, 0.5)
    assert "vec3 colours[4]" in errors["shader"]
    assert json.loads(json.dumps(state, allow_nan=False)) == state


def test_a_report_without_errors_is_shown_whole(report):
    state = state_of(report, [])
    assert state["position"] == [40.0, 30.0, 6.0]
    assert state["layers"][2]["annotations"] == []
    assert state["layers"][0]["segments"] == []


def test_a_large_error_is_seen_from_further_away(report):
    small, *_, large = sorted(find_mistakes(report.volumes[0].instances), key=lambda m: m.size)
    near, far = (view_of(mistake, (30, 8, 8)) for mistake in (small, large))
    assert near["projectionScale"] < far["projectionScale"]
    assert view_of(replace(large, box=Box((0, 0, 0), (9, 9999, 9999))), (30, 8, 8))["crossSectionScale"] == 8


# --- reading

INDICES = [
    np.s_[...],
    np.s_[3],
    np.s_[-1, ..., 5],
    np.s_[2:7, 10:40, 33:35],
    np.s_[::2, 50:10:-3, ::-1],
    np.s_[np.int64(4), :, 7:7],
    np.s_[0:0],
    np.s_[100:, 1],
]


@pytest.mark.parametrize("index", INDICES, ids=str)
@pytest.mark.parametrize("chunks", [(4, 16, 32), None], ids=["chunked", "in memory"])
def test_a_lazy_array_is_sliced_like_numpy(tmp_path, chunks, index):
    data = labels()[0]
    if chunks:
        write(tmp_path / "a.h5", data, chunks=chunks)
    volume = open_labels(tmp_path / "a.h5" if chunks else data)
    lazy = LazyArray(volume, np.dtype("u4"))
    assert np.array_equal(lazy[index], data[index])
    assert lazy[index].dtype == "u4"
    assert np.array_equal(np.asarray(lazy), data)
    assert (lazy.shape, lazy.ndim, lazy.size, len(lazy)) == (SHAPE, 3, data.size, 12)
    volume.close()


@pytest.mark.parametrize("index", [12, -13, (0, 0, 0, 0)])
def test_an_index_outside_is_refused(index):
    with pytest.raises(IndexError):
        LazyArray(open_labels(labels()[0]), np.dtype("u2"))[index]


class Counting:
    """A chunked volume that notes which boxes are read."""

    name, raw, chunks = "counting", None, (1, 60, 80)

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.boxes = data, data.shape, data.dtype, []

    def read(self, box):
        self.boxes.append(box)
        return self.data[box.slices]


def test_a_chunk_is_read_once_and_the_oldest_is_forgotten(monkeypatch):
    volume = Counting(labels()[0])
    lazy = LazyArray(volume, volume.dtype)
    assert np.array_equal(lazy[3, 5:9, 10:20], volume.data[3, 5:9, 10:20])
    assert np.array_equal(lazy[3:5, 40:, :7], volume.data[3:5, 40:, :7])
    assert volume.boxes == [Box((z, 0, 0), (z + 1, 60, 80)) for z in (3, 4)]
    monkeypatch.setattr(_lazy, "_KEPT_BYTES", 2 * volume.data[0].nbytes)
    assert np.array_equal(lazy[6:8], volume.data[6:8])
    _ = lazy[7], lazy[4]
    assert [box.start[0] for box in volume.boxes] == [3, 4, 6, 7, 4]


def test_ids_keep_their_value_and_negative_ones_become_background():
    data = np.array([-5, 0, 127], np.int8).reshape(1, 1, 3)
    assert LazyArray(open_labels(data), label_dtype(data.dtype))[0, 0].tolist() == [0, 0, 127]
    assert [label_dtype(np.dtype(t)) for t in ("i1", "u2", "i8")] == ["u1", "u2", "u8"]
    assert [image_dtype(np.dtype(t)) for t in ("u1", "f2", "f8", "i8", "i2")] == ["u1", "f4", "f4", "f4", "i2"]


def test_the_mask_of_a_surface_is_read_slab_by_slab(monkeypatch):
    data = labels()[0]
    box = Box((1, 30, 5), (11, 50, 25))
    monkeypatch.setattr(_mesh, "_SLAB_VOXELS", 900)
    for steps in ((1, 1, 1), (2, 3, 4), (4, 1, 1)):
        mask = coarse_mask(open_labels(data), 2, box, steps)
        assert np.array_equal(mask, (data[box.slices] == 2)[:: steps[0], :: steps[1], :: steps[2]])
    monkeypatch.setattr(_mesh, "_MASK_VOXELS", 1000)
    assert strides((10, 20, 20), (30, 8, 8)) == (1, 2, 2)


# --- napari and the page


class StandIn:
    """As much of napari's viewer as the page uses."""

    def __init__(self):
        self.layers = {}

    def add_image(self, data, *, name, scale, contrast_limits, visible):
        self.layers[name] = data

    def add_labels(self, data, *, name, scale, opacity):
        assert np.dtype(data.dtype).kind == "u"
        self.layers[name] = data

    def add_points(self, data, *, name, scale, features, face_color, text):
        assert len(data) == len(features) == len(face_color)
        self.layers[name] = features


def snippet():
    """The function of the page that adds the layers."""
    block = next(
        b
        for b in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
        if "napari" in b
    )
    names = {}
    exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 - our own documentation
    return names["add_errors"]


def test_the_snippet_of_the_page_fills_a_viewer(report):
    viewer = StandIn()
    snippet()(viewer, report, image="image.h5")
    assert list(viewer.layers) == ["image", "ground truth", "prediction", "errors"]
    assert viewer.layers["errors"]["verdict"].tolist() == ["missed", "split", "merged", "merged", "false"]
    assert np.array_equal(viewer.layers["prediction"][5], labels()[1][5])


@pytest.mark.filterwarnings("default")  # napari's libraries warn when they are imported
def test_napari_takes_the_layers(report):
    pytest.importorskip("napari", reason="napari is no dependency of the tests")
    from napari.components import ViewerModel

    viewer = ViewerModel()
    snippet()(viewer, report, image="image.h5")
    assert [layer.name for layer in viewer.layers] == ["image", "ground truth", "prediction", "errors"]


def test_points_without_errors_are_an_empty_layer(folder):
    data, options, kind = napari_layers(evaluate_pair("gt.h5", "gt.h5"))[-1]
    assert (kind, data.shape, len(options["features"])) == ("points", (0, 3), 0)


def test_every_call_of_the_page_is_one_that_the_command_line_takes():
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)).splitlines()
    calls = [shlex.split(line)[1:] for line in lines if line.startswith("mitobench ")]
    assert len(calls) == 3
    assert all(build_parser().parse_args(call).run for call in calls)
