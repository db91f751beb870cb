"""From the open files of one pair to the report of one volume."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.cable import cable_lengths, load_cable_lengths, save_cable_lengths
from mitobench.errors import InvalidInputError
from mitobench.evaluate._masks import warn_of_mask
from mitobench.evaluate._pair import name_of
from mitobench.matching import check_cable_lengths, match
from mitobench.metrics import compute, instance_tables, mode_differences, precision_recall, repair_analysis
from mitobench.overlap import overlap_pass
from mitobench.report import Columns, Resamples, Source, VolumeReport
from mitobench.rules import metric_name
from mitobench.scores import heat_map_scores
from mitobench.strata import ALL_BUCKETS
from mitobench.uncertainty import Resampled, block_scores, fewest_units, intervals, resampled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mitobench.evaluate._pair import OpenedPair
    from mitobench.matching import Matching
    from mitobench.overlap import Instances, OverlapTable
    from mitobench.report import Value
    from mitobench.resampling import Bootstrap
    from mitobench.rules import Rule
    from mitobench.types import LabelVolume, Shape

__all__ = ["Analysis", "Scored", "cable_lengths_of", "matching_of", "score_volume", "source_of"]


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What to find out besides the scores.

    Attributes
    ----------
    repairs
        What each class of error costs.
    intervals
        How far the scores can be trusted; None for no intervals.
    """

    repairs: bool
    intervals: Bootstrap | None


@dataclass(frozen=True, eq=False)
class Scored:
    """The report of one volume, and its resamples where intervals are wanted, from which those of a benchmark come."""

    report: VolumeReport
    resampled: Resampled | None


def score_volume(
    name: str, opened: OpenedPair, rule: Rule, limits: Mapping[str, Any], analysis: Analysis, number: int
) -> Scored:
    """Return the report of one volume.

    Parameters
    ----------
    name
        What the report calls it.
    opened
        The open files.
    rule
        How to score.
    limits
        ``memory``, ``workers`` and ``progress`` of the streaming passes.
    analysis
        What to find out besides the scores.
    number
        Of the volume in its benchmark.
    """
    table = overlap_pass(opened.gt, opened.pred, **limits)
    sources = source_of(opened.gt, table.gt), source_of(opened.pred, table.pred)
    lengths = cable_lengths_of(opened, table, rule, limits, sources[0].fingerprint)
    matching = matching_of(opened, table, rule, limits, lengths)
    sides = ((opened.gt, table.gt), (opened.pred, table.pred))
    resamples = None
    if analysis.intervals is not None:
        resamples = resampled(matching, opened.gt.shape, analysis.intervals, volume=number, workers=limits["workers"])
    report = VolumeReport(
        name=name,
        shape=opened.gt.shape,
        gt=sources[0],
        pred=sources[1],
        metrics=compute(matching),
        curves=_curves(matching),
        instances={side: _plain_columns(columns) for side, columns in instance_tables(matching).items()},
        warnings=tuple(text for volume, instances in sides for text in warn_of_mask(volume, instances)),
        notes=(*mode_differences(matching), *_why_no_intervals(resamples)),
        intervals={} if resamples is None else intervals(resamples),
        repairs=repair_analysis(matching).to_dict() if analysis.repairs else None,
        resamples=None if resamples is None else _resamples(matching, opened.gt.shape, resamples),
    )
    return Scored(report, resamples)


def _resamples(matching: Matching, shape: Shape, resamples: Resampled) -> Resamples:
    """Return the ranked metric in each resample and in each block."""
    ranked = matching.rule.rank_by
    by_block = block_scores(matching, shape)[ranked] if resamples.bootstrap.unit == "blocks" else {}
    return Resamples(
        resamples.occupied,
        values={bucket: _plain_values(values) for bucket, values in resamples.values[ranked].items()},
        by_block={bucket: _plain_values(by_block.get(bucket, ())) for bucket in ALL_BUCKETS},
    )


def _plain_values(values: Iterable[float]) -> list[Value]:
    return [None if np.isnan(value) else float(value) for value in values]


def _why_no_intervals(resamples: Resampled | None) -> list[str]:
    if resamples is None or resamples.occupied >= fewest_units(resamples.bootstrap.level):
        return []
    what, instead = "number of blocks", "; over single instances they may be possible"
    if resamples.bootstrap.unit == "instances":
        what, instead = "number of instances with their predictions", ""
    fewest = fewest_units(resamples.bootstrap.level)
    return [f"No intervals: the {what} is {resamples.occupied}, and it takes {fewest}{instead}."]


def source_of(volume: LabelVolume, instances: Instances) -> Source:
    """Return what a report says of one side, with the fingerprint of its content."""
    digest = hashlib.sha256(repr(volume.shape).encode())
    for column in vars(instances).values():
        digest.update(np.ascontiguousarray(column).tobytes())
    return Source(volume.name, str(volume.dtype), len(instances), digest.hexdigest())


def matching_of(
    opened: OpenedPair,
    table: OverlapTable,
    rule: Rule,
    limits: Mapping[str, Any],
    lengths: Mapping[int, float] | None,
) -> Matching:
    """Return the pairs, with the scores and the lengths that belong to the open files."""
    scores = heat_map_scores(opened.pred, opened.heat_map, **limits) if opened.heat_map else opened.scores
    try:
        return match(table, rule, scores=scores, cable_lengths=lengths)
    except InvalidInputError as error:
        raise InvalidInputError(f"{name_of(opened.pair.scores, 'scores')}: {error}") from error


def cable_lengths_of(
    opened: OpenedPair, table: OverlapTable, rule: Rule, limits: Mapping[str, Any], fingerprint: str
) -> Mapping[int, float] | None:
    """Return the cable lengths of the ground truth: given, kept from an earlier run, or measured if the rule asks."""
    if opened.cable_lengths is not None:
        try:
            check_cable_lengths(opened.cable_lengths, table.gt.id)
        except InvalidInputError as error:
            raise InvalidInputError(f"{name_of(opened.pair.cable_lengths, 'cable lengths')}: {error}") from error
        return opened.cable_lengths
    if rule.size_by != "cable-length":
        return None
    pair = opened.pair
    settings = {"anisotropy": rule.skeleton_anisotropy, "voxel_size": pair.voxel_size}
    if pair.cable_file is not None:
        kept = load_cable_lengths(pair.cable_file, fingerprint=fingerprint, settings=settings)
        if kept is not None:
            return kept
    measured = cable_lengths(
        opened.gt,
        table.gt,
        anisotropy=rule.skeleton_anisotropy,
        voxel_size=pair.voxel_size,
        workers=limits["workers"],
        progress=limits["progress"],
    )
    if pair.cable_file is not None:
        save_cable_lengths(pair.cable_file, measured, fingerprint=fingerprint, settings=settings)
    return measured


def _curves(matching: Matching) -> dict[str, dict[str, list[float] | None]]:
    curves: dict[str, dict[str, list[float] | None]] = {}
    for threshold in matching.rule.iou_thresholds:
        by_bucket = curves[metric_name("precision", threshold)] = {}
        for bucket in ALL_BUCKETS:
            curve = precision_recall(matching, iou_threshold=threshold, bucket=bucket)
            by_bucket[bucket] = None if curve is None else curve[1].tolist()
    return curves


def _plain_columns(columns: Mapping[str, Any]) -> Columns:
    return {name: column.tolist() if isinstance(column, np.ndarray) else column for name, column in columns.items()}
