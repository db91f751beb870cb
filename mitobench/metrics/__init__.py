"""Every score, as a pure function of a `Matching`, registered in one dictionary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from mitobench.errors import InvalidInputError, UnknownNameError, did_you_mean
from mitobench.metrics.average_precision import RawCurve, average_precision, precision_recall, raw_precision_recall
from mitobench.metrics.detection import detection
from mitobench.metrics.instances import GT_VERDICTS, PRED_VERDICTS, instance_tables
from mitobench.metrics.partition import rand_error, variation_of_information

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mitobench.matching import Matching
    from mitobench.rules import Rule
    from mitobench.strata import Result

__all__ = [
    "GT_VERDICTS",
    "METRICS",
    "PRED_VERDICTS",
    "Metric",
    "RawCurve",
    "average_precision",
    "check_ranking",
    "compute",
    "detection",
    "find_metric",
    "instance_tables",
    "precision_recall",
    "rand_error",
    "raw_precision_recall",
    "variation_of_information",
]

_THRESHOLDS = re.compile(r"(?P<family>.+?)(?P<first>_[0-9]{2,3})(?P<last>_[0-9]{2,3})?")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What is known about a family of metrics, such as ``ap`` for ``ap_50`` to ``ap_95``.

    Attributes
    ----------
    name
        Of the family.
    summary
        What it measures, in one line.
    direction
        ``"higher"`` or ``"lower"`` is better, or ``"none"``.
    unit
        ``""`` for a plain ratio.
    per_threshold
        Whether a result has one value for each IoU threshold, ``ap_75``, or the bare name.
    per_bucket
        Whether it is measured in each bucket, or over all instances only.
    function
        Computes it, and perhaps other families with it, whose intermediate results it shares.
    """

    name: str
    summary: str
    direction: Literal["higher", "lower", "none"] = "higher"
    unit: str = ""
    per_threshold: bool = True
    per_bucket: bool = True
    function: Callable[[Matching], Result]


_of_volume = partial(Metric, per_threshold=False, per_bucket=False)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(name="ap", summary="average precision", function=average_precision),
            Metric(
                name="ap_mean",
                summary="mean of the average precision over the IoU thresholds",
                per_threshold=False,
                function=average_precision,
            ),
            Metric(name="tp", summary="ground truths found, one to one", unit="instances", function=detection),
            Metric(
                name="fp",
                summary="predictions without a ground truth",
                direction="lower",
                unit="instances",
                function=detection,
            ),
            Metric(name="fn", summary="ground truths missed", direction="lower", unit="instances", function=detection),
            Metric(name="precision", summary="share of the predictions that are right", function=detection),
            Metric(name="recall", summary="share of the ground truths that are found", function=detection),
            Metric(name="f1", summary="harmonic mean of precision and recall", function=detection),
            Metric(name="accuracy", summary="pairs among pairs and errors", function=detection),
            Metric(name="sq", summary="segmentation quality: mean IoU of the pairs", function=detection),
            Metric(name="pq", summary="panoptic quality: segmentation quality times F1", function=detection),
            _of_volume(
                name="voi_split",
                summary="variation of information by splits",
                direction="lower",
                unit="bits",
                function=variation_of_information,
            ),
            _of_volume(
                name="voi_merge",
                summary="variation of information by mergers",
                direction="lower",
                unit="bits",
                function=variation_of_information,
            ),
            _of_volume(name="are", summary="adapted Rand error", direction="lower", function=rand_error),
            _of_volume(
                name="are_precision",
                summary="voxel pairs of one prediction that are of one ground truth",
                function=rand_error,
            ),
            _of_volume(
                name="are_recall",
                summary="voxel pairs of one ground truth that are of one prediction",
                function=rand_error,
            ),
        )
    }
)


def find_metric(name: str) -> Metric:
    """Return the family that a metric in a result belongs to.

    Raises
    ------
    UnknownNameError
        No family has this name.

    Examples
    --------
    >>> find_metric("ap_75").name, find_metric("ap_50_95").name, find_metric("fn_50").direction
    ('ap', 'ap_mean', 'lower')
    """
    found = _THRESHOLDS.fullmatch(name)
    family = name if not found else found["family"] + ("_mean" if found["last"] else "")
    if family not in METRICS or METRICS[family].per_threshold != bool(found and not found["last"]):
        examples = [f"{m.name}_75" if m.per_threshold else m.name.replace("_mean", "_50_95") for m in METRICS.values()]
        hint = did_you_mean(name, examples)
        raise UnknownNameError(f"unknown metric {name!r}{hint}; allowed, for instance: {', '.join(examples)}")
    return METRICS[family]


def check_ranking(rule: Rule) -> None:
    """Refuse a rule that ranks by a metric that does not exist or is a count, before any voxel is read.

    Raises
    ------
    UnknownNameError
        No metric has this name.
    InvalidInputError
        The metric is a count, which has no mean over volumes.
    """
    metric = find_metric(rule.rank_by)
    if metric.unit:
        raise InvalidInputError(f"rank_by is {rule.rank_by!r}, a number of {metric.unit}; allowed: a ratio, as ap_75")


def compute(matching: Matching) -> Result:
    """Return every metric: its name -> ``all``, ``small``, ``medium``, ``large`` -> value, None where undefined.

    Metrics of the whole volume, such as the Rand error, have ``all`` only.

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> result = compute(match(table_from_counts({(1, 1): 80, (1, 0): 20, (2, 2): 6000}), "mitoem-2020"))
    >>> result["f1_75"]
    {'all': 1.0, 'small': 1.0, 'medium': 1.0, 'large': None}
    >>> result["sq_75"]
    {'all': 0.9, 'small': 0.8, 'medium': 1.0, 'large': None}
    """
    result: Result = {}
    for function in dict.fromkeys(metric.function for metric in METRICS.values()):
        result |= function(matching)
    return result
