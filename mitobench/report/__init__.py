"""The result of an evaluation as one frozen value that can be stored, read again and turned into tables."""

from mitobench.report._report import (
    SCHEMA_VERSION,
    Columns,
    Interval,
    MetricInfo,
    Report,
    Resamples,
    Source,
    Value,
    VolumeReport,
    overall_means,
)

__all__ = [
    "SCHEMA_VERSION",
    "Columns",
    "Interval",
    "MetricInfo",
    "Report",
    "Resamples",
    "Source",
    "Value",
    "VolumeReport",
    "overall_means",
]
