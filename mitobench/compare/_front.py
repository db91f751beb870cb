"""The function that people call."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mitobench import __version__
from mitobench.compare._comparison import Comparison
from mitobench.compare._statistics import Paired, differences, found_by, instance_columns
from mitobench.errors import InvalidInputError
from mitobench.evaluate import Pair
from mitobench.evaluate._masks import warn_of_mask
from mitobench.evaluate._pair import OpenedPair
from mitobench.evaluate._volume import cable_lengths_of, matching_of, source_of
from mitobench.metrics import check_ranking, find_metric
from mitobench.overlap import DEFAULT_MEMORY, overlap_pass
from mitobench.report import MetricInfo
from mitobench.resampling import Bootstrap
from mitobench.rules import DEFAULT_RULE, Rule, find_rule
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mitobench.cable import CableLengths
    from mitobench.matching import Matching
    from mitobench.overlap import OverlapTable
    from mitobench.report import Source
    from mitobench.scores import Scores
    from mitobench.types import Progress

    _Passed = tuple[OpenedPair, OverlapTable]

__all__ = ["compare_pair"]


def compare_pair(
    pred_a: Any,  # noqa: ANN401 - a path or an array of several libraries
    pred_b: Any,  # noqa: ANN401
    gt: Any,  # noqa: ANN401
    *,
    rule: str | Rule = DEFAULT_RULE,
    scores_a: Scores | None = None,
    scores_b: Scores | None = None,
    cable_lengths: CableLengths | None = None,
    bootstrap: Bootstrap | None = None,
    names: tuple[str, str] = ("A", "B"),
    rgb: bool = False,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two predictions of one ground truth.

    Parameters
    ----------
    pred_a, pred_b, gt
        As in `mitobench.evaluate.Pair`.
    rule
        Name of a rule in `mitobench.rules.RULES`, or a `Rule`.
    scores_a, scores_b
        Confidence of the instances of each, as in `mitobench.evaluate.Pair`.
    cable_lengths
        Length in nm of the skeleton of each ground truth, which rules that sort by it need.
    bootstrap
        How intervals and p-values are made; `Bootstrap()` if not given.
    names
        What A and B are called.
    rgb, memory, workers, progress
        As in `mitobench.evaluate.evaluate_pair`; progress starts anew for B.

    Raises
    ------
    InvalidInputError
        The shapes differ, ids are negative or no integers, scores do not fit a prediction or cable lengths not the
        ground truth; the rule sorts by cable length and none are given.
    UnusableFileError
        A file is missing or damaged.
    UnknownNameError
        No such rule or dataset.
    MemoryLimitError
        A chunk, or the table of overlaps, does not fit in ``memory``.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.zeros((4, 32, 32), np.uint16)
    >>> gt[:, 2:10, 2:10], gt[:, 20:30, 2:10] = 1, 2
    >>> comparison = compare_pair(gt, np.where(gt == 2, gt, 0), gt)
    >>> comparison.of("recall_75").difference, comparison.found["all"]
    (0.5, {'both': 1, 'only_a': 1, 'only_b': 0, 'neither': 0})
    """
    rule, bootstrap = find_rule(rule), bootstrap or Bootstrap()
    check_ranking(rule)
    if rule.size_by == "cable-length" and cable_lengths is None:
        raise InvalidInputError(
            f"the buckets of the rule {rule.name} measure cable length, which is not given; give it with "
            "--cable-lengths, in Python cable_lengths"
        )
    limits: dict[str, Any] = {"memory": memory, "workers": workers, "progress": progress}
    pairs = [
        Pair(pred=pred, gt=gt, scores=scores, cable_lengths=cable_lengths)
        for pred, scores in ((pred_a, scores_a), (pred_b, scores_b))
    ]
    with ExitStack() as files:
        opened = [OpenedPair(pair, files, rule, rgb=rgb) for pair in pairs]
        passed = [(one, overlap_pass(one.gt, one.pred, **limits)) for one in opened]
        gt_source, *sources = _sources(passed)
        a, b = (_matched(one, table, rule, limits, gt_source) for one, table in passed)
        warnings = _warnings(passed)
    shape = opened[0].gt.shape
    pair = Paired.of(a, b, shape, bootstrap.unit)
    rows = differences(pair, bootstrap, default_workers() if workers is None else workers)
    infos = {row.metric: find_metric(row.metric) for row in rows}
    return Comparison(
        rule={**rule.to_dict(), "label": rule.label},
        names=names,
        shape=shape,
        gt=gt_source,
        a=sources[0],
        b=sources[1],
        differences=rows,
        found=found_by(pair),
        instances=instance_columns(pair),
        iou_threshold=rule.ranking_iou,
        metrics={name: MetricInfo(info.unit, info.direction) for name, info in infos.items()},
        uncertainty={"method": "bootstrap", **asdict(bootstrap), "occupied": pair.occupied},
        warnings=warnings,
        tool={"name": "mitobench", "version": __version__},
    )


def _sources(passed: Sequence[_Passed]) -> tuple[Source, Source, Source]:
    """Return what is said of ground truth, A and B."""
    gt, again = (source_of(opened.gt, table.gt) for opened, table in passed)
    if gt != again:
        raise InvalidInputError(f"{gt.name}: changed while it was read; compare when it is complete")
    a, b = (source_of(opened.pred, table.pred) for opened, table in passed)
    return gt, a, b


def _matched(opened: OpenedPair, table: OverlapTable, rule: Rule, limits: Mapping[str, Any], gt: Source) -> Matching:
    lengths = cable_lengths_of(opened, table, rule, limits, gt.fingerprint)
    return matching_of(opened, table, rule, limits, lengths)


def _warnings(passed: Sequence[_Passed]) -> tuple[str, ...]:
    sides = [(passed[0][0].gt, passed[0][1].gt), *((opened.pred, table.pred) for opened, table in passed)]
    return tuple(text for volume, instances in sides for text in warn_of_mask(volume, instances))
