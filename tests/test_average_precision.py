from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitobench import testing
from mitobench.errors import InvalidInputError, UnknownNameError
from mitobench.matching import match
from mitobench.metrics import average_precision, precision_recall, raw_precision_recall
from mitobench.rules import RULES
from mitobench.strata import ALL_BUCKETS
from mitobench.testing import counts_of_table, lengths_like_sizes, overlap_table, random_volumes, table_from_counts

HUGE = 2**63 + 5
IDS = [0, 1, 2, 3, 4, 5_000_000_000, HUGE]
PREDS = [p for p in IDS if p]
# Few and small counts: exact IoU of 0.5 and equal sizes come up all the time.
COUNTS = st.dictionaries(
    st.sampled_from([ids for ids in product(IDS, IDS) if ids != (0, 0)]), st.integers(1, 12), max_size=16
)
SCORES = st.fixed_dictionaries({p: st.sampled_from([0.0, 0.25, 0.5, 1.0]) for p in PREDS})
SMALL_RULES = [
    replace(RULES["mitoem-2020"], size_thresholds=(6, 14)),
    replace(RULES["mitoem-2021"], size_thresholds=(6, 14), min_gt_size=4),
    replace(RULES["coco"], size_thresholds=(6, 14)),
    replace(RULES["coco"], size_thresholds=(6, 14), iou_thresholds=(0.1, 0.2, 0.33, 0.5, 0.75), min_gt_size=2),
    replace(RULES["mitoem-2020"], size_thresholds=(6, 14), iou_thresholds=(0.07, 0.2, 0.33, 0.75)),
    replace(RULES["mitoem-2023"], size_thresholds=(6, 14)),
]


def ap(counts, rule="mitoem-2020", scores=None):
    table = table_from_counts(counts)
    return average_precision(match(table, rule, scores=scores, cable_lengths=lengths_like_sizes(table)))


def assert_same(result, twin):
    assert list(result) == list(twin)
    for name, by_bucket in twin.items():
        assert list(result[name]) == list(by_bucket) == list(ALL_BUCKETS)
        for bucket, value in by_bucket.items():
            expected = None if value is None else pytest.approx(value, abs=1e-13, rel=0)
            assert result[name][bucket] == expected, (name, bucket)


@pytest.mark.parametrize("rule", SMALL_RULES, ids=lambda rule: rule.label)
@given(counts=COUNTS, scores=st.none() | SCORES)
def test_same_as_the_literal_loops(rule, counts, scores):
    if scores is not None:
        scores = {p: scores[p] for _, p in counts if p}
    lengths = lengths_like_sizes(table_from_counts(counts))
    twin = testing.average_precision(counts, rule, scores=scores, cable_lengths=lengths)
    assert_same(ap(counts, rule, scores), twin)


@pytest.mark.parametrize("seed", range(12))
def test_same_as_the_literal_loops_on_volumes(seed):
    rng = np.random.default_rng(seed)
    table = overlap_table(*random_volumes(rng, instances=25))
    scores = {int(p): round(rng.random(), 1) for p in table.pred.id}
    for named in RULES.values():
        rule = replace(named, size_thresholds=(20, 60), min_gt_size=min(named.min_gt_size, 10))
        for given_scores in (None, scores):
            given = {"scores": given_scores, "cable_lengths": lengths_like_sizes(table)}
            twin = testing.average_precision(counts_of_table(table), rule, **given)
            assert_same(average_precision(match(table, rule, **given)), twin)


def test_a_bucket_without_ground_truth_is_undefined():
    result = ap({(1, 1): 6000})
    assert result["ap_75"] == {"all": pytest.approx(1), "small": None, "medium": pytest.approx(1), "large": None}
    assert result["ap_50_95"] == {"all": pytest.approx(1), "small": None, "medium": pytest.approx(1), "large": None}


@pytest.mark.parametrize("rule", RULES)
def test_without_a_prediction_it_is_zero_and_without_ground_truth_undefined(rule):
    zero = {"all": 0.0, "small": None, "medium": 0.0, "large": None}
    medium = 3000 if rule == "mitoem-2023" else 6000
    assert all(by_bucket == zero for by_bucket in ap({(1, 0): medium}, rule).values())
    undefined = dict.fromkeys(ALL_BUCKETS)
    assert all(by_bucket == undefined for by_bucket in ap({(0, 1): 6000}, rule).values())
    assert all(by_bucket == undefined for by_bucket in ap({}, rule).values())


