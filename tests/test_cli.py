"""The command line: what it prints and writes, and how it refuses bad input."""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from mitobench.cli import main
from mitobench.evaluate import evaluate_pair
from mitobench.report import Report
from mitobench.testing import random_volumes


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with gt.h5 and pred.h5."""
    gt, pred = random_volumes(np.random.default_rng(5), instances=15, edge=20)
    for name, labels in (("gt", gt), ("pred", pred)):
        write(tmp_path / f"{name}.h5", main=labels.astype("u2"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file.create_dataset(name, data=data, compression="gzip")


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def run(capsys, *arguments):
    """Return exit status, standard output and standard error."""
    try:
        code = main([str(a) for a in arguments])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def test_a_pair_is_printed_as_a_table_and_written_in_every_form(folder, capsys):
    outputs = ("--json", "r.json", "--csv", "r.csv", "--instances", "i.csv")
    code, out, err = run(capsys, "evaluate", "pred.h5", "gt.h5", *outputs)
    assert (code, err) == (0, "")
    report = Report.from_json(folder / "r.json")
    assert (
        f"AP-75{report.score:25.4f}".split() == next(line for line in out.splitlines() if "AP-75" in line).split()[:2]
    )
    rows = table(folder / "r.csv")
    assert len(rows) == sum(len(buckets) for buckets in report.volumes[0].metrics.values())
    assert {row["value"] for row in rows if row["metric"] == "ap_75" and row["bucket"] == "all"} == {str(report.score)}
    assert [row["value"] for row in rows if row["metric"] == "ap_75" and row["bucket"] == "large"] == [""]
    instances = table(folder / "i.csv")
    assert len(instances) == report.volumes[0].gt.instances + report.volumes[0].pred.instances
    assert sorted(p.name for p in folder.iterdir()) == ["gt.h5", "i.csv", "pred.h5", "r.csv", "r.json"]


def test_json_and_csv_can_be_printed_instead(folder, capsys):
    code, out, _ = run(capsys, "evaluate", "pred.h5", "gt.h5", "--json", "-")
    assert code == 0
    assert Report.from_dict(json.loads(out)) == evaluate_pair("pred.h5", "gt.h5", name="pred")
    code, out, _ = run(capsys, "evaluate", "pred.h5", "gt.h5", "--csv", "-")
    assert code == 0
    assert next(csv.DictReader(io.StringIO(out)))["metric"] == "ap_50"


def test_a_stored_report_is_shown_as_it_was_printed(folder, capsys):
    _, printed, _ = run(capsys, "evaluate", "pred.h5", "gt.h5", "--json", "r.json")
    assert run(capsys, "show", "r.json") == (0, printed, "")


def test_the_two_volumes_of_the_benchmark(folder, capsys):
    pairs = ("--human", "pred.h5", "gt.h5", "--rat", "gt.h5", "gt.h5")
    code, out, _ = run(capsys, "evaluate", *pairs, "--json", "r.json")
    assert code == 0
    report = Report.from_json("r.json")
    assert [volume.name for volume in report.volumes] == ["MitoEM-H", "MitoEM-R"]
    assert f"{report.score:.4f}" in next(line for line in out.splitlines() if "Overall" in line)
    assert run(capsys, "evaluate", "--rat", "gt.h5", "gt.h5")[0] == 0


def test_options_reach_the_evaluation(folder, capsys):
    options = ("--size-thresholds", "5,50", "--rule", "coco", "--memory", "50MB", "--workers", "1")
    code, _, _ = run(capsys, "evaluate", "pred.h5::main", "gt.h5", *options, "--json", "r.json")
    assert code == 0
    report = Report.from_json("r.json")
    assert report.rule["label"] == "coco with size_thresholds=(5, 50)"
    assert report.volumes[0].pred.name == "pred.h5::main"


def test_help_and_version(capsys):
    for arguments in (["--help"], ["evaluate", "--help"], ["show", "--help"], ["phantom", "make", "--help"]):
        code, out, err = run(capsys, *arguments)
        assert (code, err) == (0, "")
        assert out.startswith("usage: mitobench")
    assert run(capsys, "--version")[1].startswith("mitobench 0.")


def refused(capsys, folder, *arguments):
    """Return the last line of standard error of a call that must be refused and write nothing."""
    before = sorted(folder.rglob("*"))
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert sorted(folder.rglob("*")) == before
    line = err.splitlines()[-1]
    assert line.startswith("mitobench: error: ")
    return line.removeprefix("mitobench: error: ")


BAD_CALLS = {
    ("nothing.h5", "gt.h5"): (
        "nothing.h5: does not exist; expected HDF5, Zarr, TIFF, .npy, .npz or a folder of PNG or TIFF sections; "
        "check the path"
    ),
    ("text.h5", "gt.h5"): "text.h5: not an HDF5 file; expected HDF5, Zarr, TIFF, PNG sections or NumPy",
    ("cut.h5", "gt.h5"): "cut.h5: the HDF5 file is truncated (3000 bytes are there); copy it again",
    ("pred.h5::mian", "gt.h5"): ("pred.h5: no dataset 'mian' inside, did you mean 'main'?; the datasets are 'main'"),
    ("two.h5", "gt.h5"): "two.h5: 2 datasets found inside ('a', 'b'); name the one to use, as in two.h5::a",
    ("turned.h5", "gt.h5"): (
        "gt.h5 has the shape (20, 20, 20) and turned.h5 has (10, 20, 20); both must have the same (z, y, x) shape: "
        "cut or resample them to the same region first"
    ),
    ("negative.h5", "gt.h5"): (
        "negative.h5: holds negative ids (such as -1); ids must be 0 for background and positive for instances; "
        "set the negative voxels to 0"
    ),
    ("pred.h5", "gt.h5", "--rule", "mitoem2021"): (
        "unknown rule 'mitoem2021', did you mean 'mitoem-2021'?; allowed: mitoem-2020, mitoem-2021, mitoem-2023, coco, "
        "or a Rule of your own"
    ),
    ("pred.h5", "gt.h5", "--json", "none/r.json"): (
        "cannot write none/r.json: the folder none does not exist; create it first"
    ),
    ("pred.h5", "gt.h5", "--json", "."): "cannot write .: it is a folder; name a file",
    ("pred.h5", "gt.h5", "--json", "./gt.h5"): "--json would replace ./gt.h5, which is read; name another file",
    ("pred.h5", "gt.h5::main", "--csv", "gt.h5"): "--csv would replace gt.h5, which is read; name another file",
    ("pred.h5", "gt.h5", "--json", "a", "--csv", "./a"): ("two outputs have the same name; give each of them its own"),
    ("pred.h5", "gt.h5", "--instances", "-"): "--instances needs a file; only --json and --csv can print with -",
    ("pred.h5",): "name a prediction and a ground truth (PRED GT), or --human PRED GT and --rat PRED GT",
    ("pred.h5", "gt.h5", "--rat", "pred.h5", "gt.h5"): (
        "name a prediction and a ground truth (PRED GT), or --human PRED GT and --rat PRED GT"
    ),
    ("--rat", "pred.h5", "gt.h5", "--scores", "a.csv"): (
        "--scores and --heat-map belong to one pair; score the volumes one by one to use them"
    ),
    ("pred.h5", "gt.h5", "--memory", "much"): (
        "argument --memory: 'much' is no size; expected a number with a unit, such as 500MB or 2GB"
    ),
    ("pred.h5", "gt.h5", "--size-thresholds", "9,x"): (
        "argument --size-thresholds: '9,x' is not 2 whole numbers; expected such as 5000,15000"
    ),
    ("pred.h5", "gt.h5", "--size-thresholds", "9,5"): (
        "size_thresholds are (9, 5); allowed: two ascending integers from 0, in voxels or nm of cable"
    ),
    (
        "pred.h5",
        "gt.h5",
        "--workers",
        "0",
    ): "workers and memory must be at least 1, got workers=0 and memory=1000000000",
    ("pred.h5", "gt.h5", "--memory", "100"): (
        "one chunk of each volume needs 16,000 bytes, more than the memory limit of 100; raise the limit (memory=, "
        "--memory) or store the volumes in smaller chunks"
    ),
    ("pred.h5", "gt.h5", "--scores", "none.csv"): "none.csv: the score table does not exist; check the path",
    ("pred.h5", "gt.h5", "--scores", "names.csv"): (
        "names.csv: the columns are name, score; expected two columns, id and score"
    ),
    ("pred.h5", "gt.h5", "--scores", "nan.csv"): "nan.csv: the score of id 1 is 'nan'; expected a finite number",
    ("pred.h5", "gt.h5", "--scores", "twice.csv"): "twice.csv: id 1 occurs twice; give one score for each id",
    ("pred.h5", "gt.h5", "--scores", "half.csv"): "half.csv: '1.5' is not an instance id; expected positive integers",
    ("pred.h5", "gt.h5", "--scores", "short.csv"): (
        "short.csv: row 2 has 1 column(s); expected two columns, id and score"
    ),
    ("pred.h5", "gt.h5", "--scores", "more.csv"): (
        "more.csv: scores for ids that are not in the prediction: 999; remove them"
    ),
    ("pred.h5", "gt.h5", "--heat-map", "turned.h5"): (
        "pred.h5 has the shape (20, 20, 20) and turned.h5 has (10, 20, 20); both must have the same (z, y, x) shape: "
        "cut or resample them to the same region first"
    ),
    ("pred.h5", "gt.h5", "--heat-map", "gt.h5", "--scores", "nan.csv"): (
        "scores and a heat map are given; expected one of them, leave the other out"
    ),
}


@pytest.mark.parametrize("arguments", BAD_CALLS, ids=" ".join)
def test_bad_calls_end_in_one_clear_line(folder, capsys, arguments):
    (folder / "text.h5").write_text("this is no HDF5 file")
    (folder / "cut.h5").write_bytes((folder / "gt.h5").read_bytes()[:3000])
    labels = np.ones((10, 20, 20), "i4")
    write(folder / "two.h5", a=labels, b=labels)
    write(folder / "turned.h5", main=labels)
    write(folder / "negative.h5", main=np.full((20, 20, 20), -1, "i2"))
    (folder / "names.csv").write_text("name,score\n1,2\n")
    (folder / "nan.csv").write_text("1,nan\n")
    (folder / "twice.csv").write_text("id,score\n1,0.5\n1,0.5\n")
    (folder / "half.csv").write_text("1.5,1\n")
    (folder / "short.csv").write_text("1,1\n2\n")
    with h5py.File(folder / "pred.h5") as file:
        ids = [i for i in np.unique(file["main"]).tolist() if i]
    (folder / "more.csv").write_text("id,score\n" + "".join(f"{i},1\n" for i in [*ids, 999]))
    assert refused(capsys, folder, "evaluate", *arguments) == BAD_CALLS[arguments]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((4, 4, 4), "f4"), "float32"),
        (np.zeros((4, 4, 4), bool), "label its connected components"),
        (np.zeros((4, 4), "u1"), "(4, 4)"),
        (np.zeros((1, 4, 4, 4), "u1"), "(1, 4, 4, 4)"),
        (np.zeros((0, 4, 4), "u1"), "(0, 4, 4)"),
    ],
)
def test_volumes_that_are_no_instance_labels_are_refused(folder, capsys, data, message):
    with h5py.File(folder / "bad.h5", "w") as file:
        file["main"] = data
    line = refused(capsys, folder, "evaluate", "bad.h5", "gt.h5", "--json", "r.json")
    assert line.startswith("bad.h5: ")
    assert message in line


def test_a_damaged_chunk_is_named(folder, capsys):
    with h5py.File(folder / "pred.h5") as file:
        where = file["main"].id.get_chunk_info(0)
    data = bytearray((folder / "pred.h5").read_bytes())
    data[where.byte_offset + where.size // 2] ^= 0xFF
    (folder / "pred.h5").write_bytes(data)
    line = refused(capsys, folder, "evaluate", "pred.h5", "gt.h5", "--json", "r.json")
    assert line.startswith("pred.h5: the chunk at voxel (0, 0, 0) is damaged (")


def test_a_mask_is_a_warning_on_standard_error(folder, capsys):
    gt = np.zeros((3, 60, 60), "u2")
    gt[:, ::6, ::6] = np.arange(1, 101).reshape(10, 10)
    write(folder / "gt.h5", main=gt)
    write(folder / "mask.h5", main=(gt > 0).astype("u1"))
    code, out, err = run(capsys, "evaluate", "mask.h5", "gt.h5")
    assert code == 0
    assert err.startswith("mitobench: warning: mask.h5: id 1 covers 100% of the foreground, in 100 pieces")
    assert "this looks like a binary mask" in out


def test_a_report_that_is_none_is_refused(folder, capsys):
    (folder / "r.json").write_text("{}")
    line = refused(capsys, folder, "show", "r.json")
    assert line == (
        "r.json: not a mitobench report (key 'schema_version' is missing); expected the JSON that "
        "`mitobench evaluate --json` writes"
    )


def test_a_failed_write_leaves_the_old_file(folder, capsys, monkeypatch):
    (folder / "r.json").write_text("old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    line = refused(capsys, folder, "evaluate", "pred.h5", "gt.h5", "--json", "r.json")
    assert line == "cannot write r.json: No space left on device; free space or name another folder"
    assert (folder / "r.json").read_text() == "old"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="watches the process through /proc")
def test_ctrl_c_ends_with_130_and_leaves_no_file(tmp_path):
    """Many small chunks keep the pass busy for seconds."""
    rng = np.random.default_rng(0)
    noise = np.repeat(rng.integers(0, 50, (64, 256, 128), dtype="u2"), 2, axis=2)
    for name in ("gt", "pred"):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_dataset("main", data=noise, chunks=(1, 16, 16), compression="gzip")
    # A shell that runs the tests in its background has them ignore the signal, and programs inherit that.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from mitobench.cli import main;"
        "sys.exit(main(['evaluate', 'pred.h5', 'gt.h5', '--json', 'r.json', '--workers', '1']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not counting(process.pid) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert err == "mitobench: interrupted; no unfinished file is left\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gt.h5", "pred.h5"]


def counting(pid):
    """Whether a worker has opened the prediction, besides the HDF5 library."""
    try:
        links = [link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return links.count("pred.h5") > 1


def test_closing_the_pipe_early_is_no_error(folder):
    command = f"{sys.executable} -m mitobench evaluate pred.h5 gt.h5 --json - | head -c 10"
    shell = ["bash", "-o", "pipefail", "-c", command]
    done = subprocess.run(shell, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == '{"schema_v'
    assert done.stderr == ""


class Point:
    """An entry point of another package."""

    def __init__(self, name, module):
        self.name, self.value, self._module = name, f"{name}.cli", module

    def load(self):
        if isinstance(self._module, Exception):
            raise self._module
        return self._module


class Greeting:
    @staticmethod
    def add_parser(subparsers):
        parser = subparsers.add_parser("greet")
        parser.set_defaults(run=lambda args: sys.stdout.write("hello\n") - 6)


def test_another_package_adds_its_command(monkeypatch, capsys):
    monkeypatch.setattr("mitobench.cli.entry_points", lambda group: [Point("greet", Greeting)])
    assert main(["greet"]) == 0
    assert capsys.readouterr() == ("hello\n", "")


def test_a_broken_command_of_another_package_leaves_the_others_alone(monkeypatch, capsys):
    points = [Point("greet", Greeting), Point("broken", ImportError("no module named 'gone'"))]
    monkeypatch.setattr("mitobench.cli.entry_points", lambda group: points)
    assert main(["greet"]) == 0
    out, err = capsys.readouterr()
    assert out == "hello\n"
    assert err == (
        "mitobench: warning: the command 'broken' of broken.cli cannot be loaded (ImportError: no module named "
        "'gone'); install that package again\n"
    )
