"""The command line of the challenge's rule: lengths given, measured and kept, and the tables of the public tool."""

import csv
import sys

import numpy as np
import pytest

from mitobench.cli import main
from mitobench.evaluate import _volume, evaluate_pair
from mitobench.report import Report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with gt.npy, pred.npy and lengths.csv."""
    gt = np.zeros((12, 40, 40), np.uint16)
    gt[1:11, 2:8, 2:30], gt[2:9, 20:26, 5:20], gt[4, 30:33, 30:33] = 3, 7, 9
    pred = gt.copy()
    pred[1:6][gt[1:6] == 3] = 4
    pred[gt == 9] = 0
    pred[10:12, 35:39, 0:3] = 11
    np.save(tmp_path / "gt.npy", gt)
    np.save(tmp_path / "pred.npy", pred)
    (tmp_path / "lengths.csv").write_text("id,length_nm\n3,4000\n7,1000.5\n9,12\n")
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


CHALLENGE = ("pred.npy", "gt.npy", "--rule", "mitoem-2023")
GIVEN = (*CHALLENGE, "--cable-lengths", "lengths.csv")


def test_given_lengths_and_the_tables_of_the_public_tool(folder, capsys):
    code, out, err = run(capsys, *GIVEN, "--iou-precision", "float16", "--json", "r.json", "--tool-tables", "tables")
    assert (code, err) == (0, "")
    assert "rule mitoem-2023 with iou_precision='float16'" in out
    assert "by best overlap at IoU 0.75" in out
    assert sorted(path.name for path in folder.iterdir()) == ["gt.npy", "lengths.csv", "pred.npy", "r.json", "tables"]
    volume = Report.from_json("r.json").volumes[0]
    assert volume.instances["gt"]["bucket"] == ["large", "medium", "small"]
    assert volume.instances["gt"]["cable_length"] == [4000, 1000.5, 12]
    rows = list(csv.reader((folder / "tables" / "matching_metrics.csv").read_text().splitlines()))
    assert rows[0] == list(volume.matching.columns)
    assert len(rows) == 1 + 4 * 3
    stats = (folder / "tables" / "associations_stats.csv").read_text().splitlines()
    assert stats == [
        ",one-to-one,missing,over-segmentation,under-segmentation,many-to-many,background",
        "small,[0],[1],[0],[0],[0],[1]",
        "medium,[1],[0],[0],[0],[0],[0]",
        "large,[0],[0],[1],[0],[0],[0]",
    ]
    groups = list(csv.DictReader((folder / "tables" / "associations.csv").read_text().splitlines()))
    assert groups == [
        {"predicted": "[11]", "gt": "[]", "association_type": "background"},
        {"predicted": "[]", "gt": "[9]", "association_type": "missing"},
        {"predicted": "[7]", "gt": "[7]", "association_type": "one-to-one"},
        {"predicted": "[3, 4]", "gt": "[3]", "association_type": "over-segmentation"},
    ]


def test_two_pairs_take_a_table_each_and_write_a_folder_each(folder, capsys):
    pairs = ("--human", "pred.npy", "gt.npy", "--rat", "gt.npy", "gt.npy", "--rule", "mitoem-2023")
    code, out, err = run(capsys, *pairs, "--cable-lengths", "lengths.csv")
    assert (code, out) == (2, "")
    assert err == "mitobench: error: --cable-lengths is given 1 time(s) for 2 pair(s); give it once for each pair\n"
    tables = ("--cable-lengths", "lengths.csv", "--cable-lengths", "lengths.csv", "--tool-tables", "t")
    code, out, err = run(capsys, *pairs, *tables)
    assert (code, err) == (0, "")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("assoc*.csv")) == [
        *("t/MitoEM-H/associations.csv", "t/MitoEM-H/associations_stats.csv"),
        *("t/MitoEM-R/associations.csv", "t/MitoEM-R/associations_stats.csv"),
    ]


def test_measured_lengths_are_kept_and_read_again_for_the_same_content_only(folder, capsys, monkeypatch):
    pytest.importorskip("kimimaro")
    assert run(capsys, *CHALLENGE, "--json", "r.json")[0] == 0
    first = Report.from_json("r.json")
    kept = folder / "r.cable.csv"
    assert kept.is_file()
    measured = []
    measure = _volume.cable_lengths
    monkeypatch.setattr(_volume, "cable_lengths", lambda *a, **k: measured.append(1) or measure(*a, **k))
    assert run(capsys, *CHALLENGE, "--json", "r.json")[0] == 0
    assert not measured
    assert Report.from_json("r.json") == first
    assert run(capsys, *CHALLENGE, "--voxel-size", "30,4,4", "--json", "r.json")[0] == 0
    assert len(measured) == 1
    changed = np.load("gt.npy")
    changed[11] = 0
    changed[0, 0, 0:5] = 40
    np.save("gt.npy", changed)
    assert run(capsys, *CHALLENGE, "--json", "r.json")[0] == 0
    assert len(measured) == 2
    assert len(Report.from_json("r.json").volumes[0].instances["gt"]["id"]) == 4


def test_measured_lengths_are_those_of_a_table_made_of_them(folder, capsys):
    pytest.importorskip("kimimaro")
    assert run(capsys, *CHALLENGE, "--json", "r.json")[0] == 0
    assert run(capsys, *CHALLENGE, "--json", "s.json", "--cable-lengths", "r.cable.csv")[0] == 0
    assert Report.from_json("r.json") == Report.from_json("s.json")


def test_kimimaro_is_missed_before_anything_is_read(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "kimimaro", None)
    monkeypatch.setattr(_volume, "overlap_pass", lambda *a, **k: pytest.fail("the volumes were read"))
    code, out, err = run(capsys, *CHALLENGE)
    assert (code, out) == (2, "")
    assert err == (
        "mitobench: error: gt.npy: measuring cable lengths needs the kimimaro library, which is not installed; run pip "
        "install 'mitobench[cable]', or give a table of cable lengths\n"
    )


BAD = {
    ("3,4000\n7,1\n",): "lengths.csv: no cable length for the ground-truth ids 9; give one for each",
    ("3,4000\n7,1\n9,12\n8,2\n",): (
        "lengths.csv: cable lengths for ids that are not in the ground truth: 8; remove them"
    ),
    ("3,4000\n7,1\n9,-1\n",): "",
    ("3,4000\n7,1\n9,nan\n",): "",
    ("3,4000\n7,1\n9,\n",): "",
    ("3,4000\n7,1\n7,1\n",): "",
    ("",): "",
}


@pytest.mark.parametrize(("text", "message"), [(*key, value) for key, value in BAD.items()])
def test_bad_tables_of_lengths(folder, capsys, text, message):
    (folder / "lengths.csv").write_text(text)
    code, out, err = run(capsys, *GIVEN, "--json", "r.json", "--tool-tables", "t")
    assert (code, out) == (2, "")
    assert err.startswith(f"mitobench: error: {message or 'lengths.csv: '}")
    assert len(err.splitlines()) == 1
    assert not (folder / "r.json").exists()
    assert not (folder / "t").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("pred.npy", "gt.npy", "--iou-precision", "float16"),
            "iou_precision is 'float16' with detection_matching 'one-to-one'; only 'best-overlap', as in",
        ),
        ((*GIVEN, "--tool-tables", "gt.npy"), "cannot make gt.npy: File exists; name another folder"),
        (
            (*GIVEN, "--tool-tables", "no/where"),
            "cannot make no/where: the folder no does not exist; create it first",
        ),
        ((*CHALLENGE, "--cable-lengths", "none.csv"), ""),
        ((*GIVEN, "--voxel-size", "30,8"), "argument --voxel-size: '30,8' is not 3 numbers; expected such as 30,8,8"),
        ((*GIVEN, "--voxel-size", "30,8,0"), "voxel_size is (30.0, 8.0, 0.0); expected three numbers above 0, in nm"),
    ],
)
def test_bad_usage(folder, capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"mitobench: error: {message}")


def test_lengths_given_to_a_rule_of_voxels_are_kept_in_the_report(folder):
    report = evaluate_pair("pred.npy", "gt.npy", cable_lengths="lengths.csv")
    assert report.volumes[0].instances["gt"]["cable_length"] == [4000, 1000.5, 12]
    assert report.volumes[0].instances["pred"]["cable_length"] == [None] * 4
