import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mitobench.errors import UnknownNameError
from mitobench.matching import match
from mitobench.metrics import (
    GT_ASSOCIATIONS,
    GT_VERDICTS,
    METRICS,
    PRED_ASSOCIATIONS,
    PRED_VERDICTS,
    Metric,
    check_ranking,
    compute,
    find_metric,
    instance_tables,
)
from mitobench.overlap import OverlapTable
from mitobench.rules import RULES, metric_name
from mitobench.strata import ALL, ALL_BUCKETS, BUCKETS
from mitobench.testing import lengths_like_sizes, overlap_table, random_volumes, table_from_counts

IDS = [0, 1, 2, 3, 5_000_000_000, 2**63 + 5]
PAIRS = st.sampled_from([ids for ids in product(IDS, IDS) if ids != (0, 0)])
COUNTS = st.dictionaries(PAIRS, st.integers(1, 12), max_size=12)
# Large enough that two pairs rarely have the same IoU by chance.
UNTIED = st.dictionaries(PAIRS, st.integers(1, 10**6), max_size=12)
RULE_LIST = [replace(rule, size_thresholds=(6, 14), min_gt_size=min(rule.min_gt_size, 4)) for rule in RULES.values()]
RULE = st.sampled_from(RULE_LIST)
SMALL_AND_MEDIUM = {"voxels": (3000, 6000), "cable-length": (500, 1000)}

# What a metric becomes when prediction and ground truth change places; those of UNSWAPPABLE have no such partner.
SWAPPED = {"tp": "tp", "fp": "fn", "fn": "fp", "precision": "recall", "recall": "precision"}
SWAPPED |= {family: family for family in ("f1", "accuracy", "sq", "pq")}
ASSOCIATIONS = {*GT_ASSOCIATIONS, *PRED_ASSOCIATIONS}
UNSWAPPABLE = {"ap", "ap_mean", "mean_true_score", *ASSOCIATIONS}
# Those over the voxels of the ground truth change places only where neither side has background.
PARTITION = {"voi_split": "voi_merge", "voi_merge": "voi_split", "are": "are"}
PARTITION |= {"are_precision": "are_recall", "are_recall": "are_precision"}


def matching_of(counts, rule, scores=None):
    """Match, with voxel counts for cable lengths where the rule wants some."""
    table = counts if isinstance(counts, OverlapTable) else table_from_counts(counts)
    return match(table, rule, scores=scores, cable_lengths=lengths_like_sizes(table))


def score(counts, rule, scores=None):
    return compute(matching_of(counts, rule, scores))


def only_buckets_of(metric):
    return ALL_BUCKETS if metric.per_bucket else (ALL,)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_every_metric_is_described(metric):
    assert METRICS[metric.name] is metric
    assert isinstance(metric, Metric)
    assert metric.direction in {"higher", "lower", "none"}
    assert len(metric.summary.splitlines()) == 1
    assert "." not in metric.name
    assert metric.function.__doc__
    assert ">>>" in metric.function.__doc__
    assert metric.name in {*SWAPPED, *UNSWAPPABLE, *PARTITION}


@given(counts=COUNTS, rule=RULE)
def test_names_buckets_types_and_ranges(counts, rule):
    result = score(counts, rule)
    thresholds = {m: rule.iou_thresholds if m == "ap" else rule.detection_ious for m in METRICS}
    names = {metric_name(m.name, t) for m in METRICS.values() if m.per_threshold for t in thresholds[m.name]}
    assert set(result) == names | {"ap_50_95", *PARTITION, *ASSOCIATIONS}
    assert rule.rank_by in result
    for name, by_bucket in result.items():
        metric = find_metric(name)
        assert tuple(by_bucket) == only_buckets_of(metric)
        for value in by_bucket.values():
            assert value is None or type(value) in {int, float}
            if value is not None and metric.unit == "":
                assert 0 <= value <= 1
            if value is not None and metric.unit == "instances":
                assert 0 <= value <= 6
            if value is not None and metric.unit == "bits":
                assert 0 <= value <= math.log2(6) + 1e-12


