"""The HTML page: what it holds, that it is one file, and that no name in a report can do anything in it."""

import base64
import hashlib
import importlib.util
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mitobench.errors import MissingExtraError
from mitobench.evaluate import evaluate_benchmark, evaluate_pair
from mitobench.pictures import error_pictures
from mitobench.published import PUBLISHED, PUBLISHED_SOURCE
from mitobench.render import html, to_html
from mitobench.report import Report
from mitobench.resampling import Bootstrap
from mitobench.testing import random_volumes
from mitobench.volumes import open_image, open_labels

HISTORIC = sorted((Path(__file__).parent / "historic_reports").glob("*.json"))
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{7*7}}\N{RIGHT-TO-LEFT OVERRIDE}\x00\ud800]]>"
HUGE = 2**64 - 1


class Elements(HTMLParser):
    """All elements of a page as [tag, attributes, own text], and the text that a reader sees."""

    VOID = frozenset({"meta", "link", "input", "img", "br"})

    def __init__(self, page):
        super().__init__()
        self.found, self.open, self.text = [], [], []
        self.feed(page)
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in self.VOID:
            self.open.append(self.found[-1])

    def handle_startendtag(self, tag, attributes):
        self.found.append([tag, dict(attributes), ""])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open:
            self.open[-1][2] += data
            if self.open[-1][0] not in {"script", "style"}:
                self.text.append(data)

    def all(self, tag):
        return [(attributes, text) for name, attributes, text in self.found if name == tag]

    @property
    def words(self):
        return " ".join("".join(self.text).split())

    @property
    def letters(self):
        """The text without any space, for cells of tables one after the other."""
        return "".join("".join(self.text).split())


@pytest.fixture(scope="module")
def volumes():
    return random_volumes(np.random.default_rng(8), instances=25, edge=24)


@pytest.fixture(scope="module")
def report(volumes):
    gt, pred = volumes
    pairs = {"MitoEM-H": (pred, gt), "MitoEM-R": (gt, gt)}
    return evaluate_benchmark(pairs, repairs=True, intervals=Bootstrap(resamples=100, unit="instances"))


@pytest.fixture(scope="module")
def pictures(volumes, report):
    gt, pred = map(open_labels, volumes)
    image = open_image(np.random.default_rng(1).integers(0, 255, gt.shape, np.uint8))[0]
    return error_pictures(report.volumes[0], gt=gt, pred=pred, image=image, per_class=2)


@pytest.fixture(scope="module")
def page(report, pictures):
    return to_html(report, pictures=pictures)


def data_of(page):
    [text] = [text for attributes, text in Elements(page).all("script") if attributes.get("id") == "data"]
    return json.loads(text)


def test_equal_reports_give_equal_bytes(report, pictures, page):
    assert to_html(Report.from_dict(report.to_dict()), pictures=list(pictures)) == page


def test_nothing_is_asked_for_from_anywhere(page):
    elements = Elements(page)
    for tag, attributes, _ in elements.found:
        for name in ("src", "href", "xlink:href", "action", "srcset", "data", "poster"):
            address = attributes.get(name) or "#"
            assert address.startswith(("#", "data:")), (tag, address)
    assert not re.search(r"url\(|@import", page)
    assert "base64" in page


