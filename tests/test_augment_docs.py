"""The pictures of docs/augmentation.md are what its script draws, and its table says what the recipes are."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from imagecodecs import png_decode

from baselines.augment import AUGMENTATIONS, Flip, crop_needed

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "augmentation.md").read_text(encoding="utf-8")
COMMITTED = {path.name: path for path in sorted((DOCS / "images").glob("augment-*.png"))}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("docs_augmentation_pictures", DOCS / "augmentation_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(header):
    lines = PAGE[PAGE.index(header) :].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_committed_pictures_are_what_the_script_draws(script, tmp_path):
    script.main([str(tmp_path)])
    drawn = {path.name: png_decode(path.read_bytes()).astype(int) for path in tmp_path.iterdir()}
    assert drawn.keys() == COMMITTED.keys()
    for name, picture in drawn.items():
        committed = png_decode(COMMITTED[name].read_bytes())
        assert committed.shape == picture.shape
        # Another processor may round a few values to another shade.
        assert (committed != picture).mean() < 0.005, f"run python docs/augmentation_pictures.py: {name}"


def test_the_page_shows_every_picture_once_and_they_are_small():
    assert sorted(re.findall(r"\]\(images/([^)]+)\)", PAGE)) == list(COMMITTED)
    assert sum(path.stat().st_size for path in COMMITTED.values()) < 400_000


@pytest.mark.parametrize("name", COMMITTED)
def test_each_strength_looks_unlike_the_others(name, script):
    picture = png_decode(COMMITTED[name].read_bytes()).astype(int)
    width = script.PATCH[2]
    panels = [picture[:, k * (width + script.GAP) :][:, :width] for k in range(4)]
    for k, panel in enumerate(panels):
        assert all((panel != other).mean() > 0.01 for other in panels[:k])


def test_the_table_of_recipes_is_that_of_the_code():
    header, _, *rows = table("| | `v1-paper` |")
    for k, recipe in enumerate(header[1:], start=1):
        steps = AUGMENTATIONS[recipe.strip("`")]
        cells = {re.match(r"`(\w+)`", row[0])[1]: row[k] for row in rows if row[0].startswith("`")}
        said = {name: float(cell.split(",")[0]) for name, cell in cells.items() if cell}
        assert said == {type(step.transform).__name__: step.probability for step in steps}
        assert list(said) == [type(step.transform).__name__ for step in steps]
        sizes = {row[0]: tuple(map(int, row[k].split("x"))) for row in rows if row[0] in {"patch", "crop"}}
        assert crop_needed(steps, sizes["patch"]) == sizes["crop"]
        assert isinstance(steps[-1].transform, Flip)


def test_pixels_without_an_outline_are_no_lighter_than_it(script):
    image, labels = np.ones(script.CROP, np.float32), np.zeros(script.CROP, np.uint8)
    labels[:, :130] = 1
    panel = script.panel(image, labels, side=False)
    assert np.unique(panel).tolist() == [230, 255]
    assert (panel == 255).sum() == script.PATCH[2]
