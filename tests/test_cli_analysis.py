"""The command line of what a report says beyond the scores: repairs, intervals, and the page."""

import json
import sys

import numpy as np
import pytest

from mitobench.cli import main
from mitobench.evaluate import evaluate_pair
from mitobench.render import html
from mitobench.report import SCHEMA_VERSION, Report
from mitobench.resampling import Bootstrap
from mitobench.testing import random_volumes


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with gt.npy, pred.npy and im.npy."""
    gt, pred = random_volumes(np.random.default_rng(4), instances=60, edge=48)
    np.save(tmp_path / "gt.npy", gt.astype("u2"))
    np.save(tmp_path / "pred.npy", pred.astype("u2"))
    np.save(tmp_path / "im.npy", np.random.default_rng(5).integers(0, 255, gt.shape, dtype=np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    """Return exit status, standard output and standard error."""
    try:
        code = main(["evaluate", *arguments])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


PAIR = ("pred.npy", "gt.npy")


def test_repairs_are_printed_and_stored(folder, capsys):
    code, out, err = run(capsys, *PAIR, "--repairs", "--json", "r.json")
    assert (code, err) == (0, "")
    report = Report.from_json("r.json")
    repairs = report.volumes[0].repairs
    assert repairs == evaluate_pair(*PAIR, repairs=True).volumes[0].repairs
    now = repairs["scores"]["mitoem-2020"]["now"]
    assert now["all"] == report.score
    lines = out.splitlines()
    assert f"repairs to reach 0.90:  All {repairs['repairs']['all']['to_target']}," in out
    first = repairs["scores"]["mitoem-2020"]["cumulative"][0]
    errors = repairs["classes"][first["kind"]]["errors"]["all"]
    row = next(line.split() for line in lines if line.split()[:2] == [first["kind"], str(errors)])
    assert row[-1] == f"{first['score']['all']:.4f}"
    assert run(capsys, *PAIR)[1].count("repairs to reach") == 0


def test_intervals_are_printed_and_stored_and_follow_the_seed(folder, capsys):
    options = ("--intervals", "--unit", "instances", "--resamples", "200", "--level", "0.9")
    code, out, err = run(capsys, *PAIR, *options, "--seed", "3", "--json", "r.json")
    assert (code, err) == (0, "")
    report = Report.from_json("r.json")
    volume = report.volumes[0]
    made = {"method": "bootstrap", "resamples": 200, "level": 0.9, "unit": "instances", "seed": 3}
    assert report.uncertainty == made
    low, high = volume.intervals["ap_75"]["all"]
    assert low < report.score < high
    assert report.overall_intervals["ap_75"] == [low, high]
    assert set(volume.intervals) == set(volume.metrics)
    assert f"90% interval {low:.3f}-{high:.3f}".split() in [line.split()[:3] for line in out.splitlines()]
    run(capsys, *PAIR, *options, "--seed", "3", "--json", "again.json")
    run(capsys, *PAIR, *options, "--seed", "4", "--json", "other.json")
    assert Report.from_json("again.json") == report
    assert Report.from_json("other.json").volumes[0].intervals != volume.intervals


def test_the_mean_of_two_volumes_has_its_own_interval(folder, capsys):
    options = ("--intervals", "--unit", "instances", "--resamples", "100", "--json", "r.json")
    code, out, _ = run(capsys, "--human", *PAIR, "--rat", *PAIR, *options)
    assert code == 0
    report = Report.from_json("r.json")
    low, high = report.overall_intervals["ap_75"]
    one_low, one_high = report.volumes[0].intervals["ap_75"]["all"]
    # Two volumes drawn independently: narrower by about the square root of 2.
    assert 0.5 < (high - low) / (one_high - one_low) < 0.95
    assert f"{low:.3f}-{high:.3f}" in out


def test_too_few_blocks_are_said(folder, capsys):
    np.save("one.npy", np.ones((4, 8, 8), np.uint8))
    code, out, _ = run(capsys, "one.npy", "one.npy", "--intervals")
    assert code == 0
    note = "No intervals: the number of blocks is 1, and it takes 6; over single instances they may be possible."
    assert " ".join(out.split()).count(note) == 1
    assert set(evaluate_pair("one.npy", "one.npy", intervals=Bootstrap()).volumes[0].intervals["ap_75"].values()) == {
        None
    }


def test_the_page_asks_for_both_and_shows_the_image(folder, capsys):
    code, out, err = run(capsys, *PAIR, "--html", "page.html", "--image", "im.npy", "--unit", "instances")
    assert (code, err) == (0, "")
    assert "repairs to reach" in out
    assert "95% interval" in out
    page = (folder / "page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "data:image/png" in page
    assert "no intervals" not in page
    run(capsys, *PAIR, "--html", "bare.html", "--unit", "instances")
    assert "data:image/png" not in (folder / "bare.html").read_text()
    run(capsys, *PAIR, "--html", "again.html", "--image", "im.npy", "--unit", "instances")
    assert (folder / "again.html").read_text() == page


def test_the_page_of_two_volumes_takes_an_image_each(folder, capsys):
    pairs = ("--human", *PAIR, "--rat", "gt.npy", "gt.npy", "--html", "page.html", "--image", "im.npy")
    code, out, err = run(capsys, *pairs)
    assert (code, out) == (2, "")
    assert err == "mitobench: error: --image is given 1 time(s) for 2 pair(s); give it once for each pair\n"
    assert run(capsys, *pairs, "--image", "im.npy")[0] == 0
    page = (folder / "page.html").read_text()
    assert "MitoEM-H" in page
    assert "MitoEM-R" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--image", "im.npy"), "--image is for the pictures of --html; name a page to write too"),
        (
            ("--html", "page.html", "--image", "flat.npy"),
            "flat.npy: the image has the shape (48, 48, 47), but the labels of gt.npy have (48, 48, 48); pictures need",
        ),
        (
            ("--html", "page.html", "--image", "two.npy"),
            "two.npy: the image has 2 channels; expected one, (z, y, x); name a dataset that has one",
        ),
        (("--html", "page.html", "--image", "none.npy"), ""),
        (("--html", "no/page.html"), "cannot write no/page.html: the folder no does not exist; create it first"),
        (("--html", "-"), "--html needs a file; only --json and --csv can print with -"),
        (("--html", "a", "--json", "a"), "two outputs have the same name; give each of them its own"),
        (("--intervals", "--resamples", "5"), "resamples"),
        (("--intervals", "--level", "2"), "level of the intervals is 2.0; allowed: a number from 0.5 to 0.999"),
        (("--intervals", "--seed", "-1"), "seed"),
    ],
)
def test_bad_usage_writes_nothing_and_reads_no_labels(folder, capsys, monkeypatch, arguments, message):
    np.save("flat.npy", np.zeros((48, 48, 47), np.uint8))
    np.save("two.npy", np.zeros((2, 48, 48, 48), np.uint8))
    before = sorted(folder.iterdir())
    monkeypatch.setattr("mitobench.evaluate._volume.overlap_pass", lambda *a, **k: pytest.fail("labels were read"))
    code, out, err = run(capsys, *PAIR, *arguments)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"mitobench: error: {message}")
    assert sorted(folder.iterdir()) == before


def test_the_page_needs_jinja(folder, capsys, monkeypatch):
    html._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    code, out, err = run(capsys, *PAIR, "--html", "page.html")
    assert (code, out) == (2, "")
    assert "pip install 'mitobench[report]'" in err
    assert not (folder / "page.html").exists()


def test_show_prints_what_was_stored(folder, capsys):
    _, out, _ = run(capsys, *PAIR, "--repairs", "--intervals", "--unit", "instances", "--json", "r.json")
    assert main(["show", "r.json"]) == 0
    assert capsys.readouterr().out == out
    values = json.loads((folder / "r.json").read_text())
    assert values["schema_version"] == SCHEMA_VERSION
