"""Tuning: each setting scores what it would score alone, and the best of them is found and written down."""

import json
from dataclasses import replace
from itertools import product

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import baselines.tune._search as search
from baselines.decode import METHODS, Components, MarkerWatershed, decode, decode_array
from baselines.decode._methods import byte_of
from baselines.tune import GRIDS, read_decoding, tune, write_decoding
from baselines.tune._grid import axes_of, identity, settings_of, steps_between
from baselines.tune._kept import Kept
from mitobench.errors import InputWarning, InvalidInputError, MitobenchError, UnknownNameError, UnusableFileError
from mitobench.evaluate import evaluate_benchmark
from mitobench.rules import RULES
from mitobench.types import Box
from mitobench.volumes import open_labels

pytest.importorskip("cc3d", reason="connected-components-3d comes with the extra 'baselines'")


def tissue(seed, shape=(6, 36, 60)):
    """Return boxes in a grid, some of which touch, and noisy probabilities of their mask and contours."""
    rng = np.random.default_rng(seed)
    gt = np.zeros(shape, np.uint16)
    corners = list(product(range(1, shape[1] - 8, 9), range(1, shape[2] - 8, 9)))
    for number, (y, x) in enumerate(corners, start=1):
        height, width = rng.integers(4, 10, 2)
        gt[1:5, y : y + height, x : x + width] = number
    edge = np.zeros(shape)
    edge[:, :, 1:] = gt[:, :, 1:] != gt[:, :, :-1]
    edge[:, 1:] = np.maximum(edge[:, 1:], gt[:, 1:] != gt[:, :-1])
    smooth = gaussian_filter(np.stack([gt > 0, edge]).astype(float), (0, 0.3, 0.8, 0.8))
    noise = 0.12 * rng.standard_normal(smooth.shape)
    return (255 * np.clip(smooth * [[[[1.0]]], [[[1.3]]]] + noise, 0, 1)).astype(np.uint8), gt


def written(path, array):
    with h5py.File(path, "w") as file:
        file["main"] = array
    return path


@pytest.fixture(scope="module")
def volumes():
    probabilities, gts = zip(*(tissue(seed) for seed in (0, 1)), strict=True)
    return list(probabilities), list(gts)


SMALL = {
    "mw": {"seed_mask": (0.6, 0.8), "seed_contour": (0.4, 0.7), "foreground": (0.5, 0.7), "min_size": (1, 60, 90)},
    "cc": {"threshold": (0.4, 0.6, 0.75), "min_size": (0, 40, 100)},
}


def alone(probabilities, gts, method, rule):
    """Return the score of one setting, by decoding with it and nothing else."""
    pairs = {str(n): (decode_array(p, method), gt) for n, (p, gt) in enumerate(zip(probabilities, gts, strict=True))}
    return evaluate_benchmark(pairs, rule=rule).score


@pytest.mark.parametrize("rule", ["mitoem-2020", replace(RULES["coco"], rank_by="f1_50", name="f1")])
@pytest.mark.parametrize("name", ["mw", "cc"])
@pytest.mark.filterwarnings("ignore:.*no instance was found.*")
def test_every_setting_has_the_score_that_it_has_alone(volumes, name, rule):
    tuning = tune(*volumes, name, grid=SMALL[name], rule=rule)
    methods = {trial.method for trial in tuning.tried}
    wanted = [
        replace(METHODS[name], **dict(zip(SMALL[name], values, strict=True)))
        for values in product(*SMALL[name].values())
    ]
    assert methods == {METHODS[name], *(w for w in wanted if name == "cc" or w.foreground <= w.seed_mask)}
    for trial in tuning.tried:
        assert trial.score == alone(*volumes, trial.method, rule)
    assert tuning.best.score == max(trial.score for trial in tuning.tried)
    assert tuning.before.method == METHODS[name]
    assert len({trial.score for trial in tuning.tried}) > 3


