"""Scores while training: the same as those of the commands one after another, and nothing is left behind."""

from functools import partial

import numpy as np
import pytest
import torch

from baselines.decode import decode_array
from baselines.networks import ResidualUNet3D, ResidualUNet3DConfig
from baselines.predict import predict_array
from baselines.recipe import load_recipe
from baselines.validation import Validation
from mitobench.errors import InvalidInputError, UnknownNameError
from mitobench.evaluate import evaluate_benchmark
from mitobench.methods import TrainingVolume
from mitobench.volumes import open_image, open_labels

CHANGES = (
    "network.filters=[2, 3]",
    "patch=[2, 16, 16]",
    "prediction.patch=[2, 16, 16]",
    "prediction.padding=[0, 4, 4]",
    "decoding.min_size=8",
)


class Sees(ResidualUNet3D):
    """Takes what is bright for mitochondria, and what is dark for contours."""

    def forward(self, image):
        return torch.cat([20 * (image - 0.5), -20 * (image - 0.2)], dim=1)


@pytest.fixture
def network():
    return Sees(ResidualUNet3DConfig(filters=(2, 3)))


@pytest.fixture
def recipe():
    return load_recipe("u3d-bc-small", CHANGES)


def volume(name, image, labels):
    return TrainingVolume(name, partial(lambda: open_image(image)[0]), partial(open_labels, labels))


@pytest.fixture
def volumes():
    found = []
    for name, width in (("one", 12), ("two", 8)):
        labels = np.zeros((4, 40, 40), np.uint16)
        labels[:, 4:14, 4:16], labels[1:3, 20:32, 8:20] = 5, 9
        image = np.where(labels > 0, 255, 0).astype(np.uint8)
        # In the second volume one prediction is too narrow for an IoU of 0.75.
        image[1:3, 20:32, 8 + width : 20] = 0
        found.append(volume(name, image, labels))
    return found


def test_scores_are_those_of_the_parts_one_after_another(network, recipe, volumes, tmp_path):
    values = Validation(recipe, volumes, tmp_path / "validation", rule="coco")(network, 7)
    pairs = {}
    for one in volumes:
        probability = predict_array(network, one.image(), recipe.window)
        found = decode_array(np.floor(255 * probability + 1e-4).astype(np.uint8), recipe.decoding)
        pairs[one.name] = (found, one.labels())
    report = evaluate_benchmark(pairs, rule="coco")
    assert next(iter(values)) == f"val/{report.rule['rank_by']}"
    assert {name.removeprefix("val/"): value for name, value in values.items()} == {
        name: report.overall[name] for name in (report.rule["rank_by"], "ap_50", "f1_75", "voi_split", "voi_merge")
    }
    assert 0 < values["val/f1_75"] < 1
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed(network, recipe, volumes, tmp_path):
    (tmp_path / "validation").mkdir()
    (tmp_path / "validation" / "probability.h5").write_bytes(b"half a file")
    assert Validation(recipe, volumes[:1], tmp_path / "validation")(network, 1)["val/ap_75"] > 0.99
    assert list(tmp_path.iterdir()) == []


def test_a_part_without_instances_and_an_unknown_rule(network, recipe, volumes, tmp_path):
    empty = volume("empty", np.zeros((4, 40, 40), np.uint8), np.zeros((4, 40, 40), np.uint16))
    with pytest.raises(InvalidInputError) as caught:
        Validation(recipe, [empty], tmp_path / "validation")(network, 1)
    assert str(caught.value) == "empty: no instance to validate on; name another part, or train without scores"
    with pytest.raises(UnknownNameError, match="unknown rule 'mitoem'"):
        Validation(recipe, volumes, tmp_path / "validation", rule="mitoem")
