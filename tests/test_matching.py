import re
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitobench.errors import InvalidInputError, UnknownNameError
from mitobench.matching import assign, match
from mitobench.overlap import OverlapTable
from mitobench.rules import RULES, Rule
from mitobench.testing import counts_of_table, detection, overlap_table, random_volumes, table_from_counts

HUGE = 2**63 + 5
IDS = [0, 1, 2, 3, 4, 5_000_000_000, HUGE]
COUNTS = st.dictionaries(
    st.sampled_from([ids for ids in product(IDS, IDS) if ids != (0, 0)]), st.integers(1, 12), max_size=14
)
LOW = Rule(name="low", iou_thresholds=(0.1, 0.25, 0.33, 0.4, 0.5, 0.51), rank_by="ap_50", size_thresholds=(6, 14))


def test_pairs_instances_and_buckets():
    table = table_from_counts({(7, 9): 4000, (7, 0): 1000, (7, 3): 1, (HUGE, 9): 15001, (0, HUGE): 2})
    matching = match(table, "mitoem-2020")
    assert matching.gt.id.tolist() == [7, HUGE]
    assert matching.gt.size.tolist() == [5001, 15001]
    assert matching.gt_bucket.tolist() == [1, 2]
    assert matching.pred.id.tolist() == [3, 9, HUGE]
    assert matching.pred_bucket.tolist() == [0, 2, 0]
    assert matching.pair_gt.tolist() == [0, 0, 1]
    assert matching.pair_pred.tolist() == [0, 1, 1]
    assert matching.pair_overlap.tolist() == [1, 4000, 15001]
    assert matching.pair_iou.tolist() == [1 / 5001, 4000 / 20002, 15001 / 19001]
    assert matching.score.tolist() == [1.0, 19001.0, 2.0]
    assert matching.best_of_gt.tolist() == [1, 2]
    assert matching.best_of_pred.tolist() == [0, 2, -1]
    assert matching.ranking.tolist() == [1, 2, 0]


def test_crumbs_are_dropped_and_predictions_keep_their_size():
    table = table_from_counts({(1, 1): 1999, (2, 1): 2000, (3, 0): 5})
    matching = match(table, "mitoem-2021")
    assert matching.gt.id.tolist() == [2]
    assert matching.pred.size.tolist() == [3999]
    assert matching.pair_iou.tolist() == [2000 / 3999]
    assert matching.table is table


def test_nothing_at_all():
    matching = match(OverlapTable.empty(), RULES["coco"])
    assert [len(matching.gt), len(matching.pred), len(matching.pair_iou)] == [0, 0, 0]
    assert [len(assign(matching, t)) for t in (0.01, 0.5, 0.75, 1.0)] == [0, 0, 0, 0]


def test_ties_of_best_go_to_the_smallest_id():
    matching = match(table_from_counts({(2, 8): 5, (2, 9): 5, (3, 8): 5, (3, 9): 5}), "mitoem-2020")
    assert matching.best_of_gt.tolist() == [0, 2]
    assert matching.best_of_pred.tolist() == [0, 1]


@given(k=st.integers(1, 100), union=st.integers(1, 9 * 10**12), off=st.integers(-2, 2))
def test_iou_decisions_are_exact(k, union, off):
    n = min(max(k * union // 100 + off, 1), union)
    counts = {(1, 1): n, (1, 0): union - n} if union > n else {(1, 1): n}
    matching = match(table_from_counts(counts), "mitoem-2020")
    assert (matching.pair_iou[0] >= k / 100) == (Fraction(n, union) >= Fraction(k, 100))
    assert len(assign(matching, k / 100)) == (100 * n >= k * union)


@pytest.mark.parametrize("k", range(1, 101))
def test_iou_exactly_at_the_threshold_is_a_match(k):
    for scale in (1, 7, 10**9, 89_999_999_999):
        counts = {(1, 1): k * scale, (1, 0): (100 - k) * scale}
        at = match(table_from_counts({ids: n for ids, n in counts.items() if n}), "mitoem-2020")
        assert len(assign(at, k * 0.01)) == 1
        counts |= {(1, 1): k * scale - 1, (1, 0): (100 - k) * scale + 1}
        below = match(table_from_counts({ids: n for ids, n in counts.items() if n}), "mitoem-2020")
        assert len(assign(below, k * 0.01)) == 0


def test_given_scores_are_taken_by_id():
    table = table_from_counts({(1, 4): 5, (0, HUGE): 1})
    assert match(table, "coco", scores={HUGE: 2, 4: np.float32(0.5)}).score.tolist() == [0.5, 2.0]
    assert match(table, "coco", scores={np.uint64(HUGE): 2, np.int64(4): 0}).score.tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({1: 0.5}, "no score for the predicted ids 2, 3, 4 and 1 more; give one for each"),
        (dict.fromkeys(range(8), 0.5), "scores for ids that are not in the prediction: 0, 6, 7; remove them"),
        ({1: 1, 2: 1, 3: 1, 4: 1, 5: 1, -6: 1}, "scores for ids that are not in the prediction: -6; remove them"),
        (
            {1: np.nan, 2: np.inf, 3: 0.1, 4: "high", 5: None},
            "scores that are not finite numbers, of the ids 1, 2, 4 and 1 more; give numbers",
        ),
    ],
)
def test_wrong_scores_are_refused_in_one_line(scores, message):
    table = table_from_counts({(0, k): 1 for k in range(1, 6)})
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        match(table, "mitoem-2020", scores=scores)


