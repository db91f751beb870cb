"""Variation of information and Rand error against closed forms, exact fractions and scikit-image."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import adapted_rand_error
from skimage.metrics import variation_of_information as skimage_voi

from mitobench.matching import match
from mitobench.metrics import rand_error, variation_of_information
from mitobench.rules import RULES
from mitobench.testing import overlap_table, random_volumes, table_from_counts

WHOLE_MITOEM = 2 * 10**10


def partition(table, rule="mitoem-2020"):
    matching = match(table, rule)
    result = variation_of_information(matching) | rand_error(matching)
    return {name: value["all"] for name, value in result.items()}


@given(seed=st.integers(0, 2**32))
def test_scikit_image_agrees(seed):
    """Its precision is our recall and the other way round."""
    gt, pred = (v.astype(int) for v in random_volumes(np.random.default_rng(seed), instances=8, edge=10))
    ours = partition(overlap_table(gt, pred))
    split, merge = skimage_voi(gt, pred, ignore_labels=(0,))
    assert (ours["voi_split"], ours["voi_merge"]) == pytest.approx((split, merge), abs=1e-10)
    error, recall, precision = adapted_rand_error(gt, pred, ignore_labels=(0,))
    assert ours["are"] == pytest.approx(error, abs=1e-12)
    assert (ours["are_precision"], ours["are_recall"]) == pytest.approx((precision, recall), abs=1e-12)


@pytest.mark.parametrize("pieces", [2, 3, 8])
@pytest.mark.parametrize("size", [1, 1000, WHOLE_MITOEM // 8])
def test_equal_pieces_have_closed_forms(pieces, size):
    split = partition(table_from_counts({(1, k): size for k in range(1, pieces + 1)}))
    merged = partition(table_from_counts({(k, 1): size for k in range(1, pieces + 1)}))
    assert (split["voi_split"], split["voi_merge"]) == (pytest.approx(math.log2(pieces)), 0)
    assert (merged["voi_split"], merged["voi_merge"]) == (0, pytest.approx(math.log2(pieces)))
    share = float(Fraction(pieces * size * (size - 1), pieces * size * (pieces * size - 1)))
    assert split["are_recall"] == merged["are_precision"] == share
    if size > 1:
        assert split["are_precision"] == merged["are_recall"] == 1
        assert split["are"] == merged["are"] == pytest.approx(1 - 2 * share / (1 + share), rel=1e-15)


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(any), st.integers(1, WHOLE_MITOEM), min_size=1
    )
)
def test_pairs_are_exact_at_any_size(counts):
    ours = partition(table_from_counts(counts))
    inside = {ids: n for ids, n in counts.items() if ids[0]}
    both = pairs(inside.values())
    in_gt, in_pred = (pairs(sum(n for ids, n in inside.items() if ids[side] == k) for k in range(4)) for side in (0, 1))
    assert ours["are_precision"] == (float(Fraction(both, in_pred)) if in_pred else None)
    assert ours["are_recall"] == (float(Fraction(both, in_gt)) if in_gt else None)
    whole = in_gt + in_pred
    assert ours["are"] == (float(1 - Fraction(2 * both, whole)) if whole else None)


def pairs(sizes):
    return sum(n * (n - 1) for n in sizes)


def test_one_voxel_more_in_a_whole_volume_shows():
    """In int64 the pairs of one cell this large have overflowed long ago, in float64 the difference is lost."""
    perfect = partition(table_from_counts({(1, 1): WHOLE_MITOEM}))
    assert (perfect["are"], perfect["voi_split"]) == (0, 0)
    assert partition(table_from_counts({(1, 1): WHOLE_MITOEM, (1, 2): 1}))["are"] > 0


def test_the_background_of_the_prediction_is_one_part_and_that_of_the_truth_does_not_count():
    missed = partition(table_from_counts({(1, 0): 10, (2, 0): 10}))
    assert (missed["voi_split"], missed["voi_merge"]) == (0, 1)
    assert partition(table_from_counts({(1, 1): 10, (0, 1): 990, (0, 2): 50}))["are"] == 0


def test_crumbs_that_the_rule_drops_do_not_count():
    counts = {(1, 1): 3000, (2, 1): 10}
    assert partition(table_from_counts(counts), RULES["mitoem-2021"])["voi_merge"] == 0
    assert partition(table_from_counts(counts), RULES["mitoem-2020"])["voi_merge"] > 0
