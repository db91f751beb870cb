import json
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitobench.errors import InvalidInputError
from mitobench.matching import assign, match
from mitobench.metrics import compute
from mitobench.metrics.error_groups import ERROR_KINDS, GROUP_KINDS, error_groups
from mitobench.metrics.repair import repair, repair_analysis
from mitobench.rules import RULES
from mitobench.strata import ALL, ALL_BUCKETS, BUCKETS
from mitobench.testing import counts_of_table, lengths_like_sizes, overlap_table, random_volumes, table_from_counts
from mitobench.testing.repair import error_groups as literal_groups
from mitobench.testing.repair import repaired_scores

IDS = [0, 1, 2, 3, 4, 5_000_000_000, 2**63 + 5]
PAIRS = [ids for ids in product(IDS, IDS) if ids != (0, 0)]
COUNTS = st.dictionaries(st.sampled_from(PAIRS), st.integers(1, 12), max_size=14)
SCORES = st.none() | st.fixed_dictionaries({p: st.sampled_from([0.0, 0.25, 0.5, 1.0]) for p in IDS})
# Most of these rank at a threshold of their own and drop crumbs of their own, so that nothing fits together.
RULE_LIST = [
    replace(RULES["mitoem-2020"], size_thresholds=(6, 14)),
    replace(RULES["mitoem-2021"], size_thresholds=(6, 14), min_gt_size=4),
    replace(RULES["coco"], size_thresholds=(6, 14)),
    replace(RULES["mitoem-2023"], size_thresholds=(6, 14)),
    replace(RULES["mitoem-2023"], size_thresholds=(6, 14), rank_by="ap_50"),
    replace(RULES["mitoem-2020"], size_thresholds=(6, 14), rank_by="ap_50_95"),
    replace(RULES["mitoem-2020"], size_thresholds=(6, 14), rank_by="ap_33", iou_thresholds=(0.33, 0.75)),
    replace(RULES["coco"], size_thresholds=(6, 14), rank_by="ap_33", iou_thresholds=(0.33, 0.75), min_gt_size=2),
    replace(RULES["mitoem-2020"], size_thresholds=(6, 14), rank_by="pq_60"),
    replace(RULES["coco"], size_thresholds=(6, 14), rank_by="f1_60", detection_matching="best-overlap"),
]
VOXEL_RULES = [rule for rule in RULE_LIST if rule.size_by == "voxels"]


def matching_of(counts, rule, scores=None, *, lengths=True):
    table = table_from_counts(counts)
    if scores is not None:
        scores = {p: scores[p] for _, p in counts if p}
    return match(table, rule, scores=scores, cable_lengths=lengths_like_sizes(table) if lengths else None)


def literal(matching):
    """Return the counts, the groups, and what scores a set of groups under a rule, all by loops."""
    counts = counts_of_table(matching.table)
    pairs = assign(matching, matching.rule.ranking_iou)
    ids = set(zip(matching.gt.id[pairs.gt].tolist(), matching.pred.id[pairs.pred].tolist(), strict=True))
    groups = literal_groups(counts, matching.rule, ids)
    scores = dict(zip(matching.pred.id.tolist(), matching.score.tolist(), strict=True))
    lengths = lengths_like_sizes(matching.table)

    known = {}

    def score(repaired, rule):
        key = rule, str(repaired)
        if key not in known:
            confidence = scores if matching.scores_given else None
            known[key] = repaired_scores(counts, repaired, rule, scores=confidence, cable_lengths=lengths)
        return known[key]

    found, used = {g for g, _ in ids}, {p for _, p in ids}
    errors = [group for group in groups if group.gts - found or group.preds - used]
    return errors, found, used, score


def close(value):
    return None if value is None else pytest.approx(value, abs=1e-12)


def close_all(by_bucket):
    return {bucket: close(value) for bucket, value in by_bucket.items()}


def rank(value):
    return -1 if value is None else value


