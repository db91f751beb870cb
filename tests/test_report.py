"""Reports: round trips, tables, and files that are no reports."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.evaluate import evaluate_benchmark, evaluate_pair
from mitobench.render import to_text
from mitobench.report import SCHEMA_VERSION, Report
from mitobench.resampling import Bootstrap
from mitobench.testing import random_volumes

HISTORIC = sorted((Path(__file__).parent / "historic_reports").glob("*.json"))


@pytest.fixture(scope="module")
def report():
    gt, pred = random_volumes(np.random.default_rng(8), instances=15, edge=20)
    intervals = Bootstrap(unit="instances", resamples=100)
    return evaluate_benchmark({"MitoEM-H": (pred, gt), "MitoEM-R": (gt, gt)}, repairs=True, intervals=intervals)


def test_a_report_survives_dictionaries_and_files(report, tmp_path):
    assert Report.from_dict(report.to_dict()) == report
    report.to_json(tmp_path / "r.json")
    assert Report.from_json(tmp_path / "r.json") == report
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_the_json_form_is_the_one_of_the_design(report):
    values = json.loads(report.to_json())
    assert values["schema_version"] == SCHEMA_VERSION
    assert values["tool"]["name"] == "mitobench"
    assert values["rule"]["name"] == "mitoem-2020"
    assert [volume["name"] for volume in values["volumes"]] == ["MitoEM-H", "MitoEM-R"]
    assert set(values["volumes"][0]["metrics"]["ap_75"]) == {"all", "small", "medium", "large"}
    assert values["overall"]["ap_75"] == report.score
    names = {*values["overall"], *values["metrics"], *values["volumes"][0]["metrics"]}
    assert not [name for name in names if "." in name]
    assert {"ap_50", "ap_50_95", "accuracy_75", "precision_75", "recall_75", "f1_75", "pq_75", "sq_95"} <= names


def test_frames_have_one_row_per_metric_and_bucket_and_per_instance(report):
    frame = report.to_frame()
    assert list(frame.columns) == ["volume", "metric", "bucket", "value", "unit", "direction"]
    values = sum(len(buckets) for buckets in report.volumes[0].metrics.values())
    assert 4 * 101 < len(frame) == 2 * values
    picked = frame.query("volume == 'MitoEM-R' and metric == 'ap_75' and bucket == 'all'")
    assert picked["value"].tolist() == [1.0]
    instances = report.instances_frame()
    expected = sum(volume.gt.instances + volume.pred.instances for volume in report.volumes)
    assert len(instances) == expected
    assert {"volume", "side", "id", "size", "z0", "x1", "partner", "iou", "verdict"} <= set(instances.columns)
    assert set(instances.query("volume == 'MitoEM-R'")["verdict"]) == {"matched"}


def test_curves_average_to_the_average_precision(report):
    for volume in report.volumes:
        for threshold in ("50", "75", "95"):
            for bucket, curve in volume.curves[f"precision_{threshold}"].items():
                value = volume.metrics[f"ap_{threshold}"][bucket]
                assert (curve is None) == (value is None)
                if curve is not None:
                    assert len(curve) == 101
                    assert np.mean(curve) == pytest.approx(value, abs=1e-12)


def test_the_text_shows_the_table_of_the_paper_and_a_dash_where_undefined(report):
    text = to_text(report)
    lines = text.splitlines()
    assert lines[0] == "rule mitoem-2020"
    header = next(line.split() for line in lines if "Med" in line)
    assert header == ["Small", "Med", "Large", "All"]
    human = next(line.split() for line in lines if line.split()[:1] == ["MitoEM-H"] and "voxels" not in line)
    ap = report.volumes[0].metrics["ap_75"]
    expected = ["-" if ap[b] is None else f"{ap[b]:.4f}" for b in ("small", "medium", "large", "all")]
    assert human == ["MitoEM-H", *expected]
    assert next(line.split() for line in lines if "Overall" in line) == ["Overall", f"{report.score:.4f}"]
    assert str(report) == text


def test_names_are_printed_as_they_are_and_never_as_markup():
    one = np.ones((2, 2, 2), "u1")
    assert "[bold]x[/]" in to_text(evaluate_pair(one, one, name="[bold]x[/]"))


def test_names_cannot_steer_the_terminal():
    one = np.ones((2, 2, 2), "u1")
    assert "\N{REPLACEMENT CHARACTER}[31mred" in to_text(evaluate_pair(one, one, name="\x1b[31mred"))


def test_a_report_with_fewer_metrics_is_still_shown(report):
    text = to_text(Report.from_dict(edited(report, lambda v: v["volumes"][0]["metrics"].pop("pq_75"))))
    assert text.count("PQ") == len(report.volumes) - 1


@pytest.mark.parametrize("path", HISTORIC, ids=lambda p: p.stem)
def test_reports_of_every_schema_so_far_still_load(path):
    report = Report.from_json(path)
    assert report.schema_version == SCHEMA_VERSION
    assert to_text(report)


def test_there_is_a_historic_report_of_every_schema():
    assert {json.loads(path.read_text())["schema_version"] for path in HISTORIC} == set(range(1, SCHEMA_VERSION + 1))


def edited(report, edit):
    values = report.to_dict()
    edit(values)
    return values


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda v: v.pop("volumes"), "key 'volumes' is missing"),
        (lambda v: v["volumes"].clear(), "it has no volumes"),
        (lambda v: v["volumes"][0].update(name=3), "name is 3"),
        (lambda v: v["volumes"][0].update(shape=[1, 2]), "not enough values to unpack"),
        (lambda v: v["volumes"][0]["metrics"]["ap_75"].update(all="1"), "a metric is '1', expected a number"),
        (lambda v: v["metrics"].pop("ap_75"), "nothing is said of the metric ap_75"),
        (lambda v: v["rule"].update(rank_by="ap_33"), "no overall ap_33"),
        (lambda v: v.update(volumes=7), "'int' object is not iterable"),
        (lambda v: v["volumes"][0]["gt"].update(instances="3"), "instances is '3'"),
        (lambda v: v["volumes"][1]["metrics"].pop("ap_75"), "MitoEM-R has no ap_75"),
        (lambda v: v["overall"].update(ap_75=float("nan")), "a metric is nan, expected a number"),
        (lambda v: v["overall"].update(ap_75=10**400), "a metric is 1000"),
        (lambda v: v["rule"].update(size_thresholds=[5]), "rule.size_thresholds is [5], expected a list of 2"),
        (lambda v: v["rule"].pop("source"), "rule.source is missing"),
        (lambda v: v["tool"].update(version=1), "tool.version is 1"),
        (lambda v: v["uncertainty"].pop("level"), "uncertainty.level is missing"),
        (lambda v: v["volumes"][0]["intervals"]["ap_75"].update(all=[0, None]), "an interval is [0, None]"),
        (lambda v: v["volumes"][0]["intervals"]["ap_75"].update(all=[0]), "not enough values to unpack"),
        (lambda v: v["volumes"][0]["curves"]["precision_75"].update(all=[1]), "expected a list of 101"),
        (lambda v: v["volumes"][0]["instances"]["gt"]["id"].pop(), "instances.gt has columns of several lengths"),
        (lambda v: v["volumes"][0]["instances"]["pred"].pop("verdict"), "instances.pred.verdict is missing"),
        (lambda v: v["volumes"][0]["instances"]["gt"]["size"].__setitem__(0, 1.5), "expected a whole number"),
        (lambda v: v["volumes"][0]["instances"]["gt"].update(mine=[[]] * 15), "instances.gt.mine is []"),
        (lambda v: v["volumes"][0]["repairs"]["classes"]["false"].pop("gt"), "repairs.classes.false.gt is missing"),
        (lambda v: v["volumes"][0]["repairs"]["classes"].pop("false"), "other kinds of errors than repairs.classes"),
        (lambda v: v["volumes"][0]["repairs"]["repairs"].update(all={}), "repairs.repairs.all.errors is missing"),
        (lambda v: v["volumes"][0]["repairs"]["scores"].pop("mitoem-2020"), "repairs under other rules only"),
    ],
)
def test_what_is_no_report_is_refused(report, edit, reason):
    with pytest.raises(InvalidInputError, match=f"not a mitobench report \\(.*{re.escape(reason)}"):
        Report.from_dict(edited(report, edit))


def test_a_report_of_a_newer_version_is_refused(report):
    message = "the report has schema version 99, this mitobench reads up to 3; upgrade mitobench"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        Report.from_dict(edited(report, lambda v: v.update(schema_version=99)))


def test_files_that_are_no_json_are_refused(tmp_path):
    with pytest.raises(UnusableFileError, match=r"none\.json: cannot be read \(No such file or directory\)"):
        Report.from_json(tmp_path / "none.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UnusableFileError, match=r"a\.json: not JSON; expected a report of `mitobench evaluate"):
        Report.from_json(tmp_path / "a.json")
    (tmp_path / "b.json").write_text("[" * 100_000)
    with pytest.raises(UnusableFileError, match=r"b\.json: not JSON"):
        Report.from_json(tmp_path / "b.json")
    (tmp_path / "c.json").write_text("[1]")
    with pytest.raises(InvalidInputError, match=r"c\.json: not a mitobench report"):
        Report.from_json(tmp_path / "c.json")
