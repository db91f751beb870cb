from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitobench.errors import InvalidInputError
from mitobench.matching import assign, match
from mitobench.metrics import compute
from mitobench.metrics.error_groups import ERROR_KINDS, GROUP_KINDS, error_groups
from mitobench.rules import RULES
from mitobench.testing import counts_of_table, overlap_table, random_volumes, table_from_counts
from mitobench.testing.repair import error_groups as literal_groups

IDS = [0, 1, 2, 3, 4, 5_000_000_000, 2**64 - 1]
# Few and small counts: exactly one half is shared all the time.
COUNTS = st.dictionaries(
    st.sampled_from([ids for ids in product(IDS, IDS) if ids != (0, 0)]), st.integers(1, 12), max_size=16
)
RULE = RULES["mitoem-2020"]
SWAPPED = {kind: kind for kind in GROUP_KINDS} | {
    "missed": "false",
    "false": "missed",
    "split": "merged",
    "merged": "split",
}


def by_ids(matching, groups):
    """Return (kind, ids of the ground truths, ids of the predictions) of each group."""
    return [
        (
            GROUP_KINDS[kind],
            set(matching.gt.id[groups.gt_group == k].tolist()),
            set(matching.pred.id[groups.pred_group == k].tolist()),
        )
        for k, kind in enumerate(groups.kind)
    ]


def groups_of(counts, rule=RULE, iou_threshold=None):
    matching = match(table_from_counts(counts), rule)
    return by_ids(matching, error_groups(matching, iou_threshold))


