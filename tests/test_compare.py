"""Two predictions of one ground truth: what differs, how surely, and who found what."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from mitobench import Bootstrap, compare_pair, evaluate_pair
from mitobench.compare import COMPARISON_SCHEMA_VERSION
from mitobench.compare._statistics import Paired, differences
from mitobench.errors import InputWarning, InvalidInputError
from mitobench.matching import match
from mitobench.metrics import METRICS, find_metric
from mitobench.rules import RULES
from mitobench.strata import ALL, ALL_BUCKETS
from mitobench.testing import random_population, random_prediction, random_volumes, table_from_counts

# One threshold, because hundreds of pairs are compared.
RULE = replace(RULES["mitoem-2020"], iou_thresholds=(0.75,))
FAMILIES = ("recall_75", "f1_75", "pq_75", "ap_75", "voi_merge")


@pytest.fixture(scope="module")
def volumes():
    """A ground truth of boxes on a grid, A, which finds most of them, and B, which finds fewer and less well."""
    rng = np.random.default_rng(0)
    gt, a, b = np.zeros((3, 24, 128, 128), np.uint16)
    corners = [(z, y, x) for z in range(0, 24, 6) for y in range(0, 119, 12) for x in range(0, 119, 12)]
    for label, (z, y, x) in enumerate(corners, 1):
        gt[z : z + 4, y : y + 9, x : x + 9] = label
        if rng.random() < 0.85:
            a[z : z + 4, y : y + 9, x : x + 9] = label
        if rng.random() < 0.6:
            b[z : z + 4, y : y + 8, x : x + 9] = label
    return a, b, gt


@pytest.fixture(scope="module")
def comparison(volumes):
    return compare_pair(*volumes)


def p_values(datasets, *, worse=0.0, unit="blocks"):
    """Return the two p-values of each family in many pairs of predictions, the second of which finds less."""
    rng = np.random.default_rng(3)
    blocks = (4, 4, 4)
    found = np.empty((datasets, len(FAMILIES), 2))
    for seed in range(datasets):
        population = random_population(rng, blocks, 6)
        recall = [rng.beta(1.4, 0.6, math.prod(blocks)) * factor for factor in (1, 1 - worse)]
        a, b = (match(random_prediction(rng, population, recall=r), RULE) for r in recall)
        pair = Paired.of(a, b, population.shape, unit)
        rows = {(row.metric, row.bucket): row for row in differences(pair, Bootstrap(resamples=100, seed=seed), 1)}
        found[seed] = [(rows[f, ALL].p_bootstrap, rows[f, ALL].p_permutation) for f in FAMILIES]
    return found


def test_without_a_difference_p_values_are_uniform():
    found = p_values(100)
    assert (np.abs(found.mean(axis=0) - 0.5) < 0.1).all(), found.mean(axis=0)
    assert ((found < 0.05).mean(axis=0) <= 0.1).all()
    assert ((found < 0.5).mean(axis=0) > 0.35).all()


def test_a_large_difference_has_small_p_values():
    found = p_values(15, worse=0.4)
    assert (np.median(found, axis=0) < 0.045).all()


def test_instances_make_p_values_too_small_where_neighbours_are_alike():
    found = p_values(40, unit="instances")
    assert ((found < 0.05).mean(axis=0)[:4] > 0.12).all()


def test_the_p_value_of_a_permutation_is_the_share_of_all_swaps():
    """A finds four more of ten: of the 16 ways to swap these, two are as far from no difference."""
    both = {(k, k): 50 for k in range(5, 11)}
    more = {(k, k): 50 for k in range(1, 5)}
    none = {(k, 0): 50 for k in range(1, 5)}
    a, b = (match(table_from_counts(both | other), RULE) for other in (more, none))
    rows = differences(Paired.of(a, b, (9, 9, 9), "instances"), Bootstrap(resamples=4000), 2)
    recall = next(row for row in rows if row.metric == "recall_75")
    assert recall.difference == pytest.approx(0.4)
    assert recall.p_permutation == pytest.approx(2 / 16, abs=0.015)


def test_values_are_those_of_the_evaluation(volumes, comparison):
    a, b, gt = volumes
    for side, pred in (("a", a), ("b", b)):
        metrics = evaluate_pair(pred, gt).volumes[0].metrics
        assert {(d.metric, d.bucket): getattr(d, side) for d in comparison.differences} == {
            (metric, bucket): value for metric, buckets in metrics.items() for bucket, value in buckets.items()
        }
    assert {find_metric(d.metric).name for d in comparison.differences} == set(METRICS)
    assert comparison.metrics["voi_split"].direction == "lower"


def test_intervals_hold_the_difference(comparison):
    ranked = comparison.of("ap_75")
    assert 0 < ranked.low < ranked.difference < ranked.high
    assert ranked.p_bootstrap < 0.01
    assert ranked.p_permutation < 0.01
    empty = comparison.of("ap_75", "large")
    assert (empty.a, empty.difference, empty.low, empty.p_bootstrap, empty.p_permutation) == (None,) * 5
    with pytest.raises(KeyError):
        comparison.of("ap_76")


def test_a_and_b_change_places(volumes, comparison):
    a, b, gt = volumes
    for row, other in zip(comparison.differences, compare_pair(b, a, gt).differences, strict=True):
        if row.difference is not None:
            assert other.difference == pytest.approx(-row.difference)
            assert (other.low, other.high) == (pytest.approx(-row.high), pytest.approx(-row.low))
            assert other.p_bootstrap == row.p_bootstrap


def test_the_same_labels_do_not_differ(volumes):
    a, _, gt = volumes
    comparison = compare_pair(a, a.astype(np.uint64), gt, bootstrap=Bootstrap(unit="instances", resamples=100))
    assert comparison.same_labels
    for row in comparison.differences:
        if row.a is not None:
            assert row.difference == 0
            assert {row.low, row.high, row.p_bootstrap} in ({0.0, 1.0}, {None})
            assert row.p_permutation == 1
    assert comparison.found["all"]["only_a"] == comparison.found["all"]["only_b"] == 0


def test_it_is_the_same_every_time(volumes, comparison):
    assert compare_pair(*volumes, workers=1) == comparison
    assert compare_pair(*volumes, workers=3) == comparison
    other = compare_pair(*volumes, bootstrap=Bootstrap(seed=1))
    assert other.differences != comparison.differences
    assert other.of("ap_75").difference == comparison.of("ap_75").difference


def test_who_found_what(volumes, comparison):
    a, b, gt = volumes
    rows = comparison.instances_frame()
    for side, pred in (("a", a), ("b", b)):
        table = evaluate_pair(pred, gt).volumes[0].instances["gt"]
        assert rows["id"].tolist() == table["id"]
        assert rows[f"iou_{side}"].tolist() == table["iou"]
        assert rows[f"found_{side}"].tolist() == [verdict == "matched" for verdict in table["verdict"]]
        for column in ("size", "bucket", "z0", "x1", "y"):
            assert rows[column].tolist() == table[column]
    both = rows["found_a"].astype(int) + rows["found_b"]
    found = comparison.found["all"]
    assert found["neither"] == (both == 0).sum()
    assert found["both"] == (both == 2).sum()
    assert found["only_a"] == (rows["found_a"] & ~rows["found_b"]).sum()
    for key in found:
        assert found[key] == sum(comparison.found[bucket][key] for bucket in ALL_BUCKETS[1:])


def test_plain_forms(comparison, tmp_path):
    comparison.to_json(tmp_path / "c.json")
    values = json.loads((tmp_path / "c.json").read_text())
    assert values == comparison.to_dict()
    assert list(values)[:4] == ["schema_version", "tool", "rule", "names"]
    assert values["schema_version"] == COMPARISON_SCHEMA_VERSION
    assert values["uncertainty"] == {
        "method": "bootstrap",
        "resamples": 1000,
        "level": 0.95,
        "unit": "blocks",
        "seed": 0,
        "occupied": 16,
    }
    frame = comparison.to_frame()
    assert len(frame) == len(comparison.differences)
    assert list(frame) == [
        "metric", "bucket", "a", "b", "difference", "low", "high", "p_bootstrap", "p_permutation", "unit", "direction",
    ]  # fmt: skip


def test_every_rule_and_both_units():
    gt, a = random_volumes(np.random.default_rng(1), instances=20, edge=20)
    _, b = random_volumes(np.random.default_rng(2), instances=20, edge=20)
    lengths = {int(i): 500.0 * (k % 12) for k, i in enumerate(np.unique(gt)[1:])}
    for name, rule in RULES.items():
        for unit in ("blocks", "instances"):
            bootstrap = Bootstrap(resamples=100, unit=unit)
            small = replace(rule, min_gt_size=min(rule.min_gt_size, 5))
            comparison = compare_pair(a, b, gt, rule=small, cable_lengths=lengths, bootstrap=bootstrap)
            assert comparison.rule["name"] == name
            ranked = comparison.of(rule.rank_by)
            assert 0 < ranked.p_permutation <= 1
            assert "\ndiff: A minus B" in str(comparison)


def test_scores_rank_each_prediction(volumes):
    a, b, gt = volumes
    scores = [{int(i): float(i) for i in np.unique(pred)[1:]} for pred in (a, b)]
    ranked = compare_pair(a, b, gt, scores_a=scores[0], scores_b=scores[1], bootstrap=Bootstrap(resamples=100))
    for side, pred, given in (("a", a, scores[0]), ("b", b, scores[1])):
        assert getattr(ranked.of("ap_75"), side) == evaluate_pair(pred, gt, scores=given).score


def test_the_text_says_what_it_is(comparison):
    text = str(replace(comparison, names=("mine\x1b[31m", "theirs")))
    assert "mine\N{REPLACEMENT CHARACTER}[31m minus theirs" in text
    assert "\x1b" not in text
    assert re.search(r"AP-75 All +0\.\d{4} +0\.\d{4} +\+0\.\d{4} +\+0\.\d{3}\.\.\+0\.\d{3} +0\.\d{3} +<?0\.\d{3}", text)
    assert "1,000 draws of blocks of the volume" in re.sub(r"\s+", " ", text)
    only = comparison.found["all"]["only_b"]
    assert f"found only by theirs: {only} ground truths, largest first" in text
    assert "there are too few" not in text
    assert "are the same labels" not in text


def test_a_small_volume_has_no_intervals():
    gt = np.zeros((4, 32, 32), np.uint16)
    gt[:, 2:10, 2:10], gt[:, 20:30, 2:10] = 1, 2
    comparison = compare_pair(gt, np.where(gt == 2, gt, 0), gt)
    recall = comparison.of("recall_75")
    assert (recall.difference, recall.low, recall.high, recall.p_bootstrap) == (0.5, None, None, None)
    assert "there are too few blocks of the volume to draw from" in str(comparison)


def test_a_mask_is_told():
    gt, mask = np.zeros((2, 4, 64, 64), np.uint8)
    for k in range(12):
        gt[:, 5 * k : 5 * k + 3, 2:20] = k + 1
    mask[gt > 0] = 1
    with pytest.warns(InputWarning, match=r": this looks like a binary mask, but"):
        comparison = compare_pair(gt, mask, gt, bootstrap=Bootstrap(resamples=100))
    assert len(comparison.warnings) == 1
    assert "warning: array: id 1 covers 100% of the foreground" in re.sub(r"\s+", " ", str(comparison))


def test_a_ground_truth_that_changes_is_refused(volumes):
    a, b, gt = volumes
    gt = gt.copy()

    def progress(done, total):
        if done == total:
            gt[gt == 1] = 0

    with pytest.raises(InvalidInputError, match=r"^array: changed while it was read; compare when it is complete$"):
        compare_pair(a, b, gt, progress=progress)


def test_cable_lengths_are_needed_where_the_rule_sorts_by_them(volumes):
    message = (
        "the buckets of the rule mitoem-2023 measure cable length, which is not given; give it with "
        "--cable-lengths, in Python cable_lengths"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        compare_pair(*volumes, rule="mitoem-2023")
    with pytest.raises(
        InvalidInputError, match=r"^cable lengths: no cable length for the ground-truth ids 2, 3, 4 and"
    ):
        compare_pair(*volumes, rule="mitoem-2023", cable_lengths={1: 5.0})
