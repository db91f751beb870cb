"""What the parts of a report must look like, so that nothing that reads one has to ask again."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = [
    "CURVES",
    "INSTANCES",
    "REPAIRS",
    "RESAMPLES",
    "RULE",
    "UNCERTAINTY",
    "Check",
    "each",
    "number",
    "optional",
    "record",
    "table",
    "text",
    "whole",
]

Check: TypeAlias = Callable[[Any, str], None]
"""Raises TypeError, naming the place, for a value of another form."""

_LARGEST = 1e300
_BUCKETS = ("all", "small", "medium", "large")


@dataclass(frozen=True)
class _Scalar:
    """A check that asks for the type of a value, and of a number for its size: few values of a list tell of all."""

    check: Check

    def __call__(self, value: Any, where: str) -> None:  # noqa: ANN401
        self.check(value, where)


@_Scalar
def number(value: Any, where: str) -> None:  # noqa: ANN401
    """Check a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        raise TypeError(f"{where} is {_short(value)}, expected a number")


@_Scalar
def whole(value: Any, where: str) -> None:  # noqa: ANN401
    """Check an integer."""
    number(value, where)
    if not isinstance(value, int):
        raise TypeError(f"{where} is {value!r}, expected a whole number")


@_Scalar
def text(value: Any, where: str) -> None:  # noqa: ANN401
    """Check a string."""
    if not isinstance(value, str):
        raise TypeError(f"{where} is {_short(value)}, expected text")


def optional(check: Check) -> Check:
    """Allow null too."""

    def run(value: Any, where: str) -> None:  # noqa: ANN401
        if value is not None:
            check(value, where)

    return _Scalar(run) if isinstance(check, _Scalar) else run


def each(check: Check, *, length: int | None = None) -> Check:
    """Check every element of a list, perhaps of a given length."""

    def run(value: Any, where: str) -> None:  # noqa: ANN401
        if not isinstance(value, list | tuple) or (length is not None and len(value) != length):
            raise TypeError(f"{where} is {_short(value)}, expected a list" + (f" of {length}" if length else ""))
        for item in _telling(value) if isinstance(check, _Scalar) else value:
            check(item, where)

    return run


def _telling(values: Sequence[Any]) -> Collection[Any]:
    """Return some of the values, one that a scalar check refuses among them if there is any."""
    by_type = dict(zip(map(type, values), values, strict=True))
    numbers = values if by_type.keys() <= {int, float} else [value for value in values if type(value) in {int, float}]
    if not numbers:
        return by_type.values()
    try:
        finite = math.isfinite(sum(numbers))
    except OverflowError:
        finite = False
    # Neither an infinite number nor NaN is in a finite sum, so that the extremes are what they are said to be.
    return [*by_type.values(), min(numbers), max(numbers)] if finite else values


def table(check: Check) -> Check:
    """Check every value of a dictionary."""

    def run(value: Any, where: str) -> None:  # noqa: ANN401
        _mapping(value, where)
        for key, item in value.items():
            check(item, f"{where}.{key}")

    return run


def record(fields: Mapping[str, Check], optional_fields: Mapping[str, Check] | None = None) -> Check:
    """Check the named values of a dictionary; others may be there."""

    def run(value: Any, where: str) -> None:  # noqa: ANN401
        _mapping(value, where)
        for key, check in fields.items():
            if key not in value:
                raise TypeError(f"{where}.{key} is missing")
            check(value[key], f"{where}.{key}")
        for key, check in (optional_fields or {}).items():
            if key in value:
                check(value[key], f"{where}.{key}")

    return run


def _columns(value: Any, where: str) -> None:  # noqa: ANN401
    """Check a table of instances: lists of one length, those that are known of their type."""
    record(_INSTANCE, _LATER)(value, where)
    table(each(_cell))(value, where)
    if len({len(column) for column in value.values()}) > 1:
        raise TypeError(f"{where} has columns of several lengths")


@_Scalar
def _cell(value: Any, where: str) -> None:  # noqa: ANN401
    if value is not None and not isinstance(value, str):
        number(value, where)


def _repairs(value: Any, where: str) -> None:  # noqa: ANN401
    """Check that every kind of error that is spoken of has its counts."""
    _REPAIRS(value, where)
    kinds = set(value["classes"])
    for label, scores in value["scores"].items():
        steps = [scores["cumulative"], *scores["cumulative_by_bucket"].values()]
        if set(scores["alone"]) != kinds or {step["kind"] for path in steps for step in path} - kinds:
            raise TypeError(f"{where}.scores.{label} speaks of other kinds of errors than {where}.classes")


def _resamples(value: Any, where: str) -> None:  # noqa: ANN401
    """Check that the buckets have equally many values."""
    _RESAMPLES(value, where)
    for key in ("values", "by_block"):
        if len({len(column) for column in value[key].values()}) > 1:
            raise TypeError(f"{where}.{key} has columns of several lengths")


def _mapping(value: Any, where: str) -> None:  # noqa: ANN401
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise TypeError(f"{where} is {_short(value)}, expected names with values")


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) < 60 else f"{shown[:57]}..."


_INSTANCE = {
    **dict.fromkeys(("id", "size", "z0", "z1", "y0", "y1", "x0", "x1", "partners"), each(whole)),
    **dict.fromkeys(("z", "y", "x", "iou"), each(number)),
    **dict.fromkeys(("bucket", "verdict"), each(text)),
    "partner": each(optional(whole)),
}
_LATER = {
    "association": each(text),
    "association_group": each(whole),
    "cable_length": each(optional(number)),
}
_COUNTS = record(dict.fromkeys(_BUCKETS, whole))
_SCORES = table(optional(number))
_STEPS = each(record({"kind": text, "score": _SCORES}))
_BUDGET = record({"errors": whole, "to_target": optional(whole), "curve": each(each(optional(number), length=2))})
_REPAIRS = record(
    {
        "target": number,
        "iou_threshold": number,
        "classes": table(record(dict.fromkeys(("errors", "gt", "pred"), _COUNTS))),
        "scores": table(
            record(
                {
                    "metric": text,
                    "now": _SCORES,
                    "alone": table(_SCORES),
                    "cumulative": _STEPS,
                    "cumulative_by_bucket": table(_STEPS),
                }
            )
        ),
        "repairs": record(dict.fromkeys(_BUCKETS, _BUDGET)),
    }
)

_BY_BUCKET = record(dict.fromkeys(_BUCKETS, each(optional(number))))
_RESAMPLES = record({"occupied": whole, "values": _BY_BUCKET, "by_block": _BY_BUCKET})

RULE = record(
    dict.fromkeys(("name", "label", "rank_by", "source"), text),
    {
        **dict.fromkeys(("size_by", "ap_matching", "detection_matching", "iou_precision"), text),
        "size_thresholds": each(number, length=2),
        "min_gt_size": number,
        "iou_thresholds": each(number),
        "detection_thresholds": each(number),
        "skeleton_anisotropy": each(number, length=3),
    },
)
INSTANCES = record({}, {"gt": _columns, "pred": _columns})
CURVES = table(table(optional(each(number, length=101))))
REPAIRS = optional(_repairs)
RESAMPLES = _resamples
UNCERTAINTY = optional(
    record({"method": text, "level": number, "resamples": whole, "seed": whole}, {"unit": text, "occupied": whole})
)