def test_files_give_what_arrays_give_with_any_memory(volumes, tmp_path, monkeypatch):
    probabilities, gts = volumes
    named = [
        [written(tmp_path / f"{what}{n}.h5", one[n]) for n in (0, 1)]
        for what, one in (("prob", probabilities), ("gt", gts))
    ]
    expected = tune(*volumes, "cc", grid=SMALL["cc"])
    assert tune(*named, "cc", grid=SMALL["cc"]) == expected
    seen = []
    monkeypatch.setattr(search, "decode", lambda one, *a, **k: seen.append(type(one)) or decode(one, *a, **k))
    assert tune(*named, "cc", grid=SMALL["cc"], memory=4 * probabilities[0].size, workers=1) == expected
    assert {kind.__name__ for kind in seen} == {"ArrayVolume", "PosixPath"}


@settings(max_examples=30)
@given(st.integers(0, 5), st.integers(0, 120), st.integers(0, 120))
@pytest.mark.filterwarnings("ignore:.*no instance was found.*")
def test_leaving_out_small_instances_is_decoding_with_another_size(tmp_path_factory, seed, first, second):
    probability, _ = tissue(seed)
    method = MarkerWatershed(0.7, 0.6, 0.6, min_size=min(first, second))
    path = tmp_path_factory.mktemp("seg") / "seg.h5"
    report = decode(probability, path, method)
    kept = Kept.of(open_labels(path), report.sizes >= max(first, second))
    expected = decode_array(probability, replace(method, min_size=max(first, second)))
    found = kept.read(Box((0, 0, 0), kept.shape))
    kept.close()
    assert np.array_equal(found, expected)
    assert kept.dtype == found.dtype == expected.dtype


def test_settings_that_differ_in_size_alone_are_decoded_once(volumes, monkeypatch):
    decoded, scored = [], []
    score = search.evaluate_benchmark
    monkeypatch.setattr(
        search, "decode", lambda one, path, method, **k: decoded.append(method) or decode(one, path, method, **k)
    )
    monkeypatch.setattr(search, "evaluate_benchmark", lambda *a, **k: scored.append(1) or score(*a, **k))
    tuning = tune(*volumes, Components(0.5, 70), grid={"threshold": [0.5], "min_size": [1, 3, 10**6, 10**7]})
    assert len(tuning.tried) == 5
    assert decoded == [Components(0.5, 1)] * 2
    # The smallest two leave all, the largest two nothing.
    assert len(scored) == 3


@given(st.floats(0, 1), st.floats(0, 1))
def test_thresholds_of_one_byte_are_one_setting(first, second):
    found = settings_of(Components(first), {"threshold": (second,)})
    assert (len(found) == 1) == (byte_of(first) == byte_of(second))
    assert found[0] == Components(first)


@pytest.mark.parametrize("name", ["mw", "cc"])
def test_the_default_grid_holds_the_published_setting_and_no_seeds_outside_of_instances(name):
    found = settings_of(METHODS[name], axes_of(METHODS[name], None))
    assert found[0] == METHODS[name]
    assert len(found) == {"mw": 13 * 5 * 4, "cc": 14 * 4}[name]
    assert len({identity(setting) for setting in found}) == len(found)
    assert all(setting.foreground <= setting.seed_mask for setting in found if name == "mw")
    assert all(getattr(METHODS[name], field) in values for field, values in GRIDS[name].items())


def test_of_equal_scores_the_setting_nearest_to_the_first_one_wins(volumes):
    grid = {"threshold": [0.5], "min_size": [10**4, 10**5, 10**6, 10**7]}
    start = Components(0.5, 10**5)
    tuning = tune(*volumes, start, grid=grid)
    assert {trial.score for trial in tuning.tried} == {0.0}
    assert tuning.best.method == start
    steps = [steps_between(start, trial.method, grid) for trial in tuning.tried]
    assert steps == [0, 1, 1, 2]


def test_an_undefined_score_is_the_lowest(volumes):
    rule = replace(RULES["mitoem-2020"], name="mine", rank_by="sq_75")
    tuning = tune(*volumes, Components(0.6, 1), grid={"threshold": [0.6], "min_size": [10**6]}, rule=rule)
    assert [trial.score is None for trial in tuning.tried] == [False, True]
    message = "sq_75 is undefined with every setting; choose another rule, or another grid"
    with pytest.raises(InvalidInputError) as error:
        tune(*volumes, Components(0.6, 10**6), grid={"threshold": [0.6], "min_size": [10**7]}, rule=rule)
    assert str(error.value) == message


