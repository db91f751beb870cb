"""Reports from dictionaries of strangers, of this schema version or an older one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mitobench.errors import InvalidInputError
from mitobench.report._report import (
    SCHEMA_VERSION,
    Interval,
    MetricInfo,
    Report,
    Resamples,
    Source,
    Value,
    VolumeReport,
)
from mitobench.report.schema import CURVES, INSTANCES, REPAIRS, RESAMPLES, RULE, UNCERTAINTY, Check, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["read_report"]

T = TypeVar("T")


def read_report(values: Mapping[str, Any]) -> Report:
    """Return the report of a dictionary; errors are those of whatever is missing or of another type."""
    version = _typed(values["schema_version"], int, "schema_version")
    if version > SCHEMA_VERSION:
        raise InvalidInputError(
            f"the report has schema version {version}, this mitobench reads up to {SCHEMA_VERSION}; upgrade mitobench"
        )
    rule = _checked(values["rule"], RULE, "rule")
    new = _since(2, version, values)
    metrics = {name: MetricInfo(**info) for name, info in values["metrics"].items()}
    report = Report(
        rule,
        tuple(_volume(volume, version) for volume in values["volumes"]),
        {metric: _number(value) for metric, value in values["overall"].items()},
        metrics,
        {key: _typed(values["tool"][key], str, f"tool.{key}") for key in ("name", "version")},
        {metric: _interval(ends) for metric, ends in new("overall_intervals", {}).items()},
        _checked(new("uncertainty", None), UNCERTAINTY, "uncertainty"),
        SCHEMA_VERSION,
    )
    _check_names(report)
    return report


def _volume(values: Mapping[str, Any], version: int) -> VolumeReport:
    new, newer = _since(2, version, values), _since(3, version, values)
    z, y, x = (_typed(n, int, "shape") for n in values["shape"])
    return VolumeReport(
        _typed(values["name"], str, "name"),
        (z, y, x),
        _source(values["gt"]),
        _source(values["pred"]),
        {
            metric: {bucket: _number(value) for bucket, value in buckets.items()}
            for metric, buckets in values["metrics"].items()
        },
        _checked(values["curves"], CURVES, "curves"),
        _checked(values["instances"], INSTANCES, "instances"),
        tuple(_typed(text, str, "warnings") for text in values["warnings"]),
        tuple(_typed(text, str, "notes") for text in new("notes", [])),
        {
            metric: {bucket: _interval(ends) for bucket, ends in buckets.items()}
            for metric, buckets in new("intervals", {}).items()
        },
        _checked(new("repairs", None), REPAIRS, "repairs"),
        _resamples(newer("resamples", None)),
    )


def _resamples(values: Mapping[str, Any] | None) -> Resamples | None:
    return None if values is None else Resamples(**_checked(values, RESAMPLES, "resamples"))


def _since(schema: int, version: int, values: Mapping[str, Any]) -> Callable[[str, Any], Any]:
    """Return how to get a key that came with a schema version: older reports have what stands for nothing."""
    return lambda key, nothing: values[key] if version >= schema else nothing


def _source(values: Mapping[str, Any]) -> Source:
    source = Source(**values)
    for key in ("name", "dtype", "fingerprint"):
        _typed(getattr(source, key), str, key)
    _typed(source.instances, int, "instances")
    return source


def _check_names(report: Report) -> None:
    """Refuse a report whose parts do not belong together."""
    if not report.volumes:
        raise InvalidInputError("not a mitobench report (it has no volumes)")
    if report.rule["rank_by"] not in report.overall:
        raise InvalidInputError(f"not a mitobench report (no overall {report.rule['rank_by']})")
    for volume in report.volumes:
        if report.rule["rank_by"] not in volume.metrics:
            raise InvalidInputError(f"not a mitobench report ({volume.name} has no {report.rule['rank_by']})")
        if missing := set(volume.metrics) - set(report.metrics):
            raise InvalidInputError(f"not a mitobench report (nothing is said of the metric {min(missing)})")
        if volume.repairs is not None and report.rule["label"] not in volume.repairs["scores"]:
            raise InvalidInputError(f"not a mitobench report ({volume.name} has repairs under other rules only)")


def _typed(value: Any, kind: type[T], what: str) -> T:  # noqa: ANN401
    if not isinstance(value, kind):
        raise TypeError(f"{what} is {value!r}")
    return value


def _number(value: Any) -> Value:  # noqa: ANN401
    if value is not None:
        number(value, "a metric")
    result: Value = value
    return result


def _interval(value: Any) -> Interval:  # noqa: ANN401
    if value is None:
        return None
    low, high = (_number(end) for end in value)
    if low is None or high is None:
        raise TypeError(f"an interval is {value!r}, expected two numbers or null")
    return [float(low), float(high)]


def _checked(value: Any, check: Check, what: str) -> Any:  # noqa: ANN401
    check(value, what)
    return value
