"""The result of a comparison as one frozen value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mitobench.json_files import plain, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from mitobench.report import Columns, MetricInfo, Source, Value
    from mitobench.types import PathOrStr, Shape

__all__ = ["COMPARISON_SCHEMA_VERSION", "FOUND_BY", "Comparison", "Difference"]

COMPARISON_SCHEMA_VERSION = 1
FOUND_BY = ("both", "only_a", "only_b", "neither")
"""What becomes of a ground truth."""


@dataclass(frozen=True)
class Difference:
    """One metric in one bucket, for two predictions A and B.

    Attributes
    ----------
    metric, bucket
        As in a `mitobench.report.VolumeReport`.
    a, b
        Value of each; None where undefined.
    difference
        a - b; None where one of them is undefined.
    low, high
        Ends of the confidence interval of the difference, None where there is none, see `mitobench.uncertainty`.
    p_bootstrap
        1 minus the level of the widest such interval that does not reach 0; None where there is no interval.
    p_permutation
        How often a difference at least as large comes of swapping A and B at random, block by block.
    """

    metric: str
    bucket: str
    a: Value
    b: Value
    difference: Value
    low: float | None
    high: float | None
    p_bootstrap: float | None
    p_permutation: float | None


@dataclass(frozen=True)
class Comparison:
    """Two predictions of one ground truth under one named rule.

    Attributes
    ----------
    rule
        The fields of the rule, its ``label`` among them.
    names
        What A and B are called.
    shape
        Voxels along z, y, x.
    gt, a, b
        What was compared.
    differences
        One for each metric and bucket.
    found
        Bucket, ``all`` among them -> ``both``, ``only_a``, ``only_b``, ``neither`` -> number of ground truths.
    instances
        Columns with one row per ground truth: ``id``, ``size``, ``bucket``, half-open bounding box ``z0`` ... ``x1``,
        centroid ``z``, ``y``, ``x`` (voxels), ``found_a``, ``found_b``, and ``iou_a``, ``iou_b``, the highest IoU with
        any prediction.
    iou_threshold
        At which a ground truth is found or not.
    metrics
        Metric -> unit and direction.
    uncertainty
        How intervals and p-values were made: ``method``, ``resamples``, ``level``, ``unit``, ``seed``, ``occupied``
        (the number of units that hold an instance).
    warnings
        What looked wrong with the input.
    tool
        ``name`` and ``version`` of the program that made this.
    schema_version
        Of the JSON form.
    """

    rule: Mapping[str, Any]
    names: tuple[str, str]
    shape: Shape
    gt: Source
    a: Source
    b: Source
    differences: tuple[Difference, ...]
    found: Mapping[str, Mapping[str, int]]
    instances: Columns
    iou_threshold: float
    metrics: Mapping[str, MetricInfo]
    uncertainty: Mapping[str, Any]
    warnings: tuple[str, ...]
    tool: Mapping[str, str]
    schema_version: int = COMPARISON_SCHEMA_VERSION

    @property
    def same_labels(self) -> bool:
        """Whether A and B are the same labels, however they are stored."""
        return self.a.fingerprint == self.b.fingerprint

    def of(self, metric: str, bucket: str = "all") -> Difference:
        """Return the difference in one metric and bucket; KeyError if there is none."""
        for difference in self.differences:
            if (difference.metric, difference.bucket) == (metric, bucket):
                return difference
        raise KeyError((metric, bucket))

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, numbers and None."""
        values = asdict(self)
        return {key: plain(values[key]) for key in ("schema_version", "tool", "rule", "names", *values)}

    def to_json(self, path: PathOrStr | None = None) -> str:
        """Return the comparison as JSON, and write it to a file if one is named.

        Raises
        ------
        UnusableFileError
            The file cannot be written.
        """
        return write_json(self.to_dict(), path)

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per metric and bucket, with its unit and direction."""
        return [{**asdict(difference), **asdict(self.metrics[difference.metric])} for difference in self.differences]

    def instance_rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per ground truth."""
        return [dict(zip(self.instances, row, strict=True)) for row in zip(*self.instances.values(), strict=True)]

    def to_frame(self) -> pd.DataFrame:
        """Return `rows` as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def instances_frame(self) -> pd.DataFrame:
        """Return `instance_rows` as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.instances)

    def __str__(self) -> str:
        from mitobench.render.comparison import comparison_text

        return comparison_text(self)