@pytest.mark.parametrize("rule", RULE_LIST, ids=lambda rule: rule.label)
@settings(max_examples=40)
@given(counts=COUNTS, scores=SCORES, other=st.sampled_from(RULE_LIST))
def test_scores_are_those_of_the_literal_loops(rule, counts, scores, other):
    matching = matching_of(counts, rule, scores)
    analysis = repair_analysis(matching, rules=[other])
    errors, _, _, score = literal(matching)
    assert list(analysis.scores) == list(dict.fromkeys([rule.label, other.label]))
    for scored in {rule.label: rule, other.label: other}.values():
        result = analysis.scores[scored.label]
        buckets = list(result.now)
        assert buckets == list(ALL_BUCKETS) or (scored.size_by == "cable-length" and rule.min_gt_size > 0)

        def expected(kinds, scored=scored, buckets=buckets):
            values = score([group for group in errors if group.kind in kinds], scored)
            return close_all({bucket: values[bucket] for bucket in buckets})

        assert result.metric == scored.rank_by
        assert result.now == expected(())
        assert result.alone == {kind: expected((kind,)) for kind in ERROR_KINDS}
        for steps in (result.cumulative, *result.cumulative_by_bucket.values()):
            for k, step in enumerate(steps):
                assert step.score == expected([step.kind for step in steps[: k + 1]])


FLOAT16 = replace(RULES["mitoem-2023"], size_thresholds=(30, 90), iou_precision="float16")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("given_scores", [False, True])
def test_scores_are_those_of_the_repaired_table(seed, given_scores):
    rng = np.random.default_rng(seed)
    table = overlap_table(*random_volumes(rng, instances=40, edge=14))
    scores = {int(p): float(rng.random()) for p in table.pred.id} if given_scores else None
    lengths = lengths_like_sizes(table)
    rules = [replace(rule, size_thresholds=(30, 90)) for rule in RULE_LIST] + [FLOAT16]
    matching = match(table, rules[0], scores=scores, cable_lengths=lengths)
    groups = error_groups(matching)
    analysis = repair_analysis(matching, rules=rules)
    for kind, rule in product(ERROR_KINDS, rules):
        chosen = groups.is_error & (groups.kind == GROUP_KINDS.index(kind))
        gt_ids, pred_ids = matching.gt.id[chosen[groups.gt_group]], matching.pred.id[chosen[groups.pred_group]]
        repaired = repair(table, gt_ids, pred_ids)
        certain = scores and {int(p): scores.get(int(p), max(scores.values())) for p in repaired.pred.id}
        expected = match(repaired, rule, scores=certain, cable_lengths=lengths)
        assert analysis.scores[rule.label].alone[kind] == compute(expected)[rule.rank_by], (kind, rule.label)


@given(counts=COUNTS, rule=st.sampled_from(RULE_LIST))
def test_now_is_the_score_itself(counts, rule):
    matching = matching_of(counts, rule)
    analysis = repair_analysis(matching, rules=[])
    now = analysis.scores[rule.label].now
    assert now == compute(matching)[rule.rank_by]
    assert all(budget.curve[0] == (0, now[bucket]) for bucket, budget in analysis.repairs.items() if budget.curve)


@given(counts=COUNTS, rule=st.sampled_from(RULE_LIST), bucket=st.sampled_from(ALL_BUCKETS))
def test_each_step_is_the_best_one(counts, rule, bucket):
    matching = matching_of(counts, rule)
    result = repair_analysis(matching, rules=[]).scores[rule.label]
    errors, _, _, score = literal(matching)
    steps = result.cumulative_by_bucket[bucket]
    kinds = [step.kind for step in steps]
    assert sorted(kinds) == sorted({group.kind for group in errors})
    assert result.cumulative == result.cumulative_by_bucket[ALL]
    for k, step in enumerate(steps):
        for other in kinds[k:]:
            value = score([group for group in errors if group.kind in {*kinds[:k], other}], rule)[bucket]
            assert rank(step.score[bucket]) >= rank(value) - 1e-12


