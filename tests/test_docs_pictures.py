"""The pictures of docs/matching.md are what its script draws, and page and pictures say what mitobench measures."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mitobench.matching import match
from mitobench.rules import RULES
from mitobench.testing import associations, average_precision, counts_of_table, detection, overlap_table

DOCS = Path(__file__).parent.parent / "docs"
IMAGES = DOCS / "images"
PAGE = (DOCS / "matching.md").read_text(encoding="utf-8")
NAMES = sorted(path.name for path in IMAGES.glob("matching-*.svg"))
RULE = RULES["mitoem-2020"]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("docs_pictures", DOCS / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(script):
    return script.run_page()


def drawing(name):
    return ET.fromstring((IMAGES / f"matching-{name}.svg").read_text(encoding="utf-8"))  # noqa: S314 - our own file


def words(name):
    return [element.text for element in drawing(name).iter(f"{SVG}text")]


def rows(header):
    """Return the cells of the table of the page that begins with these."""
    lines = PAGE[PAGE.index(f"| {header} |") :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def numbers(text):
    return {float(found) for found in re.findall(r"(?<![\w.])\d+\.\d+(?!\w|\.\d)", text)}


def seen(scene):
    return match(overlap_table(*scene), RULE)


def counted(scene):
    return counts_of_table(overlap_table(*scene))


def found(scene, threshold, rule=RULE):
    """Return TP, FP and FN as the slow twin counts them."""
    by_metric = detection(counted(scene), rule)
    return [by_metric[f"{name}_{threshold}"]["all"] for name in ("tp", "fp", "fn")]


def test_the_committed_pictures_are_what_the_script_draws(tmp_path):
    subprocess.run([sys.executable, DOCS / "pictures.py", tmp_path / "new"], check=True, cwd=tmp_path)
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert sorted(drawn) == NAMES
    assert [name for name in NAMES if drawn[name] != (IMAGES / name).read_bytes()] == [], "run python docs/pictures.py"


def test_the_page_shows_every_picture_once():
    assert sorted(re.findall(r"\]\(images/([^)]+)\)", PAGE)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_small_and_plain_and_nothing_is_cut(name):
    content = (IMAGES / name).read_text(encoding="utf-8")
    assert len(content.encode()) < 10_000
    assert not re.search(r"href|<script|<image|@import|url\((?!#hatch\))", content)
    root = drawing(name.removeprefix("matching-").removesuffix(".svg"))
    width, height = float(root.get("width")), float(root.get("height"))
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}"
    assert root.find(f"{SVG}title").text
    # Without a background of its own, dark words would vanish on a dark page.
    card = next(root.iter(f"{SVG}rect"))
    assert (card.get("class"), float(card.get("width")), float(card.get("height"))) == ("card", width - 1, height - 1)
    for element in root.iter(f"{SVG}text"):
        # A letter is about 0.55 of the size of the font wide.
        length, x = 7.2 * len(element.text), float(element.get("x"))
        left = x - length * {None: 0, "middle": 0.5, "end": 1}[element.get("text-anchor")]
        assert left >= 3, element.text
        assert left + length <= width - 3, element.text
        assert 10 <= float(element.get("y")) <= height - 5, element.text


def test_both_sides_differ_without_colour():
    style = drawing("table").find(f"{SVG}style").text
    gt, pred = (next(line for line in style.splitlines() if line.strip().startswith(f".{side} ")) for side in "gp")
    assert "dasharray" in pred
    assert "url(#hatch)" in pred
    assert "dasharray" not in gt
    assert "url" not in gt


def test_the_numbers_of_the_prose_stand_in_the_blocks():
    blocks = "".join(re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL))
    prose = re.sub(r"^```python\n.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    # What recall and repairs aim at is no result.
    assert numbers(prose) - numbers(blocks) <= {0.01, 0.9}


def test_the_picture_of_the_table_counts_as_the_slow_twin(page):
    counts = counted(page["two"])
    expected = [word for (g, p), n in counts.items() for word in (f"g{g}" if g else "0", f"p{p}" if p else "0", str(n))]
    assert words("table")[-len(expected) :] == expected


def test_the_picture_of_the_iou_counts_as_the_slow_twin(page):
    counts = counted(page["two"])
    shared, only_g = counts[1, 5], counts[1, 0]
    only_p = counts[0, 5] + counts[2, 5]
    assert [word for word in words("iou") if word.isdigit()] == [str(n) for n in (only_g, shared, only_p)]
    assert f"IoU = {shared} / ({only_g} + {shared} + {only_p}) = {seen(page['two']).pair_iou[0]:.2f}" in words("iou")


def test_the_picture_of_the_choice_says_what_two_rules_count(page):
    for rule in (page["pairing"], page["looking"]):
        tp, fp, fn = found(page["chain"], 30, rule)
        assert f"TP {tp}, FP {fp}, FN {fn}" in words("choice")
    values = [f"{value:.2f}" for value in seen(page["chain"]).pair_iou]
    assert [word for word in words("choice") if re.fullmatch(r"0\.\d\d", word)] == 2 * values
    lines = [e.get("class") for e in drawing("choice").iter(f"{SVG}path") if e.get("class") in {"chosen", "other"}]
    assert lines == ["chosen", "other", "chosen", "chosen", "chosen", "other"]


def test_the_picture_of_the_buckets_says_what_the_slow_twin_scores(page):
    rule = replace(RULE, size_thresholds=page["buckets"])
    ap = average_precision(counted(page["touching"]), rule)["ap_75"]
    assert words("bucket")[-9:] == [
        *("all", "g1: hit", "g2: hit"),
        *("large", "g1: hit", "g2: ignored"),
        *("medium", "g2: false positive", "g2: hit"),
    ]
    assert ap == pytest.approx({"all": 1, "small": None, "medium": 0.5, "large": 1})


def test_the_ranked_table_and_its_pictures_are_measured(page, script):
    matching = seen(page["ranked"])
    best = np.append(matching.pair_iou, 0)[matching.best_of_pred]
    hits = np.cumsum(best >= 0.75)
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / len(matching.gt)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    assert matching.ranking.tolist() == list(range(len(best)))
    expected = [
        [str(k + 1), f"p{matching.pred.id[k]}", str(matching.pred.size[k]), f"{best[k]:.2f}", hit]
        + [f"{values[k]:.2f}" for values in (precision, recall, envelope)]
        for k, hit in enumerate(np.where(best >= 0.75, "yes", "no").tolist())
    ]
    assert rows("rank") == expected
    outcome = {"yes": "hit", "no": "no hit"}
    below = [word for rank, _, _, iou, hit, *_ in expected for word in (f"{rank}.", f"IoU {iou}", outcome[hit])]
    assert words("ranked")[-len(below) :] == below
    ap = average_precision(counted(page["ranked"]), RULE)["ap_75"]["all"]
    assert f"AP-75 = {ap:.3f}," in words("curve")
    dots = [element.get("fill") == "#222" for element in drawing("curve").iter(f"{SVG}circle")]
    assert dots[: len(best)] == [cells[4] == "yes" for cells in expected]


def test_the_table_of_mistakes_is_that_of_the_block(page):
    cells = rows("at IoU 0.75")
    assert len(cells) == len(page["cases"])
    for (picture, verdicts, association, counts), (name, case) in zip(cells, page["cases"].items(), strict=True):
        assert f"(images/matching-{name}.svg)" in picture
        assert (verdicts, association) == case[1:3]
        assert counts == ", ".join(map(str, case[3]))
        scene = page["drawn"](case[0])
        assert found(scene, 75) == case[3]
        types = {kind for kind, number in associations(counted(scene), RULE).items() if number["all"]}
        assert types == {"pred_background" if association == "background" else f"gt_{association.replace('-', '_')}"}
        assert numbers(picture) <= set(seen(scene).pair_iou.round(2).tolist())


def test_the_picture_of_the_repair_says_what_it_changes(page):
    gt, pred = page["neighbours"]
    for labels in (pred, page["repaired"]):
        tp, fp, fn = found((gt, labels), 75)
        assert f"TP {tp}, FP {fp}, FN {fn}" in words("repair")
    assert {"p5 and p6 erased", "g1 painted anew as p8"} <= set(words("repair"))


def test_an_outline_goes_around_a_hole_inside_of_the_voxels(script):
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    outline = script.outline(ring, script.Place.square(0, 0, 10), 1)
    assert outline == "M1 1L29 1L29 29L1 29ZM21 9L9 9L9 21L21 21Z"