@given(sizes=st.dictionaries(st.sampled_from(IDS[1:]), st.integers(4, 20), min_size=1), rule=RULE)
def test_ground_truth_against_itself_is_perfect(sizes, rule):
    result = score({(k, k): size for k, size in sizes.items()}, rule)
    matching = matching_of({(k, k): size for k, size in sizes.items()}, rule)
    bucket_of = dict(zip(matching.gt.id.tolist(), (BUCKETS[k] for k in matching.gt_bucket), strict=True))
    for name, by_bucket in result.items():
        metric = find_metric(name)
        for bucket, value in by_bucket.items():
            instances = sum(bucket in {ALL, own} for own in bucket_of.values())
            if metric.direction == "lower":
                assert value == 0
            elif metric.unit == "instances":
                assert value == instances
            else:
                assert value == (pytest.approx(1, rel=1e-15) if instances else None), (name, bucket)


@pytest.mark.parametrize("rule", RULES)
def test_an_empty_prediction(rule):
    sizes = SMALL_AND_MEDIUM[RULES[rule].size_by]
    result = score({(1, 0): sizes[0], (2, 0): sizes[1]}, rule)
    present = {"all": 2, "small": 1, "medium": 1, "large": 0}
    for name, by_bucket in result.items():
        family = find_metric(name).name
        for bucket, value in by_bucket.items():
            if family in {"fn", "gt_missing"}:
                assert value == present[bucket]
            elif family in {"tp", "fp", *ASSOCIATIONS}:
                assert value == 0
            elif family in {"sq", "precision"}:
                assert value is None
            elif family in PARTITION:
                # All is one part: nothing is split, and two instances are merged.
                pairs = sum(n * (n - 1) for n in sizes) / (sum(sizes) * (sum(sizes) - 1))
                entropy = math.log2(3) - 2 / 3
                expected = {"voi_split": 0, "voi_merge": entropy, "are_recall": 1, "are_precision": pairs}
                expected["are"] = 1 - 2 * pairs / (1 + pairs)
                assert value == pytest.approx(expected[family], rel=1e-12)
            else:
                assert value == (0 if present[bucket] else None), (name, bucket)


@pytest.mark.parametrize("rule", RULES)
def test_an_empty_ground_truth(rule):
    result = score({(0, 1): 3000, (0, 2): 6000}, rule)
    # By cable length a prediction on the background has the lowest bucket.
    medium = RULES[rule].size_by == "voxels"
    present = {"all": 2, "small": 2 - medium, "medium": 1 * medium, "large": 0}
    for name, by_bucket in result.items():
        family = find_metric(name).name
        for bucket, value in by_bucket.items():
            if family in {"fp", "pred_background"}:
                assert value == present[bucket]
            elif family in {"tp", "fn", *ASSOCIATIONS}:
                assert value == 0
            elif family in {"ap", "ap_mean", "sq", "recall", "mean_true_score", *PARTITION}:
                assert value is None
            else:
                assert value == (0 if present[bucket] else None), (name, bucket)


@pytest.mark.parametrize("rule", RULES)
def test_nothing_at_all(rule):
    for name, by_bucket in score(OverlapTable.empty(), rule).items():
        nothing = 0 if find_metric(name).unit == "instances" else None
        assert set(by_bucket.values()) == {nothing}


@given(counts=UNTIED, rule=RULE, gt_ids=st.permutations(IDS[1:]), pred_ids=st.permutations(IDS[1:]))
def test_ids_are_only_names(counts, rule, gt_ids, pred_ids):
    matching = matching_of(counts, rule)
    # The documented rules for ties are by id.
    assume(len(set(matching.pair_iou.tolist())) == len(matching.pair_iou))
    assume(len(set(matching.score.tolist())) == len(matching.score))
    gt_name = dict(zip(IDS, [0, *gt_ids], strict=True))
    pred_name = dict(zip(IDS, [0, *pred_ids], strict=True))
    assert score({(gt_name[g], pred_name[p]): n for (g, p), n in counts.items()}, rule) == compute(matching)