def test_only_our_own_script_may_run(page):
    [policy] = [a["content"] for a, _ in Elements(page).all("meta") if "http-equiv" in a]
    own = [text for attributes, text in Elements(page).all("script") if not attributes]
    assert len(own) == 1
    digest = base64.b64encode(hashlib.sha256(own[0].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not [
        attributes for _, attributes, _ in Elements(page).found if any(name.startswith("on") for name in attributes)
    ]


def test_the_numbers_of_the_report_are_there(report, page):
    elements = Elements(page)
    assert f"{report.score:.3f}" in elements.words
    low, high = report.overall_intervals["ap_75"]
    assert f"[{low:.3f}, {high:.3f}]" in elements.words
    for volume in report.volumes:
        for metric in ("ap_75", "pq_75", "f1_75", "voi_split"):
            for bucket, value in volume.metrics[metric].items():
                ends = volume.intervals[metric][bucket]
                shown = "\N{EN DASH}" if value is None else f"{value:.3f}"
                assert shown + ("" if ends is None else f"[{ends[0]:.3f},{ends[1]:.3f}]") in elements.letters
    assert "Brackets are 95% intervals (bootstrap of instances, 100 resamples, seed 0)." in elements.words


def test_published_rows_stand_beside_the_volumes_that_they_are_of(page):
    elements = Elements(page)
    for result in PUBLISHED:
        label = result.label.replace(" ", "")
        for name in ("MitoEM-H", "MitoEM-R"):
            row = "".join(f"{result.scores[name][bucket]:.3f}" for bucket in ("small", "medium", "large", "all"))
            assert label + row in elements.letters
        assert f"{label}{result.overall:.3f}" in elements.letters
    assert PUBLISHED_SOURCE in elements.words
    assert "Comparable for the same part of the volumes and the same annotation only" in elements.words


def test_published_means_are_those_of_their_volumes():
    for result in PUBLISHED:
        mean = (result.scores["MitoEM-H"]["all"] + result.scores["MitoEM-R"]["all"]) / 2
        assert result.overall == pytest.approx(mean, abs=0.00051)


def test_other_volumes_and_rules_are_not_called_comparable(volumes):
    gt, pred = volumes
    words = Elements(to_html(evaluate_pair(pred, gt))).words
    assert "The published rows are of other volumes, MitoEM-H and MitoEM-R: a scale, not a comparison." in words
    assert "MitoEM-R, published" in words
    other = evaluate_pair(pred, gt, rule="coco", name="MitoEM-H")
    assert "this report another one: not comparable" in Elements(to_html(other)).words


def test_a_rule_that_ranks_by_another_metric_shows_no_published_rows(volumes):
    gt, pred = volumes
    lengths = {int(label): 500.0 + 100 * k for k, label in enumerate(np.unique(gt[gt > 0]))}
    report = evaluate_pair(pred, gt, rule="mitoem-2023", cable_lengths=lengths, repairs=True)
    words = Elements(to_html(report)).words
    assert PUBLISHED[0].label not in words
    assert "Accuracy-75 is the pairs among pairs and errors, TP / (TP + FP + FN) at IoU 0.75." in words
    assert "Small is below 1 \N{MICRO SIGN}m of cable, medium below 4 \N{MICRO SIGN}m, large from there on." in words
    assert "Instances by cable length" in words
    assert "Over-segmentation" in words


def test_what_a_report_lacks_is_said_with_what_to_run(volumes):
    gt, pred = volumes
    report = evaluate_pair(pred, gt)
    words = Elements(to_html(report)).words
    assert "No intervals: mitobench evaluate --intervals adds them." in words
    without = replace(report, uncertainty={"method": "bootstrap"})
    assert "No intervals could be made; the notes on the volumes say why." in Elements(to_html(without)).words
    assert "No repair analysis: mitobench evaluate --repairs adds it." in words
    assert "No pictures of this volume." in words
    bare = replace(report, volumes=(replace(report.volumes[0], instances={}, curves={}),))
    assert "The report has no table of instances." in Elements(to_html(bare)).words


def test_repairs_are_drawn_with_their_numbers(report, page):
    words = Elements(page).words
    repairs = report.volumes[0].repairs
    assert "Single repairs to reach AP-75 0.9" in words
    for label, bucket in (("Small", "small"), ("All", "all")):
        budget = repairs["repairs"][bucket]
        needed = "not reached" if budget["to_target"] is None else str(budget["to_target"])
        assert f"{label}{budget['errors']}{needed}".replace(" ", "") in Elements(page).letters
    titles = [text for _, text in Elements(page).all("title")]
    for kind, score in repairs["scores"]["mitoem-2020"]["alone"].items():
        if repairs["classes"][kind]["errors"]["all"]:
            before = repairs["scores"]["mitoem-2020"]["now"]["all"]
            assert f"{kind}: from {before:.3f} to {score['all']:.3f}" in titles
    assert "Nothing to repair." in words


def test_verdicts_are_counted(report, page):
    columns = report.volumes[0].instances["gt"]
    titles = [text for _, text in Elements(page).all("title")]
    for verdict in set(columns["verdict"]):
        assert f"All: {columns['verdict'].count(verdict):,} {verdict}" in titles


def test_every_instance_is_in_the_data(report, page):
    data = data_of(page)
    names = [column["name"] for column in data["columns"]]
    for table, (volume, side) in zip(
        data["tables"], [(v, side) for v in report.volumes for side in ("gt", "pred")], strict=True
    ):
        columns = volume.instances[side]
        assert (table["volume"], table["side"]) == (volume.name, side)
        assert table["data"][names.index("id")] == columns["id"]
        assert table["data"][names.index("size")] == columns["size"]
        verdicts = table["data"][names.index("verdict")]
        assert [verdicts["texts"][k] for k in verdicts["index"]] == columns["verdict"]


def test_pictures_are_there_and_rows_know_theirs(report, pictures, page):
    elements = Elements(page)
    ids = [attributes["id"] for attributes, _ in elements.all("figure") if "id" in attributes]
    assert ids == [f"picture-{k}" for k in range(len(pictures))]
    images = [attributes["href"] for attributes, _ in elements.all("image")]
    expected = [section.png for picture in pictures for section in picture.sections]
    assert [base64.b64decode(uri.removeprefix("data:image/png;base64,")) for uri in images] == expected
    data = data_of(page)
    names = [column["name"] for column in data["columns"]]
    for table, row, number in data["pictures"]:
        found = data["tables"][table]
        assert found["data"][names.index("id")][row] == pictures[number].id
        assert (found["volume"], found["side"]) == (pictures[number].volume, pictures[number].side)
    assert len(data["pictures"]) == len(pictures)


def test_ids_that_a_browser_cannot_hold_are_texts():
    gt = np.zeros((3, 20, 20), np.uint64)
    gt[:, :5, :5], gt[:, 10:15, 10:15] = HUGE, 7
    data = data_of(to_html(evaluate_pair(gt, gt)))
    names = [column["name"] for column in data["columns"]]
    assert data["tables"][0]["data"][names.index("id")] == [7, str(HUGE)]
    assert data["tables"][0]["data"][names.index("partner")] == [7, str(HUGE)]


def test_columns_of_a_later_version_are_shown_too(report):
    volume = report.volumes[0]
    columns = volume.instances["gt"]
    new = {"mood": ["calm", None] * (len(columns["id"]) // 2) + ["calm"] * (len(columns["id"]) % 2)}
    new |= {"curl": [float("nan")] * len(columns["id"]), HOSTILE: [[1, 2]] * len(columns["id"])}
    instances = {**volume.instances, "gt": {**columns, **new}}
    data = data_of(to_html(replace(report, volumes=(replace(volume, instances=instances),))))
    by_name = {column["name"]: k for k, column in enumerate(data["columns"])}
    assert data["columns"][by_name["mood"]]["kind"] == "text"
    assert data["tables"][0]["data"][by_name["mood"]]["texts"] == ["", "calm"]
    assert set(data["tables"][0]["data"][by_name["curl"]]) == {None}
    assert data["tables"][1]["data"][by_name["mood"]] is None


def hostile(report):
    """Return the report with a hostile text wherever it can hold one."""
    source = replace(report.volumes[0].gt, name=HOSTILE, dtype=HOSTILE, fingerprint=HOSTILE)
    volume = report.volumes[0]
    columns = volume.instances["gt"]
    instances = {
        **volume.instances,
        "gt": {**columns, "verdict": [HOSTILE] * len(columns["id"]), HOSTILE: columns["id"]},
    }
    repairs = json.loads(json.dumps(volume.repairs))
    repairs["scores"][HOSTILE] = repairs["scores"]["coco"]
    volume = replace(
        volume, name=HOSTILE, gt=source, pred=source, warnings=(HOSTILE,), notes=(HOSTILE,), instances=instances,
        repairs=repairs, metrics={**volume.metrics, HOSTILE: {"all": 0.5}},
    )  # fmt: skip
    rule = {**report.rule, "label": HOSTILE, "name": HOSTILE, "source": HOSTILE, HOSTILE: HOSTILE}
    uncertainty = {"method": HOSTILE, "level": 0.95, "seed": HOSTILE}
    tool = {"name": HOSTILE, "version": HOSTILE}
    return replace(report, volumes=(volume,), rule=rule, tool=tool, uncertainty=uncertainty)


def test_hostile_names_are_texts_and_nothing_else(report, pictures):
    bad = hostile(report)
    taken = [replace(picture, volume=HOSTILE, verdict=HOSTILE, bucket=HOSTILE) for picture in pictures]
    page = to_html(bad, pictures=taken)
    page.encode("utf-8")
    elements = Elements(page)
    assert elements.all("img") == []
    assert len(elements.all("script")) == 2
    assert not [attributes for _, attributes, _ in elements.found if any(name.startswith("on") for name in attributes)]
    assert "49" not in elements.all("title")[0][1]
    shown = "</script><img src=x onerror=alert(1)>\"'&{{7*7}}\ufffd\ufffd\ufffd]]>"
    assert elements.words.count(shown) > 10
    assert data_of(page)["tables"][0]["volume"] == shown


def test_headings_come_in_order_and_ids_are_unique(page):
    elements = Elements(page)
    levels = [int(tag[1]) for tag, _, _ in elements.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes, _ in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"][1:] for attributes, _ in elements.all("a")}
    assert targets <= set(ids)


def test_every_picture_has_words_and_every_table_header_a_scope(page):
    elements = Elements(page)
    drawn = [k for k, (tag, attributes, _) in enumerate(elements.found) if tag == "svg" and attributes.get("role")]
    assert all(elements.found[k + 1][0] == "title" and elements.found[k + 1][2] for k in drawn)
    assert all(attributes.get("scope") for attributes, _ in elements.all("th"))
    assert {attributes.get("role") for attributes, _ in elements.all("svg") if "chart" in attributes["class"]} == {
        "img"
    }


@pytest.mark.parametrize("path", HISTORIC, ids=lambda p: p.stem)
def test_reports_of_every_schema_so_far_are_shown(path):
    Elements(to_html(Report.from_json(path)))


@pytest.mark.parametrize("rule", ["mitoem-2020", "mitoem-2021", "coco"])
def test_empty_and_perfect_volumes_are_shown(rule):
    gt, nothing = np.zeros((2, 3, 16, 16), np.uint8)
    gt[:, 2:9, 2:9] = 1
    for pair in ((nothing, nothing), (nothing, gt), (gt, nothing), (gt, gt)):
        report = evaluate_pair(*pair, rule=rule, repairs=True)
        assert "Nothing to repair." in Elements(to_html(report)).words or report.score != 1


def as_large_as_mitoem(columns, rng):
    """Return columns of 10,000 rows with numbers as long as those of a volume of 1000 x 4096 x 4096 voxels."""
    rows = 10_000
    large = {name: rng.choice(np.array(values, object), rows).tolist() for name, values in columns.items()}
    for axis, length in zip("zyx", (1000, 4096, 4096), strict=True):
        low = rng.integers(length // 10, length - 50, rows)
        large |= {f"{axis}0": low.tolist(), f"{axis}1": (low + 49).tolist(), axis: (low + rng.random(rows)).tolist()}
    large |= {"id": rng.permutation(10**5)[:rows].tolist(), "size": rng.integers(500, 10**6, rows).tolist()}
    large |= {"partner": rng.permutation(10**5)[:rows].tolist(), "iou": rng.random(rows).tolist()}
    return large | {"association_group": list(range(rows)), "cable_length": (rng.random(rows) * 1e4).tolist()}


def test_ten_thousand_instances_and_18_pictures_are_below_5_mb(report, pictures):
    rng = np.random.default_rng(5)
    volume = report.volumes[0]
    instances = {side: as_large_as_mitoem(columns, rng) for side, columns in volume.instances.items()}
    large = replace(report, volumes=(replace(volume, instances=instances),))
    heavy = replace(
        pictures[0], sections=tuple(replace(section, png=rng.bytes(23_000)) for section in pictures[0].sections)
    )
    page = to_html(large, pictures=[heavy] * 18)
    assert sum(len(table["data"][0]) for table in data_of(page)["tables"]) == 20_000
    assert 3_000_000 < len(page.encode()) < 5_000_000


def test_without_jinja_the_message_says_what_to_install(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    html._environment.cache_clear()
    message = "HTML pages need the jinja2 library, which is not installed; run pip install 'mitobench[report]'"
    with pytest.raises(MissingExtraError, match=f"^{re.escape(message)}$"):
        to_html(report)
    html._environment.cache_clear()


def test_the_templates_are_where_a_package_has_them():
    folder = Path(importlib.util.find_spec("mitobench.render").origin).parent / "templates"
    assert {path.suffix for path in folder.iterdir()} == {".j2", ".css", ".js"}
