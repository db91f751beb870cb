"""Every score, as a pure function of a `Matching`, registered in one dictionary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from mitobench.errors import InvalidInputError, UnknownNameError, did_you_mean
from mitobench.metrics.associations import (
    GT_ASSOCIATIONS,
    PRED_ASSOCIATIONS,
    associations,
    resampled_associations,
)
from mitobench.metrics.average_precision import (
    RawCurve,
    average_precision,
    precision_recall,
    raw_precision_recall,
    resampled_average_precision,
)
from mitobench.metrics.detection import Judgement, detection, judge, resampled_detection
from mitobench.metrics.instances import GT_VERDICTS, PRED_VERDICTS, instance_tables
from mitobench.metrics.partition import (
    rand_error,
    resampled_rand_error,
    resampled_variation_of_information,
    variation_of_information,
)
from mitobench.metrics.precision_modes import mode_differences
from mitobench.metrics.repair import RepairAnalysis, repair_analysis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mitobench.matching import Matching
    from mitobench.resampling import Replicates, Sample
    from mitobench.rules import Rule
    from mitobench.strata import Result

__all__ = [
    "GT_ASSOCIATIONS",
    "GT_VERDICTS",
    "METRICS",
    "PRED_ASSOCIATIONS",
    "PRED_VERDICTS",
    "Judgement",
    "Metric",
    "RawCurve",
    "RepairAnalysis",
    "associations",
    "average_precision",
    "check_ranking",
    "compute",
    "detection",
    "find_metric",
    "instance_tables",
    "judge",
    "mode_differences",
    "precision_recall",
    "rand_error",
    "raw_precision_recall",
    "repair_analysis",
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
    resample
        Computes the same families of every resample of a sample.
    """

    name: str
    summary: str
    direction: Literal["higher", "lower", "none"] = "higher"
    unit: str = ""
    per_threshold: bool = True
    per_bucket: bool = True
    function: Callable[[Matching], Result]
    resample: Callable[[Sample], Replicates]


_precision_metric = partial(Metric, function=average_precision, resample=resampled_average_precision)
_detection_metric = partial(Metric, function=detection, resample=resampled_detection)
_association_metric = partial(
    Metric,
    function=associations,
    resample=resampled_associations,
    direction="lower",
    unit="instances",
    per_threshold=False,
)
_information_metric = partial(
    Metric,
    function=variation_of_information,
    resample=resampled_variation_of_information,
    direction="lower",
    unit="bits",
    per_threshold=False,
    per_bucket=False,
)
_rand_metric = partial(
    Metric, function=rand_error, resample=resampled_rand_error, per_threshold=False, per_bucket=False
)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            _precision_metric(name="ap", summary="average precision"),
            _precision_metric(
                name="ap_mean",
                summary="mean of the average precision over the IoU thresholds",
                per_threshold=False,
            ),
            _detection_metric(name="tp", summary="ground truths found", unit="instances"),
            _detection_metric(
                name="fp", summary="predictions without a ground truth", direction="lower", unit="instances"
            ),
            _detection_metric(name="fn", summary="ground truths missed", direction="lower", unit="instances"),
            _detection_metric(name="precision", summary="share of the predictions that are right"),
            _detection_metric(name="recall", summary="share of the ground truths that are found"),
            _detection_metric(name="f1", summary="harmonic mean of precision and recall"),
            _detection_metric(name="accuracy", summary="pairs among pairs and errors"),
            _detection_metric(name="sq", summary="segmentation quality: mean IoU of the pairs"),
            _detection_metric(name="pq", summary="panoptic quality: segmentation quality times F1"),
            _detection_metric(
                name="mean_true_score",
                summary="mean over all ground truths of the IoU of the pair, 0 where missed",
            ),
            _association_metric(
                name="gt_one_to_one", summary="ground truths with one prediction of their own", direction="higher"
            ),
            _association_metric(name="gt_missing", summary="ground truths that nothing touches"),
            _association_metric(name="gt_over_segmentation", summary="ground truths in several pieces"),
            _association_metric(name="gt_under_segmentation", summary="ground truths that share one prediction"),
            _association_metric(name="gt_many_to_many", summary="ground truths entangled with several predictions"),
            _association_metric(name="pred_background", summary="predictions that touch no ground truth"),
            _information_metric(name="voi_split", summary="variation of information by splits"),
            _information_metric(name="voi_merge", summary="variation of information by mergers"),
            _rand_metric(name="are", summary="adapted Rand error", direction="lower"),
            _rand_metric(name="are_precision", summary="voxel pairs of one prediction that are of one ground truth"),
            _rand_metric(name="are_recall", summary="voxel pairs of one ground truth that are of one prediction"),
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


def resample(sample: Sample) -> Replicates:
    """Return every metric of every resample: its name -> bucket -> float64 (resamples,), NaN where undefined.

    Instances are judged once, in the whole volume; what a resample changes is how often each of them counts. Where all
    of them count once, the values are those of `compute`.

    Examples
    --------
    >>> from mitobench.matching import match
    >>> import numpy as np
    >>> from mitobench.resampling import Part, Sample, Units
    >>> from mitobench.testing import table_from_counts
    >>> matching = match(table_from_counts({(1, 1): 80, (2, 0): 40}), "mitoem-2020")
    >>> units = Units(gt=np.array([0, 1]), pred=np.array([0]), count=2)
    >>> resample(Sample([Part(matching, units, np.array([[1, 1], [2, 0], [0, 2]], np.uint8))]))["recall_75"]["all"]
    array([0.5, 1. , 0. ])
    """
    result: Replicates = {}
    for function in dict.fromkeys(metric.resample for metric in METRICS.values()):
        result |= function(sample)
    return result