@given(counts=COUNTS, rule=RULE)
def test_swapped_sides(counts, rule):
    # Up to IoU 0.5 several predictions can stand for one ground truth, but never the other way round.
    thresholds = (0.51, 0.75) if rule.detection_matching == "best-overlap" else rule.detection_thresholds
    rule = replace(rule, min_gt_size=0, detection_thresholds=thresholds)
    result, swapped = score(counts, rule), score({(p, g): n for (g, p), n in counts.items()}, rule)
    for family, partner in SWAPPED.items():
        for t in rule.detection_ious:
            value = result[metric_name(family, t)][ALL]
            expected = swapped[metric_name(partner, t)][ALL]
            assert value == (None if expected is None else pytest.approx(expected, rel=1e-14))


@given(counts=st.dictionaries(st.tuples(*[st.sampled_from(IDS[1:])] * 2), st.integers(1, 12)), rule=RULE)
def test_swapped_partitions_without_background(counts, rule):
    rule = replace(rule, min_gt_size=0)
    result, swapped = score(counts, rule), score({(p, g): n for (g, p), n in counts.items()}, rule)
    for family, partner in PARTITION.items():
        expected = swapped[partner][ALL]
        assert result[family][ALL] == (None if expected is None else pytest.approx(expected, rel=1e-12, abs=1e-12))


@given(blocks=st.lists(COUNTS, max_size=3), rule=RULE)
def test_merged_blocks_score_as_the_whole(blocks, rule):
    whole = {}
    for block in blocks:
        for ids, n in block.items():
            whole[ids] = whole.get(ids, 0) + n
    merged = OverlapTable.merge(*map(table_from_counts, reversed(blocks)))
    assert score(merged, rule) == score(whole, rule)


@given(counts=COUNTS, rule=RULE, factor=st.integers(1, 100))
def test_the_unit_of_given_scores_does_not_matter(counts, rule, factor):
    matching = matching_of(counts, rule)
    scores = {int(p): float(factor * s - 5) for p, s in zip(matching.pred.id, matching.score, strict=True)}
    assert score(counts, rule, scores) == compute(matching)


def test_no_value_is_nan():
    for rule, seed in product(RULE_LIST, range(3)):
        result = score(overlap_table(*random_volumes(np.random.default_rng(seed))), rule)
        assert not any(v is not None and math.isnan(v) for values in result.values() for v in values.values())


@pytest.mark.parametrize("name", ["ap", "app_75", "ap_7", "tp_50_95", "ap_mean_75", ""])
def test_unknown_metrics(name):
    with pytest.raises(
        UnknownNameError, match=f"^unknown metric '{name}'.*; allowed, for instance: ap_75, ap_50_95, tp"
    ):
        find_metric(name)


def test_a_rule_that_ranks_by_no_metric():
    rule = replace(RULES["coco"], rank_by="appl_75")
    with pytest.raises(UnknownNameError, match=r"^unknown metric 'appl_75', did you mean 'ap_75'\?"):
        check_ranking(rule)


def test_instance_columns():
    gt, pred = np.zeros((2, 2, 5, 6), np.uint64)
    gt[0, 1:3, 1:5] = 2**63 + 5
    gt[1, 4, 0] = 4
    pred[0, 1:3, 2:5] = 9
    pred[0, 1, 1] = 5_000_000_000
    tables = instance_tables(match(overlap_table(gt, pred), replace(RULES["mitoem-2020"], size_thresholds=(1, 6))))
    gt_rows, pred_rows = tables["gt"], tables["pred"]
    assert gt_rows["id"].tolist() == [4, 2**63 + 5]
    assert gt_rows["size"].tolist() == [1, 8]
    assert gt_rows["bucket"] == ["small", "large"]
    boxes = np.stack([gt_rows[name] for name in ("z0", "z1", "y0", "y1", "x0", "x1")], axis=1)
    assert boxes.tolist() == [[1, 2, 4, 5, 0, 1], [0, 1, 1, 3, 1, 5]]
    assert np.stack([gt_rows[name] for name in "zyx"], axis=1).tolist() == [[1, 4, 0], [0, 1.5, 2.5]]
    assert gt_rows["partner"] == [None, 9]
    assert gt_rows["iou"].tolist() == [0, 6 / 8]
    assert gt_rows["partners"].tolist() == [0, 2]
    assert gt_rows["verdict"] == ["missed", "matched"]
    assert list(gt_rows) == list(pred_rows)
    assert pred_rows["id"].tolist() == [9, 5_000_000_000]
    assert pred_rows["partner"] == [2**63 + 5, 2**63 + 5]
    assert pred_rows["bucket"] == ["medium", "small"]
    assert pred_rows["verdict"] == ["matched", "split"]


