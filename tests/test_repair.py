from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitobench.metrics.repair import repair
from mitobench.overlap import OverlapTable
from mitobench.testing import counts_of_table, overlap_table, random_volumes, table_from_counts
from mitobench.testing.repair import relabelled, repaired_counts

LARGEST = 2**64 - 1
IDS = [0, 1, 2, 3, 4, 5_000_000_000, 2**63 + 5]
PAIRS = [ids for ids in product(IDS, IDS) if ids != (0, 0)]
COUNTS = st.dictionaries(st.sampled_from(PAIRS), st.integers(1, 12), max_size=14)


@given(seed=st.integers(0, 2**32), gt_share=st.floats(0, 1), pred_share=st.floats(0, 1), largest=st.booleans())
def test_the_table_is_that_of_the_relabelled_volume(seed, gt_share, pred_share, largest):
    rng = np.random.default_rng(seed)
    gt, pred = random_volumes(rng, instances=8, edge=7)
    if largest:
        pred[pred == pred.max()] = LARGEST
    table = overlap_table(gt, pred)
    gt_ids = table.gt.id[rng.random(len(table.gt)) < gt_share]
    pred_ids = table.pred.id[rng.random(len(table.pred)) < pred_share]
    repaired = repair(table, gt_ids, pred_ids)
    expected = overlap_table(gt, relabelled(gt, pred, table, gt_ids.tolist(), pred_ids.tolist()))
    for name, column in vars(expected).items():
        np.testing.assert_array_equal(getattr(repaired, name), column, err_msg=name)


@given(counts=COUNTS, gts=st.sets(st.sampled_from(IDS)), preds=st.sets(st.sampled_from(IDS)))
def test_same_counts_as_the_literal_loops(counts, gts, preds):
    gts, preds = gts - {0}, preds - {0}
    repaired = repair(table_from_counts(counts), np.array(sorted(gts), np.uint64), np.array(sorted(preds), np.uint64))
    assert counts_of_table(repaired) == repaired_counts(counts, gts, preds)


def test_no_repair_and_no_voxel():
    nothing = np.empty(0, np.uint64)
    table = overlap_table(*random_volumes(np.random.default_rng(0)))
    for name, column in vars(repair(table, nothing, nothing)).items():
        np.testing.assert_array_equal(column, vars(table)[name])
    assert len(repair(OverlapTable.empty(), nothing, nothing)) == 0


def test_the_background_is_no_instance():
    table = table_from_counts({(0, 7): 4, (1, 0): 5, (1, 7): 1})
    zero = np.zeros(1, np.uint64)
    assert counts_of_table(repair(table, zero, zero)) == counts_of_table(table)


def test_a_new_id_depends_on_the_ground_truth_alone():
    table = table_from_counts({(3, 9): 5, (4, 9): 5, (8, 9): 5})
    one, all_three = np.array([4], np.uint64), np.array([3, 4, 8], np.uint64)
    assert counts_of_table(repair(table, one, one)) == {(3, 9): 5, (4, 11): 5, (8, 9): 5}
    assert counts_of_table(repair(table, all_three, one)) == {(3, 10): 5, (4, 11): 5, (8, 12): 5}


def test_ids_above_the_largest_that_fits():
    counts = {(3, 1): 5, (4, LARGEST): 5, (8, 3): 5}
    repaired = repair(table_from_counts(counts), np.array([3, 4, 8], np.uint64), np.array([1], np.uint64))
    assert counts_of_table(repaired) == {(3, 2): 5, (4, 4): 5, (8, 5): 5}


@pytest.mark.parametrize(("last", "new"), [(LARGEST - 2, [LARGEST - 1, LARGEST]), (LARGEST - 1, [2, 3])])
def test_the_last_ids_that_fit(last, new):
    repaired = repair(table_from_counts({(3, 1): 5, (4, last): 5}), np.array([3, 4], np.uint64), np.zeros(0, np.uint64))
    assert repaired.pred_id.tolist() == new
