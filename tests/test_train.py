"""Training: what is resumed is as if it had never stopped, and what goes wrong says so and loses nothing."""

import csv
import errno
import json
import re
from functools import partial

import numpy as np
import pytest
import torch
from imagecodecs import png_decode
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger

from baselines.checkpoint import load_network, load_notes
from baselines.recipe import load_recipe, recipe_text
from baselines.train import train
from baselines.train._module import TrainingModule
from mitobench.errors import InvalidInputError, MissingExtraError, UnusableFileError
from mitobench.methods import TrainingVolume
from mitobench.volumes import open_image, open_labels


def opened_image(array):
    return open_image(array)[0]


@pytest.fixture(autouse=True)
def one_thread():
    """Several threads wait for each other longer than these networks take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def volumes():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (8, 60, 60)).astype(np.uint8)
    labels = np.zeros(image.shape, np.uint16)
    labels[:, 10:30, 10:30] = 3
    labels[:, 30:50, 20:50] = 4
    image[labels > 0] //= 2
    return [TrainingVolume("tissue", partial(opened_image, image), partial(open_labels, labels))]


def write_recipe(folder, of, **changes):
    """Write a recipe with other values on some lines."""
    text = recipe_text(of)
    for key, value in {"iterations": "6", "batch": "2", "warmup": "2", **changes}.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        assert count
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.fixture
def recipe(tmp_path):
    return write_recipe(
        tmp_path, "u3d-bc-small", patch="[4, 16, 16]", filters="[2, 3]", augmentation='"v1-paper"', padding="[0, 4, 4]"
    )


@pytest.fixture
def flat(tmp_path):
    """A 2D recipe: with dropout."""
    changes = {"filters": "[2, 3]", "dropout": "[0.5, 0.5]", "augmentation": '"none"', "iterations": "5"}
    return write_recipe(tmp_path, "u2d-b", patch="[1, 16, 16]", padding="[0, 4, 4]", **changes)


quick = partial(train, accelerator="cpu", epoch=3, log_every=1)


def losses(run):
    """Return step -> what was logged, of all starts; where a step was done twice, both must have given the same."""
    found = {}
    for path in sorted((run / "logs").glob("*/metrics.csv")):
        with path.open() as file:
            for row in csv.DictReader(file):
                values = (row["loss"], row["lr"])
                # Scores have lines of their own.
                assert not row["loss"] or found.setdefault(int(row["step"]), values) == values
    return found


class KilledError(Exception):
    pass


def killed_at(monkeypatch, step, what, *args, **options):
    """Run until the process would have died in a step."""
    original = TrainingModule.training_step

    def dies(self, batch, batch_idx):
        if self.global_step == step:
            raise KilledError
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "training_step", dies)
        with pytest.raises(KilledError):
            what(*args, **options)


@pytest.mark.parametrize(("kind", "workers"), [("recipe", (0, 2)), ("flat", (0, 0))])
def test_a_resumed_run_has_the_losses_of_one_that_never_stopped(kind, workers, request, volumes, tmp_path, monkeypatch):
    recipe = request.getfixturevalue(kind)
    steps = load_recipe(recipe).iterations
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    quick(recipe, volumes, whole)
    killed_at(monkeypatch, 4, quick, recipe, volumes, parts, workers=workers[0])
    assert sorted(losses(parts)) == [0, 1, 2, 3]
    quick(recipe, volumes, parts, workers=workers[1])
    assert losses(parts) == losses(whole)
    assert sorted(losses(whole)) == list(range(steps))
    assert len({loss for loss, _ in losses(whole).values()}) == steps
    one, other = (torch.load(run / "network.ckpt", weights_only=True) for run in (whole, parts))
    assert one["recipe"] == load_recipe(recipe).name
    assert one["step"] == steps
    assert all(torch.equal(value, other["state_dict"][key]) for key, value in one["state_dict"].items())


def test_a_run_that_is_done_stays_as_it_is(recipe, volumes, tmp_path):
    run = quick(recipe, volumes, tmp_path / "run")
    before = run.network.read_bytes()
    quick(recipe, volumes, tmp_path / "run")
    assert run.network.read_bytes() == before


def test_other_seeds_are_other_runs(recipe, volumes, tmp_path):
    for seed in (0, 1):
        quick(recipe, volumes, tmp_path / str(seed), seed=seed)
    a, b = (losses(tmp_path / name) for name in "01")
    assert all(a[step][0] != b[step][0] for step in a)


def test_what_a_run_folder_holds(recipe, volumes, tmp_path):
    before = torch.get_rng_state()
    run = quick(recipe, volumes, tmp_path / "run", seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert run.recipe.read_text() == recipe.read_text()
    facts = json.loads(run.facts.read_text())
    assert (facts["seed"], facts["data"]) == (3, [{"name": "tissue", "shape": [8, 60, 60]}])
    assert sorted(facts["versions"]) == ["lightning", "mitobench", "numpy", "python", "torch"]
    network = load_network(run.network)
    assert not network.training
    assert network.config.filters == (2, 3)
    assert [path.name for path in sorted(run.sheets.iterdir())] == ["step-0000003.png", "step-0000006.png"]
    assert png_decode((run.sheets / "step-0000006.png").read_bytes()).shape == (2 * 16, 3 * 16)
    rates = [float(rate) for _, rate in losses(run.path).values()]
    assert rates == pytest.approx([load_recipe(recipe).learning_rate(step) for step in range(6)])


def test_training_learns(tmp_path):
    labels = np.zeros((8, 40, 40), np.uint16)
    labels[:, 8:20, 8:20], labels[:, 24:36, 20:36] = 1, 2
    volume = TrainingVolume("clear", partial(opened_image, np.uint8(200) * (labels > 0)), partial(open_labels, labels))
    path = write_recipe(
        tmp_path, "u3d-bc-small", patch="[4, 16, 16]", filters="[4, 6]", augmentation='"none"', padding="[0, 0, 0]",
        iterations="40", lr="0.02",
    )  # fmt: skip
    quick(path, [volume], tmp_path / "run", epoch=40)
    found = [float(loss) for loss, _ in losses(tmp_path / "run").values()]
    assert np.mean(found[-5:]) < 0.75 * np.mean(found[:5])


def test_scores_are_asked_for_and_logged_and_change_nothing(flat, volumes, tmp_path):
    asked = []

    def score(network, step):
        asked.append((step, network.training, torch.is_grad_enabled()))
        torch.rand(3)
        return {"ap75": step / 10}

    run = quick(flat, volumes, tmp_path / "run", epoch=1, score=score, score_every=2)
    assert asked == [(2, False, False), (4, False, False), (5, False, False)]
    [path] = (run.path / "logs").glob("*/metrics.csv")
    with path.open() as file:
        assert [float(row["ap75"]) for row in csv.DictReader(file) if row["ap75"]] == [0.2, 0.4, 0.5]
    quick(flat, volumes, tmp_path / "plain")
    assert losses(run.path) == losses(tmp_path / "plain")


def test_the_weights_that_scored_best_are_kept_the_latest_of_equals(flat, volumes, tmp_path, monkeypatch):
    scores = {1: 0.2, 2: 0.5, 3: 0.5, 4: 0.1, 5: 0.3}
    seen = {}

    def score(network, step):
        seen[step] = next(network.parameters()).detach().clone()
        return {"val/ap_75": scores[step], "val/ap_50": 1 - scores[step]}

    options = {"epoch": 1, "score": score}
    killed_at(monkeypatch, 4, quick, flat, volumes, tmp_path / "run", **options)
    run = quick(flat, volumes, tmp_path / "run", **options)
    assert sorted(seen) == [1, 2, 3, 4, 5]
    assert torch.equal(next(load_network(run.best).parameters()), seen[3])
    assert run.chosen == run.best
    assert load_notes(run.best) == {"recipe": "u2d-b", "step": 3, "score": 0.5}
    assert load_notes(run.network)["step"] == 5
    assert quick(flat, volumes, tmp_path / "other").chosen.name == "network.ckpt"


def test_values_of_the_recipe_can_be_changed_for_a_run(recipe, volumes, tmp_path):
    run = quick(recipe, volumes, tmp_path / "run", changes=["iterations=4", "schedule.warmup=1"])
    assert sorted(losses(run.path)) == [0, 1, 2, 3]
    assert load_recipe(run.recipe) == load_recipe(recipe, ["iterations=4", "schedule.warmup=1"])
    with pytest.raises(InvalidInputError, match="the run there is of another recipe; name a new folder"):
        quick(recipe, volumes, run.path)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(recipe, volumes, tmp_path, monkeypatch):
    original = TrainingModule.on_train_batch_start

    def spoils(self, batch, batch_idx):
        original(self, batch, batch_idx)
        if self.global_step == 4:
            batch[0].fill_(float("nan"))

    monkeypatch.setattr(TrainingModule, "on_train_batch_start", spoils)
    with pytest.raises(InvalidInputError) as caught:
        quick(recipe, volumes, tmp_path / "run")
    assert str(caught.value) == (
        "the loss of step 4 is nan; the last checkpoint is kept; try a lower learning rate, a longer warm-up, or "
        "precision 32, in a new folder"
    )
    saved = torch.load(tmp_path / "run" / "network.ckpt", weights_only=True)
    assert saved["step"] == 3
    assert torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 3


def test_weights_that_are_no_numbers_are_not_kept(recipe, volumes, tmp_path, monkeypatch):
    original = TrainingModule.on_train_batch_end

    def spoils(self, *args):
        original(self, *args)
        if self.global_step == 6:
            next(self.network.parameters()).data.fill_(float("inf"))

    monkeypatch.setattr(TrainingModule, "on_train_batch_end", spoils)
    with pytest.raises(InvalidInputError, match="the weights after 6 steps hold what is no number; the last checkpoin"):
        quick(recipe, volumes, tmp_path / "run")
    assert torch.load(tmp_path / "run" / "network.ckpt", weights_only=True)["step"] == 3


@pytest.mark.parametrize(
    ("owner", "method", "message"),
    [
        (Trainer, "save_checkpoint", "cannot write {}/checkpoints/last.ckpt: {}; free space or name another folder"),
        (CSVLogger, "save", "cannot write in {}: {}; free space and start again: it goes on from the last epoch"),
    ],
)
def test_a_full_disk_is_one_clear_line_and_loses_nothing(
    owner, method, message, recipe, volumes, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    killed_at(monkeypatch, 4, quick, recipe, volumes, run)
    kept = (run / "checkpoints" / "last.ckpt").read_bytes()

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, full)
        with pytest.raises(UnusableFileError) as caught:
            quick(recipe, volumes, run)
    assert str(caught.value) == message.format(run, "No space left on device")
    assert (run / "checkpoints" / "last.ckpt").read_bytes() == kept
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["last.ckpt"]
    quick(recipe, volumes, run)
    assert max(losses(run)) == 5


def test_ctrl_c_is_what_it_is_elsewhere(recipe, volumes, tmp_path, monkeypatch):
    def interrupted(self, batch, batch_idx):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingModule, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick(recipe, volumes, tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"resume": False}, "{}: there is a run already; resume it, or name a new folder"),
        ({"lr": "0.5"}, {}, "{}: the run there is of another recipe; name a new folder"),
        ({}, {"seed": 8}, "{}: the run there has seed 0, not 8; name a new folder, or start with the same"),
    ],
)
def test_a_folder_of_another_run_is_refused(change, options, message, recipe, volumes, tmp_path, monkeypatch):
    run = tmp_path / "run"
    killed_at(monkeypatch, 0, quick, recipe, volumes, run)
    for key, value in change.items():
        recipe.write_text(re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", recipe.read_text()))
    with pytest.raises(InvalidInputError) as caught:
        quick(recipe, volumes, run, **options)
    assert str(caught.value) == message.format(run)


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x80\x02N."])
def test_a_damaged_checkpoint_is_one_clear_line(content, recipe, volumes, tmp_path):
    run = quick(recipe, volumes, tmp_path / "run")
    run.checkpoint.write_bytes(content)
    with pytest.raises(UnusableFileError) as caught:
        quick(recipe, volumes, tmp_path / "run")
    assert str(caught.value) == (
        f"{run.checkpoint}: damaged, or no checkpoint of a training; delete it to begin again, or name a new folder"
    )


def test_a_folder_of_other_things_is_refused(recipe, volumes, tmp_path):
    with pytest.raises(UnusableFileError) as caught:
        quick(recipe, volumes, tmp_path)
    assert str(caught.value) == f"{tmp_path}: the folder is not empty and holds no run; name a new folder"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": -1}, "workers is -1; allowed: whole numbers from 0"),
        ({"log": "json"}, "log is 'json'; allowed: csv, tensorboard"),
        ({"epoch": 0}, "epoch is 0; allowed: whole numbers from 1"),
        ({"devices": 3}, "a batch of 2 cannot be divided among 3 devices; use a number that divides it"),
    ],
)
def test_numbers_that_mean_nothing_are_refused_before_anything_is_written(options, message, recipe, volumes, tmp_path):
    with pytest.raises(InvalidInputError) as caught:
        quick(recipe, volumes, tmp_path / "run", **options)
    assert str(caught.value) == message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_crop_is_one_line_whoever_made_it(workers, recipe, volumes, tmp_path):
    labels = volumes[0].labels
    image = np.full((8, 60, 60), 2.0, np.float32)
    bright = TrainingVolume("bright", partial(opened_image, image), labels)
    with pytest.raises(InvalidInputError, match=r"^bright: at \([-0-9, ]+\): a crop to augment has values from 2 to 2"):
        quick(recipe, [bright], tmp_path / "run", workers=workers)


def test_logs_for_tensorboard_need_it(recipe, volumes, tmp_path, monkeypatch):
    monkeypatch.setattr("baselines.train._front.TensorBoardLogger", partial(_missing))
    with pytest.raises(MissingExtraError) as caught:
        quick(recipe, volumes, tmp_path / "run", log="tensorboard")
    assert str(caught.value) == "logs for TensorBoard need it; install tensorboard, or log csv"


def _missing(*args, **options):
    raise ModuleNotFoundError("tensorboard")


def test_a_machine_without_the_accelerator_says_so(recipe, volumes, tmp_path):
    with pytest.raises(InvalidInputError, match=r"^quantum with 1 devices cannot be used \(.+\); choose another accel"):
        quick(recipe, volumes, tmp_path / "run", accelerator="quantum")


def test_a_bar_is_drawn_on_stderr_only_if_asked(flat, volumes, tmp_path, capfd, monkeypatch):
    quick(flat, volumes, tmp_path / "quiet")
    quick(flat, volumes, tmp_path / "file", progress=True)
    assert capfd.readouterr() == ("", "")
    # Then the terminal is taken for one.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    quick(flat, volumes, tmp_path / "loud", progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert re.search(r"loss \d+\.\d{4} .* 5/5", err)


def test_mixed_precision_trains_too(recipe, volumes, tmp_path):
    quick(recipe, volumes, tmp_path / "run", precision="bf16-mixed")
    assert all(np.isfinite(float(loss)) for loss, _ in losses(tmp_path / "run").values())
