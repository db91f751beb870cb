"""The front door: score a prediction, or the predictions of a benchmark, against ground truth."""

from __future__ import annotations

import hashlib
import warnings
from contextlib import ExitStack, closing
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench import __version__
from mitobench.errors import InputWarning, InvalidInputError
from mitobench.matching import Matching, match
from mitobench.metrics import check_ranking, compute, find_metric, instance_tables, precision_recall
from mitobench.overlap import DEFAULT_MEMORY, Instances, check_same_shape, overlap_pass
from mitobench.report import Columns, MetricInfo, Report, Source, VolumeReport, overall_means
from mitobench.rules import DEFAULT_RULE, Rule, find_rule, metric_name
from mitobench.scores import Scores, heat_map_scores, read_scores
from mitobench.strata import ALL_BUCKETS
from mitobench.types import Box, LabelVolume, Progress, Volume
from mitobench.volumes import open_image, open_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Pair", "evaluate_benchmark", "evaluate_pair"]

_MASK_SHARE = 0.9
"""A single id that covers this share of the foreground ..."""
_MASK_PIECES = 10
"""... in so many pieces in one section is probably a mask."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A prediction, its ground truth, and where the confidence of the predicted instances comes from.

    Attributes
    ----------
    pred, gt
        Label volumes (z, y, x): a path, ``path::dataset``, a folder of sections, or an array.
    scores
        Id -> score, an (n, 2) array, or a file of such a table; the voxel counts if neither this nor ``heat_map``.
    heat_map
        Image of shape (z, y, x) or (channel, z, y, x): an instance's score is its mean over the instance.
    heat_channel
        The channel to use; by default the mean over all of them.
    """

    pred: Any
    gt: Any
    scores: Scores | None = None
    heat_map: Any = None
    heat_channel: int | None = None

    def __post_init__(self) -> None:
        if self.scores is not None and self.heat_map is not None:
            raise InvalidInputError("scores and a heat map are given; expected one of them, leave the other out")
        if self.heat_channel is not None and self.heat_map is None:
            raise InvalidInputError("a heat channel is given without a heat map; name the heat map too")