def test_all_is_not_the_mean_of_the_buckets():
    result = ap({(1, 1): 10, (2, 2): 20, (3, 0): 6000})["ap_75"]
    assert result == pytest.approx({"all": 67 / 101, "small": 1, "medium": 0, "large": None})


def test_touching_a_medium_one_is_a_false_positive_there_unless_coco():
    # Prediction 1, medium, has IoU 0.85 with ground truth 1, large, and shares one voxel with 2, medium.
    counts = {(1, 1): 14000, (1, 0): 2400, (2, 1): 1, (2, 2): 6000}
    assert ap(counts)["ap_75"] == pytest.approx({"all": 1, "small": None, "medium": 0.5, "large": 1})
    assert ap(counts, "coco")["ap_75"] == pytest.approx({"all": 1, "small": None, "medium": 1, "large": 1})


def test_two_halves_are_both_hits_unless_coco():
    counts = {(1, 1): 20, (1, 2): 20, (2, 0): 5}
    halves = match(table_from_counts(counts), "mitoem-2020")
    curve = raw_precision_recall(halves, iou_threshold=0.5)
    assert curve.recall.tolist() == [0.5, 1.0]
    assert ap(counts)["ap_50"]["all"] == pytest.approx(1)
    greedy = match(table_from_counts(counts), "coco")
    curve = raw_precision_recall(greedy, iou_threshold=0.5)
    assert curve.recall.tolist() == [0.5, 0.5]
    assert ap(counts, "coco")["ap_50"]["all"] == pytest.approx(51 / 101)


def test_crumbs_are_no_ground_truth_and_their_prediction_is_a_false_positive():
    counts = {(1, 1): 1999, (2, 2): 2000}
    assert ap(counts)["ap_75"]["all"] == 1.0
    assert ap(counts, "mitoem-2021")["ap_75"]["all"] == pytest.approx(1)
    assert ap(counts, "mitoem-2021", {1: 2, 2: 1})["ap_75"]["all"] == pytest.approx(0.5)
    assert ap({(1, 1): 1999}, "mitoem-2021")["ap_75"]["all"] is None


def test_equal_scores_are_taken_by_ascending_id():
    hit_first = {(1, 1): 10, (0, 2): 10}
    hit_last = {(1, 2): 10, (0, 1): 10}
    assert ap(hit_first)["ap_75"]["all"] == pytest.approx(1)
    assert ap(hit_last)["ap_75"]["all"] == pytest.approx(0.5)


def test_no_limit_on_the_number_of_detections():
    counts = {(k, k): k for k in range(1, 301)}
    assert ap(counts)["ap_95"]["all"] == 1.0
    assert ap(counts, "coco")["ap_95"]["all"] == 1.0


def test_one_threshold_has_no_mean():
    assert list(ap({(1, 1): 3}, replace(RULES["coco"], iou_thresholds=(0.75,)))) == ["ap_75"]


@given(counts=COUNTS, rule=st.sampled_from(SMALL_RULES), bucket=st.sampled_from(ALL_BUCKETS))
def test_the_curve_and_its_area(counts, rule, bucket):
    table = table_from_counts(counts)
    matching = match(table, rule, cable_lengths=lengths_like_sizes(table))
    area = average_precision(matching)["ap_75"][bucket]
    curve = precision_recall(matching, iou_threshold=0.75, bucket=bucket)
    raw = raw_precision_recall(matching, iou_threshold=0.75, bucket=bucket)
    if area is None:
        assert curve is raw is None
        return
    recall, precision = curve
    assert (recall == np.linspace(0, 1, 101)).all()
    assert precision.mean() == area
    assert (np.diff(precision) <= 0).all()
    assert (np.diff(raw.recall) >= 0).all()
    assert (np.diff(raw.score) <= 0).all()
    assert raw.precision.min(initial=0) >= 0
    assert raw.precision.max(initial=0) <= 1


def test_curve_of_an_unknown_bucket_or_threshold():
    matching = match(table_from_counts({(1, 1): 3}), "coco")
    with pytest.raises(UnknownNameError, match=r"^unknown bucket 'smal', did you mean 'small'\?; allowed: all, small,"):
        precision_recall(matching, iou_threshold=0.75, bucket="smal")
    with pytest.raises(InvalidInputError, match=r"^an IoU threshold is 75; allowed: multiples of 0\.01 above 0"):
        raw_precision_recall(matching, iou_threshold=75)
