import json
import re
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from mitobench.errors import InvalidInputError, UnknownNameError
from mitobench.rules import DEFAULT_RULE, RULES, Rule, exact_iou, find_rule, metric_name

DECIMALS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
DEFAULT = RULES[DEFAULT_RULE]


def test_the_named_rules_are_those_of_the_specification():
    settings = {
        name: (rule.rank_by, rule.size_by, rule.size_thresholds, rule.min_gt_size, rule.ap_matching)
        for name, rule in RULES.items()
    }
    assert settings == {
        "mitoem-2020": ("ap_75", "voxels", (5000, 15000), 0, "best-overlap"),
        "mitoem-2021": ("ap_75", "voxels", (5000, 30000), 2000, "best-overlap"),
        "mitoem-2023": ("accuracy_75", "cable-length", (1000, 4000), 0, "best-overlap"),
        "coco": ("ap_75", "voxels", (5000, 15000), 0, "greedy"),
    }
    by_overlap = {name for name, rule in RULES.items() if rule.detection_matching == "best-overlap"}
    assert by_overlap == {name for name, rule in RULES.items() if rule.detection_thresholds} == {"mitoem-2023"}
    assert RULES["mitoem-2023"].detection_thresholds == (0.3, 0.5, 0.75)
    assert RULES["mitoem-2023"].skeleton_anisotropy == (1, 1, 1)
    assert {rule.iou_precision for rule in RULES.values()} == {"exact"}
    assert all(rule.iou_thresholds == DECIMALS for rule in RULES.values())
    assert all(rule.source and rule.is_builtin and rule.label == name for name, rule in RULES.items())


def test_rules_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        DEFAULT.min_gt_size = 1
    with pytest.raises(TypeError, match="mappingproxy"):
        RULES["mine"] = DEFAULT


def test_find_rule():
    assert find_rule("coco") is RULES["coco"]
    own = replace(DEFAULT, name="own", min_gt_size=3)
    assert find_rule(own) is own
    message = (
        "unknown rule 'mitoem2020', did you mean 'mitoem-2020'?; "
        "allowed: mitoem-2020, mitoem-2021, mitoem-2023, coco, or a Rule of your own"
    )
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
        find_rule("mitoem2020")


def test_lists_and_numpy_numbers_become_plain_values():
    rule = Rule(
        name="own",
        size_thresholds=np.array([150, 500], np.uint16),
        min_gt_size=np.int32(7),
        iou_thresholds=np.arange(0.5, 1.0, 0.05),
    )
    assert rule == Rule(name="own", size_thresholds=(150, 500), min_gt_size=7, iou_thresholds=DECIMALS)
    assert [type(value) for value in (*rule.size_thresholds, rule.min_gt_size)] == [int] * 3
    assert rule.iou_thresholds == DECIMALS
    assert isinstance(rule.iou_thresholds, tuple)
    assert {type(value) for value in rule.iou_thresholds} == {float}
    assert hash(rule)


def test_detection_thresholds_that_are_the_others_are_no_change():
    assert replace(DEFAULT, detection_thresholds=DECIMALS) == DEFAULT
    assert replace(DEFAULT, detection_thresholds=np.array([])) == DEFAULT
    own = replace(DEFAULT, detection_thresholds=[0.3])
    assert (own.detection_ious, DEFAULT.detection_ious) == ((0.3,), DECIMALS)
    assert own.label == "mitoem-2020 with detection_thresholds=(0.3,)"


def test_label_tells_every_change():
    assert replace(DEFAULT, size_thresholds=[150, 500]).label == "mitoem-2020 with size_thresholds=(150, 500)"
    changed = replace(RULES["coco"], min_gt_size=10, iou_thresholds=[0.75])
    assert changed.label == "coco with min_gt_size=10, iou_thresholds=(0.75,)"
    assert not changed.is_builtin
    assert replace(DEFAULT, source="elsewhere").is_builtin
    assert replace(DEFAULT, name="own", min_gt_size=10).label == "own"
    assert not replace(DEFAULT, name="own").is_builtin


@pytest.mark.parametrize(
    "rule", [*RULES.values(), replace(DEFAULT, size_thresholds=(1, 2), iou_thresholds=(0.3, 0.75))]
)
def test_round_trip_through_json(rule):
    assert Rule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


def test_from_dict_refuses_what_it_does_not_know():
    allowed = (
        "name, source, rank_by, size_by, size_thresholds, skeleton_anisotropy, min_gt_size, iou_thresholds, "
        "ap_matching, detection_thresholds, detection_matching, iou_precision"
    )
    message = f"a rule has no field 'size_threshold', did you mean 'size_thresholds'?; allowed: {allowed}"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        Rule.from_dict({"name": "own", "size_threshold": [1, 2]})
    with pytest.raises(InvalidInputError, match=r"^a rule needs a name; got none$"):
        Rule.from_dict({})
    assert Rule.from_dict({"name": "own"}) == Rule(name="own")