def test_unknown_rule():
    with pytest.raises(UnknownNameError, match="did you mean 'coco'"):
        match(OverlapTable.empty(), "cocoa")


@pytest.mark.parametrize("threshold", [0.0, 1.01, 0.333, np.nan, "0,5"])
def test_assign_refuses_other_thresholds(threshold):
    with pytest.raises(InvalidInputError, match=r"^an IoU threshold is .*; allowed: multiples of 0\.01 above 0"):
        assign(match(OverlapTable.empty(), "coco"), threshold)


def test_more_pairs_come_before_a_higher_iou():
    # Alone, (1, 1) has the highest IoU; but taking it leaves 2 without a partner.
    counts = {(1, 1): 6, (1, 2): 4, (2, 1): 4, (2, 0): 1}
    matching = match(table_from_counts(counts), "mitoem-2020")
    pairs = assign(matching, 0.3)
    assert list(zip(pairs.gt.tolist(), pairs.pred.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert len(assign(matching, 0.4)) == 1


@given(COUNTS)
def test_assignment_is_the_best_of_all(counts):
    matching = match(table_from_counts(counts), LOW)
    twin = detection(counts, LOW)
    for t in LOW.iou_thresholds:
        pairs = assign(matching, t)
        assert len(pairs) == twin[f"tp_{t * 100:02.0f}"]["all"]
        assert (pairs.iou.mean() if len(pairs) else None) == pytest.approx(twin[f"sq_{t * 100:02.0f}"]["all"])
        assert len(set(pairs.gt.tolist())) == len(set(pairs.pred.tolist())) == len(pairs)
        assert (np.diff(pairs.gt) > 0).all()
        assert (pairs.iou >= t).all()


def test_above_one_half_scipy_is_never_needed():
    code = (
        "import sys\n"
        "from mitobench.matching import assign, match\n"
        "from mitobench.testing import table_from_counts\n"
        "m = match(table_from_counts({(1, 1): 6, (1, 2): 6, (2, 2): 1}), 'mitoem-2020')\n"
        "assign(m, 0.51)\n"
        "assert 'scipy.optimize' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_twenty_thousand_instances_in_one_chain():
    # Every instance is contested by two of the other side: a dense array of all pairs would take 3 GB.
    n = 20_000
    counts = {(k, k): 50 for k in range(1, n)} | {(k + 1, k): 50 for k in range(1, n)}
    matching = match(table_from_counts(counts), LOW)
    assert len(matching.pair_iou) == 2 * n - 2
    assert len(assign(matching, 0.34)) == 2
    tracemalloc.start()
    assert len(assign(matching, 0.33)) == n - 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20


def test_the_slow_table_is_what_it_says():
    gt, pred = random_volumes(np.random.default_rng(3), edge=9)
    table = overlap_table(gt, pred)
    assert table.voxels == 9**3
    for (g, p), row in zip(counts_of_table(table), range(len(table)), strict=True):
        where = np.argwhere((gt == g) & (pred == p))
        assert table.count[row] == len(where)
        assert table.box_min[row].tolist() == where.min(axis=0).tolist()
        assert table.box_max[row].tolist() == (where.max(axis=0) + 1).tolist()
        assert table.coord_sum[row].tolist() == where.sum(axis=0).tolist()
    assert counts_of_table(table_from_counts(counts_of_table(table))) == counts_of_table(table)
    assert len(overlap_table(np.zeros((1, 2, 3), np.uint8), np.zeros((1, 2, 3), np.int64))) == 0
    with pytest.raises(InvalidInputError, match=r"^shapes are \(1, 2, 3\) and \(1, 2, 4\); allowed: the same one"):
        overlap_table(np.zeros((1, 2, 3), np.uint8), np.zeros((1, 2, 4), np.uint8))