def test_the_plateau_is_of_those_within_a_hundredth(volumes):
    tuning = tune(*volumes, "cc", grid=SMALL["cc"])
    close = [trial.method for trial in tuning.tried if tuning.best.score - trial.score <= 0.01]
    assert 1 <= len(close) < len(tuning.tried)
    assert [trial.method for trial in tuning.close] == close
    assert tuning.plateau["threshold"] == (min(m.threshold for m in close), max(m.threshold for m in close))
    assert set(tuning.at_an_end) <= {"threshold", "min_size"}
    assert ("threshold" in tuning.at_an_end) == (tuning.best.method.threshold in {0.4, 0.75})


def test_few_instances_are_warned_of(volumes):
    probability, gt = (one[0] for one in volumes)
    few = np.where(gt <= 3, gt, 0)
    message = r"holds 3 instance\(s\), and of fewer than 10 each decides much"
    with pytest.warns(InputWarning, match=message):
        tuning = tune([probability], [few], "cc", grid={"threshold": [0.5], "min_size": [9]})
    assert tuning.instances == 3


def test_instances_that_the_rule_drops_do_not_count(volumes):
    rule = replace(RULES["mitoem-2020"], name="mine", min_gt_size=100)
    sizes = [np.bincount(gt.ravel())[1:] for gt in volumes[1]]
    tuning = tune(*volumes, "cc", grid={"threshold": [0.5], "min_size": [9]}, rule=rule)
    assert tuning.instances == sum(np.count_nonzero(size >= 100) for size in sizes) < 50


def test_progress_counts_settings(volumes):
    seen = []
    tune(*volumes, "cc", grid=SMALL["cc"], progress=lambda *now: seen.append(now))
    assert seen == [(done, 10) for done in range(1, 11)]


EMPTY = np.zeros((6, 36, 60), np.uint8)
NUMBERS = (
    "{} volume(s) of probabilities and 0 ground truth(s); expected as many of the one as of the other, and at least one"
)
SINGLE = "{}: a single volume; expected several, as in a list; put it into one"
NOTHING = (
    "array: holds no instance that the rule mitoem-2020 counts; expected some, to tell settings apart; check the "
    "labels, or name another part"
)
UNKNOWN = (
    "cc has no setting 'threshhold' to tune, did you mean 'threshold'?; its settings are threshold, min_size, "
    "connectivity"
)
OUTSIDE = (
    "every foreground of the grid is above every seed_mask; expected one that is not, so that seeds lie in the "
    "foreground; lower the one or raise the other"
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gts": []}, NUMBERS.format(1)),
        ({"probabilities": [], "gts": []}, NUMBERS.format(0)),
        ({"gts": EMPTY}, SINGLE.format("gts")),
        ({"probabilities": "prob.h5"}, SINGLE.format("probabilities")),
        ({"gts": [EMPTY]}, NOTHING),
        ({"grid": {"threshhold": [0.5]}}, UNKNOWN),
        ({"grid": {"threshold": []}}, "the grid has threshold []; expected one value or more, as in a list"),
        ({"grid": {"threshold": 0.5}}, "the grid has threshold 0.5; expected one value or more, as in a list"),
        ({"grid": {"threshold": "0.5"}}, "the grid has threshold '0.5'; expected one value or more, as in a list"),
        ({"grid": {"threshold": ["0.5"]}}, "the grid has threshold '0.5'; expected probabilities from 0 to 1"),
        ({"grid": {"threshold": [1.5]}}, "threshold of components is 1.5; allowed: probabilities from 0 to 1"),
        ({"grid": {"threshold": [np.nan]}}, "threshold of components is nan; allowed: probabilities from 0 to 1"),
        ({"grid": {"min_size": [0.5]}}, "the grid has min_size 0.5; expected whole numbers"),
        ({"grid": {"min_size": [True]}}, "the grid has min_size True; expected whole numbers"),
        ({"grid": {"min_size": [-1]}}, "min_size of components is -1; allowed: whole numbers of voxels from 0"),
        ({"grid": {"connectivity": [7]}}, "connectivity of components is 7; allowed: 6, 18, 26"),
        ({"method": "mw", "grid": {"foreground": [0.99]}}, OUTSIDE),
    ],
)
def test_what_cannot_be_tuned(volumes, change, message):
    given = {"probabilities": volumes[0][:1], "gts": volumes[1][:1], "method": "cc", **change}
    with pytest.raises(InvalidInputError) as error:
        tune(**given)
    assert str(error.value) == message


