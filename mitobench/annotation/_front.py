"""The function that people call."""

from __future__ import annotations

from contextlib import ExitStack, closing
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench import __version__
from mitobench.annotation._attribution import Intermediates, attribute, with_gt
from mitobench.annotation._diff import AnnotationDiff, ScoreChange
from mitobench.annotation._edits import TOUCH_UP_IOU, find_edits
from mitobench.annotation._tables import Versions, count_kinds, count_voxels, edit_columns, instance_columns
from mitobench.annotation._versions import triples_pass
from mitobench.cable import read_cable_lengths
from mitobench.errors import InvalidInputError
from mitobench.evaluate._masks import warn_of_mask
from mitobench.evaluate._pair import name_of
from mitobench.evaluate._volume import source_of
from mitobench.matching import check_cable_lengths, match
from mitobench.metrics import check_ranking, compute, find_metric
from mitobench.overlap import DEFAULT_MEMORY, check_same_shape, overlap_pass
from mitobench.report import MetricInfo
from mitobench.rules import DEFAULT_RULE, Rule, find_rule
from mitobench.scores import read_scores
from mitobench.strata import cable_bucket, size_bucket
from mitobench.volumes import open_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mitobench.cable import CableLengths
    from mitobench.overlap import Instances, OverlapTable
    from mitobench.scores import Scores
    from mitobench.strata import Int8, Result
    from mitobench.types import Float64, LabelVolume, Progress, Uint64

    _Given = tuple[CableLengths | None, CableLengths | None]
    _Lengths = Sequence[Mapping[int, float] | None]

__all__ = ["diff_annotations"]


