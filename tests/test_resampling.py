"""Resampled metrics: against the point estimates, against copies of instances, and the plan of blocks and draws."""

import math
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mitobench.errors import InvalidInputError
from mitobench.matching import match
from mitobench.metrics import METRICS, compute, find_metric, resample
from mitobench.metrics._kernels import best_precision
from mitobench.overlap import Instances
from mitobench.resampling import Bootstrap, Part, Sample, Units, draw, plan_blocks, plan_units
from mitobench.rules import RULES
from mitobench.strata import ALL
from mitobench.testing import (
    best_precision as slow_best_precision,
)
from mitobench.testing import (
    lengths_like_sizes,
    overlap_table,
    random_volumes,
    repeated,
    table_from_counts,
)

RULE_LIST = [replace(rule, size_thresholds=(6, 14), min_gt_size=min(rule.min_gt_size, 4)) for rule in RULES.values()]
RULE = st.sampled_from(RULE_LIST)
UNIT_COUNT = 3
LOCAL = [ids for ids in product(range(4), range(4)) if ids != (0, 0)]
# Large enough that two pairs rarely have the same IoU by chance.
UNIT_TABLES = st.lists(
    st.dictionaries(st.sampled_from(LOCAL), st.integers(1, 40), max_size=7), min_size=UNIT_COUNT, max_size=UNIT_COUNT
)


def matching_of(counts, rule):
    table = table_from_counts(counts) if isinstance(counts, dict) else counts
    return match(table, rule, cable_lengths=lengths_like_sizes(table))


