"""How metrics, numbers and rules are written for people."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitobench.report import Interval, Report, Value

__all__ = [
    "BUCKETS",
    "DRAWN",
    "FAMILIES",
    "SIDES",
    "amount",
    "ends",
    "length",
    "metric_label",
    "number",
    "ranking_iou",
    "rule_sentences",
    "uncertainty_sentence",
    "visible",
]

BUCKETS = {"small": "Small", "medium": "Medium", "large": "Large", "all": "All"}
"""In the order of the paper."""
DRAWN = {bucket: BUCKETS[bucket] for bucket in ("all", "small", "medium", "large")}
"""In the order in which lines are drawn, so that the thick one of all instances hides no other."""
SIDES = {"gt": "ground truth", "pred": "prediction"}
FAMILIES = {
    "ap": "AP",
    "tp": "Found (TP)",
    "fn": "Missed (FN)",
    "fp": "False (FP)",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "accuracy": "Accuracy",
    "sq": "SQ (mean IoU)",
    "pq": "PQ",
}
_MEANINGS = {
    "ap": "average precision",
    "precision": "share of the predictions that are right",
    "recall": "share of the ground truths that are found",
    "f1": "harmonic mean of precision and recall",
    "accuracy": "pairs among pairs and errors, TP / (TP + FP + FN)",
    "sq": "mean IoU of the pairs",
    "pq": "panoptic quality, mean IoU of the pairs times F1",
}
_AP_MATCHING = {
    "best-overlap": "each prediction stands for the ground truth that it overlaps best",
    "greedy": "predictions and ground truths are paired one to one, the most confident prediction first",
}
_UNITS = ((1e6, "mm"), (1e3, "\N{MICRO SIGN}m"), (1.0, "nm"))


def visible(text: str) -> str:
    """Replace what steers a terminal or the order of text on a page: reports come from strangers too.

    Spaces of any width become plain ones.

    Examples
    --------
    >>> visible("one" + chr(0x202E) + "two" + chr(7)) == "one�two�"
    True
    """
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else "\N{REPLACEMENT CHARACTER}"


def metric_label(metric: str) -> str:
    """Return how people write the name of a metric.

    Examples
    --------
    >>> metric_label("ap_75"), metric_label("ap_50_95"), metric_label("ap_50_100"), metric_label("f1_50")
    ('AP-75', 'AP .50:.95', 'AP .50:1.00', 'F1-50')
    """
    family, *numbers = metric.split("_")
    name = FAMILIES.get(family, family)
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        return "-".join([name, *numbers])
    first, last = (f"{int(number) / 100:.2f}".removeprefix("0") for number in numbers)
    return f"{name} {first}:{last}"


def number(value: Value, digits: int = 3) -> str:
    """Return a score with three decimals, a count with separators, a dash for what is undefined.

    Examples
    --------
    >>> number(0.81501), number(12345)
    ('0.815', '12,345')
    """
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def ends(interval: Interval, digits: int = 3) -> str:
    """Return an interval, empty for none.

    Examples
    --------
    >>> ends([0.1, 0.25]), ends(None)
    ('[0.100, 0.250]', '')
    """
    return "" if interval is None else f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def amount(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> amount(1, "prediction"), amount(1200, "repair"), amount(0, "entry", "entries")
    ('1 prediction', '1,200 repairs', '0 entries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def length(nanometres: float) -> str:
    """Return a length in the unit that reads best.

    Examples
    --------
    >>> length(500), length(1000), length(2500)
    ('500 nm', '1 µm', '2.5 µm')
    """
    for factor, unit in _UNITS:
        if nanometres >= factor:
            return f"{nanometres / factor:g} {unit}"
    return f"{nanometres:g} nm"


def ranking_iou(report: Report) -> str:
    """Return the IoU threshold of the counts to show, in hundredths: the ranked one, or the middle one of a mean."""
    rank_by = str(report.rule["rank_by"])
    if rank_by.count("_") == 1:
        return rank_by.rpartition("_")[2]
    names = [name.partition("_")[2] for name in report.volumes[0].metrics if name.startswith("tp_")]
    return names[len(names) // 2] if names else ""


def rule_sentences(rule: Mapping[str, Any]) -> list[str]:
    """Say what a rule means, as far as its fields are known."""
    family, _, iou = str(rule["rank_by"]).partition("_")
    meaning = _MEANINGS.get(family, "the metric that the rule ranks by")
    sentences = [f"{metric_label(rule['rank_by'])} is the {meaning}{_at(iou)}"]
    if family == "ap" and rule.get("ap_matching") in _AP_MATCHING:
        sentences[0] += f"; {_AP_MATCHING[rule['ap_matching']]}"
    thresholds = rule.get("size_thresholds", ())
    if len(thresholds) == 2:
        sentences.append(_sizes(*thresholds, by=rule.get("size_by", "voxels")))
    if rule.get("min_gt_size"):
        sentences.append(f"Ground truths under {rule['min_gt_size']:,} voxels are dropped")
    return sentences


def uncertainty_sentence(uncertainty: Mapping[str, Any] | None) -> str:
    """Say how the intervals were made."""
    if not uncertainty:
        return ""
    level = uncertainty.get("level")
    what = f"{level:.0%} intervals" if isinstance(level, float) and math.isfinite(level) else "intervals"
    details = [str(uncertainty["method"])] if "method" in uncertainty else []
    if details and "unit" in uncertainty:
        details[0] += f" of {uncertainty['unit']}"
    if isinstance(uncertainty.get("resamples"), int):
        details.append(amount(uncertainty["resamples"], "resample"))
    if "seed" in uncertainty:
        details.append(f"seed {uncertainty['seed']}")
    return f"Brackets are {what} ({', '.join(details)})." if details else f"Brackets are {what}."


def _at(iou: str) -> str:
    numbers = [f"{int(part) / 100:.2f}" for part in iou.split("_") if part.isdigit()]
    if len(numbers) == 2:
        return f", averaged over IoU thresholds from {numbers[0]} to {numbers[1]}"
    return f" at IoU {numbers[0]}" if numbers else ""


def _sizes(small: int, medium: int, *, by: str) -> str:
    if by == "cable-length":
        return f"Small is below {length(small)} of cable, medium below {length(medium)}, large from there on"
    return f"Small is up to {small:,} voxels, medium up to {medium:,}, large above"
