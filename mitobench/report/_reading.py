"""Reports from dictionaries of strangers, of this schema version or an older one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mitobench.errors import InvalidInputError
from mitobench.report._report import SCHEMA_VERSION, Interval, MetricInfo, Report, Source, Value, VolumeReport

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
    rule = dict(values["rule"])
    for key in ("name", "label", "rank_by"):
        _typed(rule[key], str, f"rule.{key}")
    new = _since(2, version, values)
    metrics = {name: MetricInfo(**info) for name, info in values["metrics"].items()}
    report = Report(
        rule,
        tuple(_volume(volume, version) for volume in values["volumes"]),
        {metric: _number(value) for metric, value in values["overall"].items()},
        metrics,
        {"name": values["tool"]["name"], "version": values["tool"]["version"]},
        {metric: _interval(ends) for metric, ends in new("overall_intervals", {}).items()},
        _mapping(new("uncertainty", None), "uncertainty"),
        SCHEMA_VERSION,
    )
    _check_names(report)
    return report


def _volume(values: Mapping[str, Any], version: int) -> VolumeReport:
    new = _since(2, version, values)
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
        {name: dict(buckets) for name, buckets in values["curves"].items()},
        {side: dict(columns) for side, columns in values["instances"].items()},
        tuple(_typed(text, str, "warnings") for text in values["warnings"]),
        tuple(_typed(text, str, "notes") for text in new("notes", [])),
        {
            metric: {bucket: _interval(ends) for bucket, ends in buckets.items()}
            for metric, buckets in new("intervals", {}).items()
        },
        _mapping(new("repairs", None), "repairs"),
    )


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


def _typed(value: Any, kind: type[T], what: str) -> T:  # noqa: ANN401
    if not isinstance(value, kind):
        raise TypeError(f"{what} is {value!r}")
    return value


def _number(value: Any) -> Value:  # noqa: ANN401
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TypeError(f"a metric is {value!r}, expected a number or null")
    return value


def _interval(value: Any) -> Interval:  # noqa: ANN401
    if value is None:
        return None
    low, high = (_number(end) for end in value)
    if low is None or high is None:
        raise TypeError(f"an interval is {value!r}, expected two numbers or null")
    return [float(low), float(high)]


def _mapping(value: Any, what: str) -> dict[str, Any] | None:  # noqa: ANN401
    return None if value is None else dict(_typed(value, dict, what))
