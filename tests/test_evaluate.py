"""The front door: reports of pairs and benchmarks, edge cases with a defined result, scores, warnings."""

import dataclasses
import re

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mitobench.evaluate
from mitobench import RULES
from mitobench.errors import InputWarning, InvalidInputError, MitobenchError, UnknownNameError, UnusableFileError
from mitobench.evaluate import Pair, evaluate_benchmark, evaluate_pair
from mitobench.matching import match
from mitobench.metrics import compute
from mitobench.render import to_text
from mitobench.testing import lengths_like_sizes, overlap_table, random_volumes

BUCKETS = ("all", "small", "medium", "large")


def volumes(seed=3, dtype="u2"):
    return tuple(v.astype(dtype) for v in random_volumes(np.random.default_rng(seed), instances=15, edge=20))


def ap_75(gt, pred, **options):
    return evaluate_pair(pred, gt, **options).volumes[0].metrics["ap_75"]


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), rule=st.sampled_from(sorted(RULES)))
def test_a_report_holds_what_the_slow_way_computes(seed, rule):
    gt, pred = volumes(seed)
    table = overlap_table(gt, pred)
    lengths = lengths_like_sizes(table)
    report = evaluate_pair(pred, gt, rule=rule, cable_lengths=lengths)
    assert report.volumes[0].metrics == compute(match(table, rule, cable_lengths=lengths))
    assert report.volumes[0].shape == gt.shape
    rank_by = RULES[rule].rank_by
    assert report.score == report.overall[rank_by] == report.volumes[0].metrics[rank_by]["all"]


def box_volume(*sizes):
    """One instance per size, each a line of voxels in a section of its own."""
    volume = np.zeros((len(sizes), 80, 500), "u2")
    for z, size in enumerate(sizes):
        volume[z].flat[:size] = z + 1
    return volume