CASES = {
    "nothing": ({}, []),
    "a pair": ({(1, 5): 80, (1, 0): 20}, [("matched", {1}, {5})]),
    "alone": ({(1, 0): 9, (0, 5): 9}, [("missed", {1}, set()), ("false", set(), {5})]),
    "a poor outline": ({(1, 5): 74, (1, 0): 26}, [("boundary", {1}, {5})]),
    "a poor outline of half the union": ({(1, 5): 50, (1, 0): 50}, [("boundary", {1}, {5})]),
    "an outline that is too poor": ({(1, 5): 49, (1, 0): 51}, [("missed", {1}, set()), ("false", set(), {5})]),
    "pieces": ({(1, 5): 50, (1, 6): 50}, [("split", {1}, {5, 6})]),
    "a crumb beside a match": ({(1, 5): 90, (1, 6): 10, (0, 6): 5}, [("split", {1}, {5, 6})]),
    "a neighbour that only touches": (
        {(1, 5): 90, (1, 6): 10, (0, 6): 10},
        [("matched", {1}, {5}), ("false", set(), {6})],
    ),
    "one for two": ({(1, 5): 60, (2, 5): 40}, [("merged", {1, 2}, {5})]),
    "one for two, and it matches": ({(1, 5): 90, (2, 5): 10}, [("merged", {1, 2}, {5})]),
    "a chain": (
        {(1, 5): 40, (1, 6): 60, (2, 6): 50, (3, 6): 30},
        [("many-to-many", {1, 2, 3}, {5, 6})],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_kinds(case):
    counts, expected = CASES[case]
    assert groups_of(counts) == expected


def test_a_dropped_crumb_is_no_ground_truth():
    counts = {(1, 5): 1999, (2, 6): 2000}
    assert groups_of(counts, "mitoem-2021") == [("matched", {2}, {6}), ("false", set(), {5})]


def test_a_threshold_of_one_half_or_less():
    outline = {(1, 5): 50, (1, 0): 50}
    assert groups_of(outline, iou_threshold=0.5) == [("matched", {1}, {5})]
    assert groups_of({(1, 5): 49, (1, 0): 51}, iou_threshold=0.5) == groups_of({(1, 5): 49, (1, 0): 51})
    # The pair shares no more than half of either, and yet it is one.
    little = {(1, 5): 20, (1, 0): 30, (0, 5): 30}
    assert groups_of(little, iou_threshold=0.25) == [("matched", {1}, {5})]
    assert groups_of(little, iou_threshold=0.26) == [("missed", {1}, set()), ("false", set(), {5})]


def test_the_threshold_is_the_one_that_the_rule_ranks_by():
    outline = {(1, 5): 60, (1, 0): 40}
    assert groups_of(outline, replace(RULE, rank_by="f1_60")) == [("matched", {1}, {5})]
    assert groups_of(outline, replace(RULE, rank_by="ap_50_95")) == [("boundary", {1}, {5})]
    matching = match(table_from_counts(outline), RULE)
    with pytest.raises(InvalidInputError, match=r"^an IoU threshold is 1\.5; allowed: multiples of 0\.01 above 0"):
        error_groups(matching, 1.5)


def test_entangled_without_an_error():
    entangled = {(1, 5): 6, (2, 5): 4, (2, 6): 2}
    matching = match(table_from_counts(entangled), RULE)
    assert groups_of(entangled, iou_threshold=0.3) == [("many-to-many", {1, 2}, {5, 6})]
    assert error_groups(matching, 0.3).is_error.tolist() == [False]
    assert error_groups(matching).is_error.tolist() == [True]


def same_as_literal(counts, rule, threshold):
    matching = match(table_from_counts(counts), rule)
    pairs = assign(matching, threshold)
    ids = set(zip(matching.gt.id[pairs.gt].tolist(), matching.pred.id[pairs.pred].tolist(), strict=True))
    assert by_ids(matching, error_groups(matching, threshold)) == literal_groups(counts, rule, ids)


@given(counts=COUNTS, min_gt_size=st.sampled_from([0, 4]), threshold=st.sampled_from([0.07, 0.33, 0.5, 0.6, 0.75, 1.0]))
def test_same_as_the_literal_loops(counts, min_gt_size, threshold):
    same_as_literal(counts, replace(RULE, min_gt_size=min_gt_size), threshold)


@pytest.mark.parametrize("seed", range(4))
def test_same_as_the_literal_loops_on_volumes(seed):
    table = overlap_table(*random_volumes(np.random.default_rng(seed), instances=25))
    same_as_literal(counts_of_table(table), RULE, 0.75)


@given(counts=COUNTS, threshold=st.sampled_from([0.51, 0.75]))
def test_swapped_sides(counts, threshold):
    expected = [(SWAPPED[kind], preds, gts) for kind, gts, preds in groups_of(counts, iou_threshold=threshold)]
    swapped = groups_of({(p, g): n for (g, p), n in counts.items()}, iou_threshold=threshold)
    assert sorted(swapped, key=str) == sorted(expected, key=str)


@given(counts=COUNTS, gt_ids=st.permutations(IDS[1:]), pred_ids=st.permutations(IDS[1:]))
def test_ids_are_only_names(counts, gt_ids, pred_ids):
    gt_name, pred_name = (dict(zip(IDS, [0, *ids], strict=True)) for ids in (gt_ids, pred_ids))
    renamed = groups_of({(gt_name[g], pred_name[p]): n for (g, p), n in counts.items()})
    expected = [(k, {gt_name[g] for g in gts}, {pred_name[p] for p in preds}) for k, gts, preds in groups_of(counts)]
    assert sorted(renamed, key=str) == sorted(expected, key=str)


@given(counts=COUNTS, min_gt_size=st.sampled_from([0, 4]))
def test_what_is_not_matched_is_what_detection_counts(counts, min_gt_size):
    matching = match(table_from_counts(counts), replace(RULE, size_thresholds=(6, 14), min_gt_size=min_gt_size))
    groups = error_groups(matching)
    result = compute(matching)
    assert (~groups.gt_matched).sum() == result["fn_75"]["all"]
    assert (~groups.pred_matched).sum() == result["fp_75"]["all"]
    assert all(GROUP_KINDS[k] in ERROR_KINDS for k in groups.kind[groups.is_error])
