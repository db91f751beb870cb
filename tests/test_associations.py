from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitobench import testing
from mitobench.associations import ASSOCIATIONS
from mitobench.matching import match
from mitobench.metrics import GT_ASSOCIATIONS, associations
from mitobench.rules import RULES
from mitobench.strata import ALL_BUCKETS, BUCKETS
from mitobench.testing import counts_of_table, lengths_like_sizes, overlap_table, random_volumes, table_from_counts

IDS = [0, 1, 2, 3, 4, 5_000_000_000, 2**63 + 5]
COUNTS = st.dictionaries(
    st.sampled_from([ids for ids in product(IDS, IDS) if ids != (0, 0)]), st.integers(1, 12), max_size=16
)
RULE_LIST = [replace(rule, size_thresholds=(6, 14), min_gt_size=min(rule.min_gt_size, 4)) for rule in RULES.values()]


def matching_of(counts, rule="mitoem-2020"):
    table = table_from_counts(counts)
    return match(table, rule, cable_lengths=lengths_like_sizes(table))


def kinds(counts):
    groups = matching_of(counts).associations
    return [ASSOCIATIONS[k] for k in groups.gt_type], [ASSOCIATIONS[k] for k in groups.pred_type]


def test_every_type():
    assert kinds({(1, 1): 5}) == (["one-to-one"], ["one-to-one"])
    assert kinds({(1, 0): 5}) == (["missing"], [])
    assert kinds({(0, 1): 5}) == ([], ["background"])
    assert kinds({(1, 1): 5, (1, 2): 5}) == (["over-segmentation"], ["over-segmentation"] * 2)
    assert kinds({(1, 1): 5, (2, 1): 5}) == (["under-segmentation"] * 2, ["under-segmentation"])
    assert kinds({(1, 1): 9, (1, 2): 9, (2, 2): 1}) == (["many-to-many"] * 2, ["many-to-many"] * 2)


def test_one_voxel_is_enough():
    assert kinds({(1, 1): 1, (1, 0): 10**9, (0, 1): 10**9}) == (["one-to-one"], ["one-to-one"])


def test_a_ground_truth_without_a_group_joins_that_of_its_best_prediction():
    # The best ground truth of prediction 2 is 2; ground truth 3 touches both predictions, 2 better.
    groups = matching_of({(1, 1): 50, (2, 2): 50, (3, 1): 2, (3, 2): 3}).associations
    assert groups.gt_group[2] == groups.gt_group[1] == groups.pred_group[1]
    assert groups.gt_group[0] == groups.pred_group[0] != groups.gt_group[1]


def test_ties_go_to_the_smallest_ground_truth_and_the_largest_prediction():
    tied = matching_of({(1, 1): 5, (2, 1): 5}).associations
    assert tied.pred_group[0] == tied.gt_group[0]
    # Ground truth 3 of 4 voxels: 1 of 8 in common with prediction 1, 2 of 16 with prediction 2, which is larger.
    counts = {(1, 1): 4, (2, 2): 12, (3, 1): 1, (3, 2): 2, (3, 0): 1}
    matching = matching_of(counts)
    iou = {
        (int(matching.gt.id[g]), int(matching.pred.id[p])): value
        for g, p, value in zip(matching.pair_gt, matching.pair_pred, matching.pair_iou, strict=True)
    }
    assert iou[3, 1] == iou[3, 2]
    assert matching.associations.gt_group[2] == matching.associations.gt_group[1]


@pytest.mark.parametrize("rule", RULE_LIST, ids=lambda rule: rule.name)
@given(counts=COUNTS)
def test_same_as_the_literal_loops(rule, counts):
    lengths = lengths_like_sizes(table_from_counts(counts))
    twin = testing.associations(counts, rule, cable_lengths=lengths)
    assert associations(matching_of(counts, rule)) == twin


@pytest.mark.parametrize("seed", range(6))
def test_same_as_the_literal_loops_on_volumes(seed):
    table = overlap_table(*random_volumes(np.random.default_rng(seed), instances=20))
    lengths = lengths_like_sizes(table)
    rule = replace(RULES["mitoem-2023"], size_thresholds=(20, 60))
    twin = testing.associations(counts_of_table(table), rule, cable_lengths=lengths)
    assert associations(match(table, rule, cable_lengths=lengths)) == twin


@given(counts=COUNTS)
def test_every_ground_truth_has_one_type_and_buckets_add_up(counts):
    matching = matching_of(counts)
    result = associations(matching)
    assert sum(result[name]["all"] for name in GT_ASSOCIATIONS) == len(matching.gt)
    for by_bucket in result.values():
        assert list(by_bucket) == list(ALL_BUCKETS)
        assert sum(by_bucket[bucket] for bucket in BUCKETS) == by_bucket["all"]
