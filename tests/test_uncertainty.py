"""Intervals: how often they hold the truth, when there is none, and that they can be had again."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mitobench.compare import compare_pair
from mitobench.evaluate import evaluate_pair
from mitobench.matching import match
from mitobench.metrics import compute, find_metric
from mitobench.overlap import OverlapTable
from mitobench.resampling import Bootstrap, plan_blocks
from mitobench.rules import RULES
from mitobench.strata import ALL
from mitobench.testing import overlap_table, random_population, random_prediction, table_from_counts
from mitobench.uncertainty import interval, intervals, overall_intervals, resampled, tail

# One threshold, because hundreds of volumes are scored.
RULE = replace(RULES["mitoem-2020"], iou_thresholds=(0.75,))
METRICS = ("recall_75", "f1_75", "accuracy_75", "pq_75", "ap_75")


def random_recall(rng, blocks):
    """Return how much is found in each block: much here, little there."""
    return rng.beta(1.4, 0.6, math.prod(blocks))


def random_matching(rng, blocks, per_block):
    population = random_population(rng, blocks, per_block)
    table = random_prediction(rng, population, recall=random_recall(rng, blocks))
    return match(table, RULE), population.shape


@pytest.fixture(scope="module")
def truth():
    """What the metrics tend to in a volume without end."""
    matching, _ = random_matching(np.random.default_rng(99), (32, 32, 32), 4)
    return {metric: compute(matching)[metric][ALL] for metric in METRICS}


def coverage(truth, blocks, per_block, unit, *, datasets=300, units=None):
    """Return how often the interval of each metric holds the truth; ``units`` is what it is told of their number."""
    rng = np.random.default_rng(5)
    hits = np.zeros(len(METRICS))
    for seed in range(datasets):
        matching, shape = random_matching(rng, blocks, per_block)
        volume = resampled(matching, shape, Bootstrap(resamples=200, unit=unit, seed=seed), workers=1)
        for k, metric in enumerate(METRICS):
            low, high = interval(volume.values[metric][ALL], units or volume.occupied, 0.95)
            hits[k] += low <= truth[metric] <= high
    return hits / datasets


def test_blocks_hold_the_truth_and_instances_do_not(truth):
    by_blocks = coverage(truth, (4, 4, 4), 8, "blocks")
    assert ((by_blocks >= 0.91) & (by_blocks <= 0.98)).all(), by_blocks
    by_instances = coverage(truth, (4, 4, 4), 8, "instances", datasets=200)
    assert (by_instances < 0.85).all(), by_instances


def test_few_blocks_need_the_wider_percentiles(truth):
    widened = coverage(truth, (2, 2, 2), 30, "blocks", datasets=200)
    plain = coverage(truth, (2, 2, 2), 30, "blocks", datasets=200, units=10**6)
    assert (widened >= 0.88).all(), widened
    assert (widened - plain >= 0.03).all(), (widened, plain)


def test_blocks_of_the_plan_hold_whole_neighbourhoods():
    for blocks, planned in (((4, 4, 4), (4, 2, 2)), ((2, 2, 2), (2, 2, 2))):
        matching, shape = random_matching(np.random.default_rng(0), blocks, 8)
        assert plan_blocks(shape, matching.gt) == planned


def matching_and_shape(seed=0):
    population = random_population(np.random.default_rng(seed), (4, 4, 4), 5)
    recall = np.full(64, 0.7)
    table = random_prediction(np.random.default_rng(seed), population, recall=recall)
    return match(table, "mitoem-2020"), population.shape


def test_intervals_hold_the_score_and_are_the_same_every_time():
    matching, shape = matching_and_shape()
    found = intervals(resampled(matching, shape, Bootstrap(), workers=1))
    assert found == intervals(resampled(matching, shape, Bootstrap(), workers=3))
    assert found != intervals(resampled(matching, shape, Bootstrap(seed=1)))
    assert found != intervals(resampled(matching, shape, Bootstrap(), volume=1))
    scores = compute(matching)
    assert {metric: list(buckets) for metric, buckets in found.items()} == {
        metric: list(buckets) for metric, buckets in scores.items()
    }
    for metric in ("ap_75", "f1_50", "pq_75", "tp_90", "voi_split", "voi_merge", "are", "gt_missing"):
        for bucket, value in scores[metric].items():
            low, high = found[metric][bucket]
            assert low <= value <= high, (metric, bucket)
            assert low < high


def test_a_higher_level_is_wider():
    matching, shape = matching_and_shape()
    widths = []
    for level in (0.5, 0.9, 0.99):
        low, high = intervals(resampled(matching, shape, Bootstrap(level=level)))["ap_75"][ALL]
        widths.append(high - low)
    assert widths == sorted(widths)
    assert widths[0] < widths[2] / 2


def test_the_mean_of_two_volumes_is_more_certain_than_each():
    volumes = []
    for k in range(2):
        matching, shape = matching_and_shape(seed=k)
        volumes.append(resampled(matching, shape, Bootstrap(), volume=k))
    overall = overall_intervals(volumes)
    assert set(overall) == {m for m in volumes[0].values if find_metric(m).unit != "instances"}
    low, high = overall["ap_75"]
    both = [intervals(volume)["ap_75"][ALL] for volume in volumes]
    assert high - low < min(high - low for low, high in both)
    assert min(both)[0] < low < high < max(both)[1]


def test_without_instances_there_is_no_interval():
    for unit in ("blocks", "instances"):
        volume = resampled(match(OverlapTable.empty(), "coco"), (9, 9, 9), Bootstrap(unit=unit))
        assert {ends for buckets in intervals(volume).values() for ends in buckets.values()} == {None}


def test_too_few_blocks_for_an_interval():
    found = {(k, k): 50 for k in range(1, 9)}
    volume = resampled(match(table_from_counts(found), "coco"), (100, 100, 100), Bootstrap())
    assert volume.occupied == 1
    assert intervals(volume)["ap_75"][ALL] is None


@pytest.mark.parametrize(("level", "enough"), [(0.5, 2), (0.9, 5), (0.95, 6), (0.99, 8)])
def test_how_many_units_a_level_takes(level, enough):
    values = np.arange(1000.0)
    assert interval(values, enough, level) is not None
    assert interval(values, enough - 1, level) is None


def test_resamples_in_which_a_metric_is_undefined_are_left_out_if_they_are_few():
    values = np.arange(1000.0)
    values[:50] = np.nan
    low, high = interval(values, 10**6, 0.95)
    assert 50 < low < high < 1000
    values[50] = np.nan
    assert interval(values, 10**6, 0.95) is None
    assert interval(np.full(100, np.nan), 10**6, 0.95) is None


def test_the_share_left_out_grows_to_that_of_the_level():
    shares = [tail(0.95, units) for units in (2, 6, 20, 64, 1000)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.025, rel=0.01)


def two_predictions(seed=4):
    """Return ground truth and two predictions of it, in which every block holds instances."""
    rng = np.random.default_rng(seed)
    gt = np.zeros((32, 64, 64), np.uint16)
    for number, (z, y, x) in enumerate(np.ndindex(8, 16, 16), start=1):
        gt[4 * z : 4 * z + 3, 4 * y : 4 * y + 3, 4 * x : 4 * x + 3] = number
    lost = [rng.choice(2048, 400, replace=False) + 1 for _ in range(2)]
    return gt, *(np.where(np.isin(gt, ids), 0, gt) for ids in lost)


def test_resamples_of_two_predictions_are_pairs_of_the_same_blocks():
    gt, first, second = two_predictions()
    bootstrap = Bootstrap(resamples=200, seed=3)
    comparison = compare_pair(first, second, gt, bootstrap=bootstrap)
    a, b = (evaluate_pair(pred, gt, intervals=bootstrap).volumes[0].resamples for pred in (first, second))
    differences = np.subtract(a.values["all"], b.values["all"])
    row = next(row for row in comparison.differences if (row.metric, row.bucket) == ("ap_75", "all"))
    assert [row.low, row.high] == pytest.approx(interval(differences, a.occupied, 0.95), abs=1e-12)


def test_the_score_of_a_block_is_that_of_its_instances():
    gt, pred, _ = two_predictions()
    resamples = (
        evaluate_pair(
            pred, gt, rule="mitoem-2023", cable_lengths=dict.fromkeys(range(1, 2049), 2000.0), intervals=Bootstrap()
        )
        .volumes[0]
        .resamples
    )
    blocks = plan_blocks(gt.shape, overlap_table(gt, pred).gt)
    edges = np.array(gt.shape) // blocks
    found = [
        np.intersect1d(gt[box], pred[box])[1:].size / (np.unique(gt[box]).size - 1)
        for box in (
            tuple(slice(k * e, k * e + e) for k, e in zip(index, edges, strict=True)) for index in np.ndindex(*blocks)
        )
    ]
    assert resamples.by_block["all"] == pytest.approx(found)
    assert resamples.by_block["small"] == [None] * len(found)
    assert len(set(found)) > 4


def test_single_instances_have_no_blocks():
    gt, pred, _ = two_predictions()
    resamples = evaluate_pair(pred, gt, intervals=Bootstrap(unit="instances")).volumes[0].resamples
    assert resamples.by_block == {"all": [], "small": [], "medium": [], "large": []}
    assert len(resamples.values["all"]) == 1000
