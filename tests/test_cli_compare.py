"""``mitobench compare``: what it prints and writes, and how it refuses bad input."""

import csv
import io
import json

import h5py
import numpy as np
import pytest

from mitobench import compare_pair
from mitobench.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with gt.h5, a.h5 and b.h5."""
    rng = np.random.default_rng(0)
    gt, a, b = np.zeros((3, 12, 96, 96), "u2")
    for label in range(1, 65):
        y, x = 12 * (label // 8 % 8), 12 * (label % 8)
        box = np.s_[2:10, y + 1 : y + 9, x + 1 : x + 9]
        gt[box] = label
        a[box] = label * (rng.random() < 0.9)
        b[box] = label * (rng.random() < 0.5)
    for name, labels in {"gt": gt, "a": a, "b": b}.items():
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_dataset("main", data=labels, compression="gzip")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    """Return exit status, standard output and standard error."""
    try:
        code = main(["compare", *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_comparison_is_printed_and_written_in_every_form(folder, capsys):
    outputs = ("--json", "c.json", "--csv", "c.csv", "--instances", "i.csv")
    code, out, err = run(capsys, "a.h5", "b.h5", "--gt", "gt.h5", *outputs)
    assert (code, err) == (0, "")
    comparison = compare_pair("a.h5", "b.h5", "gt.h5")
    assert (
        next(line for line in out.splitlines() if "AP-75 All" in line).split()[2] == f"{comparison.of('ap_75').a:.4f}"
    )
    assert json.loads((folder / "c.json").read_text()) == comparison.to_dict()
    rows = table(folder / "c.csv")
    assert len(rows) == len(comparison.differences)
    ranked = next(row for row in rows if (row["metric"], row["bucket"]) == ("ap_75", "all"))
    assert ranked["difference"] == str(comparison.of("ap_75").difference)
    assert ranked["direction"] == "higher"
    assert next(row for row in rows if row["bucket"] == "large")["a"] == ""
    found = table(folder / "i.csv")
    assert len(found) == comparison.gt.instances
    assert sum(row["found_a"] == "True" for row in found) == comparison.of("tp_75").a
    assert sorted(p.name for p in folder.iterdir()) == ["a.h5", "b.h5", "c.csv", "c.json", "gt.h5", "i.csv"]


def test_json_and_csv_can_be_printed_instead(folder, capsys):
    options = ("--resamples", "100", "--level", "0.9", "--unit", "instances", "--seed", "4")
    code, out, _ = run(capsys, "a.h5", "b.h5", "--gt", "gt.h5", "--json", "-", *options)
    assert code == 0
    uncertainty = json.loads(out)["uncertainty"]
    assert uncertainty == {
        "method": "bootstrap",
        "resamples": 100,
        "level": 0.9,
        "unit": "instances",
        "seed": 4,
        "occupied": 64,
    }
    code, out, _ = run(capsys, "a.h5", "b.h5", "--gt", "gt.h5", "--csv", "-", *options)
    assert code == 0
    assert next(csv.DictReader(io.StringIO(out)))["metric"] == "ap_50"


def test_rule_scores_and_cable_lengths(folder, capsys):
    scores = []
    for name in "ab":
        with h5py.File(f"{name}.h5") as file:
            ids = np.unique(file["main"][:])[1:]
        path = folder / f"{name}.csv"
        path.write_text("id,score\n" + "".join(f"{i},{i / 100}\n" for i in ids))
        scores.append(path)
    (folder / "lengths.csv").write_text("id,length_nm\n" + "".join(f"{i},{100 * i}\n" for i in range(1, 65)))
    given = ("--scores", *scores, "--rule", "mitoem-2023", "--cable-lengths", "lengths.csv")
    code, out, err = run(capsys, "a.h5", "b.h5", "--gt", "gt.h5", *given, "--size-thresholds", "500,600")
    assert (code, err) == (0, "")
    assert out.startswith("rule mitoem-2023 with size_thresholds=(500, 600)\n")
    assert "Accuracy-75 All" in out


REFUSED = {
    "a missing file": (("none.h5", "b.h5", "--gt", "gt.h5"), "none.h5"),
    "another shape": (("other.h5", "b.h5", "--gt", "gt.h5"), "shape"),
    "a level in percent": (
        ("a.h5", "b.h5", "--gt", "gt.h5", "--level", "95"),
        "mitobench: error: level of the intervals is 95.0; allowed: a number from 0.5 to 0.999",
    ),
    "too few resamples": (
        ("a.h5", "b.h5", "--gt", "gt.h5", "--resamples", "10"),
        "mitobench: error: resamples of the bootstrap are 10; allowed: whole numbers from 100 to 100,000",
    ),
    "no such rule": (
        ("a.h5", "b.h5", "--gt", "gt.h5", "--rule", "cocoa"),
        "unknown rule 'cocoa', did you mean 'coco'?",
    ),
    "no cable lengths": (
        ("a.h5", "b.h5", "--gt", "gt.h5", "--rule", "mitoem-2023"),
        "mitobench: error: the buckets of the rule mitoem-2023 measure cable length, which is not given; give it with",
    ),
    "no ground truth": (("a.h5", "b.h5"), "the following arguments are required: --gt"),
    "instances on standard output": (
        ("a.h5", "b.h5", "--gt", "gt.h5", "--instances", "-"),
        "mitobench: error: --instances needs a file; only --json and --csv can print with -",
    ),
    "one name for two outputs": (
        ("a.h5", "b.h5", "--gt", "gt.h5", "--json", "x", "--csv", "./x"),
        "mitobench: error: two outputs have the same name; give each of them its own",
    ),
    "a folder that does not exist": (
        ("a.h5", "b.h5", "--gt", "gt.h5", "--csv", "no/x.csv"),
        "mitobench: error: cannot write no/x.csv: the folder no does not exist; create it first",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(folder, capsys, case):
    arguments, message = REFUSED[case]
    with h5py.File("other.h5", "w") as file:
        file["main"] = np.ones((2, 3, 4), "u1")
    before = sorted(p.name for p in folder.iterdir())
    code, out, err = run(capsys, *arguments, *(() if "--csv" in arguments else ("--csv", "new.csv")))
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("mitobench: error: ")
    assert message in last
    assert sorted(p.name for p in folder.iterdir()) == before


def test_names_from_files_cannot_steer_the_terminal(folder, capsys):
    steering = folder / "a\x1b[31m.h5"
    (folder / "a.h5").rename(steering)
    code, out, _ = run(capsys, steering.name, "b.h5", "--gt", "gt.h5")
    assert code == 0
    assert "\x1b" not in out
    assert "a\N{REPLACEMENT CHARACTER}[31m.h5" in out
