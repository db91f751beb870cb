"""``mitobench baseline predict``: which weights, and what is told in one line."""

import shutil

import h5py
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from baselines.checkpoint import save_network  # noqa: E402
from baselines.networks import build_network  # noqa: E402
from baselines.recipe import recipe_text  # noqa: E402
from mitobench.cli import main  # noqa: E402

FILTERS = (2, 3)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def folder(tmp_path):
    """A run with the last weights and those that scored best, which are others."""
    text = recipe_text("u3d-bc-small")
    for key, value in {"filters": "[2, 3]", "patch": "[4, 16, 16]", "padding": "[0, 4, 4]"}.items():
        lines = [f"{key} = {value}" if line.startswith(f"{key} = ") else line for line in text.splitlines()]
        text = "\n".join(lines)
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.toml").write_text(text)
    for seed, name in enumerate(("network.ckpt", "best.ckpt")):
        torch.manual_seed(seed)
        save_network(build_network("unet-residual-3d", {"filters": FILTERS}), run / name)
    with h5py.File(tmp_path / "im.h5", "w") as file:
        file["main"] = np.random.default_rng(0).integers(0, 256, (5, 24, 24), np.uint8)
    return run


def predict(capsys, *arguments):
    code = main(["baseline", "predict", *map(str, arguments), "--device", "cpu"])
    return code, *capsys.readouterr()


def read(path):
    with h5py.File(path) as file:
        return file["main"][:]


def test_the_best_weights_or_the_last(folder, tmp_path, capsys):
    image, found = tmp_path / "im.h5", {}
    for name, options in {"best": (), "last": ("--last",)}.items():
        out_file = tmp_path / f"{name}.h5"
        code, out, err = predict(capsys, folder, image, "-o", out_file, *options)
        assert (code, err) == (0, "")
        weights = folder / ("best.ckpt" if name == "best" else "network.ckpt")
        assert out.startswith(f"{out_file}: 2,880 voxels on cpu, ")
        assert out.endswith(f" in a second; weights: {weights}\n")
        assert predict(capsys, weights, image, "--recipe", folder / "recipe.toml", "-o", tmp_path / "same.h5")[0] == 0
        found[name] = read(out_file)
        assert np.array_equal(found[name], read(tmp_path / "same.h5"))
    assert not np.array_equal(found["best"], found["last"])
    (folder / "best.ckpt").unlink()
    assert predict(capsys, folder, image, "-o", tmp_path / "unscored.h5")[0] == 0
    assert np.array_equal(read(tmp_path / "unscored.h5"), found["last"])


def test_half_precision(folder, tmp_path, capsys):
    for name in ("full", "half"):
        options = ("-o", tmp_path / f"{name}.h5", "--precision", name)
        assert predict(capsys, folder, tmp_path / "im.h5", *options)[0] == 0
    full, half = (read(tmp_path / f"{name}.h5").astype(int) for name in ("full", "half"))
    assert 0 < np.abs(full - half).max() < 10


def refused(capsys, *arguments):
    code, out, err = predict(capsys, *arguments)
    assert (code, out) == (2, "")
    return err.splitlines()[-1].removeprefix("mitobench: error: ")


def test_what_has_no_weights(folder, tmp_path, capsys):
    empty, image, output = tmp_path / "empty", tmp_path / "im.h5", ("-o", tmp_path / "p.h5")
    empty.mkdir()
    message = f"{empty}: no weights of a run in this folder; expected one that `train` has filled"
    assert refused(capsys, empty, image, *output) == message
    weights = folder / "best.ckpt"
    message = f"{weights}: no run folder, only one has last weights; leave out --last"
    assert refused(capsys, weights, image, *output, "--last", "--recipe", "u3d-bc-small") == message
    (folder / "network.ckpt").unlink()
    message = f"{folder}: no weights of a run in this folder; expected one that `train` has filled"
    assert refused(capsys, folder, image, *output, "--last") == message


def test_what_is_read_is_not_replaced(folder, tmp_path, capsys):
    image = tmp_path / "im.h5"
    before = image.read_bytes()
    message = f"--output would replace {image}, which is read; name another file"
    assert refused(capsys, folder, image, "-o", image) == message
    assert image.read_bytes() == before


def test_numbers_that_make_no_sense(folder, tmp_path, capsys):
    image, output = tmp_path / "im.h5", ("-o", tmp_path / "p.h5")
    assert refused(capsys, folder, image, *output, "--workers", "0") == "workers is 0; allowed: whole numbers from 1"
    message = "batch of a window is 0; allowed: whole numbers from 1"
    assert refused(capsys, folder, image, *output, "--batch", "0") == message


def test_a_run_without_its_recipe(folder, tmp_path, capsys):
    shutil.move(folder / "recipe.toml", tmp_path / "mine.toml")
    image, output = tmp_path / "im.h5", ("-o", tmp_path / "p.h5")
    message = f"{folder / 'recipe.toml'}: cannot be read (No such file or directory); check the path"
    assert refused(capsys, folder, image, *output) == message
    assert predict(capsys, folder, image, *output, "--recipe", tmp_path / "mine.toml")[0] == 0