def diff_annotations(
    old: Any,  # noqa: ANN401 - a path or an array of several libraries
    new: Any,  # noqa: ANN401
    *,
    pred: Any = None,  # noqa: ANN401
    rule: str | Rule = DEFAULT_RULE,
    scores: Scores | None = None,
    cable_lengths: tuple[CableLengths, CableLengths] | None = None,
    names: tuple[str, str] = ("old", "new"),
    rgb: bool = False,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> AnnotationDiff:
    """Find out what was edited between two versions of an annotation, and what that does to a prediction's score.

    One pass over the two versions finds the edits. With a prediction, a second pass reads all three volumes.

    Parameters
    ----------
    old, new
        Label volumes as `mitobench.evaluate.Pair` takes them.
    pred
        A prediction to score against both.
    rule
        Name of a rule in `mitobench.rules.RULES`, or a `Rule`. Its buckets sort instances; what it drops from a ground
        truth counts as an edit all the same.
    scores
        Confidence of the predicted instances, as in `mitobench.evaluate.Pair`.
    cable_lengths
        Of the instances of the old version and of the new one, which rules that sort by them need.
    names
        What the two versions are called.
    rgb, memory, workers, progress
        As in `mitobench.evaluate.evaluate_pair`; progress starts anew for the second pass.

    Raises
    ------
    InvalidInputError
        The shapes differ, ids are negative or no integers, scores do not fit the prediction or cable lengths not a
        version; scores are given without a prediction; the rule sorts by cable length and none are given.
    UnusableFileError
        A file is missing or damaged.
    UnknownNameError
        No such rule or dataset.
    MemoryLimitError
        A chunk, or the table of overlaps, does not fit in ``memory``.

    Examples
    --------
    >>> import numpy as np
    >>> old = np.zeros((4, 32, 32), np.uint16)
    >>> old[:, 2:10, 2:30], old[:, 20:30, 2:10] = 1, 2
    >>> new = np.where(old == 2, 0, old)
    >>> new[:, 2:10, 12:30] *= 3
    >>> diff = diff_annotations(old, new, pred=new)
    >>> list(zip(diff.edits["kind"], diff.edits["old_ids"], diff.edits["new_ids"]))
    [('split', [1], [1, 3]), ('removed', [2], [])]
    >>> {kind: round(share["all"], 2) for kind, share in diff.prediction.attribution.share.items()}
    {'removed': 0.17, 'split': 0.83}
    """
    rule = find_rule(rule)
    check_ranking(rule)
    _check_arguments(rule, pred, scores, cable_lengths)
    limits: dict[str, Any] = {"memory": memory, "workers": workers, "progress": progress}
    confidence = None if scores is None else read_scores(scores)
    given = (None, None) if cable_lengths is None else cable_lengths
    lengths = [None if one is None else read_cable_lengths(one) for one in given]
    with ExitStack() as files:
        volumes = [_opened(files, source, rgb=rgb) for source in (old, new, pred) if source is not None]
        for volume in volumes[1:]:
            check_same_shape(volumes[0], volume)
        pairs = overlap_pass(volumes[0], volumes[1], **limits)
        known = _known(pairs, lengths, given)
        triples = triples_pass(volumes[0], volumes[1], pairs, volumes[2], limits) if len(volumes) > 2 else None
        sides = [pairs.gt, pairs.pred, *([] if triples is None else [triples.pred])]
        sources = [source_of(*one) for one in zip(volumes, sides, strict=True)]
        warnings = tuple(text for one in zip(volumes, sides, strict=True) for text in warn_of_mask(*one))
    edits = find_edits(pairs)
    buckets = _bucket(pairs.gt, rule, known[0]), _bucket(pairs.pred, rule, known[1])
    versions = Versions(pairs, edits, buckets, known)
    change = None
    if triples is not None:
        results = _scored(_against(triples, pairs), rule, confidence, lengths, name_of(scores, "scores"))
        attribution = attribute(Intermediates(triples, pairs, edits), edits, rule, confidence)
        change = ScoreChange(sources[2], *results, {name: _info(name) for name in results[0]}, attribution)
    return AnnotationDiff(
        rule={**rule.to_dict(), "label": rule.label},
        names=names,
        shape=volumes[0].shape,
        old=sources[0],
        new=sources[1],
        voxels=count_voxels(pairs, edits),
        kinds=count_kinds(versions),
        renumbered=int(edits.renumbered.sum()),
        edits=edit_columns(versions),
        instances=instance_columns(versions),
        prediction=change,
        touch_up_iou=TOUCH_UP_IOU,
        warnings=warnings,
        tool={"name": "mitobench", "version": __version__},
    )


def _check_arguments(rule: Rule, pred: object, scores: object, cable_lengths: object) -> None:
    """Find what is wrong before the first file is opened."""
    if rule.size_by == "cable-length" and cable_lengths is None:
        raise InvalidInputError(
            f"the buckets of the rule {rule.name} measure cable length, which is not given; give it for both versions "
            "with --cable-lengths, in Python cable_lengths"
        )
    if scores is not None and pred is None:
        raise InvalidInputError("scores are given without a prediction; name the prediction too")


def _opened(files: ExitStack, source: Any, *, rgb: bool) -> LabelVolume:  # noqa: ANN401
    """Open a volume, and close it later unless the caller has opened it."""
    volume = open_labels(source, rgb=rgb)
    if isinstance(source, str | PathLike):
        files.enter_context(closing(volume))
    return volume


def _known(pairs: OverlapTable, lengths: _Lengths, given: _Given) -> tuple[Float64 | None, Float64 | None]:
    """Return the cable length of each instance of both versions, None where none are given."""
    old, new = (
        None if one is None else _checked(one, side.id, name_of(source, f"cable lengths of the {version} version"))
        for one, side, source, version in zip(lengths, (pairs.gt, pairs.pred), given, ("old", "new"), strict=True)
    )
    return old, new


def _checked(lengths: Mapping[int, float], ids: Uint64, name: str) -> Float64:
    try:
        return check_cable_lengths(lengths, ids)
    except InvalidInputError as error:
        raise InvalidInputError(f"{name}: {error}") from error


def _bucket(instances: Instances, rule: Rule, lengths: Float64 | None) -> Int8:
    if rule.size_by == "voxels":
        return size_bucket(instances.size, rule.size_thresholds)
    assert lengths is not None  # noqa: S101 - refused by _check_arguments
    return cable_bucket(lengths, rule.size_thresholds)


def _against(triples: OverlapTable, pairs: OverlapTable) -> tuple[OverlapTable, OverlapTable]:
    """Return the overlap tables of the prediction with the old version and with the new one."""
    old, new = (with_gt(triples, np.append(np.uint64(0), ids)[triples.gt_id]) for ids in (pairs.gt_id, pairs.pred_id))
    return old, new


def _scored(
    tables: tuple[OverlapTable, OverlapTable],
    rule: Rule,
    scores: Mapping[int, float] | None,
    lengths: _Lengths,
    name: str,
) -> tuple[Result, Result]:
    """Return every metric of the prediction against both versions."""
    try:
        old, new = (
            match(table, rule, scores=scores, cable_lengths=one) for table, one in zip(tables, lengths, strict=True)
        )
    except InvalidInputError as error:
        raise InvalidInputError(f"{name}: {error}") from error
    return compute(old), compute(new)


def _info(metric: str) -> MetricInfo:
    family = find_metric(metric)
    return MetricInfo(family.unit, family.direction)
