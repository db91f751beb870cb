"""Named scoring rules as data: a score is only comparable with another one of the same rule."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sized
from dataclasses import dataclass, fields
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mitobench.errors import InvalidInputError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "DEFAULT_RULE",
    "RULES",
    "ApMatching",
    "DetectionMatching",
    "IouPrecision",
    "Rule",
    "SizeBy",
    "exact_iou",
    "find_rule",
    "mean_name",
    "metric_name",
]

ApMatching = Literal["best-overlap", "greedy"]
DetectionMatching = Literal["one-to-one", "best-overlap"]
IouPrecision = Literal["exact", "float16"]
SizeBy = Literal["voxels", "cable-length"]
DEFAULT_RULE = "mitoem-2020"

_RANK_BY = re.compile(r"[a-z][a-z0-9_]*?((?:_[0-9]{2,3}){1,2})")
_NOT_SCORED = frozenset({"name", "source"})
_CHOICES = {
    "size_by": SizeBy,
    "ap_matching": ApMatching,
    "detection_matching": DetectionMatching,
    "iou_precision": IouPrecision,
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a benchmark decided: thresholds, buckets, and how average precision pairs instances.

    Another rule is a small change of a named one; lists and NumPy numbers are accepted and become plain tuples.

    Attributes
    ----------
    name
        What reports call the rule.
    source
        Where the rule comes from.
    rank_by
        Metric that leaderboards sort by, at one of the IoU thresholds (``"ap_75"``) or its mean over all of them
        (``"ap_50_95"``).
    size_by
        What the buckets measure. ``"voxels"``: of every instance its own. ``"cable-length"``: of a ground truth the
        length of its skeleton in nm; a prediction has the highest bucket of the ground truths that it is associated
        with, the lowest without any.
    size_thresholds
        Voxels: the largest small and the largest medium size, small <= t0 < medium <= t1 < large. Cable length: the
        smallest medium and the smallest large one, small < t0 <= medium < t1 <= large.
    skeleton_anisotropy
        Lengths of a voxel along z, y and x that the skeletons are drawn with, for cable lengths that are measured here.
        The challenge's tool has (1, 1, 1), which leaves out most side branches; (30, 8, 8) is the true one.
    min_gt_size
        Ground-truth instances of fewer voxels are dropped; 0 keeps them all.
    iou_thresholds
        Ascending multiples of 0.01 in (0, 1], because metric names carry them: ``ap_75``. Values within 1e-9 of one,
        such as ``np.arange`` makes them, become the decimal.
    ap_matching
        ``"best-overlap"``: each prediction stands for the ground truth that it overlaps best, and two may stand for
        the same one. ``"greedy"``: one to one by descending score, as COCO does it.
    detection_thresholds
        IoU thresholds of the counts and their ratios, as ``iou_thresholds``, which they are if this is empty.
    detection_matching
        ``"one-to-one"``: as many pairs as possible. ``"best-overlap"``: each prediction stands for the ground truth
        that it overlaps best, and counts in the bucket of that one as well as in its own.
    iou_precision
        ``"float16"`` is the arithmetic of the challenge's public tool, which keeps IoU as float16, so that 0.7498
        reaches 0.75; only with ``detection_matching`` ``"best-overlap"``.

    Raises
    ------
    InvalidInputError
        A field has a value outside of these.

    Examples
    --------
    >>> from dataclasses import replace
    >>> replace(RULES["mitoem-2020"], size_thresholds=(150, 500)).label
    'mitoem-2020 with size_thresholds=(150, 500)'
    """

    name: str
    source: str = ""
    rank_by: str = "ap_75"
    size_by: SizeBy = "voxels"
    size_thresholds: tuple[int, int] = (5000, 15000)
    skeleton_anisotropy: tuple[float, float, float] = (1.0, 1.0, 1.0)
    min_gt_size: int = 0
    iou_thresholds: tuple[float, ...] = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    ap_matching: ApMatching = "best-overlap"
    detection_thresholds: tuple[float, ...] = ()
    detection_matching: DetectionMatching = "one-to-one"
    iou_precision: IouPrecision = "exact"

    def __post_init__(self) -> None:
        _check_texts(self)
        _check_choices(self)
        # Frozen: the plain tuples can only be put in place this way.
        object.__setattr__(self, "size_thresholds", _size_thresholds(self.size_thresholds))
        object.__setattr__(self, "skeleton_anisotropy", _skeleton_anisotropy(self.skeleton_anisotropy))
        object.__setattr__(self, "min_gt_size", _min_gt_size(self.min_gt_size))
        object.__setattr__(self, "iou_thresholds", _iou_thresholds("iou_thresholds", self.iou_thresholds))
        given = self.detection_thresholds
        detection = () if _is_empty(given) else _iou_thresholds("detection_thresholds", given)
        object.__setattr__(self, "detection_thresholds", () if detection == self.iou_thresholds else detection)
        _check_rank_by(self)

    @property
    def ranking_iou(self) -> float:
        """IoU threshold that `rank_by` names; for a mean over thresholds the middle one, of two the higher."""
        numbers = _rank_suffix(self.rank_by).split("_")[1:]
        return int(numbers[0]) / 100 if len(numbers) == 1 else self.iou_thresholds[len(self.iou_thresholds) // 2]

    @property
    def detection_ious(self) -> tuple[float, ...]:
        """IoU thresholds of the counts: ``detection_thresholds``, or ``iou_thresholds`` where these are empty."""
        return self.detection_thresholds or self.iou_thresholds

    @property
    def is_builtin(self) -> bool:
        """Whether the rule scores exactly as the one of that name in `RULES`."""
        return self.name in RULES and not _differences(self, RULES[self.name])

    @property
    def label(self) -> str:
        """Name, and every setting in which the rule differs from the one of that name in `RULES`."""
        changes = _differences(self, RULES[self.name]) if self.name in RULES else {}
        settings = ", ".join(f"{key}={value!r}" for key, value in changes.items())
        return f"{self.name} with {settings}" if settings else self.name

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them; `from_dict` is the inverse."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Rule:
        """Return the rule of a dictionary made by `to_dict`; absent fields take their defaults.

        Raises
        ------
        InvalidInputError
            The name is absent, a field is unknown, or a value is not allowed.
        """
        allowed = [field.name for field in fields(cls)]
        for key in values:
            if key not in allowed:
                hint = did_you_mean(key, allowed)
                raise InvalidInputError(f"a rule has no field {key!r}{hint}; allowed: {', '.join(allowed)}")
        if "name" not in values:
            raise InvalidInputError("a rule needs a name; got none")
        return cls(**values)


def find_rule(rule: str | Rule) -> Rule:
    """Return the rule of that name in `RULES`; a `Rule` is returned as it is.

    Raises
    ------
    UnknownNameError
        No rule has this name.

    Examples
    --------
    >>> find_rule("coco").ap_matching
    'greedy'
    """
    if isinstance(rule, Rule):
        return rule
    if rule not in RULES:
        hint = did_you_mean(rule, RULES)
        raise UnknownNameError(f"unknown rule {rule!r}{hint}; allowed: {', '.join(RULES)}, or a Rule of your own")
    return RULES[rule]


def metric_name(family: str, iou_threshold: float) -> str:
    """Return the name of a metric at an IoU threshold.

    Examples
    --------
    >>> metric_name("ap", 0.75), metric_name("f1", 0.5), metric_name("recall", 1.0)
    ('ap_75', 'f1_50', 'recall_100')
    """
    return f"{family}_{_hundredths(iou_threshold):02d}"


def mean_name(family: str, iou_thresholds: tuple[float, ...]) -> str:
    """Return the name of a metric's mean over IoU thresholds, made of the first and the last.

    Examples
    --------
    >>> mean_name("ap", (0.5, 0.55, 0.6))
    'ap_50_60'
    """
    return metric_name(metric_name(family, iou_thresholds[0]), iou_thresholds[-1])


def exact_iou(value: float) -> float:
    """Return the IoU threshold as the float64 nearest to its decimal: 0.7500000000000002 becomes 0.75.

    Raises
    ------
    InvalidInputError
        The value is not a multiple of 0.01 in (0, 1], to 1e-9.
    """
    return _hundredths(value) / 100


def _hundredths(value: float) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    nearest = round(number * 100) if math.isfinite(number) else 0
    if not (1 <= nearest <= 100 and abs(number - nearest / 100) < 1e-9):
        raise InvalidInputError(f"an IoU threshold is {value!r}; allowed: multiples of 0.01 above 0 and up to 1")
    return nearest


def _check_texts(rule: Rule) -> None:
    for key, value in {"name": rule.name, "source": rule.source, "rank_by": rule.rank_by}.items():
        if not isinstance(value, str):
            raise InvalidInputError(f"{key} of a rule is {value!r}; allowed: text")
    if not rule.name.strip():
        raise InvalidInputError(f"name of a rule is {rule.name!r}; allowed: text that is not blank")


def _check_choices(rule: Rule) -> None:
    for key, choices in _CHOICES.items():
        if getattr(rule, key) not in get_args(choices):
            allowed = ", ".join(map(repr, get_args(choices)))
            raise InvalidInputError(f"{key} is {getattr(rule, key)!r}; allowed: {allowed}")
    if rule.iou_precision != "exact" and rule.detection_matching != "best-overlap":
        raise InvalidInputError(
            f"iou_precision is {rule.iou_precision!r} with detection_matching {rule.detection_matching!r}; only "
            "'best-overlap', as in mitoem-2023, has it"
        )


def _whole(value: object) -> int:
    """Return the integer, or raise TypeError: 5000.5 voxels is a mistake that must not be rounded away."""
    if isinstance(value, bool | np.bool_):
        raise TypeError
    return operator.index(value)  # type: ignore[arg-type]


def _size_thresholds(values: Iterable[int]) -> tuple[int, int]:
    try:
        small, medium = (_whole(value) for value in values)
        valid = 0 <= small < medium < 2**63
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise InvalidInputError(
            f"size_thresholds are {values!r}; allowed: two ascending integers from 0, in voxels or nm of cable"
        )
    return small, medium


def _skeleton_anisotropy(values: Iterable[float]) -> tuple[float, float, float]:
    try:
        z, y, x = (float(value) for value in values)
        valid = all(math.isfinite(value) and value > 0 for value in (z, y, x))
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise InvalidInputError(f"skeleton_anisotropy is {values!r}; allowed: three numbers above 0, along z, y and x")
    return z, y, x


def _min_gt_size(value: int) -> int:
    try:
        size = _whole(value)
    except TypeError:
        size = -1
    if not 0 <= size < 2**63:
        raise InvalidInputError(f"min_gt_size is {value!r}; allowed: an integer from 0, in voxels")
    return size


def _is_empty(values: object) -> bool:
    return isinstance(values, Sized) and len(values) == 0


def _iou_thresholds(what: str, values: Iterable[float]) -> tuple[float, ...]:
    try:
        exact = tuple(exact_iou(value) for value in values)
    except TypeError:
        exact = ()
    if not exact or any(low >= high for low, high in pairwise(exact)):
        raise InvalidInputError(f"{what} are {values!r}; allowed: ascending, all different, at least one")
    return exact


def _rank_suffix(rank_by: str) -> str:
    found = _RANK_BY.fullmatch(rank_by)
    return found[1] if found else ""


def _check_rank_by(rule: Rule) -> None:
    suffix = _rank_suffix(rule.rank_by)
    family = rule.rank_by.removesuffix(suffix)
    is_ap = family == "ap" or not suffix
    thresholds = rule.iou_thresholds if is_ap else rule.detection_ious
    names = [metric_name("ap" if is_ap else family, t) for t in thresholds]
    if is_ap and len(thresholds) > 1:
        names.append(mean_name("ap", thresholds))
    if suffix not in map(_rank_suffix, names):
        where = "iou_thresholds" if is_ap or not rule.detection_thresholds else "detection_thresholds"
        allowed = ", ".join(names)
        raise InvalidInputError(f"rank_by is {rule.rank_by!r}; allowed: a metric at one of {where}: {allowed}")


def _differences(rule: Rule, other: Rule) -> dict[str, Any]:
    """Return the settings of the rule that make it score differently from the other one."""
    keys = [field.name for field in fields(rule) if field.name not in _NOT_SCORED]
    return {key: getattr(rule, key) for key in keys if getattr(rule, key) != getattr(other, key)}


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            Rule(
                name="mitoem-2020",
                source="Wei et al., MICCAI 2020, doi:10.1007/978-3-030-59722-1_7; public tool mAP_3Dvolume, master",
            ),
            Rule(
                name="mitoem-2021",
                source="ISBI 2021 challenge, doi:10.1109/TMI.2023.3320497; challenge branch of mAP_3Dvolume",
                size_thresholds=(5000, 30000),
                min_gt_size=2000,
            ),
            Rule(
                name="mitoem-2023",
                source="today's page of the MitoEM challenge; public tool TIMISE",
                rank_by="accuracy_75",
                size_by="cable-length",
                size_thresholds=(1000, 4000),
                detection_thresholds=(0.3, 0.5, 0.75),
                detection_matching="best-overlap",
            ),
            Rule(
                name="coco",
                source="Lin et al., ECCV 2014, doi:10.1007/978-3-319-10602-1_48: matching of the COCO evaluation, "
                "without its limit of detections; buckets of mitoem-2020",
                ap_matching="greedy",
            ),
        )
    }
)