def test_volumes_that_do_not_fit(volumes):
    probability, gt = (one[0] for one in volumes)
    with pytest.raises(InvalidInputError, match=r"\(6, 36, 60\).*\(6, 36, 59\)|\(6, 36, 59\).*\(6, 36, 60\)"):
        tune([probability], [gt[:, :, 1:]], "cc")
    with pytest.raises(InvalidInputError, match="1 channels; expected 2, mask and contour"):
        tune([probability[:1]], [gt], "mw")
    with pytest.raises(InvalidInputError, match="probabilities of type float32; expected uint8"):
        tune([probability.astype(np.float32)], [gt], "cc")
    with pytest.raises(InvalidInputError, match="negative"):
        tune([probability], [-gt.astype(np.int32)], "cc")
    with pytest.raises(UnknownNameError, match="unknown method 'wm'"):
        tune([probability], [gt], "wm")
    with pytest.raises(
        UnusableFileError, match="cannot write in nowhere: No such file or directory; name another folder"
    ):
        tune([probability], [gt], "cc", folder="nowhere")


@pytest.mark.parametrize("method", [MarkerWatershed(0.7, 0.3, 0.5, 4, 9, 6), Components(0.25, 0, 18)])
def test_a_method_survives_its_file(method, tmp_path):
    path = tmp_path / "decoding.json"
    write_decoding(method, path, tuned={"score": 0.5, "volumes": ("a", "b")})
    assert read_decoding(path) == method
    assert json.loads(path.read_text())["tuned"] == {"score": 0.5, "volumes": ["a", "b"]}
    write_decoding(method, path)
    assert read_decoding(path) == method
    assert "tuned" not in json.loads(path.read_text())


CC = {"name": "cc", "threshold": 0.5, "min_size": 1, "connectivity": 26}
KEYS = "the keys are threshold, min_size, connectivity"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "ccc"}, "name is 'ccc', did you mean 'cc'?; expected one of mw, cc"),
        ({"threshold": 2}, "threshold of components is 2.0; allowed: probabilities from 0 to 1"),
        ({"threshold": 10**400}, f"threshold is 1{'0' * 59}; expected a number"),
        ({"threshold": True}, "threshold is True; expected a number"),
        ({"threshold": np.nan}, "threshold is nan; expected a number"),
        ({"min_size": 1.0}, "min_size is 1.0; expected a whole number"),
        ({"connectivity": 7}, "connectivity is 7; expected one of 6, 18, 26"),
        ({"seed_mask": 1}, f"unknown key 'seed_mask'; {KEYS}"),
        ({"threshold": None}, "threshold is None; expected a number"),
    ],
)
def test_a_file_with_other_settings(change, message, tmp_path):
    path = tmp_path / "decoding.json"
    path.write_text(json.dumps({**CC, **change}))
    with pytest.raises(InvalidInputError) as error:
        read_decoding(path)
    assert str(error.value) == f"{path}: decoding: {message}; correct it"


EXPECTED = "expected the settings of a decoding"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"not JSON; {EXPECTED}, as `mitobench baseline tune` writes them"),
        ("[" * 10**5, f"not JSON; {EXPECTED}, as `mitobench baseline tune` writes them"),
        ("[1]", f"holds [1]; {EXPECTED}; tune again"),
        ("{}", "decoding: name is missing; expected one of mw, cc; correct it"),
        ('{"name": "cc"}', f"decoding: threshold is missing; {KEYS}; correct it"),
        (" " * 2**21, f"larger than 1,048,576 bytes; {EXPECTED}"),
    ],
)
def test_files_of_strangers(text, message, tmp_path):
    path = tmp_path / "decoding.json"
    path.write_text(text)
    with pytest.raises(MitobenchError) as error:
        read_decoding(path)
    assert str(error.value) == f"{path}: {message}"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UnusableFileError, match=r"decoding\.json: cannot be read \(No such file or directory\); check"):
        read_decoding(tmp_path / "decoding.json")
