"""Diffs of annotations from dictionaries of strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mitobench.annotation._attribution import Attribution
from mitobench.annotation._diff import DIFF_SCHEMA_VERSION, AnnotationDiff, ScoreChange
from mitobench.errors import InvalidInputError
from mitobench.report import MetricInfo, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_diff"]

T = TypeVar("T")


def read_diff(values: Mapping[str, Any]) -> AnnotationDiff:
    """Return the diff of a dictionary; errors are those of whatever is missing or of another type."""
    version = _typed(values["schema_version"], int, "schema_version")
    if version > DIFF_SCHEMA_VERSION:
        raise InvalidInputError(
            f"the diff has schema version {version}, this mitobench reads up to {DIFF_SCHEMA_VERSION}; "
            "upgrade mitobench"
        )
    rule = dict(values["rule"])
    for key in ("name", "label", "rank_by"):
        _typed(rule[key], str, f"rule.{key}")
    old, new = (_typed(name, str, "names") for name in values["names"])
    z, y, x = (_typed(n, int, "shape") for n in values["shape"])
    return AnnotationDiff(
        rule=rule,
        names=(old, new),
        shape=(z, y, x),
        old=_source(values["old"]),
        new=_source(values["new"]),
        voxels={key: _typed(count, int, f"voxels.{key}") for key, count in values["voxels"].items()},
        kinds={kind: dict(counts) for kind, counts in values["kinds"].items()},
        renumbered=_typed(values["renumbered"], int, "renumbered"),
        edits=dict(values["edits"]),
        instances={side: dict(columns) for side, columns in values["instances"].items()},
        prediction=None if values["prediction"] is None else _change(values["prediction"]),
        touch_up_iou=_typed(values["touch_up_iou"], float, "touch_up_iou"),
        warnings=tuple(_typed(text, str, "warnings") for text in values["warnings"]),
        tool={"name": values["tool"]["name"], "version": values["tool"]["version"]},
        schema_version=DIFF_SCHEMA_VERSION,
    )


def _change(values: Mapping[str, Any]) -> ScoreChange:
    return ScoreChange(
        pred=_source(values["pred"]),
        old={metric: dict(buckets) for metric, buckets in values["old"].items()},
        new={metric: dict(buckets) for metric, buckets in values["new"].items()},
        metrics={name: MetricInfo(**info) for name, info in values["metrics"].items()},
        attribution=Attribution(**values["attribution"]),
    )


def _source(values: Mapping[str, Any]) -> Source:
    source = Source(**values)
    for key in ("name", "dtype", "fingerprint"):
        _typed(getattr(source, key), str, key)
    _typed(source.instances, int, "instances")
    return source


def _typed(value: Any, kind: type[T], what: str) -> T:  # noqa: ANN401
    if not isinstance(value, kind):
        raise TypeError(f"{what} is {value!r}")
    return value
