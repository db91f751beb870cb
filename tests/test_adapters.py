"""The two baselines as methods: trained for a moment, with thresholds chosen and files used again."""

import json
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from baselines import adapters
from baselines.decode import Components, MarkerWatershed
from baselines.recipe import list_recipes, load_recipe
from baselines.train import RunFolder
from baselines.tune import read_decoding, write_decoding
from mitobench.cli import main
from mitobench.errors import InputWarning, InvalidInputError, UnknownNameError
from mitobench.methods import TrainingVolume, load_method
from mitobench.types import Box
from mitobench.volumes import open_image, open_labels

TINY = (
    "iterations=2",
    "batch=1",
    "patch=[4,32,32]",
    "augmentation=none",
    "network.filters=[2,3]",
    "targets.smoothing=none",
    "sampling.padding=[0,0,0]",
    "schedule.warmup=1",
    "prediction.patch=[4,32,32]",
    "prediction.overlap=0",
    "prediction.padding=[0,0,0]",
    # A network that has learned nothing says 0.5 or so everywhere.
    "decoding.seed_mask=0.3",
    "decoding.foreground=0.3",
    "decoding.seed_contour=0.8",
    "decoding.min_size=8",
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def opened_image(array):
    return open_image(array)[0]


def boxes(seed=0, shape=(8, 48, 48)):
    labels = np.zeros(shape, np.uint16)
    for k, (y, x) in enumerate(np.ndindex(4, 4)):
        labels[1:7, 12 * y + 2 : 12 * y + 10, 12 * x + 2 : 12 * x + 10] = k + 1
    noise = np.random.default_rng(seed).integers(0, 40, shape)
    return (np.where(labels > 0, 40, 180) + noise).astype(np.uint8), labels


def volume(seed=0, valid=None):
    image, labels = boxes(seed)
    masked = None if valid is None else partial(opened_image, valid)
    return TrainingVolume("boxes", partial(opened_image, image), partial(open_labels, labels), masked)


def tiny(**more):
    return load_method("u3d-bc+mw", recipe="u3d-bc-small", changes=TINY, accelerator="cpu", **more)


def segmented(path):
    with h5py.File(path) as file:
        return file["main"][:]


@pytest.mark.parametrize("recipe", list_recipes())
def test_every_recipe_is_one_of_the_two(recipe):
    name = adapters.method_of_recipe(recipe)
    decoding = {"u2d-b+cc": Components, "u3d-bc+mw": MarkerWatershed}[name]
    assert isinstance(load_recipe(recipe).decoding, decoding)
    about = load_method(name, recipe=recipe).describe()
    assert (about.name, about.description) == (f"{name.upper()}, {recipe}", load_recipe(recipe).description)


def test_without_options_they_are_the_published_recipes():
    assert load_method("u2d-b+cc").describe().name == "U2D-B+CC, u2d-b"
    assert load_method("u3d-bc+mw").describe().name == "U3D-BC+MW, u3d-bc-v2"


def test_settings_are_all_that_changes_results():
    settings = tiny().describe().settings
    assert settings["iterations"] == 2
    assert settings["decoding"]["min_size"] == 8
    assert json.loads(json.dumps(settings)) == settings
    assert tiny(workers=3, memory=10**8, devices=2).describe() == tiny().describe()
    assert tiny(tune=False).describe() != tiny().describe()
    assert tiny(precision="bf16-mixed").describe() != tiny().describe()


def test_options_may_be_texts():
    made = load_method(
        "u2d-b+cc", devices="2", workers="3", epoch="10", memory="1000000", tune="False", changes="batch=2"
    )
    assert made == adapters.Baseline(
        recipe="u2d-b", changes=("batch=2",), tune=False, devices=2, workers=3, epoch=10, memory=10**6
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"recipe": "u2d-b"}, InvalidInputError,
         "the recipe 'u2d-b' is one of the method 'u2d-b+cc', not of 'u3d-bc+mw'; name that method, or another recipe"),
        ({"workers": "two"}, InvalidInputError, "workers is 'two'; allowed: whole numbers"),
        ({"precision": "8"}, InvalidInputError, "precision is '8'; allowed: 32-true, 16-mixed, bf16-mixed"),
        ({"tune": "perhaps"}, InvalidInputError, "tune is 'perhaps'; allowed: true or false"),
        ({"changes": ["iterations"]}, InvalidInputError,
         "'iterations' changes nothing in a recipe; expected key=value, such as batch=2"),
        ({"recipe": "u3d"}, UnknownNameError, None),
        ({"epochs": 3}, InvalidInputError, None),
    ],
)  # fmt: skip
def test_options_that_make_no_sense(options, error, message):
    with pytest.raises(error) as caught:
        load_method("u3d-bc+mw", **options)
    assert message is None or str(caught.value) == message


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with thresholds chosen on other boxes."""
    folder = tmp_path_factory.mktemp("method")
    tiny().fit([volume()], folder, validation=[volume(1)], seed=5)
    return folder


def test_a_fit_trains_and_scores_and_chooses_thresholds(trained):
    run = RunFolder(trained)
    assert run.network.is_file()
    assert run.chosen == run.best
    assert json.loads(run.facts.read_text())["seed"] == 5
    assert isinstance(read_decoding(run.decoding), MarkerWatershed)
    found = json.loads(run.decoding.read_text())["tuned"]
    assert found["score"] >= found["before"]
    assert found["instances"] == 16
    assert not (trained / "tuning").exists()


def test_a_second_fit_does_nothing_again(trained, monkeypatch):
    monkeypatch.setattr(adapters, "tune", None)
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*.ckpt")}
    tiny().fit([volume()], trained, validation=[volume(1)], seed=5)
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*.ckpt")} == before


def test_thresholds_are_left_alone_if_asked_or_if_there_is_nothing_to_choose_them_by(tmp_path):
    tiny(tune="false").fit([volume()], tmp_path / "asked", validation=[volume(1)])
    tiny().fit([volume(valid=np.ones((8, 48, 48), np.uint8))], tmp_path / "alone")
    assert not RunFolder(tmp_path / "asked").decoding.exists()
    assert not RunFolder(tmp_path / "alone").decoding.exists()
    assert RunFolder(tmp_path / "alone").chosen == RunFolder(tmp_path / "alone").network


def test_where_the_annotation_is_partial_only_that_counts(tmp_path):
    nothing = np.zeros((8, 48, 48), np.uint8)
    with pytest.raises(InvalidInputError, match=r"^none of 1000 crops of .* is annotated on more than 0\.5"):
        tiny().fit([volume(valid=nothing)], tmp_path / "run")


def test_a_prediction_is_ranked_by_size(trained, tmp_path):
    image, _ = boxes(2)
    assert tiny().predict(image, tmp_path / "found.h5", trained) is None
    found = segmented(tmp_path / "found.h5")
    assert found.shape == image.shape
    assert found.max() > 0


def test_chosen_thresholds_are_used(trained, tmp_path):
    image, _ = boxes(2)
    path = RunFolder(trained).decoding
    before = path.read_bytes()
    try:
        write_decoding(MarkerWatershed(foreground=1.0), path)
        with pytest.warns(InputWarning, match="no instance was found"):
            tiny().predict(image, tmp_path / "none.h5", trained)
    finally:
        path.write_bytes(before)
    assert segmented(tmp_path / "none.h5").max() == 0


def test_probabilities_are_used_again_for_this_image_alone(trained, tmp_path):
    image, _ = boxes(2)
    out = tmp_path / "found.h5"
    tiny().predict(image, out, trained)
    [probability] = tmp_path.glob("found-probability-*.h5")
    before, first = probability.stat().st_mtime_ns, segmented(out)
    tiny().predict(image, out, trained)
    assert probability.stat().st_mtime_ns == before
    assert np.array_equal(segmented(out), first)
    tiny().predict(np.ascontiguousarray(image[:, ::-1]), out, trained)
    assert len(list(tmp_path.glob("found-probability-*.h5"))) == 2


def test_whoever_opened_an_image_closes_it(trained, tmp_path):
    image, _ = boxes(2)
    with h5py.File(tmp_path / "image.h5", "w") as file:
        file["main"] = image
    [opened] = open_image(tmp_path / "image.h5")
    tiny().predict(opened, tmp_path / "a.h5", trained)
    assert np.array_equal(opened.read(Box((0, 0, 0), opened.shape)), image)
    opened.close()
    tiny().predict(f"{tmp_path / 'image.h5'}::main", tmp_path / "b.h5", trained)
    assert np.array_equal(segmented(tmp_path / "a.h5"), segmented(tmp_path / "b.h5"))


def test_images_that_cannot_be_predicted(trained, tmp_path):
    image = boxes()[0].astype(np.float32) / 255
    image[3, 4, 5] = np.nan
    out = tmp_path / "found.h5"
    with pytest.raises(InvalidInputError) as caught:
        tiny().predict(image, out, trained)
    assert str(caught.value) == (
        "array: the voxel (3, 4, 5) is nan; expected uint8, or real numbers from 0 to 1; mend or rescale it"
    )
    with pytest.raises(InvalidInputError) as caught:
        tiny().predict(np.stack([image, image]), out, trained)
    assert str(caught.value) == "array[0]: one of 2 channels; expected one; keep that alone"
    assert not out.exists()


def test_a_recipe_from_data_to_an_entry(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image, labels = boxes(shape=(16, 48, 48))
    with h5py.File("tissue.h5", "w") as file:
        file["image"], file["labels"] = image, np.concatenate([labels[:8], labels[:8]])
    split = "train = 0.5, test = 0.5"
    table = 'name = "boxes"\nimage = "tissue.h5::image"\nlabels = "tissue.h5::labels"\n'
    Path("data.toml").write_text(f'name = "boxes"\nsplit = {{ {split} }}\n[[volumes]]\n{table}')
    words = ["baseline", "run", "u3d-bc-small", "--data", "data.toml", "--out", "run", "--option", "accelerator=cpu"]
    words += [word for change in TINY for word in ("--set", change)]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[0] == f"entry: {Path('run', 'entry.json')}"
    entry = json.loads((tmp_path / "run" / "entry.json").read_text())
    assert entry["card"]["method"] == "U3D-BC+MW, u3d-bc-small, changed"
    assert entry["report"]["overall"]["ap_75"] is not None