@given(counts=COUNTS, rule=st.sampled_from(RULE_LIST))
def test_classes(counts, rule):
    matching = matching_of(counts, rule)
    errors, found, used, _ = literal(matching)
    gt_bucket = dict(zip(matching.gt.id.tolist(), (BUCKETS[k] for k in matching.gt_bucket), strict=True))
    pred_bucket = dict(zip(matching.pred.id.tolist(), (BUCKETS[k] for k in matching.pred_bucket), strict=True))
    classes = repair_analysis(matching, rules=[]).classes
    assert tuple(classes) == ERROR_KINDS
    for kind, bucket in product(ERROR_KINDS, ALL_BUCKETS):
        members = [group for group in errors if group.kind == kind]
        gts = [[g for g in group.gts - found if bucket in {ALL, gt_bucket[g]}] for group in members]
        preds = [[p for p in group.preds - used if bucket in {ALL, pred_bucket[p]}] for group in members]
        assert classes[kind].gt[bucket] == sum(map(len, gts))
        assert classes[kind].pred[bucket] == sum(map(len, preds))
        assert classes[kind].errors[bucket] == sum(bool(g or p) for g, p in zip(gts, preds, strict=True))


@given(counts=COUNTS, rule=st.sampled_from([rule for rule in VOXEL_RULES if rule.detection_matching == "one-to-one"]))
def test_classes_add_up_to_what_detection_counts(counts, rule):
    matching = matching_of(counts, replace(rule, rank_by="ap_75"))
    classes = repair_analysis(matching, rules=[]).classes
    result = compute(matching)
    assert {bucket: sum(c.gt[bucket] for c in classes.values()) for bucket in ALL_BUCKETS} == result["fn_75"]
    assert {bucket: sum(c.pred[bucket] for c in classes.values()) for bucket in ALL_BUCKETS} == result["fp_75"]
    for error_class in classes.values():
        for counted in (error_class.gt, error_class.pred):
            assert counted[ALL] == sum(counted[bucket] for bucket in BUCKETS)


@given(counts=COUNTS, rule=st.sampled_from(RULE_LIST), scores=SCORES, target=st.sampled_from([0.5, 0.9, 1.0]))
def test_budget_is_that_of_the_literal_order(counts, rule, scores, target):
    matching = matching_of(counts, rule, scores)
    errors, found, used, score = literal(matching)
    size = {("gt", int(g)): int(n) for g, n in zip(matching.gt.id, matching.gt.size, strict=True)}
    size |= {("pred", int(p)): int(n) for p, n in zip(matching.pred.id, matching.pred.size, strict=True)}
    bucket_of = dict(zip([*size], np.append(matching.gt_bucket, matching.pred_bucket).tolist(), strict=True))
    for bucket, budget in repair_analysis(matching, target=target, rules=[]).repairs.items():
        ranked = []
        for k, group in enumerate(errors):
            left = [("gt", g) for g in group.gts - found] + [("pred", p) for p in group.preds - used]
            left = [one for one in left if bucket == ALL or BUCKETS[bucket_of[one]] == bucket]
            if left:
                gain = sum(1 if side == "gt" else target for side, _ in left)
                ranked.append((-gain, -sum(size[one] for one in left), k, group))
        order = [group for *_, group in sorted(ranked, key=lambda row: row[:3])]
        values = [score(order[:n], rule)[bucket] for n in range(len(order) + 1)]
        assert budget.errors == len(order)
        if not any(bucket in {ALL, BUCKETS[k]} for k in matching.gt_bucket):
            assert (budget.to_target, budget.curve) == (None, ())
            continue
        assert dict(budget.curve) == {n: close(values[n]) for n, _ in budget.curve}
        assert [n for n, _ in budget.curve] == sorted({n for n, _ in budget.curve} | {0, len(order)})
        reached = dict(budget.curve)
        if budget.to_target is None:
            assert rank(reached[len(order)]) < target
        else:
            assert rank(reached[budget.to_target]) >= target
            assert budget.to_target == 0 or rank(reached[budget.to_target - 1]) < target


