"""The rule of today's challenge: the golden case, what breaks the public tool, and the tool's own arithmetic."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from mitobench import testing
from mitobench.errors import InvalidInputError
from mitobench.evaluate import evaluate_pair
from mitobench.matching import match
from mitobench.metrics import detection, mode_differences
from mitobench.rules import RULES
from mitobench.strata import ALL, ALL_BUCKETS, BUCKETS
from mitobench.testing import lengths_like_sizes, overlap_table, random_volumes, table_from_counts

CHALLENGE = RULES["mitoem-2023"]
LOW = replace(CHALLENGE, size_thresholds=(6, 14), detection_thresholds=(0.1, 0.3, 0.5, 0.75))
IDS = [0, 1, 2, 3, 4, 5_000_000_000, 2**63 + 5]
COUNTS = st.dictionaries(
    st.sampled_from([ids for ids in product(IDS, IDS) if ids != (0, 0)]), st.integers(1, 12), max_size=14
)

GOLDEN_GT = {
    3: (0, 4, 0, 8, 0, 8),
    5: (0, 4, 0, 8, 20, 28),
    7: (0, 4, 0, 8, 40, 48),
    9: (4, 20, 0, 8, 40, 48),
    11: (0, 20, 20, 28, 0, 8),
    13: (0, 40, 40, 48, 0, 8),
    15: (0, 40, 40, 48, 20, 28),
    17: (0, 3, 40, 48, 30, 38),
}
GOLDEN_PRED = {
    1: (0, 4, 0, 8, 0, 7),
    2: (0, 20, 0, 8, 40, 48),
    4: (0, 9, 20, 28, 0, 8),
    6: (9, 20, 20, 28, 0, 8),
    8: (0, 30, 40, 48, 0, 8),
    10: (0, 20, 40, 48, 20, 28),
    12: (20, 40, 40, 48, 20, 28),
    14: (0, 2, 40, 48, 26, 38),
    99: (50, 55, 50, 60, 50, 60),
}
GOLDEN_LENGTHS = dict.fromkeys((3, 5, 7, 17), 999.0) | dict.fromkeys((9, 11), 1000.0) | dict.fromkeys((13, 15), 4000.0)


def painted(boxes):
    volume = np.zeros((60, 64, 64), np.uint16)
    for label, (z0, z1, y0, y1, x0, x1) in boxes.items():
        volume[z0:z1, y0:y1, x0:x1] = label
    return volume


@pytest.fixture(scope="module")
def golden():
    return evaluate_pair(painted(GOLDEN_PRED), painted(GOLDEN_GT), rule=CHALLENGE, cable_lengths=GOLDEN_LENGTHS)


def test_the_golden_case_has_the_matching_metrics_of_the_specification(golden):
    frame = golden.volumes[0].matching
    assert list(frame.columns) == [
        *("category", "thresh", "fp", "tp", "fn", "precision", "recall", "accuracy", "f1", "n_true", "n_pred"),
        *("mean_true_score", "mean_matched_score", "panoptic_quality"),
    ]
    assert frame["category"].tolist() == [name for name in ("small", "medium", "large", "total") for _ in range(3)]
    assert frame["thresh"].tolist() == [0.3, 0.5, 0.75] * 4
    rows = frame.set_index(["category", "thresh"])
    counts = rows[["fp", "tp", "fn"]]
    assert counts.loc["total"].to_numpy().tolist() == [[3, 6, 2], [3, 6, 2], [6, 3, 5]]
    assert rows.loc["total", "accuracy"].tolist() == pytest.approx([6 / 11, 6 / 11, 3 / 14])
    assert counts.loc["small", 0.5].tolist() == [1, 2, 2]
    assert counts.loc["medium", 0.5].tolist() == counts.loc["large", 0.5].tolist() == [1, 2, 0]
    assert rows.xs(0.5, level="thresh")["n_pred"].tolist() == [3, 3, 3, 9]
    assert golden.score == pytest.approx(3 / 14)


def test_the_golden_case_has_the_associations_of_the_specification(golden):
    frame = golden.volumes[0].associations
    assert list(frame.columns) == [
        *("category", "one-to-one", "missing", "over-segmentation", "under-segmentation", "many-to-many", "background")
    ]
    assert frame.to_numpy().tolist() == [
        ["small", 2, 1, 0, 1, 0, 1],
        ["medium", 0, 0, 1, 1, 0, 0],
        ["large", 1, 0, 1, 0, 0, 0],
    ]


def test_the_golden_case_has_the_average_precision_of_the_specification(golden):
    values = golden.volumes[0].metrics
    printed = {name: round(values[name]["all"], 3) for name in ("ap_50_95", "ap_50", "ap_75", "ap_90")}
    assert printed == {"ap_50_95": 0.236, "ap_50": 0.644, "ap_75": 0.302, "ap_90": 0.0}
    assert [round(values["ap_75"][bucket], 3) for bucket in BUCKETS] == [0.129, 0.505, 0.505]


def test_the_golden_case_puts_predictions_into_the_categories_of_the_specification(golden):
    pred = golden.volumes[0].instances["pred"]
    bucket = dict(zip(pred["id"], pred["bucket"], strict=True))
    assert {p for p in bucket if bucket[p] == "large"} == {8, 10, 12}
    assert {p for p in bucket if bucket[p] == "medium"} == {2, 4, 6}
    assert {p for p in bucket if bucket[p] == "small"} == {1, 14, 99}


@pytest.mark.parametrize("mode", ["exact", "float16"])
def test_what_breaks_the_public_tool(mode):
    rule = replace(CHALLENGE, iou_precision=mode)
    gt = painted(GOLDEN_GT)
    perfect = evaluate_pair(gt, gt, rule=rule, cable_lengths=GOLDEN_LENGTHS)
    assert perfect.score == 1
    assert perfect.volumes[0].associations["one-to-one"].tolist() == [4, 2, 2]
    empty = evaluate_pair(np.zeros_like(gt), gt, rule=rule, cable_lengths=GOLDEN_LENGTHS)
    assert empty.score == 0
    assert empty.volumes[0].matching.query("category == 'total'")["fn"].tolist() == [8, 8, 8]
    assert empty.volumes[0].associations["missing"].tolist() == [4, 2, 2]


def test_one_voxel_an_empty_category_and_no_background():
    gt = np.ones((2, 3, 4), np.uint64)
    gt[0, 0, 0] = 2**63 + 5
    report = evaluate_pair(gt, gt, rule=CHALLENGE, cable_lengths={1: 1000.0, 2**63 + 5: 1.0})
    volume = report.volumes[0]
    assert report.score == 1
    assert volume.metrics["accuracy_75"] == {"all": 1, "small": 1, "medium": 1, "large": None}
    large = volume.matching.query("category == 'large'")
    assert (large.drop(columns=["category", "thresh"]) == 0).all().all()


def test_a_second_run_with_another_prediction_of_the_same_name(tmp_path):
    gt = painted(GOLDEN_GT)
    np.save(tmp_path / "pred.npy", gt)
    first = evaluate_pair(tmp_path / "pred.npy", gt, rule=CHALLENGE, cable_lengths=GOLDEN_LENGTHS)
    np.save(tmp_path / "pred.npy", painted(GOLDEN_PRED))
    second = evaluate_pair(tmp_path / "pred.npy", gt, rule=CHALLENGE, cable_lengths=GOLDEN_LENGTHS)
    assert (first.score, second.score) == (1, pytest.approx(3 / 14))


@given(counts=COUNTS)
def test_exact_detection_is_that_of_the_literal_loops(counts):
    table = table_from_counts(counts)
    lengths = lengths_like_sizes(table)
    result = detection(match(table, LOW, cable_lengths=lengths))
    twin = testing.detection(counts, LOW, cable_lengths=lengths)
    assert set(result) == set(twin)
    for name, bucket in product(twin, ALL_BUCKETS):
        expected = twin[name][bucket]
        assert result[name][bucket] == (None if expected is None else pytest.approx(expected, rel=1e-13)), name


def tool_values(matching, threshold, bucket):
    """Return tp, n_true, n_pred and the sum of IoU as a Hungarian solver over a matrix of float16 gives them."""
    inside = matching.gt_bucket == BUCKETS.index(bucket) if bucket != ALL else np.ones(len(matching.gt), bool)
    best = {int(matching.pair_pred[k]): k for k in matching.best_of_pred if k >= 0}
    by_size = sorted(range(len(matching.pred)), key=lambda p: (-matching.pred.size[p], p))
    if bucket == ALL:
        preds = by_size
    else:
        hits = [p for p, k in best.items() if inside[matching.pair_gt[k]]]
        preds = sorted(hits, key=lambda p: (matching.pair_gt[best[p]], matching.pair_iou[best[p]]))
        preds += [p for p in by_size if matching.pred_bucket[p] == BUCKETS.index(bucket) and p not in hits]
    gts = np.flatnonzero(inside).tolist()
    matrix = np.zeros((len(gts), len(preds)), np.float16)
    for column, p in enumerate(preds):
        if p in best and matching.pair_gt[best[p]] in gts:
            matrix[gts.index(matching.pair_gt[best[p]]), column] = matching.pair_iou[best[p]]
    n = min(matrix.shape)
    reached = matrix >= np.float16(threshold)
    if n == 0 or not reached.any():
        return 0, len(gts), len(preds), 0.0
    rows, columns = linear_sum_assignment(-reached.astype(np.float16) - matrix / np.float16(2 * n))
    chosen = matrix[rows, columns][reached[rows, columns]]
    return len(chosen), len(gts), len(preds), float(chosen.sum())


@pytest.mark.parametrize("seed", range(25))
def test_float16_mode_is_that_of_a_hungarian_solver(seed):
    rng = np.random.default_rng(seed)
    table = overlap_table(*random_volumes(rng, instances=30, edge=24))
    rule = replace(LOW, size_thresholds=(20, 60), iou_precision="float16")
    matching = match(table, rule, cable_lengths=lengths_like_sizes(table))
    result = detection(matching)
    for threshold, bucket in product(rule.detection_ious, ALL_BUCKETS):
        at = f"_{round(100 * threshold):02d}"
        tp, n_true, n_pred, iou_sum = tool_values(matching, threshold, bucket)
        assert [result[name + at][bucket] for name in ("tp", "fn", "fp")] == [tp, n_true - tp, n_pred - tp]
        assert result["sq" + at][bucket] == (iou_sum / tp if tp else None)


def test_float16_rounds_up_to_the_threshold():
    table = table_from_counts({(1, 1): 7498, (1, 0): 2502})
    counts = {
        mode: detection(match(table, replace(CHALLENGE, iou_precision=mode), cable_lengths={1: 5.0}))["tp_75"][ALL]
        for mode in ("exact", "float16")
    }
    assert counts == {"exact": 0, "float16": 1}


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        # The midpoint between two float16 below 0.3 rounds down, away from it; those of the others round up to them.
        ({(1, 1): 2457, (1, 0): 5735}, False),
        ({(1, 1): 2458, (1, 0): 5734}, True),
    ],
)
def test_the_effective_threshold_of_float16_at_three_tenths(counts, found):
    table = table_from_counts(counts)
    rule = replace(CHALLENGE, iou_precision="float16")
    assert detection(match(table, rule, cable_lengths={1: 5.0}))["tp_30"][ALL] == found


def test_the_report_says_where_the_modes_differ():
    gt = np.zeros((1, 100, 100), np.uint8)
    gt[:] = 1
    pred = np.zeros_like(gt)
    pred.reshape(-1)[:7498] = 4
    for mode in ("exact", "float16"):
        rule = replace(CHALLENGE, iou_precision=mode)
        report = evaluate_pair(pred, gt, rule=rule, cable_lengths={1: 500})
        line = "IoU 0.75: TP 0 in exact mode, 1 in float16 mode (ground truth 1, IoU 0.74980)"
        assert line in report.volumes[0].notes
        assert line in str(report)
    assert evaluate_pair(gt, gt, rule=CHALLENGE, cable_lengths={1: 500}).volumes[0].notes == ()
    assert evaluate_pair(pred, gt).volumes[0].notes == ()


def test_average_precision_differs_at_085_only():
    table = table_from_counts({(1, 1): 85, (1, 0): 15})
    notes = mode_differences(match(table, CHALLENGE, cable_lengths={1: 5.0}))
    assert [note.split(":")[0] for note in notes[:2]] == ["ap_85", "ap_50_95"]
    assert notes[0] == (
        "ap_85: all 1.0000 in exact mode, 0.0000 in float16 mode, small 1.0000 in exact mode, 0.0000 in float16 mode"
    )


def test_float16_belongs_to_matching_by_best_overlap():
    with pytest.raises(
        InvalidInputError,
        match=r"^iou_precision is 'float16' with detection_matching 'one-to-one'; only 'best-overlap', as in "
        r"mitoem-2023, has it$",
    ):
        replace(RULES["mitoem-2020"], iou_precision="float16")


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ({1: 5.0}, r"cable lengths: no cable length for the ground-truth ids 3; give one for each"),
        ({1: 5.0, 3: -1.0}, r"cable lengths: .*3.*"),
        ({1: 5.0, 3: float("nan")}, r"cable lengths: .*3.*"),
        (
            {1: 5.0, 3: 1.0, 4: 1.0},
            r"cable lengths: cable lengths for ids that are not in the ground truth: 4; remove them",
        ),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths, message):
    gt = np.array([[[1, 3]]], np.uint8)
    with pytest.raises(InvalidInputError, match=f"^{message}$"):
        evaluate_pair(gt, gt, rule=CHALLENGE, cable_lengths=lengths)


def test_a_rule_by_cable_length_needs_lengths():
    with pytest.raises(InvalidInputError, match=r"^the buckets of the rule mitoem-2023 measure cable length"):
        match(table_from_counts({(1, 1): 5}), CHALLENGE)
