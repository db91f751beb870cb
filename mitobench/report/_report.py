"""The result of an evaluation as one frozen value that can be stored, read again and turned into tables.

A report knows no metric's code: it holds names, values, units and directions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mitobench.errors import InvalidInputError
from mitobench.files import making_folder, replacing
from mitobench.json_files import plain, read_json, write_json
from mitobench.report._tables import association_groups, association_rows, matching_rows

if TYPE_CHECKING:
    import pandas as pd

    from mitobench.types import PathOrStr

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

SCHEMA_VERSION = 3

Value = float | int | None
Interval = list[float] | None
"""Lower and upper end."""
Columns = Mapping[str, list[Any]]


@dataclass(frozen=True)
class MetricInfo:
    """What a reader of a report has to know of a metric.

    Attributes
    ----------
    unit
        ``""`` for a ratio in [0, 1], ``"instances"`` for a count.
    direction
        ``"higher"`` or ``"lower"``, whichever is better, or ``"none"``.
    """

    unit: str
    direction: str


@dataclass(frozen=True)
class Source:
    """One side of a scored pair.

    Attributes
    ----------
    name
        As the user named the volume.
    dtype
        Type of the stored ids.
    instances
        Number of instances.
    fingerprint
        SHA-256 over id, size, bounding box and centroid of all instances: equal for equal labels, however they are
        stored.
    """

    name: str
    dtype: str
    instances: int
    fingerprint: str


@dataclass(frozen=True)
class Resamples:
    """The metric that the rule ranks by in every resample of a volume, from which its intervals come.

    Resamples of blocks of one ground truth, made with the same settings, drew the same blocks, whatever was predicted:
    then the values of two methods are pairs, and their ranks can be counted resample by resample.

    Attributes
    ----------
    occupied
        Number of units that hold an instance.
    values
        Bucket -> value in each resample, None where undefined.
    by_block
        Bucket -> value in each block of the volume by itself; empty where single instances were drawn.
    """

    occupied: int
    values: Mapping[str, list[Value]]
    by_block: Mapping[str, list[Value]]


@dataclass(frozen=True)
class VolumeReport:
    """The scores of one volume.

    Attributes
    ----------
    name
        Such as ``MitoEM-H``.
    shape
        Voxels along z, y, x.
    gt, pred
        What was scored.
    metrics
        Metric -> bucket (``all``, ``small``, ``medium``, ``large``) -> value; None where it is undefined.
    curves
        ``precision_75`` and its like -> bucket -> precision at the 101 recalls 0, 0.01 ... 1.
    instances
        ``gt`` and ``pred`` -> columns, one row per instance.
    warnings
        What looked wrong with the input.
    notes
        What a reader has to know of the numbers, such as where two ways to compute them differ.
    intervals
        Metric -> bucket -> lower and upper end of the confidence interval, None where undefined; empty if none were
        asked for.
    repairs
        What each class of error costs, and how many repairs reach a target, as
        `mitobench.metrics.RepairAnalysis.to_dict` has it; None if not asked for.
    resamples
        Of the metric that the rule ranks by; None without intervals.
    """

    name: str
    shape: tuple[int, int, int]
    gt: Source
    pred: Source
    metrics: Mapping[str, Mapping[str, Value]]
    curves: Mapping[str, Mapping[str, list[float] | None]] = field(default_factory=dict)
    instances: Mapping[str, Columns] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    repairs: Mapping[str, Any] | None = None
    resamples: Resamples | None = None

    @property
    def matching(self) -> pd.DataFrame:
        """One row per category and IoU threshold, with the columns of the challenge's public tool.

        ``category`` (``total`` last), ``thresh``, ``fp``, ``tp``, ``fn``, ``precision``, ``recall``, ``accuracy``,
        ``f1``, ``n_true``, ``n_pred``, ``mean_true_score``, ``mean_matched_score``, ``panoptic_quality``. As there, a
        ratio is 0 where nothing is found; `metrics` holds None where it is undefined.
        """
        import pandas as pd

        return pd.DataFrame(matching_rows(self.metrics))

    @property
    def associations(self) -> pd.DataFrame:
        """One row per category, with the number of ground truths by type of their association.

        ``category``, ``one-to-one``, ``missing``, ``over-segmentation``, ``under-segmentation``, ``many-to-many``, and
        ``background``, the number of predictions that touch no ground truth.
        """
        import pandas as pd

        return pd.DataFrame(association_rows(self.metrics))

    def write_tool_tables(self, folder: PathOrStr) -> None:
        """Write ``matching_metrics.csv``, ``associations_stats.csv`` and ``associations.csv`` as the public tool does.

        Parameters
        ----------
        folder
            Made if it is not there; files of these names in it are replaced.

        Raises
        ------
        UnusableFileError
            The folder or a file cannot be written.
        """
        import pandas as pd

        counts = self.associations.set_index("category").map(lambda count: f"[{count}]")
        tables = {
            "matching_metrics.csv": self.matching.to_csv(index=False),
            "associations_stats.csv": counts.rename_axis(None).to_csv(),
            "associations.csv": pd.DataFrame(association_groups(self.instances)).to_csv(index=False),
        }
        with making_folder(folder) as made:
            for name, text in tables.items():
                with replacing(made / name) as temporary:
                    temporary.write_text(text, encoding="utf-8", newline="")


@dataclass(frozen=True)
class Report:
    """Scores of one volume or of the volumes of a benchmark, under one named rule.

    Attributes
    ----------
    rule
        The fields of the rule, its ``label`` among them.
    volumes
        In the order in which they were given.
    overall
        Metric -> arithmetic mean of the volumes' ``all`` values; None where one of them is undefined.
    metrics
        Metric -> unit and direction.
    tool
        ``name`` and ``version`` of the program that made the report.
    overall_intervals
        Metric -> lower and upper end of the confidence interval of ``overall``, None where undefined.
    uncertainty
        How the intervals were made: ``method``, ``level``, ``resamples``, ``seed``; None without intervals.
    schema_version
        Of the JSON form.
    """

    rule: Mapping[str, Any]
    volumes: tuple[VolumeReport, ...]
    overall: Mapping[str, Value]
    metrics: Mapping[str, MetricInfo]
    tool: Mapping[str, str]
    overall_intervals: Mapping[str, Interval] = field(default_factory=dict)
    uncertainty: Mapping[str, Any] | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def score(self) -> Value:
        """The value that the rule ranks by."""
        return self.overall[self.rule["rank_by"]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, numbers and None; `from_dict` is the inverse."""
        first = ("schema_version", "tool", "rule", "overall", "overall_intervals", "uncertainty", "volumes", "metrics")
        return {key: plain(getattr(self, key)) for key in first}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """Return the report of a dictionary made by `to_dict`.

        Raises
        ------
        InvalidInputError
            A key is missing or of another type, or the report was written by a newer version.
        """
        try:
            from mitobench.report._reading import read_report

            return read_report(values)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, InvalidInputError):
                raise
            reason = f"key {error} is missing" if isinstance(error, KeyError) else str(error)
            raise InvalidInputError(
                f"not a mitobench report ({reason}); expected the JSON that `mitobench evaluate --json` writes"
            ) from error

    def to_json(self, path: PathOrStr | None = None) -> str:
        """Return the report as JSON, and write it to a file if one is named.

        Raises
        ------
        UnusableFileError
            The file cannot be written.
        """
        return write_json(self.to_dict(), path)

    @classmethod
    def from_json(cls, path: PathOrStr) -> Report:
        """Read a report that `to_json` wrote.

        Raises
        ------
        UnusableFileError
            The file is missing or is not JSON.
        InvalidInputError
            The JSON is not a report, or one of a newer version.
        """
        return read_json(path, cls.from_dict, "a report of `mitobench evaluate --json`")

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per volume, metric and bucket."""
        return [
            {
                "volume": volume.name,
                "metric": metric,
                "bucket": bucket,
                "value": value,
                "unit": self.metrics[metric].unit,
                "direction": self.metrics[metric].direction,
            }
            for volume in self.volumes
            for metric, buckets in volume.metrics.items()
            for bucket, value in buckets.items()
        ]

    def instance_rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per instance, of both sides of every volume."""
        return [
            {"volume": volume.name, "side": side, **dict(zip(columns, row, strict=True))}
            for volume in self.volumes
            for side, columns in volume.instances.items()
            for row in zip(*columns.values(), strict=True)
        ]

    def to_frame(self) -> pd.DataFrame:
        """Return `rows` as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=["volume", "metric", "bucket", "value", "unit", "direction"])

    def instances_frame(self) -> pd.DataFrame:
        """Return `instance_rows` as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.instance_rows())

    def __str__(self) -> str:
        from mitobench.render import to_text

        return to_text(self)


def overall_means(volumes: tuple[VolumeReport, ...], metrics: Mapping[str, MetricInfo]) -> dict[str, Value]:
    """Return the mean of the volumes' ``all`` values of every metric that is not a count."""
    means: dict[str, Value] = {}
    for metric, info in metrics.items():
        if info.unit == "instances":
            continue
        values = [volume.metrics[metric]["all"] for volume in volumes]
        defined = [value for value in values if value is not None]
        means[metric] = math.fsum(defined) / len(values) if len(defined) == len(values) else None
    return means