def perfect(counts, rule, scores, rules):
    matching = matching_of(counts, rule, scores)
    errors = {group.kind for group in literal(matching)[0]}
    for label, result in repair_analysis(matching, rules=rules).scores.items():
        last = result.cumulative[-1].score if errors else result.now
        if last[ALL] is not None:
            assert last[ALL] == pytest.approx(1, abs=1e-15), label


@given(counts=COUNTS, scores=SCORES)
def test_the_repair_of_everything_is_perfect(counts, scores):
    same_crumbs = [rule for rule in RULE_LIST[:5] if rule.min_gt_size == 0]
    perfect(counts, same_crumbs[0], scores, same_crumbs)
    # New predictions of what this rule takes for crumbs are false positives, but rank last without given scores.
    perfect(counts, same_crumbs[0], None, [RULE_LIST[1]])


@given(counts=COUNTS)
def test_the_repair_of_a_kind_never_lowers_accuracy(counts):
    rule = replace(RULE_LIST[0], rank_by="accuracy_75")
    result = repair_analysis(matching_of(counts, rule), rules=[]).scores[rule.label]
    for score in (*result.alone.values(), *(step.score for step in result.cumulative)):
        # None where nothing but false positives was there.
        assert score[ALL] is None or score[ALL] >= rank(result.now[ALL])


MOTIFS = [
    {(1, 1): 10},
    {(1, 0): 10},
    {(0, 1): 10},
    {(1, 1): 6, (1, 0): 4},
    {(1, 1): 5, (1, 2): 5},
    {(1, 1): 9, (1, 2): 1},
    {(1, 1): 3, (1, 2): 3, (1, 3): 4},
    {(1, 1): 6, (2, 1): 6},
]


@given(motifs=st.lists(st.sampled_from(MOTIFS), max_size=6), target=st.sampled_from([0.3, 0.5, 0.7, 0.9, 1.0]))
def test_no_fewer_repairs_do_for_accuracy(motifs, target):
    apart = {(g and 10 * k + g, p and 10 * k + p): n for k, motif in enumerate(motifs) for (g, p), n in motif.items()}
    rule = replace(RULES["mitoem-2020"], rank_by="accuracy_75")
    matching = matching_of(apart, rule)
    budget = repair_analysis(matching, target=target, rules=[]).repairs[ALL]
    errors, _, _, score = literal(matching)
    if len(matching.gt):
        fewer = [score(chosen, rule)[ALL] for n in range(budget.to_target) for chosen in combinations(errors, n)]
        assert all(rank(value) < target for value in fewer)


@st.composite
def untied(draw):
    """Draw counts of which no two sums are equal, so that no ties are decided by id."""
    keys = draw(st.lists(st.sampled_from(PAIRS), max_size=9, unique=True))
    return {ids: 10**6 * draw(st.integers(1, 12)) + 2**k for k, ids in enumerate(keys)}


@given(
    counts=untied(),
    rule=st.sampled_from(RULE_LIST),
    gt_ids=st.permutations(IDS[1:]),
    pred_ids=st.permutations(IDS[1:]),
)
def test_ids_are_only_names(counts, rule, gt_ids, pred_ids):
    gt_name, pred_name = (dict(zip(IDS, [0, *ids], strict=True)) for ids in (gt_ids, pred_ids))
    renamed = {(gt_name[g], pred_name[p]): n for (g, p), n in counts.items()}
    assert repair_analysis(matching_of(renamed, rule)) == repair_analysis(matching_of(counts, rule))


@pytest.mark.parametrize(("target", "expected"), [(0.001, 1), (0.5, 50), (0.9, 90), (0.9001, 91), (1.0, 100)])
def test_bisection(target, expected):
    rule = replace(RULES["mitoem-2020"], rank_by="recall_75")
    missed = matching_of({(g, 0): 10 + g for g in range(1, 101)}, rule)
    budget = repair_analysis(missed, target=target, rules=[]).repairs[ALL]
    assert budget.to_target == expected
    assert {(n, n / 100) for n in (0, expected - 1, expected, 100)} <= set(budget.curve)
    assert len(budget.curve) <= 16


