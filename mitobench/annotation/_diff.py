"""What was edited between two versions of an annotation, as one frozen value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mitobench.errors import InvalidInputError
from mitobench.json_files import plain, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from mitobench.annotation._attribution import Attribution
    from mitobench.report import Columns, MetricInfo, Source, Value
    from mitobench.types import PathOrStr, Shape

__all__ = ["DIFF_SCHEMA_VERSION", "AnnotationDiff", "ScoreChange"]

DIFF_SCHEMA_VERSION = 1
_WRITER = "the JSON that `mitobench dataset diff --json` writes"


@dataclass(frozen=True)
class ScoreChange:
    """The scores of one prediction against two versions of an annotation.

    Attributes
    ----------
    pred
        What was scored.
    old, new
        Metric -> bucket -> value against each version; None where it is undefined.
    metrics
        Metric -> unit and direction.
    attribution
        Which edits changed the metric that the rule ranks by.
    """

    pred: Source
    old: Mapping[str, Mapping[str, Value]]
    new: Mapping[str, Mapping[str, Value]]
    metrics: Mapping[str, MetricInfo]
    attribution: Attribution

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per metric and bucket."""
        return [
            {"metric": metric, "bucket": bucket, "old": value, "new": self.new[metric][bucket], **asdict(info)}
            for metric, info in self.metrics.items()
            for bucket, value in self.old[metric].items()
        ]


@dataclass(frozen=True)
class AnnotationDiff:
    """What was edited between two versions of an annotation.

    Attributes
    ----------
    rule
        The fields of the rule, its ``label`` among them; its buckets sort the instances.
    names
        What the two versions are called.
    shape
        Voxels along z, y, x.
    old, new
        What was compared.
    voxels
        ``old`` and ``new`` (foreground of each), ``to_background``, ``to_foreground``, ``relabelled`` (foreground of
        both whose instance is another one) and ``changed``, the sum of these three.
    kinds
        Kind, as in `EDIT_KINDS` -> ``edits`` (groups of instances), ``old`` and ``new`` (number of instances by bucket,
        ``all`` among them), ``voxels`` (changed ones; a voxel that went from one edit to another counts in both).
    renumbered
        Number of unchanged instances whose id is another one.
    edits
        Columns with one row per group that is not unchanged: ``edit`` (its number), ``kind``, ``bucket`` (the highest
        of its instances), ``old_ids``, ``new_ids``, ``old_voxels``, ``new_voxels``, ``voxels_changed``, ``iou`` (of
        its old voxels with its new ones), the half-open bounding box ``z0`` ... ``x1`` and the centroid ``z``, ``y``,
        ``x`` of all its voxels.
    instances
        ``old`` and ``new`` -> columns with one row per instance: ``id``, ``size``, ``bucket``, ``kind``, ``edit``,
        ``partner`` (id in the other version with the highest IoU), ``iou`` with it, box, centroid, ``cable_length``.
    prediction
        The scores of a prediction against both; None without one.
    touch_up_iou
        From which a new shape of one instance is ``touched-up`` and no longer ``reshaped``.
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
    old: Source
    new: Source
    voxels: Mapping[str, int]
    kinds: Mapping[str, Mapping[str, Any]]
    renumbered: int
    edits: Columns
    instances: Mapping[str, Columns]
    prediction: ScoreChange | None
    touch_up_iou: float
    warnings: tuple[str, ...]
    tool: Mapping[str, str]
    schema_version: int = DIFF_SCHEMA_VERSION

    @property
    def same_labels(self) -> bool:
        """Whether both versions are the same labels, however they are stored."""
        return self.old.fingerprint == self.new.fingerprint

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, numbers and None; `from_dict` is the inverse."""
        values = asdict(self)
        return {key: plain(values[key]) for key in ("schema_version", "tool", *values)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AnnotationDiff:
        """Return the value of a dictionary made by `to_dict`.

        Raises
        ------
        InvalidInputError
            A key is missing or of another type, or a newer version wrote it.
        """
        try:
            from mitobench.annotation._reading import read_diff

            return read_diff(values)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, InvalidInputError):
                raise
            reason = f"key {error} is missing" if isinstance(error, KeyError) else str(error)
            raise InvalidInputError(f"not a diff of annotations ({reason}); expected {_WRITER}") from error

    def to_json(self, path: PathOrStr | None = None) -> str:
        """Return the value as JSON, and write it to a file if one is named.

        Raises
        ------
        UnusableFileError
            The file cannot be written.
        """
        return write_json(self.to_dict(), path)

    @classmethod
    def from_json(cls, path: PathOrStr) -> AnnotationDiff:
        """Read what `to_json` wrote.

        Raises
        ------
        UnusableFileError
            The file is missing or is not JSON.
        InvalidInputError
            The JSON is something else, or of a newer version.
        """
        return read_json(path, cls.from_dict, _WRITER)

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per edit."""
        return [dict(zip(self.edits, row, strict=True)) for row in zip(*self.edits.values(), strict=True)]

    def instance_rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per instance of both versions."""
        return [
            {"version": version, **dict(zip(columns, row, strict=True))}
            for version, columns in self.instances.items()
            for row in zip(*columns.values(), strict=True)
        ]

    def to_frame(self) -> pd.DataFrame:
        """Return `rows` as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(dict(self.edits))

    def instances_frame(self) -> pd.DataFrame:
        """Return `instance_rows` as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.instance_rows())

    def __str__(self) -> str:
        from mitobench.render.annotation import diff_text

        return diff_text(self)