VERDICTS = {
    "untouched": ({(1, 0): 5, (0, 1): 5}, ["missed"], ["false"]),
    "poor overlap": ({(1, 1): 4, (1, 0): 6}, ["missed"], ["false"]),
    "poor outline": ({(1, 1): 5, (1, 0): 5}, ["boundary"], ["boundary"]),
    "at the threshold": ({(1, 1): 75, (1, 0): 25}, ["matched"], ["matched"]),
    "just below": ({(1, 1): 749, (1, 0): 251}, ["boundary"], ["boundary"]),
    "split in two": ({(1, 1): 6, (1, 2): 4}, ["split"], ["split", "split"]),
    "pieces that cover one half": ({(1, 1): 3, (1, 2): 2, (1, 0): 5}, ["split"], ["split", "split"]),
    "a neighbour that only touches": ({(1, 1): 8, (1, 2): 2, (0, 2): 2}, ["matched"], ["matched", "false"]),
    "a split that still matches": ({(1, 1): 8, (1, 2): 2}, ["matched"], ["matched", "split"]),
    "merged": ({(1, 1): 6, (2, 1): 4}, ["merged", "merged"], ["merged"]),
    "a merger that still matches": ({(1, 1): 8, (2, 1): 2}, ["matched", "merged"], ["matched"]),
    "a merger's fringe": (
        {(1, 1): 6, (2, 1): 6, (3, 1): 1, (3, 0): 9},
        ["merged", "merged", "missed"],
        ["merged"],
    ),
    "split and merged": (
        {(1, 1): 60, (2, 1): 30, (1, 2): 40},
        ["many-to-many", "many-to-many"],
        ["many-to-many", "many-to-many"],
    ),
    "entangled with a match": (
        {(1, 1): 90, (2, 1): 10, (2, 2): 6},
        ["matched", "many-to-many"],
        ["matched", "many-to-many"],
    ),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdicts(case):
    counts, gt, pred = VERDICTS[case]
    tables = instance_tables(match(table_from_counts(counts), "mitoem-2020"))
    assert tables["gt"]["verdict"] == gt
    assert tables["pred"]["verdict"] == pred


def test_verdicts_follow_the_rule():
    counts = {(1, 1): 60, (1, 0): 40}
    verdicts = {
        rank_by: instance_tables(match(table_from_counts(counts), replace(RULES["coco"], rank_by=rank_by)))
        for rank_by in ("ap_60", "f1_65")
    }
    assert verdicts["ap_60"]["gt"]["verdict"] == ["matched"]
    assert verdicts["f1_65"]["gt"]["verdict"] == ["boundary"]
    crumbs = instance_tables(match(table_from_counts(counts), "mitoem-2021"))
    assert (crumbs["gt"]["verdict"], crumbs["pred"]["verdict"]) == ([], ["false"])


@given(counts=COUNTS)
def test_verdicts_mirror(counts):
    tables = instance_tables(match(table_from_counts(counts), "mitoem-2020"))
    mirror = instance_tables(match(table_from_counts({(p, g): n for (g, p), n in counts.items()}), "mitoem-2020"))
    name = dict(zip(PRED_VERDICTS, GT_VERDICTS, strict=True))
    assert [name[verdict] for verdict in tables["pred"]["verdict"]] == mirror["gt"]["verdict"]
    columns = {len(column) for column in tables["gt"].values()}
    assert columns == {len({g for g, _ in counts} - {0})}
