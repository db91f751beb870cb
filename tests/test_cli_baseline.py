"""``mitobench baseline``: from a recipe to instances, by the command line alone."""

import re

import h5py
import numpy as np
import pytest

from baselines.recipe import list_recipes, recipe_text
from mitobench.cli import main

TINY = {
    "iterations": "3",
    "warmup": "1",
    "patch": "[4, 16, 16]",
    "filters": "[2, 3]",
    "augmentation": '"none"',
    "padding": "[0, 4, 4]",
    "min_size": "1",
}


def run(capsys, *arguments):
    code = main(["baseline", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_recipes_are_listed_and_shown(capsys):
    code, out, err = run(capsys, "list")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == list(list_recipes())
    assert run(capsys, "show", "u3d-bc-v2") == (0, recipe_text("u3d-bc-v2"), "")


def test_an_unknown_recipe(capsys):
    code, out, err = run(capsys, "show", "u3d-bc-v3")
    assert (code, out) == (2, "")
    assert err.startswith("mitobench: error: unknown recipe 'u3d-bc-v3', did you mean 'u3d-bc-v")


@pytest.fixture
def probability(tmp_path):
    """Two boxes that touch at a dim bridge; the contour channel parts them."""
    mask = np.zeros((6, 40, 40), np.uint8)
    mask[1:5, 5:20, 5:35] = 250
    contour = np.zeros_like(mask)
    contour[1:5, 5:20, 18:22] = 250
    with h5py.File(tmp_path / "prob.h5", "w") as file:
        file["main"] = np.stack([mask, contour])
    return tmp_path / "prob.h5"


def test_decoding_by_method_and_by_recipe(probability, tmp_path, capsys):
    out_file = tmp_path / "seg.h5"
    code, out, err = run(capsys, "decode", probability, "--method", "mw", "--min-size", "10", "-o", out_file)
    assert (code, err) == (0, "")
    assert out == f"{out_file}: 2 instances, uint8; 0 were too small\n"
    with h5py.File(out_file) as file:
        assert set(np.unique(file["main"])) == {0, 1, 2}
    scores = tmp_path / "scores.csv"
    by_recipe = ("--recipe", "u3d-bc-v2", "--min-size", "9", "-o", out_file, "--scores", scores)
    assert run(capsys, "decode", probability, *by_recipe)[0] == 0
    assert len(scores.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "name one of --method, mw or cc, --recipe and --settings"),
        (("--method", "mw", "--recipe", "u2d-b"), "name one of --method, mw or cc, --recipe and --settings"),
        (("--method", "mw", "--threshold", "0.5"), "--threshold is no setting of this method; leave it out"),
        (
            ("--method", "mw", "--foreground", "8"),
            "foreground of marker watershed is 8.0; allowed: probabilities from 0 to 1",
        ),
    ],
)
def test_methods_that_make_no_sense(probability, tmp_path, capsys, options, message):
    code, out, err = run(capsys, "decode", probability, *options, "-o", tmp_path / "seg.h5")
    assert (code, out, err) == (2, "", f"mitobench: error: {message}\n")
    assert not (tmp_path / "seg.h5").exists()


@pytest.fixture
def recipe(tmp_path):
    text = recipe_text("u3d-bc-small")
    for key, value in TINY.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        assert count, key
    (tmp_path / "tiny.toml").write_text(text)
    return tmp_path / "tiny.toml"


@pytest.fixture
def data(tmp_path):
    """A data set of one volume whose instances are dark."""
    labels = np.zeros((10, 40, 40), np.uint16)
    labels[:, 5:18, 5:30], labels[:, 20:35, 8:30] = 1, 2
    image = np.where(labels > 0, 60, 180).astype(np.uint8)
    for name, array in (("image", image), ("labels", labels)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["main"] = array
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\n[[volumes]]\nname = "a"\nimage = "image.h5"\nlabels = "labels.h5"\nsplit = "full"\n'
    )
    return tmp_path / "mine.toml"


def test_from_a_recipe_to_instances(recipe, data, tmp_path, capsys):
    folder, prob, seg = tmp_path / "run", tmp_path / "prob.h5", tmp_path / "seg.h5"
    train = ("train", recipe, "--data", data, "--out", folder, "--accelerator", "cpu")
    assert run(capsys, *train) == (0, f"network: {folder / 'network.ckpt'}\n", "")
    code, out, err = run(capsys, "predict", folder, data.parent / "image.h5", "-o", prob, "--device", "cpu")
    assert (code, err) == (0, "")
    assert out.startswith(f"{prob}: 16,000 voxels on cpu, ")
    with h5py.File(prob) as file:
        assert file["main"].shape == (2, 10, 40, 40)
        whole = file["main"][:]
    by_name = ("predict", folder / "network.ckpt", data.parent / "image.h5", "-o", prob, "--recipe", recipe)
    assert run(capsys, *by_name, "--batch", "2")[0] == 0
    with h5py.File(prob) as file:
        assert np.abs(file["main"][:].astype(int) - whole).max() <= 1
    thresholds = ("--seed-mask", "0", "--seed-contour", "1", "--foreground", "0")
    assert run(capsys, "decode", prob, "--recipe", recipe, *thresholds, "-o", seg)[0] == 0
    with h5py.File(seg) as file:
        assert file["main"].shape == (10, 40, 40)


def test_a_checkpoint_needs_its_recipe(data, tmp_path, capsys):
    message = f"{tmp_path / 'x.ckpt'}: no run folder; expected one, or a checkpoint together with --recipe"
    code, out, err = run(capsys, "predict", tmp_path / "x.ckpt", data.parent / "image.h5", "-o", tmp_path / "p.h5")
    assert (code, out, err) == (2, "", f"mitobench: error: {message}\n")


def test_a_run_of_another_recipe_is_not_trained_on(recipe, data, tmp_path, capsys):
    train = ("--data", data, "--out", tmp_path / "run", "--accelerator", "cpu")
    assert run(capsys, "train", recipe, *train)[0] == 0
    code, out, err = run(capsys, "train", "u2d-b", *train)
    assert (code, out) == (2, "")
    message = f"{tmp_path / 'run'}: the run there is of another recipe; name a new folder"
    assert err.splitlines()[-1] == f"mitobench: error: {message}"