def evaluate_pair(
    pred: Any,  # noqa: ANN401 - a path or an array of several libraries
    gt: Any,  # noqa: ANN401
    *,
    rule: str | Rule = DEFAULT_RULE,
    scores: Scores | None = None,
    heat_map: Any = None,  # noqa: ANN401
    heat_channel: int | None = None,
    name: str = "volume",
    rgb: bool = False,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score one predicted volume against its ground truth.

    Parameters
    ----------
    pred, gt, scores, heat_map, heat_channel
        As in `Pair`.
    rule
        Name of a rule in `mitobench.rules.RULES`, or a `Rule`.
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
        The shapes differ, ids are negative or no integers, scores do not fit the prediction.
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
    >>> report = evaluate_pair(gt, gt)
    >>> report.volumes[0].metrics["ap_75"]
    {'all': 1.0, 'small': 1.0, 'medium': None, 'large': None}
    """
    pair = Pair(pred=pred, gt=gt, scores=scores, heat_map=heat_map, heat_channel=heat_channel)
    return evaluate_benchmark({name: pair}, rule=rule, rgb=rgb, memory=memory, workers=workers, progress=progress)


def evaluate_benchmark(
    pairs: Mapping[str, Pair | tuple[Any, Any]],
    *,
    rule: str | Rule = DEFAULT_RULE,
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
    rule, rgb, memory, workers, progress
        As in `evaluate_pair`; progress starts anew for each volume.

    Raises
    ------
    InvalidInputError, UnusableFileError, UnknownNameError, MemoryLimitError
        As in `evaluate_pair`.
    """
    rule = find_rule(rule)
    check_ranking(rule)
    if not pairs:
        raise InvalidInputError("no volumes to evaluate; give at least one pair of prediction and ground truth")
    limits = {"memory": memory, "workers": workers, "progress": progress}
    with ExitStack() as files:
        opened = {name: _Opened(_pair(pair), files, rgb=rgb) for name, pair in pairs.items()}
        volumes = tuple(_score(name, pair, rule, limits) for name, pair in opened.items())
    metrics = {name: MetricInfo(find_metric(name).unit, find_metric(name).direction) for name in volumes[0].metrics}
    return Report(
        rule={**rule.to_dict(), "label": rule.label},
        volumes=volumes,
        overall=overall_means(volumes, metrics),
        metrics=metrics,
        tool={"name": "mitobench", "version": __version__},
    )


class _Opened:
    """The open files of a pair."""

    def __init__(self, pair: Pair, files: ExitStack, *, rgb: bool) -> None:
        self.pred = open_labels(pair.pred, rgb=rgb)
        _close_later(files, pair.pred, self.pred)
        self.gt = open_labels(pair.gt, rgb=rgb)
        _close_later(files, pair.gt, self.gt)
        check_same_shape(self.gt, self.pred)
        self.scores = None if pair.scores is None else read_scores(pair.scores)
        self.scores_name = str(pair.scores) if isinstance(pair.scores, str | PathLike) else "scores"
        self.heat_map = () if pair.heat_map is None else open_image(pair.heat_map)
        for channel in self.heat_map:
            _close_later(files, pair.heat_map, channel)
            check_same_shape(self.pred, channel)
        if pair.heat_channel is not None:
            if not 0 <= pair.heat_channel < len(self.heat_map):
                raise InvalidInputError(
                    f"{self.heat_map[0].name}: no channel {pair.heat_channel}; the channels are 0 to "
                    f"{len(self.heat_map) - 1}"
                )
            self.heat_map = (self.heat_map[pair.heat_channel],)


def _close_later(files: ExitStack, source: object, volume: Volume) -> None:
    """Close what was opened here; what the caller opened stays open."""
    if isinstance(source, str | PathLike):
        files.enter_context(closing(volume))


def _pair(pair: Pair | tuple[Any, Any]) -> Pair:
    return pair if isinstance(pair, Pair) else Pair(pred=pair[0], gt=pair[1])


def _score(name: str, opened: _Opened, rule: Rule, limits: Mapping[str, Any]) -> VolumeReport:
    table = overlap_pass(opened.gt, opened.pred, **limits)
    scores = heat_map_scores(opened.pred, opened.heat_map, **limits) if opened.heat_map else opened.scores
    try:
        matching = match(table, rule, scores=scores)
    except InvalidInputError as error:
        raise InvalidInputError(f"{opened.scores_name}: {error}") from error
    sides = ((opened.gt, table.gt), (opened.pred, table.pred))
    return VolumeReport(
        name=name,
        shape=opened.gt.shape,
        gt=_source(opened.gt, table.gt),
        pred=_source(opened.pred, table.pred),
        metrics=compute(matching),
        curves=_curves(matching),
        instances={side: _plain_columns(columns) for side, columns in instance_tables(matching).items()},
        warnings=tuple(text for volume, instances in sides for text in _warn_of_mask(volume, instances)),
    )


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


def _source(volume: LabelVolume, instances: Instances) -> Source:
    digest = hashlib.sha256(repr(volume.shape).encode())
    for column in vars(instances).values():
        digest.update(np.ascontiguousarray(column).tobytes())
    return Source(volume.name, str(volume.dtype), len(instances), digest.hexdigest())


def _warn_of_mask(volume: LabelVolume, instances: Instances) -> list[str]:
    """Warn when one id covers almost all foreground in many pieces: a mask where instances are needed."""
    if len(instances) == 0:
        return []
    largest = int(np.argmax(instances.size))
    share = instances.size[largest] / instances.size.sum()
    if share < _MASK_SHARE:
        return []
    pieces = _pieces_in_section(volume, instances, largest)
    if pieces < _MASK_PIECES:
        return []
    text = (
        f"{volume.name}: id {instances.id[largest]} covers {share:.0%} of the foreground, in {pieces} pieces in one "
        "section: this looks like a binary mask, but every instance needs an id of its own; label the connected "
        "components first"
    )
    warnings.warn(text, InputWarning, stacklevel=2)
    return [text]


def _pieces_in_section(volume: LabelVolume, instances: Instances, position: int) -> int:
    """Count the connected pieces of one instance in the section through its centroid."""
    from scipy import ndimage

    _, height, width = volume.shape
    z = round(float(instances.centroid[position, 0]))
    section = volume.read(Box((z, 0, 0), (z + 1, height, width)))[0]
    return int(ndimage.label(section == section.dtype.type(instances.id[position]))[1])