TWO_SIZES = "allowed: two ascending integers from 0, in voxels or nm of cable"
IOU = "allowed: multiples of 0.01 above 0 and up to 1"
ASCENDING = "allowed: ascending, all different, at least one"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size_thresholds": (15000, 5000)}, f"size_thresholds are (15000, 5000); {TWO_SIZES}"),
        ({"size_thresholds": (5, 5)}, f"size_thresholds are (5, 5); {TWO_SIZES}"),
        ({"size_thresholds": (-1, 5)}, f"size_thresholds are (-1, 5); {TWO_SIZES}"),
        ({"size_thresholds": (5,)}, f"size_thresholds are (5,); {TWO_SIZES}"),
        ({"size_thresholds": 5}, f"size_thresholds are 5; {TWO_SIZES}"),
        ({"size_thresholds": (5e3, 15e3)}, f"size_thresholds are (5000.0, 15000.0); {TWO_SIZES}"),
        ({"min_gt_size": -1}, "min_gt_size is -1; allowed: an integer from 0, in voxels"),
        ({"min_gt_size": True}, "min_gt_size is True; allowed: an integer from 0, in voxels"),
        ({"min_gt_size": "9"}, "min_gt_size is '9'; allowed: an integer from 0, in voxels"),
        ({"iou_thresholds": (0.755,)}, f"an IoU threshold is 0.755; {IOU}"),
        ({"iou_thresholds": (0.0, 0.75)}, f"an IoU threshold is 0.0; {IOU}"),
        ({"iou_thresholds": (75,)}, f"an IoU threshold is 75; {IOU}"),
        ({"iou_thresholds": (float("nan"),)}, f"an IoU threshold is nan; {IOU}"),
        ({"iou_thresholds": ("high",)}, f"an IoU threshold is 'high'; {IOU}"),
        ({"iou_thresholds": (0.75, 0.5)}, f"iou_thresholds are (0.75, 0.5); {ASCENDING}"),
        ({"iou_thresholds": (0.75, 0.75)}, f"iou_thresholds are (0.75, 0.75); {ASCENDING}"),
        ({"iou_thresholds": ()}, f"iou_thresholds are (); {ASCENDING}"),
        ({"iou_thresholds": 0.75}, f"iou_thresholds are 0.75; {ASCENDING}"),
        ({"size_by": "length"}, "size_by is 'length'; allowed: 'voxels', 'cable-length'"),
        (
            {"skeleton_anisotropy": (30, 8)},
            "skeleton_anisotropy is (30, 8); allowed: three numbers above 0, along z, y and x",
        ),
        (
            {"skeleton_anisotropy": (0, 8, 8)},
            "skeleton_anisotropy is (0, 8, 8); allowed: three numbers above 0, along z, y and x",
        ),
        ({"detection_thresholds": (0.75, 0.5)}, f"detection_thresholds are (0.75, 0.5); {ASCENDING}"),
        ({"detection_thresholds": 0.5}, f"detection_thresholds are 0.5; {ASCENDING}"),
        ({"detection_matching": "one"}, "detection_matching is 'one'; allowed: 'one-to-one', 'best-overlap'"),
        ({"iou_precision": "float32"}, "iou_precision is 'float32'; allowed: 'exact', 'float16'"),
        (
            {"rank_by": "f1_30", "detection_thresholds": (0.5, 0.75)},
            "rank_by is 'f1_30'; allowed: a metric at one of detection_thresholds: f1_50, f1_75",
        ),
        (
            {"rank_by": "ap_30", "detection_thresholds": (0.3, 0.75), "iou_thresholds": (0.5, 0.75)},
            "rank_by is 'ap_30'; allowed: a metric at one of iou_thresholds: ap_50, ap_75, ap_50_75",
        ),
        ({"ap_matching": "best"}, "ap_matching is 'best'; allowed: 'best-overlap', 'greedy'"),
        ({"name": " "}, "name of a rule is ' '; allowed: text that is not blank"),
        ({"rank_by": None}, "rank_by of a rule is None; allowed: text"),
        (
            {"rank_by": "ap_72", "iou_thresholds": (0.5, 0.75)},
            "rank_by is 'ap_72'; allowed: a metric at one of iou_thresholds: ap_50, ap_75, ap_50_75",
        ),
        (
            {"rank_by": "ap", "iou_thresholds": (0.75,)},
            "rank_by is 'ap'; allowed: a metric at one of iou_thresholds: ap_75",
        ),
    ],
)
def test_wrong_values_are_refused_in_one_line(change, message):
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        replace(DEFAULT, **change)


@pytest.mark.parametrize(
    ("rank_by", "iou"), [("ap_75", 0.75), ("accuracy_50", 0.5), ("f1_95", 0.95), ("ap_50_95", 0.75)]
)
def test_ranking_iou(rank_by, iou):
    assert replace(DEFAULT, rank_by=rank_by).ranking_iou == iou


def test_every_hundredth_is_its_own_decimal():
    for k in range(1, 101):
        assert exact_iou(k * 0.01) == float(f"{k / 100:.2f}")
        assert metric_name("ap", k * 0.01) == f"ap_{k:02d}"
