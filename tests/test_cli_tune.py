"""``mitobench baseline tune`` and what ``decode`` does with its settings, by the command line alone."""

import csv
import json
import re

import h5py
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import baselines.predict
import baselines.tune as tuning
from baselines.decode import Components, MarkerWatershed, decode_array
from baselines.recipe import load_recipe, recipe_text
from baselines.train import RunFolder
from baselines.tune import read_decoding, write_decoding
from mitobench.cli import main

pytest.importorskip("cc3d", reason="connected-components-3d comes with the extra 'baselines'")

TINY = {"iterations": "2", "warmup": "1", "patch": "[4, 16, 16]", "filters": "[2, 3]", "augmentation": '"none"'}
TINY |= {"padding": "[0, 4, 4]"}


def run(capsys, *arguments):
    code = main(["baseline", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def written(path, array):
    with h5py.File(path, "w") as file:
        file["main"] = array
    return path


@pytest.fixture
def files(tmp_path):
    """Return dim probabilities of sixteen boxes, and these."""
    gt = np.zeros((6, 48, 48), np.uint16)
    for number in range(16):
        y, x = 12 * (number // 4), 12 * (number % 4)
        gt[1:5, y + 1 : y + 10, x + 1 : x + 10] = number + 1
    mask = gaussian_filter((gt > 0) * 200.0, (0, 0.6, 0.6))
    probability = np.stack([mask, np.zeros(gt.shape)]).astype(np.uint8)
    return written(tmp_path / "prob.h5", probability), written(tmp_path / "gt.h5", gt)


def test_probabilities_are_tuned_on_and_decoded_with_what_was_found(files, tmp_path, capsys):
    prob, gt = files
    chosen, table, seg = tmp_path / "mine.json", tmp_path / "tried.csv", tmp_path / "seg.h5"
    grid = ("--threshold", "0.4,0.6,0.9", "--min-size", "9,400")
    call = ("tune", "--prob", prob, "--gt", gt, "--method", "cc", *grid, "-o", chosen)
    code, out, err = run(capsys, *call, "--csv", table)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        " ap_75  threshold  min_size",
        "1.0000        0.6         9",
        "1.0000        0.4         9",
        "0.0000        0.8       128",
        "0.0000        0.6       400",
        "0.0000        0.9         9",
        "0.0000        0.9       400",
        "0.0000        0.4       400",
        "16 instances; 2 of 7 settings are within 0.01 of the best: threshold 0.4 to 0.6, min_size 9",
        "at an end of the values tried: min_size; others may be better",
        f"{chosen}: 1.0000, before 0.0000",
    ]
    assert read_decoding(chosen) == Components(0.6, 9)
    found = json.loads(chosen.read_text())["tuned"]
    assert (found["score"], found["before"], found["instances"], found["settings"]) == (1.0, 0.0, 16, 7)
    assert found["ground_truths"] == [str(gt)]
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert rows[0] == {"ap_75": "1.0", "threshold": "0.6", "min_size": "9"}
    assert len(rows) == 7
    code, out, err = run(capsys, *call, "--csv", "-")
    assert (code, out, err) == (0, table.read_text(), "")

    assert run(capsys, "decode", prob, "--settings", chosen, "-o", seg)[0] == 0
    with h5py.File(seg) as file:
        assert np.array_equal(file["main"], decode_array(prob, Components(0.6, 9)))
    assert run(capsys, "decode", prob, "--settings", chosen, "--threshold", "1", "-o", seg)[1].startswith(
        f"{seg}: 0 inst"
    )


@pytest.fixture
def data(tmp_path):
    """A data set of one volume whose instances are dark."""
    labels = np.zeros((12, 48, 48), np.uint16)
    for number in range(16):
        y, x = 12 * (number // 4), 12 * (number % 4)
        labels[:, y + 1 : y + 10, x + 1 : x + 10] = number + 1
    written(tmp_path / "image.h5", np.where(labels > 0, 60, 180).astype(np.uint8))
    written(tmp_path / "labels.h5", labels)
    path = tmp_path / "mine.toml"
    volume = 'name = "a"\nimage = "image.h5"\nlabels = "labels.h5"\nsplit = { train = 0.5, val = 0.5 }\n'
    path.write_text(f'name = "mine"\n[[volumes]]\n{volume}')
    return path


@pytest.fixture
def folder(tmp_path, data, capsys):
    """Return a run that has learned next to nothing."""
    text = recipe_text("u3d-bc-small")
    for key, value in TINY.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        assert count, key
    (tmp_path / "tiny.toml").write_text(text)
    out = tmp_path / "run"
    train = ("train", tmp_path / "tiny.toml", "--data", data, "--out", out, "--accelerator", "cpu")
    assert run(capsys, *train)[0] == 0
    return out


GRID = ("--seed-mask", "0,0.5", "--seed-contour", "1", "--foreground", "0,0.4", "--min-size", "1,90")


def test_a_run_is_tuned_on_the_validation_part(folder, data, tmp_path, capsys):
    call = ("tune", folder, "--data", data, *GRID, "--device", "cpu")
    code, out, err = run(capsys, *call, "--keep")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["ap_75", "seed_mask", "seed_contour", "foreground", "min_size"]
    assert "\n16 instances; " in out
    assert isinstance(read_decoding(RunFolder(folder).decoding), MarkerWatershed)
    found = json.loads(RunFolder(folder).decoding.read_text())["tuned"]
    assert {key: found[key] for key in ("data", "part", "annotation", "volumes")} == {
        "data": str(data),
        "part": "val",
        "annotation": None,
        "volumes": ["a"],
    }
    [kept] = (folder / "tuning").iterdir()
    with h5py.File(kept) as file:
        assert file["main"].shape == (2, 6, 48, 48)
    # Two steps of training find nothing; this finds something.
    method = MarkerWatershed(0.0, 1.0, 0.0, min_size=1)
    write_decoding(method, RunFolder(folder).decoding)
    seg = tmp_path / "seg.h5"
    assert run(capsys, "decode", kept, "--settings", folder, "-o", seg)[0] == 0
    with h5py.File(seg) as file:
        assert np.array_equal(file["main"], decode_array(kept, method))
        assert file["main"][:].any()


def test_a_second_call_goes_on_with_what_was_predicted(folder, data, capsys, monkeypatch):
    call = ("tune", folder, "--data", data, *GRID, "--device", "cpu")
    predicted = []
    predict = baselines.predict.predict
    monkeypatch.setattr(baselines.predict, "predict", lambda *a, **k: predicted.append(a[2]) or predict(*a, **k))

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tuning, "tune", killed)
        assert run(capsys, *call)[0] == 130
    assert [path.is_file() for path in predicted] == [True]
    assert run(capsys, *call)[0] == 0
    assert len(predicted) == 1
    assert not (folder / "tuning").exists()
    assert run(capsys, *call, "--keep")[0] == 0
    assert len(predicted) == 2
    # Of another image, whatever its file is called.
    with h5py.File(data.parent / "image.h5", "a") as file:
        file["main"][-1, -1, -1] = 61
    assert run(capsys, *call)[0] == 0
    assert len(predicted) == 3


def test_another_method_and_another_file(folder, data, tmp_path, capsys):
    out_file = tmp_path / "cc.json"
    call = (
        "tune",
        folder,
        "--data",
        data,
        "--method",
        "cc",
        "--threshold",
        "0,0.3",
        "--volume",
        "a",
        "--split",
        "train",
    )
    assert run(capsys, *call, "--device", "cpu", "-o", out_file)[0] == 0
    assert isinstance(read_decoding(out_file), Components)
    assert not RunFolder(folder).decoding.exists()


def test_a_run_that_was_not_tuned_has_no_settings(folder, files, tmp_path, capsys):
    code, out, err = run(capsys, "decode", files[0], "--settings", folder, "-o", tmp_path / "seg.h5")
    message = (
        f"{folder}: holds no decoding.json; run `mitobench baseline tune` first, or name its --recipe "
        f"{folder / 'recipe.toml'}"
    )
    assert (code, out, err) == (2, "", f"mitobench: error: {message}\n")
    write_decoding(load_recipe("u3d-bc-v2").decoding, folder / "decoding.json")
    assert run(capsys, "decode", files[0], "--settings", folder, "--foreground", "0.5", "-o", tmp_path / "s.h5")[0] == 0


AS_MANY = "expected as many of the one as of the other, and at least one"
BELONGS = "belongs to a RUN; leave it out, or name a RUN in the place of --prob"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "name either a RUN with --data, or --prob with --gt"),
        ("run --prob p.h5", "name either a RUN with --data, or --prob with --gt"),
        ("run", "a RUN needs --data, whose labels it is tuned on; --gt belongs to --prob"),
        ("run --data d --gt gt.h5", "a RUN needs --data, whose labels it is tuned on; --gt belongs to --prob"),
        ("run --data d", "run: no run with a network; expected a folder of `mitobench baseline train`"),
        ("--prob p.h5 --split val", f"--split {BELONGS}"),
        ("--prob p.h5 --keep", f"--keep {BELONGS}"),
        ("--prob p.h5", "--prob needs --gt; name it"),
        ("--prob p.h5 --gt gt.h5", "--prob needs --method; name it"),
        ("--prob p.h5 --gt gt.h5 --method cc", "--prob needs --output; name it"),
        ("--prob p.h5 --gt gt.h5 --method cc -o -", "--output needs a file; only --csv can print with -"),
        (
            "--prob p.h5 --gt gt.h5 --method cc -o a --csv a",
            "two outputs have the same name; give each of them its own",
        ),
        (
            "--prob prob.h5 --gt gt.h5::main --method cc -o ./gt.h5",
            "--output would replace ./gt.h5, which is read; name another file",
        ),
        (
            "--prob prob.h5 --gt gt.h5 --method cc -o a --seed-mask 0.5",
            "cc has no setting 'seed_mask' to tune; its settings are threshold, min_size, connectivity",
        ),
        (
            "--prob prob.h5 --prob prob.h5 --gt gt.h5 --method cc -o a",
            f"2 volume(s) of probabilities and 1 ground truth(s); {AS_MANY}",
        ),
    ],
)
def test_calls_that_make_no_sense(files, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "tune", *arguments.split())
    assert (code, out, err) == (2, "", f"mitobench: error: {message}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gt.h5", "prob.h5"]