def test_a_mean_over_thresholds():
    rule = replace(RULES["mitoem-2020"], rank_by="ap_50_95")
    analysis = repair_analysis(matching_of({(1, 1): 600, (1, 0): 400}, rule), rules=[])
    # Found at three thresholds of ten, 0.5, 0.55 and 0.6, and at all of them when it is repaired.
    assert analysis.repairs[ALL].curve == ((0, close(0.3)), (1, close(1.0)))
    assert analysis.scores[rule.label].alone["boundary"][ALL] == close(1.0)


def test_what_is_entangled_but_matched_is_not_repaired():
    rule = replace(RULES["mitoem-2020"], rank_by="pq_33", iou_thresholds=(0.33, 0.75))
    analysis = repair_analysis(matching_of({(1, 5): 6, (2, 5): 4, (2, 6): 2}, rule), rules=[])
    result = analysis.scores[rule.label]
    assert result.now[ALL] == close((6 / 10 + 2 / 6) / 2)
    assert (result.alone["many-to-many"], result.cumulative) == (result.now, ())
    assert analysis.classes["many-to-many"].errors[ALL] == analysis.repairs[ALL].errors == 0


def test_bucket_of_unknown_cable_length():
    counts = {(1, 1): 80, (1, 0): 20, (2, 0): 50}
    for lengths in (False, True):
        scores = repair_analysis(matching_of(counts, "mitoem-2020", lengths=lengths)).scores
        assert list(scores) == ["mitoem-2020", "mitoem-2021", "mitoem-2023", "coco"]
        challenge = scores["mitoem-2023"]
        buckets = ALL_BUCKETS if lengths else (ALL,)
        steps = [*challenge.alone.values(), *(step.score for step in challenge.cumulative)]
        assert {tuple(score) for score in (challenge.now, *steps)} == {buckets}
        assert challenge.now[ALL] == 0.5
        assert challenge.cumulative_by_bucket == {}


def test_rounded_iou():
    # The IoU of 0.7498 is 0.75 to the public tool, and no pair to anybody else.
    rule = replace(RULES["mitoem-2023"], iou_precision="float16")
    for lengths in (False, True):
        matching = matching_of({(1, 1): 7498, (1, 0): 2502}, "mitoem-2020", lengths=lengths)
        analysis = repair_analysis(matching, rules=[rule])
        assert analysis.scores[rule.label].now[ALL] == 1
        assert analysis.classes["boundary"].errors[ALL] == 1


def test_a_new_prediction_is_confirmed_by_a_person():
    # The invented one is the most certain: a repair takes its place beside it, not behind everything else.
    counts = {(1, 0): 10, (0, 2): 30, (0, 3): 20}
    scores = {2: 0.9, 3: 0.5}
    for known, expected in ((None, 1 / 3), (scores, 1 / 2)):
        matching = match(table_from_counts(counts), "mitoem-2020", scores=known)
        alone = repair_analysis(matching, rules=[]).scores["mitoem-2020"].alone
        assert alone["missed"][ALL] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("target", [0, -0.1, 1.01, float("nan")])
def test_targets_that_no_score_is(target):
    with pytest.raises(InvalidInputError, match=rf"^target is {target!r}; allowed: a score above 0 and up to 1$"):
        repair_analysis(matching_of({}, "mitoem-2020"), target=target)


@pytest.mark.parametrize("rule", RULES)
def test_nothing_to_repair(rule):
    nothing = repair_analysis(matching_of({}, rule))
    assert {(budget.errors, budget.to_target, budget.curve) for budget in nothing.repairs.values()} == {(0, None, ())}
    perfect = repair_analysis(matching_of({(1, 1): 4000}, rule))
    assert perfect.repairs[ALL].to_target == 0
    assert perfect.repairs[ALL].curve == ((0, pytest.approx(1, abs=1e-15)),)
    assert perfect.scores[rule].cumulative == ()


@given(counts=COUNTS, rule=st.sampled_from(RULE_LIST))
def test_plain_json(counts, rule):
    values = repair_analysis(matching_of(counts, rule)).to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert list(values) == ["target", "iou_threshold", "classes", "scores", "repairs"]