def joined(tables):
    """Return one table of those of all units, and the unit of each id: that of 37 is 3."""
    counts = {
        (g and 10 * unit + g, p and 10 * unit + p): n
        for unit, table in enumerate(tables, 1)
        for (g, p), n in table.items()
    }
    return counts, {i: i // 10 - 1 for i in range(10, 10 * (UNIT_COUNT + 1))}


def units_of(matching, unit_of_id):
    gt, pred = ([unit_of_id[i] for i in side.id.tolist()] for side in (matching.gt, matching.pred))
    return Units(np.array(gt, int), np.array(pred, int), UNIT_COUNT)


def assert_replicate(replicates, k, expected, rel=1e-12):
    assert list(replicates) == list(expected)
    for metric, by_bucket in expected.items():
        assert list(replicates[metric]) == list(by_bucket)
        for bucket, value in by_bucket.items():
            got = replicates[metric][bucket][k]
            if value is None:
                assert math.isnan(got), (metric, bucket)
            else:
                assert got == pytest.approx(value, rel=rel, abs=1e-12), (metric, bucket)


@pytest.mark.parametrize("rule", RULE_LIST, ids=lambda rule: rule.name)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("unit", ["blocks", "instances"])
def test_weights_of_one_give_the_point_estimates(rule, seed, unit):
    volumes = random_volumes(np.random.default_rng(seed), instances=30, edge=24)
    matching = matching_of(overlap_table(*volumes), rule)
    (units,) = plan_units([matching], volumes[0].shape, unit)
    ones = Part(matching, units, np.ones((2, units.count), np.uint8))
    replicates = resample(Sample([ones]))
    assert_replicate(replicates, 1, compute(matching))
    # Average precision to the bit.
    for metric, by_bucket in compute(matching).items():
        if find_metric(metric).name == "ap":
            assert [None if math.isnan(v[0]) else v[0] for v in replicates[metric].values()] == list(by_bucket.values())


def test_float16_sums_are_not_rounded():
    rule = replace(RULES["mitoem-2023"], size_thresholds=(6, 14), iou_precision="float16")
    matching = matching_of(overlap_table(*random_volumes(np.random.default_rng(1), instances=30, edge=24)), rule)
    (units,) = plan_units([matching], (24, 24, 24), "blocks")
    replicates = resample(Sample([Part(matching, units, np.ones((1, units.count), np.uint8))]))
    assert_replicate(replicates, 0, compute(matching), rel=2e-3)


@given(tables=UNIT_TABLES, rule=RULE, times=st.lists(st.integers(0, 3), min_size=UNIT_COUNT, max_size=UNIT_COUNT))
def test_a_resample_is_the_score_of_a_volume_of_copies(tables, rule, times):
    counts, unit_of_id = joined(tables)
    matching = matching_of(counts, rule)
    assume(len(set(matching.pair_iou.tolist())) == len(matching.pair_iou))
    weights = np.array([times, [1] * UNIT_COUNT, times[::-1]], np.uint8)
    replicates = resample(Sample([Part(matching, units_of(matching, unit_of_id), weights)]))
    for k, row in enumerate(weights.tolist()):
        copies = matching_of(repeated(counts, unit_of_id, unit_of_id, row), rule)
        assert_replicate(replicates, k, compute(copies))


@given(pair=st.tuples(UNIT_TABLES, UNIT_TABLES), rule=RULE, swapped=st.lists(st.booleans(), min_size=3, max_size=3))
def test_pooled_parts_are_the_score_of_the_swapped_volume(pair, rule, swapped):
    """Each unit is taken from one of two tables, as the permutation test does it."""
    tables = [other if swap else one for one, other, swap in zip(*pair, swapped, strict=True)]
    weights = 1 - np.array([swapped], np.uint8), np.array([swapped], np.uint8)
    parts = []
    for side, weight in zip(pair, weights, strict=True):
        counts, unit_of_id = joined(side)
        matching = matching_of(counts, rule)
        parts.append(Part(matching, units_of(matching, unit_of_id), weight))
    expected = matching_of(joined(tables)[0], rule)
    assume(len(set(expected.pair_iou.tolist())) == len(expected.pair_iou))
    # Equal scores of the two tables follow each other by table, not by id.
    assume(len(set(expected.score.tolist())) == len(expected.score))
    assert_replicate(resample(Sample(parts)), 0, compute(expected))


def test_given_scores_of_two_methods_need_no_common_scale():
    counts, unit_of_id = joined([{(1, 1): 9, (0, 2): 5}, {(1, 1): 9, (2, 0): 4}, {(1, 1): 9, (0, 3): 7}])
    table = table_from_counts(counts)
    results = []
    for factor in (1.0, 1000.0):
        parts = []
        for scale, row in ((1.0, [1, 0, 1]), (factor, [0, 1, 0])):
            scores = {i: scale * (i % 7) for i in table.pred.id.tolist()}
            matching = match(table, "coco", scores=scores)
            parts.append(Part(matching, units_of(matching, unit_of_id), np.array([row], np.uint8)))
        results.append(resample(Sample(parts))["ap_75"][ALL].item())
    assert results[0] == results[1]


@given(
    hits=st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12),
    weights=st.lists(st.integers(0, 4), min_size=4, max_size=4),
    positives=st.integers(1, 30),
)
def test_the_compiled_loop_does_what_its_twin_does(hits, weights, positives):
    hit, unit = [h for h, _ in hits], [u for _, u in hits]
    points = np.linspace(0, 1, 101)
    best = np.zeros((2, 101))
    rows = np.array([weights, [1] * 4], np.uint8)
    best_precision(np.array(hit, bool), np.array(unit, np.int32), rows, np.array([positives, 0.0]), points, best)
    assert best[0].tolist() == slow_best_precision(hit, unit, weights, positives, points.tolist())
    assert not best[1].any(), "without ground truth nothing is written"


def test_a_matched_prediction_is_drawn_with_its_partner():
    """At IoU 0.3 the one-to-one partner need not be the ground truth of highest IoU."""
    rule = replace(RULES["mitoem-2020"], detection_thresholds=(0.3,), rank_by="ap_75")
    counts = {(1, 1): 50, (1, 2): 45, (2, 1): 40, (2, 0): 30}
    matching = match(table_from_counts(counts), rule)
    (units,) = plan_units([matching], (8, 8, 8), "instances")
    assert units.pred.tolist() == [0, 0]
    weights = np.array([[0, 1], [1, 0], [2, 1]], np.uint8)
    replicates = resample(Sample([Part(matching, units, weights)]))
    assert replicates["tp_30"][ALL].tolist() == [1, 1, 3]
    assert replicates["fp_30"][ALL].tolist() == [0, 0, 0]


def test_every_metric_can_be_resampled():
    for metric in METRICS.values():
        assert metric.resample.__doc__


def boxes(*corners, edge=(2, 6, 6)):
    """Return instances of one size at some corners."""
    low = np.array(corners).reshape(-1, 3)
    n = len(low)
    half = (np.array(edge) - 1) / 2
    return Instances(np.arange(1, n + 1, dtype=np.uint64), np.full(n, 72), low, low + edge, low + half)