def test_a_list_that_is_none(capsys):
    with pytest.raises(SystemExit) as stopped:
        run(capsys, "tune", "--min-size", "1,2.5")
    assert stopped.value.code == 2
    message = "argument --min-size: '1,2.5' is no list of whole numbers; expected such as 128,1024"
    assert capsys.readouterr().err.splitlines()[-1] == f"mitobench: error: {message}"


def test_parts_and_volumes_that_are_not_there(folder, data, capsys):
    assert (
        "error: a: no split 'vall', did you mean 'val'?"
        in run(capsys, "tune", folder, "--data", data, "--split", "vall")[2]
    )
    code, _, err = run(capsys, "tune", folder, "--data", data, "--volume", "b")
    assert (code, err) == (2, f"mitobench: error: {data}: no volume 'b' with a part 'val'; the volumes are a\n")
    assert not (folder / "tuning").exists()


def test_a_part_without_instances_is_not_predicted(folder, data, capsys, monkeypatch):
    monkeypatch.setattr(baselines.predict, "predict", None)
    with h5py.File(data.parent / "labels.h5", "a") as file:
        file["main"][6:] = 0
    code, out, err = run(capsys, "tune", folder, "--data", data)
    assert (code, out) == (2, "")
    assert "holds no instance that the rule mitoem-2020 counts; expected some, to tell settings apart" in err
    assert not (folder / "tuning").exists()