@pytest.mark.parametrize("rule", RULES)
def test_identical_volumes_are_perfect_in_every_bucket_that_has_instances(rule):
    gt = box_volume(3000, 9000, 35000)
    lengths = {1: 999, 2: 3999, 3: 4000}
    assert ap_75(gt, gt, rule=rule, cable_lengths=lengths) == pytest.approx(dict.fromkeys(BUCKETS, 1.0), abs=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_an_empty_prediction_scores_zero_where_there_is_ground_truth(rule):
    gt = box_volume(3000, 9000)
    report = evaluate_pair(np.zeros_like(gt), gt, rule=rule, cable_lengths={1: 0, 2: 1000})
    metrics = report.volumes[0].metrics
    assert metrics["ap_75"] == {"all": 0.0, "small": 0.0, "medium": 0.0, "large": None}
    assert metrics["recall_75"]["all"] == 0.0
    assert metrics["precision_75"]["all"] is None
    assert metrics["fn_75"] == {"all": 2, "small": 1, "medium": 1, "large": 0}


@pytest.mark.parametrize("rule", RULES)
def test_an_empty_ground_truth_leaves_ap_undefined_and_counts_false_positives(rule):
    pred = box_volume(3000, 9000)
    metrics = evaluate_pair(pred, np.zeros_like(pred), rule=rule).volumes[0].metrics
    assert set(metrics["ap_75"].values()) == {None}
    assert metrics["fp_75"]["all"] == 2
    assert metrics["precision_75"]["all"] == 0.0
    assert metrics["recall_75"]["all"] is None


@pytest.mark.parametrize("rule", RULES)
def test_two_empty_volumes_have_a_report_without_any_score(rule):
    empty = np.zeros((3, 4, 5), "u1")
    report = evaluate_pair(empty, empty, rule=rule)
    assert report.score is None
    assert report.volumes[0].metrics["tp_75"] == dict.fromkeys(BUCKETS, 0)
    assert all(v is None for m in ("ap_50_95", "f1_75", "pq_75") for v in report.volumes[0].metrics[m].values())
    assert "null" in report.to_json()


def test_one_voxel_and_an_instance_that_fills_the_volume():
    one = np.ones((1, 1, 1), "u1")
    assert ap_75(one, one)["small"] == pytest.approx(1, abs=1e-15)
    full = np.full((10, 40, 50), 3, "u2")
    assert ap_75(full, full)["large"] == pytest.approx(1, abs=1e-15)
    assert evaluate_pair(full, full).volumes[0].instances["gt"]["x1"] == [50]


def test_a_bucket_without_instances_is_undefined():
    rule = dataclasses.replace(RULES["mitoem-2020"], size_thresholds=(0, 1))
    gt = box_volume(3000)
    approx = pytest.approx(1, abs=1e-15)
    assert ap_75(gt, gt, rule=rule) == {"all": approx, "small": None, "medium": None, "large": approx}


def test_thresholds_of_ones_own_are_named_in_the_report():
    gt = box_volume(100, 300, 900)
    rule = dataclasses.replace(RULES["mitoem-2020"], size_thresholds=(150, 500))
    report = evaluate_pair(gt, gt, rule=rule, scores={1: 0.1, 2: 0.2, 3: 0.9})
    assert report.volumes[0].metrics["ap_75"] == pytest.approx(dict.fromkeys(BUCKETS, 1.0), abs=1e-15)
    assert report.rule["label"] == "mitoem-2020 with size_thresholds=(150, 500)"


def test_an_unknown_rule_is_refused_with_a_suggestion():
    message = (
        "unknown rule 'mitoem2020', did you mean 'mitoem-2020'?; allowed: mitoem-2020, mitoem-2021, mitoem-2023, coco, "
        "or a Rule of your own"
    )
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
        evaluate_pair(np.zeros((1, 1, 1), int), np.zeros((1, 1, 1), int), rule="mitoem2020")


@pytest.mark.parametrize(
    ("rank_by", "message"),
    [
        ("tp_75", "rank_by is 'tp_75', a number of instances; allowed: a ratio, as ap_75"),
        ("app_75", "unknown metric 'app_75', did you mean 'ap_75'?; allowed, for instance: ap_75, "),
    ],
)
def test_a_rule_that_cannot_rank_is_refused_before_anything_is_read(rank_by, message):
    rule = dataclasses.replace(RULES["mitoem-2020"], rank_by=rank_by)
    with pytest.raises(MitobenchError, match=f"^{re.escape(message)}"):
        evaluate_pair("nowhere.h5", "nowhere.h5", rule=rule)


@pytest.mark.parametrize(
    "changes",
    [
        {"iou_thresholds": (0.3,), "rank_by": "ap_30"},
        {"iou_thresholds": (0.5, 1.0), "rank_by": "ap_100"},
        {"rank_by": "ap_50_95"},
        {"rank_by": "recall_50"},
        {"ap_matching": "greedy", "iou_thresholds": (0.01, 0.5), "rank_by": "ap_01_50"},
    ],
    ids=str,
)
def test_any_rule_has_a_score_and_a_table(changes):
    gt, pred = volumes()
    rule = dataclasses.replace(RULES["mitoem-2020"], **changes)
    report = evaluate_pair(pred, gt, rule=rule)
    assert report.score == report.volumes[0].metrics[changes["rank_by"]]["all"]
    assert f"{report.score:.4f}" in to_text(report)


def test_overall_is_the_mean_of_the_volumes_and_undefined_with_one_of_them():
    gt, pred = volumes()
    empty = np.zeros_like(gt)
    report = evaluate_benchmark({"MitoEM-H": (pred, gt), "MitoEM-R": Pair(pred=gt, gt=gt)})
    each = [volume.metrics["ap_75"]["all"] for volume in report.volumes]
    assert [volume.name for volume in report.volumes] == ["MitoEM-H", "MitoEM-R"]
    assert report.overall["ap_75"] == sum(each) / 2
    assert "tp_75" not in report.overall
    assert evaluate_benchmark({"a": (gt, gt), "b": (empty, empty)}).overall["ap_75"] is None


def test_a_benchmark_needs_volumes_and_checks_all_of_them_first():
    with pytest.raises(InvalidInputError, match="no volumes to evaluate; give at least one pair"):
        evaluate_benchmark({})
    gt, pred = volumes()
    with pytest.raises(UnusableFileError, match=r"nowhere\.h5"):
        evaluate_benchmark({"a": (pred, gt), "b": ("nowhere.h5", gt)})


def test_scores_decide_the_order(tmp_path):
    """A false positive before the only hit halves the precision; after it, it costs nothing."""
    gt, pred = box_volume(100, 200), box_volume(100, 200)
    gt[1] = 0
    for scores, expected in (({1: 0.9, 2: 0.1}, 1.0), ({1: 0.1, 2: 0.9}, 0.5)):
        table = np.array(list(scores.items()))
        np.save(tmp_path / "s.npy", table)
        with h5py.File(tmp_path / "s.h5", "w") as file:
            file["scores"] = table
        (tmp_path / "s.csv").write_text("score,id\n" + "".join(f"{s},{i}\n" for i, s in scores.items()))
        for given_scores in (scores, table, *(str(tmp_path / f"s.{suffix}") for suffix in ("npy", "h5", "csv"))):
            assert ap_75(gt, pred, scores=given_scores)["all"] == pytest.approx(expected), given_scores


def test_a_heat_map_scores_by_its_mean_over_each_instance(tmp_path):
    gt, pred = box_volume(100, 200), box_volume(100, 200)
    gt[1] = 0
    heat = np.zeros((2, *pred.shape), "u1")
    heat[0][pred == 1], heat[0][pred == 2] = 50, 200
    heat[1][pred == 1], heat[1][pred == 2] = 250, 10
    with h5py.File(tmp_path / "heat.h5", "w") as file:
        file.create_dataset("p", data=heat, chunks=(1, 1, 16, 16), compression="gzip")
    for source in (heat, str(tmp_path / "heat.h5")):
        assert ap_75(gt, pred, heat_map=source, heat_channel=0)["all"] == pytest.approx(0.5)
        assert ap_75(gt, pred, heat_map=source, heat_channel=1)["all"] == pytest.approx(1)
        assert ap_75(gt, pred, heat_map=source)["all"] == pytest.approx(1), "the mean of 150 is before the mean of 105"


def test_wrong_scores_are_refused():
    gt = box_volume(100, 200)
    for scores, message in {
        (): "scores: no score for the predicted ids 1, 2; give one for each",
        ((1, 1.0), (2, 1.0), (7, 1.0)): ("scores: scores for ids that are not in the prediction: 7; remove them"),
        ((1, 1.0), (2, float("nan"))): "scores: the score of id 2 is nan; expected a finite number",
    }.items():
        with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
            evaluate_pair(gt, gt, scores=dict(scores))
    with pytest.raises(InvalidInputError, match=r"^scores: id 1 occurs twice; give one score for each id$"):
        evaluate_pair(gt, gt, scores=np.array([[1, 0.5], [1, 0.6]]))


def test_heat_maps_that_do_not_fit_are_refused():
    gt = box_volume(100, 200)
    with pytest.raises(InvalidInputError, match=r"array has the shape \(2, 80, 500\) and array has \(2, 40, 400\)"):
        evaluate_pair(gt, gt, heat_map=np.zeros((2, 40, 400)))
    with pytest.raises(InvalidInputError, match="no channel 3; the channels are 0 to 0"):
        evaluate_pair(gt, gt, heat_map=np.zeros(gt.shape), heat_channel=3)
    with pytest.raises(InvalidInputError, match="the heat map holds NaN or infinity inside instance 1; expected"):
        evaluate_pair(gt, gt, heat_map=np.full(gt.shape, np.nan))
    with pytest.raises(InvalidInputError, match="scores and a heat map are given; expected one of them"):
        evaluate_pair(gt, gt, heat_map=np.zeros(gt.shape), scores={1: 1.0, 2: 1.0})
    with pytest.raises(InvalidInputError, match="a heat channel is given without a heat map"):
        evaluate_pair(gt, gt, heat_channel=0)


def test_a_mask_where_instances_are_needed_is_a_warning():
    gt = np.zeros((3, 60, 60), "u2")
    gt[:, ::6, ::6] = np.arange(1, 101).reshape(10, 10)
    mask = (gt > 0).astype("u1")
    text = (
        "array: id 1 covers 100% of the foreground, in 100 pieces in one section: this looks like a binary mask, "
        "but every instance needs an id of its own; label the connected components first"
    )
    with pytest.warns(InputWarning, match=f"^{re.escape(text)}$"):
        report = evaluate_pair(mask, gt)
    assert report.volumes[0].warnings == (text,)
    assert evaluate_pair(gt, gt).volumes[0].warnings == ()
    one = np.ones((2, 3, 4), "u1")
    assert evaluate_pair(one, one).volumes[0].warnings == (), "one instance in one piece is no mask"


def test_fingerprints_depend_on_the_labels_and_not_on_how_they_are_stored(tmp_path):
    gt, pred = volumes()
    with h5py.File(tmp_path / "gt.h5", "w") as file:
        file.create_dataset("main", data=gt.astype("i8"), chunks=(3, 4, 5), compression="lzf")
    stored, plain = evaluate_pair(pred, str(tmp_path / "gt.h5")), evaluate_pair(pred, gt)
    assert stored.volumes[0].gt.fingerprint == plain.volumes[0].gt.fingerprint
    assert stored.volumes[0].pred.fingerprint == plain.volumes[0].pred.fingerprint
    assert stored.volumes[0].gt.dtype == "int64"
    gt[0, 0, 0] = 999
    assert evaluate_pair(pred, gt).volumes[0].gt.fingerprint != plain.volumes[0].gt.fingerprint


def test_a_second_run_with_another_prediction_of_the_same_name_is_scored_anew(tmp_path):
    gt, pred = volumes()
    path = tmp_path / "pred.h5"
    seen = []
    for labels in (pred, gt):
        with h5py.File(path, "w") as file:
            file["main"] = labels
        seen.append(evaluate_pair(str(path), gt).score)
    assert seen[0] < seen[1] == 1.0


def test_evaluation_closes_what_it_opened_and_nothing_else(tmp_path):
    gt, pred = volumes()
    with h5py.File(tmp_path / "gt.h5", "w") as file:
        file["main"] = gt
        evaluate_pair(pred, file["main"])
        assert file["main"].shape == gt.shape, "the caller's dataset stays open"
    evaluate_pair(pred, str(tmp_path / "gt.h5"))
    (tmp_path / "gt.h5").rename(tmp_path / "other.h5")
    with h5py.File(tmp_path / "other.h5", "r+"):
        pass


def test_the_module_is_importable_by_the_name_in_the_readme():
    assert mitobench.evaluate.evaluate_pair is evaluate_pair
