"""Recipes: the published numbers, what is refused and how, and the learning rate at any step."""

import re
import tomllib
from dataclasses import replace

import pytest
from torch import nn

from baselines.decode import Components, MarkerWatershed
from baselines.networks import build_network
from baselines.optimizer import Adam, Sgd
from baselines.recipe import list_recipes, load_recipe, recipe_text
from baselines.schedule import Schedule
from mitobench.errors import InvalidInputError, UnknownNameError, UnusableFileError

SMALL = recipe_text("u3d-bc-small")


def changed(tmp_path, old, new):
    """Write u3d-bc-small with one line replaced."""
    assert old in SMALL
    path = tmp_path / "mine.toml"
    path.write_text(SMALL.replace(old, new, 1))
    return path


def test_the_recipes_that_come_with_mitobench():
    assert list_recipes() == (
        "u2d-b", "u3d-bc-pytc2021", "u3d-bc-small", "u3d-bc-v1", "u3d-bc-v2", "u3d-bc-v2-multistep",
    )  # fmt: skip
    assert all(load_recipe(name).name == name for name in list_recipes())


@pytest.mark.parametrize(
    ("name", "crop", "parameters"),
    [
        ("u2d-b", (1, 390, 390), 1_940_817),
        ("u3d-bc-v1", (32, 282, 282), 1_410_894),
        ("u3d-bc-v2", (34, 370, 370), 1_410_894),
        ("u3d-bc-v2-multistep", (34, 370, 370), 1_410_894),
        ("u3d-bc-pytc2021", (19, 372, 372), 935_582),
    ],
)
def test_crops_and_networks_are_those_of_the_record(name, crop, parameters):
    recipe = load_recipe(name)
    assert recipe.chain.crop == crop
    assert sum(p.numel() for p in recipe.build_network().parameters()) == parameters


def test_the_numbers_of_the_published_result():
    recipe = load_recipe("u3d-bc-v2")
    assert recipe.decoding == MarkerWatershed(0.85, 0.6, 0.8, min_seed=0, min_size=1024, seed_connectivity=26)
    mask, contour = recipe.losses
    assert (mask.bce, mask.dice, contour.bce, contour.dice) == (1, 1, 1, 0)
    assert {(loss.lowest, loss.highest, loss.empty) for loss in recipe.losses} == {(0.05, 0.99, "ones")}
    assert recipe.optimizer == Sgd(lr=0.001, momentum=0.9, weight_decay=1e-4, weight_decay_norm=0, weight_decay_bias=0)
    assert (recipe.iterations, recipe.batch, recipe.intensity) == (100_000, 8, "unit")
    assert (recipe.prediction.sigma_scale, recipe.prediction.flips) == (0.1, "xy")


def test_predictions_are_made_as_the_recipe_says():
    window = load_recipe("u3d-bc-pytc2021").window
    assert (window.patch, window.stride, window.padding) == ((17, 257, 257), (8, 128, 128), (4, 64, 64))
    assert (window.intensity, window.flips, window.sigma_scale) == ("centred", "xy", 0.1)


