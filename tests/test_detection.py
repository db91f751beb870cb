from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitobench import testing
from mitobench.matching import match
from mitobench.metrics import detection
from mitobench.rules import RULES
from mitobench.strata import ALL_BUCKETS, BUCKETS
from mitobench.testing import counts_of_table, overlap_table, random_volumes, table_from_counts

FAMILIES = ["tp", "fp", "fn", "precision", "recall", "f1", "accuracy", "sq", "pq", "mean_true_score"]
IDS = [0, 1, 2, 3, 4, 5_000_000_000, 2**63 + 5]
COUNTS = st.dictionaries(
    st.sampled_from([ids for ids in product(IDS, IDS) if ids != (0, 0)]), st.integers(1, 12), max_size=14
)
RULE = replace(RULES["mitoem-2020"], size_thresholds=(6, 14))
CRUMBS = replace(RULE, min_gt_size=5)


def at(counts, threshold=75, rule=RULE):
    result = detection(match(table_from_counts(counts), rule))
    return {family: result[f"{family}_{threshold}"] for family in FAMILIES}


def assert_same(result, twin, *, tied=()):
    """Compare; of the tied names the volume as a whole only, because the bucket of a tied pair is open."""
    assert set(result) == set(twin)
    for name, by_bucket in twin.items():
        for bucket in ["all"] if name in tied else ALL_BUCKETS:
            expected = None if by_bucket[bucket] is None else pytest.approx(by_bucket[bucket], rel=1e-13)
            assert result[name][bucket] == expected, (name, bucket)


@pytest.mark.parametrize("rule", [RULE, CRUMBS], ids=["all", "crumbs"])
@given(counts=COUNTS)
def test_same_as_the_search_through_all_pairings(rule, counts):
    result = detection(match(table_from_counts(counts), rule))
    assert_same(result, testing.detection(counts, rule), tied=[f"{family}_50" for family in FAMILIES])


@pytest.mark.parametrize("seed", range(8))
def test_same_as_the_search_on_volumes(seed):
    rng = np.random.default_rng(seed)
    table = overlap_table(*random_volumes(rng, instances=20))
    rule = replace(RULE, size_thresholds=(20, 60), iou_thresholds=(0.51, 0.6, 0.75))
    assert_same(detection(match(table, rule)), testing.detection(counts_of_table(table), rule))


@given(counts=COUNTS)
def test_buckets_add_up_to_all(counts):
    result = detection(match(table_from_counts(counts), RULE))
    for name, values in result.items():
        if name.split("_")[0] in {"tp", "fp", "fn"}:
            assert sum(values[bucket] for bucket in BUCKETS) == values["all"]
            assert {type(value) for value in values.values()} == {int}


def test_a_miss_counts_by_its_ground_truth_and_an_invention_by_its_own_size():
    result = at({(1, 1): 5, (1, 0): 20, (0, 2): 3})
    assert result["fn"] == {"all": 1, "small": 0, "medium": 0, "large": 1}
    assert result["fp"] == {"all": 2, "small": 2, "medium": 0, "large": 0}
    assert result["tp"] == {"all": 0, "small": 0, "medium": 0, "large": 0}
    assert result["precision"] == {"all": 0.0, "small": 0.0, "medium": None, "large": None}
    assert result["recall"] == {"all": 0.0, "small": None, "medium": None, "large": 0.0}
    assert result["sq"] == {"all": None, "small": None, "medium": None, "large": None}


def test_a_pair_counts_by_its_ground_truth():
    # 14 voxels is medium, the predicted 15 are large.
    result = at({(1, 1): 14, (0, 1): 1})
    assert result["tp"] == {"all": 1, "small": 0, "medium": 1, "large": 0}
    assert result["fp"] == {"all": 0, "small": 0, "medium": 0, "large": 0}
    assert result["sq"]["medium"] == 14 / 15


def test_every_ratio_by_hand():
    # Pairs of IoU 0.8 and 1; one missed, two invented.
    result = at({(1, 1): 8, (1, 0): 2, (2, 2): 4, (3, 0): 3, (0, 4): 1, (0, 5): 1})
    assert {family: value["all"] for family, value in result.items()} == pytest.approx(
        {
            "tp": 2,
            "fp": 2,
            "fn": 1,
            "precision": 2 / 4,
            "recall": 2 / 3,
            "f1": 4 / 7,
            "accuracy": 2 / 5,
            "sq": 0.9,
            "pq": 1.8 / 3.5,
            "mean_true_score": 1.8 / 3,
        }
    )


def test_two_halves_are_one_pair():
    result = at({(1, 1): 10, (1, 2): 10}, 50)
    assert [result[family]["all"] for family in ("tp", "fp", "fn")] == [1, 1, 0]


@given(counts=COUNTS)
def test_panoptic_quality_is_the_product(counts):
    result = at(counts)
    for bucket in ALL_BUCKETS:
        if result["sq"][bucket] is not None:
            assert result["pq"][bucket] == pytest.approx(result["sq"][bucket] * result["f1"][bucket])