@pytest.mark.parametrize(
    ("shape", "blocks"),
    [
        ((1000, 4096, 4096), (2, 4, 2)),
        ((100, 4096, 4096), (1, 4, 4)),
        ((12, 36, 36), (2, 2, 2)),
        ((11, 35, 36), (1, 1, 2)),
        ((2, 6, 6), (1, 1, 1)),
        ((1, 1, 100_000), (1, 1, 16)),
    ],
)
def test_blocks(shape, blocks):
    edge = (2, 6, 6) if shape[0] < 100 else (20, 60, 60)
    assert plan_blocks(shape, boxes((0, 0, 0), (1, 1, 1), edge=edge)) == blocks


def test_a_volume_without_ground_truth_is_one_block():
    assert plan_blocks((1000, 1000, 1000), boxes()) == (1, 1, 1)


def test_instances_belong_to_the_block_of_the_ground_truth():
    gt, pred = np.zeros((2, 12, 36, 36), np.uint8)
    gt[0:2, 0:6, 12:18] = 1
    gt[10:12, 30:36, 30:36] = 2
    pred[0:2, 0:6, 12:24] = 1
    pred[6:8, 0:6, 20:26] = 2
    matching = match(overlap_table(gt, pred), "mitoem-2020")
    (blocks,) = plan_units([matching], gt.shape, "blocks")
    assert (blocks.gt.tolist(), blocks.pred.tolist(), blocks.count, blocks.occupied) == ([0, 7], [0, 5], 8, 3)
    (instances,) = plan_units([matching], gt.shape, "instances")
    assert (instances.gt.tolist(), instances.pred.tolist(), instances.count) == ([0, 1], [0, 2], 3)


def test_units_of_two_predictions_are_numbered_alike():
    one = match(table_from_counts({(1, 1): 5, (2, 0): 5, (0, 2): 5}), "mitoem-2020")
    other = match(table_from_counts({(1, 0): 5, (2, 7): 5, (0, 3): 5, (0, 4): 5}), "mitoem-2020")
    first, second = plan_units([one, other], (8, 8, 8), "instances")
    assert (first.gt.tolist(), first.pred.tolist()) == ([0, 1], [0, 2])
    assert (second.gt.tolist(), second.pred.tolist()) == ([0, 1], [3, 4, 1])
    assert first.count == second.count == 5


def test_draws():
    bootstrap = Bootstrap(resamples=300)
    weights = draw(bootstrap, 50)
    assert weights.shape == (300, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert weights.mean() == 1
    assert weights.var() == pytest.approx(1 - 1 / 50, abs=0.05)
    assert np.array_equal(weights, draw(bootstrap, 50))
    assert not np.array_equal(weights, draw(bootstrap, 50, volume=1))
    assert not np.array_equal(weights, draw(replace(bootstrap, seed=1), 50))
    assert draw(bootstrap, 0).shape == (300, 0)


def test_numbers_of_numpy_become_plain():
    bootstrap = Bootstrap(resamples=np.int64(200), seed=np.uint8(3))
    assert bootstrap == Bootstrap(resamples=200, seed=3)
    assert type(bootstrap.resamples) is type(bootstrap.seed) is int


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("resamples", 99, "resamples of the bootstrap are 99; allowed: whole numbers from 100 to 100,000"),
        ("resamples", 1e3, "resamples of the bootstrap are 1000.0; allowed: whole numbers from 100 to 100,000"),
        ("seed", -1, "seed of the bootstrap is -1; allowed: whole numbers from 0 to 9,223,372,036,854,775,807"),
        ("seed", True, "seed of the bootstrap is True; allowed: whole numbers from 0 to 9,223,372,036,854,775,807"),
        ("level", 95, "level of the intervals is 95; allowed: a number from 0.5 to 0.999"),
        ("level", "high", "level of the intervals is 'high'; allowed: a number from 0.5 to 0.999"),
        ("level", math.nan, "level of the intervals is nan; allowed: a number from 0.5 to 0.999"),
        ("unit", "block", "unit of the bootstrap is 'block'; allowed: 'blocks', 'instances'"),
    ],
)
def test_refused(field, value, message):
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        Bootstrap(**{field: value})