def test_what_tells_the_other_recipes_apart():
    v1, v2, steps, pytc, flat = map(
        load_recipe, ("u3d-bc-v1", "u3d-bc-v2", "u3d-bc-v2-multistep", "u3d-bc-pytc2021", "u2d-b")
    )
    same = replace(steps, name=v2.name, description=v2.description, schedule=v2.schedule)
    assert same == v2
    assert isinstance(v1.optimizer, Adam)
    assert v1.optimizer.amsgrad
    assert {(loss.lowest, loss.empty) for loss in v1.losses} == {(0.01, "zeros")}
    assert (v1.prediction.sigma_scale, v1.targets.smoothing) == (0.4, "v1")
    assert (pytc.optimizer.lr, pytc.iterations, pytc.intensity) == (0.04, 150_000, "centred")
    assert (pytc.targets.contour, pytc.decoding.min_seed) == ("difference", 32)
    assert flat.decoding == Components(0.8, min_size=128, connectivity=26)


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("u3d-bc-v2", {0: 1e-6, 500: 5.004691e-4, 1000: 9.997533e-4, 50_000: 5e-4, 100_000: 0}),
        ("u3d-bc-v2-multistep", {0: 1e-6, 500: 5.005e-4, 79_999: 1e-3, 80_000: 1e-4, 90_000: 1e-5, 100_000: 1e-5}),
        ("u3d-bc-pytc2021", {0: 4e-5, 75_000: 0.02, 150_000: 0}),
        ("u3d-bc-v1", {0: 1e-3, 99_999: 1e-3}),
    ],
)
def test_the_learning_rate_is_a_function_of_the_step(name, rates):
    recipe = load_recipe(name)
    assert [recipe.learning_rate(step) for step in rates] == pytest.approx(list(rates.values()), rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("name", list_recipes())
def test_every_value_says_where_it_comes_from(name):
    text = recipe_text(name)
    values = [line for line in text.splitlines() if re.match(r"\w+ = ", line)]
    source = r"(paper|biapy|inferred|ours|without effect|[0-9a-f]{7})\b"
    assert [line for line in values if not re.search(rf" # {source}", line)] == []
    assert len(values) > 40
    assert tomllib.loads(text)["name"] == name


def test_weight_decay_differs_for_weights_normalisations_and_biases():
    network = build_network("unet-residual-3d", {"filters": [2, 3]})
    sgd = Sgd(lr=0.1, momentum=0.9, weight_decay=0.3, weight_decay_norm=0.2, weight_decay_bias=0.1)
    decays = {id(p): group["weight_decay"] for group in sgd.build(network).param_groups for p in group["params"]}
    assert len(decays) == len(list(network.parameters()))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            assert (decays[id(module.weight)], decays[id(module.bias)]) == (0.2, 0.2)
        elif isinstance(module, nn.Conv3d):
            assert (decays[id(module.weight)], decays[id(module.bias)]) == (0.3, 0.1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch = 2", "batch_size = 2", ": unknown key 'batch_size', did you mean 'batch'?; the keys are name, descri"),
        ("batch = 2", "", ": batch is missing; the keys are name, description, patch, intensity, augmentation, iter"),
        ("batch = 2", "batch = 0", ": batch is 0; allowed: whole numbers from 1; correct it"),
        ("batch = 2", "batch = true", ": batch is True; expected a whole number; correct it"),
        ("batch = 2", "batch = 2.5", ": batch is 2.5; expected a whole number; correct it"),
        ("[16, 96, 96]", "[96, 96]", ": patch is [96, 96]; expected a list of 3 whole numbers; correct it"),
        ("[16, 96, 96]", "[16, 95, 95]", ": patch is [16, 95, 95], which the network unet-residual-3d cannot take; "),
        ('"unit"', '"units"', ": intensity is 'units', did you mean 'unit'?; expected one of unit, centred; "),
        ('augmentation = "v2"', 'augmentation = "v3"', ": augmentation is 'v3'; allowed: none, u2d, v1"),
        ('"unet-residual-3d"', '"unet-3d"', ": network: name is 'unet-3d', did you mean 'unet-"),
        ("in_channels = 1", "in_channels = 3", ": the network has 3 channels in and 2 out; expected 1 in, and one out"),
        ("filters = [8, 12, 16, 24]", "filters = [8, true]", ": network: filters is [8, True]; expected a list of who"),
        ('contour = "window"', 'contour = "thin"', ": targets: contour is 'thin', did you mean 'touching'?; expected "),
        ('smoothing = "v2"', "smoothing = false", ": targets: smoothing is False; expected one of v1, v2, none; corr"),
        ("dice = 1.0", 'dice = "1"', ": loss.mask: dice is '1'; expected a number; correct it"),
        ("highest = 0.99", "highest = 1.5", ": loss.mask: lowest and highest of a loss are 0.05 and 1.5; allowed: "),
        ("[loss.contour]", "[loss.edge]", ": loss: unknown key 'edge'; the keys are mask, contour; correct it"),
        ('name = "adam"', 'name = "sgd"', ": optimizer: unknown key 'beta1'; the keys are lr, momentum, weigh"),
        ("lr = 0.002", "lr = nan", ": optimizer: lr is nan; expected a number; correct it"),
        ("lr = 0.002", "lr = -1", ": optimizer: lr of adam is -1.0; allowed: above 0, up to 10; correct it"),
        ("warmup = 50 ", "warmup = 9999 ", ": the schedule goes on after the last of 1000 iterations; shorten "),
        ("milestones = []", "milestones = [5]", ": schedule: milestones of a cosine schedule are [5]; allowed: ascend"),
        ("annotated = 0.5", "annotated = 1", ": sampling: annotated is 1.0; allowed: from 0, below 1; correct it"),
        ("overlap = 0.5", "overlap = 1.0", ": prediction: overlap is 1.0; allowed: from 0, below 1; correct it"),
        ("min_seed = 0", "min_seed = -1", ": decoding: min_seed of marker watershed is -1; allowed: whole numbers of "),
        ("seed_connectivity = 26", "seed_connectivity = 8", ": decoding: seed_connectivity is 8; expected one of"),
        ("[targets]", "[targets", ": not TOML (Expected ']' at the end of a table declaration"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_one_clear_line(tmp_path, old, new, message):
    path = changed(tmp_path, old, new)
    with pytest.raises(InvalidInputError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)


def test_a_watershed_needs_a_contour(tmp_path):
    path = tmp_path / "mine.toml"
    text = recipe_text("u2d-b").split("[decoding]")[0]
    path.write_text(text + SMALL[SMALL.index("[decoding]") :])
    with pytest.raises(InvalidInputError) as caught:
        load_recipe(path)
    assert str(caught.value) == (
        f"{path}: decoding is mw, which needs a contour; use cc, or add the channel contour; correct it"
    )


def test_what_is_no_recipe(tmp_path):
    with pytest.raises(UnknownNameError) as unknown:
        load_recipe("u3d-bc-v3")
    assert str(unknown.value) == (
        f"unknown recipe 'u3d-bc-v3', did you mean 'u3d-bc-v2'?; allowed: {', '.join(list_recipes())}, or a TOML file"
    )
    with pytest.raises(UnusableFileError, match=r"none\.toml: cannot be read \(No such file or directory\); check the"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInputError, match=r"binary\.toml: no text; expected a recipe in TOML"):
        load_recipe(tmp_path / "binary.toml")


def test_values_are_changed_and_comments_stay():
    changes = ["batch=4", "network.filters=[4, 8]", "intensity=centred", "loss.mask.dice = 0.5"]
    old, new = (recipe_text("u3d-bc-small", given).splitlines() for given in ((), changes))
    assert [line for line, before in zip(new, old, strict=True) if line != before] == [
        'name = "u3d-bc-small, changed" # changed for this run',
        'intensity = "centred" # changed for this run',
        "batch = 4 # changed for this run",
        "filters = [4, 8] # changed for this run",
        "dice = 0.5 # changed for this run",
    ]
    recipe = load_recipe("u3d-bc-small", changes)
    assert (recipe.batch, recipe.config.filters, recipe.intensity, recipe.losses[0].dice) == (4, (4, 8), "centred", 0.5)
    assert load_recipe("u3d-bc-small", ["name=mine"]).name == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("batch", "'batch' changes nothing in a recipe; expected key=value, such as batch=2"),
        ("batch=", "'batch=' changes nothing in a recipe; expected key=value, such as batch=2"),
        ("bath=3", ": no key 'bath' to change, did you mean 'batch'?; the keys are name, description, patch, "),
        ("netwrok.filters=[3]", ": no table 'netwrok' to change, did you mean 'network'?; the tables are network, "),
        ("network.filter=[3]", ": no key 'filter' to change, did you mean 'filters'?; the keys are name, in_channels"),
        ("batch.size=3", ": no table 'batch' to change; the tables are network, targets, loss, sampling, optimizer, "),
        ("batch=[", ": batch is '['; expected a whole number; correct it"),
        ("batch=-1", ": batch is -1; allowed: whole numbers from 1; correct it"),
    ],
)
def test_a_change_that_makes_no_recipe_is_one_clear_line(change, message):
    with pytest.raises(InvalidInputError) as caught:
        load_recipe("u3d-bc-small", [change])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_may_be_a_file(tmp_path):
    assert load_recipe(changed(tmp_path, "batch = 2", "batch = 3")) == replace(load_recipe("u3d-bc-small"), batch=3)


def test_a_schedule_refuses_what_means_nothing():
    with pytest.raises(InvalidInputError, match="milestones of a multistep schedule are \\[\\]; allowed: ascending"):
        Schedule(kind="multistep")
    with pytest.raises(InvalidInputError, match="milestones of a multistep schedule are \\[9, 5\\]; allowed: asc"):
        Schedule(kind="multistep", milestones=(9, 5))
    with pytest.raises(InvalidInputError, match=r"factor of a schedule is 2; allowed: 0 to 1"):
        Schedule(kind="constant", factor=2)
