"""The functions that people call."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mitobench import __version__
from mitobench.errors import InvalidInputError
from mitobench.evaluate._pair import MITOEM_VOXEL_SIZE, OpenedPair, Pair, as_pair
from mitobench.evaluate._volume import Analysis, score_volume
from mitobench.metrics import check_ranking, find_metric
from mitobench.overlap import DEFAULT_MEMORY
from mitobench.report import MetricInfo, Report, overall_means
from mitobench.rules import DEFAULT_RULE, Rule, find_rule
from mitobench.uncertainty import overall_intervals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitobench.cable import CableLengths
    from mitobench.resampling import Bootstrap
    from mitobench.scores import Scores
    from mitobench.types import PathOrStr, Progress

__all__ = ["evaluate_benchmark", "evaluate_pair"]


def evaluate_pair(
    pred: Any,  # noqa: ANN401 - a path or an array of several libraries
    gt: Any,  # noqa: ANN401
    *,
    rule: str | Rule = DEFAULT_RULE,
    scores: Scores | None = None,
    heat_map: Any = None,  # noqa: ANN401
    heat_channel: int | None = None,
    cable_lengths: CableLengths | None = None,
    cable_file: PathOrStr | None = None,
    voxel_size: tuple[float, float, float] = MITOEM_VOXEL_SIZE,
    repairs: bool = False,
    intervals: Bootstrap | None = None,
    name: str = "volume",
    rgb: bool = False,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score one predicted volume against its ground truth.

    Parameters
    ----------
    pred, gt, scores, heat_map, heat_channel, cable_lengths, cable_file, voxel_size
        As in `Pair`.
    rule
        Name of a rule in `mitobench.rules.RULES`, or a `Rule`.
    repairs
        Also find out what each class of error costs, and how many repairs reach 0.9.
    intervals
        Also make confidence intervals of every metric, in this way: ``Bootstrap()`` for 95 % from 1,000 resamples of
        blocks of the volume.
    name
        What the report calls the volume.
    rgb
        Decode the colours of TIFF or PNG sections as ids, R*65536 + G*256 + B.
    memory
        Bytes that the buffers of the streaming pass may take; the interpreter and its libraries need about 200 MB
        beside them.
    workers
        Threads; as many as processors by default.
    progress
        Called with (voxels done, voxels in all).

    Raises
    ------
    InvalidInputError
        The shapes differ, ids are negative or no integers, scores do not fit the prediction or cable lengths not the
        ground truth.
    UnusableFileError
        A file is missing or damaged.
    UnknownNameError
        No such rule or dataset.
    MissingExtraError
        The rule sorts by cable length, none are given, and kimimaro is not installed.
    MemoryLimitError
        A chunk, or the table of overlaps, does not fit in ``memory``.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.zeros((4, 32, 32), np.uint16)
    >>> gt[:, 2:10, 2:10], gt[:, 20:30, 2:10] = 1, 2
    >>> report = evaluate_pair(gt, gt)
    >>> report.volumes[0].metrics["ap_75"]
    {'all': 1.0, 'small': 1.0, 'medium': None, 'large': None}
    """
    pair = Pair(
        pred=pred,
        gt=gt,
        scores=scores,
        heat_map=heat_map,
        heat_channel=heat_channel,
        cable_lengths=cable_lengths,
        cable_file=cable_file,
        voxel_size=voxel_size,
    )
    return evaluate_benchmark(
        {name: pair},
        rule=rule,
        repairs=repairs,
        intervals=intervals,
        rgb=rgb,
        memory=memory,
        workers=workers,
        progress=progress,
    )


def evaluate_benchmark(
    pairs: Mapping[str, Pair | tuple[Any, Any]],
    *,
    rule: str | Rule = DEFAULT_RULE,
    repairs: bool = False,
    intervals: Bootstrap | None = None,
    rgb: bool = False,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score the volumes of a benchmark, such as MitoEM-H and MitoEM-R.

    Parameters
    ----------
    pairs
        Name of the volume -> (prediction, ground truth), or a `Pair`. Every volume is opened and checked before the
        first one is scored.
    rule, repairs, intervals, rgb, memory, workers, progress
        As in `evaluate_pair`; progress starts anew for each volume.

    Raises
    ------
    InvalidInputError, UnusableFileError, UnknownNameError, MissingExtraError, MemoryLimitError
        As in `evaluate_pair`.
    """
    rule = find_rule(rule)
    check_ranking(rule)
    if not pairs:
        raise InvalidInputError("no volumes to evaluate; give at least one pair of prediction and ground truth")
    limits = {"memory": memory, "workers": workers, "progress": progress}
    with ExitStack() as files:
        opened = {name: OpenedPair(as_pair(pair), files, rule, rgb=rgb) for name, pair in pairs.items()}
        scored = [
            score_volume(name, pair, rule, limits, Analysis(repairs=repairs, intervals=intervals), number)
            for number, (name, pair) in enumerate(opened.items())
        ]
    volumes = tuple(one.report for one in scored)
    resamples = [one.resampled for one in scored if one.resampled is not None]
    metrics = {name: MetricInfo(find_metric(name).unit, find_metric(name).direction) for name in volumes[0].metrics}
    return Report(
        rule={**rule.to_dict(), "label": rule.label},
        volumes=volumes,
        overall=overall_means(volumes, metrics),
        metrics=metrics,
        tool={"name": "mitobench", "version": __version__},
        overall_intervals=overall_intervals(resamples) if resamples else {},
        uncertainty=None if intervals is None else {"method": "bootstrap", **asdict(intervals)},
    )
