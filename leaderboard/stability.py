"""How far ranks depend on which part of the tissue is in the volumes: resample by resample.

Resamples of blocks that were made with equal settings of one ground truth drew the same blocks for every method. So the
i-th values of two methods are a pair, as in `mitobench.compare`, and ranks can be given anew in each resample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaderboard.blocks import BlockScores, alike
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from leaderboard.board import Board
    from leaderboard.entry import Entry
    from mitobench.types import Float64

__all__ = ["PairedDifference", "RankSpread", "Stability", "paired_difference", "rank_stability"]

_DEFINED = 0.95
"""Share of the resamples in which a metric has to be defined, as for an interval of `mitobench.uncertainty`."""


@dataclass(frozen=True)
class RankSpread:
    """The rank of a method over the resamples.

    Attributes
    ----------
    key
        Of the entry.
    rank
        Among those compared.
    low, high
        Between which the rank lies, at the level of the intervals; rounded outwards.
    mean
        Over the resamples.
    first
        Share of the resamples in which no other is better.
    """

    key: str
    rank: int
    low: int
    high: int
    mean: float
    first: float


@dataclass(frozen=True)
class Stability:
    """The ranks of the methods of a board over the resamples.

    Attributes
    ----------
    bucket
        What was ranked by: ``all`` instances, or those of a size.
    level
        Of the intervals.
    resamples
        How many there are in which every method has a value.
    occupied
        Number of blocks that hold an instance, in the volume with the fewest.
    spreads
        By rank.
    better
        Key -> other key -> share of the resamples in which the first scores higher; ties count half.
    left_out
        Key -> why the entry could not be compared.
    """

    bucket: str
    level: float
    resamples: int
    occupied: int
    spreads: tuple[RankSpread, ...]
    better: Mapping[str, Mapping[str, float]]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class PairedDifference:
    """How far two methods differ in the metric that they are ranked by.

    Attributes
    ----------
    value
        The first minus the second; None where one of them is undefined.
    low, high
        Ends of the confidence interval; None where there is none.
    p
        p-value of the bootstrap; None where there is no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None


def rank_stability(board: Board, *, bucket: str = "all") -> Stability | None:
    """Rank the methods of a board in each resample, by the mean over the volumes.

    The largest group of entries is compared whose resamples drew the same blocks. Values that differ by rounding only
    are equal.

    Parameters
    ----------
    board
        With entries of different keys.
    bucket
        ``all``, ``small``, ``medium`` or ``large``.

    Returns
    -------
    Stability | None
        None if fewer than two entries can be compared, too few blocks hold an instance for an interval, or in more
        than 5 % of the resamples the metric is undefined for one of them.
    """
    import numpy as np

    from mitobench.uncertainty import interval

    group, left_out = alike(board.entries, _drawn, "other ground truth, or intervals made in another way,")
    scored = {scores.entry.key: _score(scores.entry, bucket) for scores in group}
    left_out |= {key: "its score is undefined" for key, score in scored.items() if score is None}
    compared = [scores for scores in group if scored[scores.entry.key] is not None]
    if len(compared) < 2:
        return None
    values = np.stack([scores.values(bucket) for scores in compared])
    complete = values[:, ~np.isnan(values).any(axis=0)]
    occupied, level = min(_occupied(compared)), compared[0].bootstrap.level
    keys = [scores.entry.key for scores in compared]
    ranks = _ranks(complete)
    ends = [found for own in ranks if (found := interval(own, occupied, level)) is not None]
    if complete.shape[1] < _DEFINED * values.shape[1] or len(ends) < len(keys):
        return None
    now = _ranks(np.array([[scored[key]] for key in keys], np.float64))
    return Stability(
        bucket=bucket,
        level=level,
        resamples=complete.shape[1],
        occupied=occupied,
        spreads=tuple(sorted(map(_spread, keys, now[:, 0].tolist(), ranks, ends), key=lambda spread: spread.rank)),
        better=_better(keys, complete),
        left_out=left_out,
    )


def paired_difference(a: Entry, b: Entry, *, volume: str | None = None, bucket: str = "all") -> PairedDifference | None:
    """Return how far two methods differ, over the resamples that they have in common.

    The interval and the p-value are those of the bootstrap of `mitobench.compare.compare_pair`.

    Parameters
    ----------
    a, b
        The first minus the second is the difference.
    volume
        Name of a volume; by default the mean over all.
    bucket
        ``all``, ``small``, ``medium`` or ``large``.

    Returns
    -------
    PairedDifference | None
        None where they have no resamples of the same blocks, another rule, or no such volume.
    """
    from mitobench.uncertainty import interval, p_value

    try:
        pair = BlockScores.of(a), BlockScores.of(b)
    except InvalidInputError:
        return None
    if a.rule["label"] != b.rule["label"] or _drawn(pair[0]) != _drawn(pair[1]) or volume not in {None, *a.volumes}:
        return None
    occupied = _occupied(pair)
    units = min(occupied) if volume is None else occupied[a.volumes.index(volume)]
    values = pair[0].values(bucket, volume) - pair[1].values(bucket, volume)
    score, other = _score(a, bucket, volume), _score(b, bucket, volume)
    value = None if score is None or other is None else score - other
    low, high = interval(values, units, pair[0].bootstrap.level) or (None, None)
    return PairedDifference(value, low, high, None if low is None else p_value(values, units))


def _drawn(scores: BlockScores) -> Hashable:
    """Return what has to be equal for the same blocks to be drawn."""
    return scores.ground_truth, scores.bootstrap


def _occupied(compared: Sequence[BlockScores]) -> list[int]:
    """Return the number of blocks of each volume that hold an instance, or a prediction of one of the methods.

    Blocks that only one method predicts something in may be others than those of another method, so there may be more:
    the fewest that there are make the widest intervals.
    """
    by_volume = zip(*(scores.resamples for scores in compared), strict=True)
    return [max(one.occupied for one in volume) for volume in by_volume]


def _score(entry: Entry, bucket: str, volume: str | None = None) -> float | None:
    """Return the mean over the volumes of what the rule ranks by, or its value in one; None where undefined."""
    volumes = entry.volumes if volume is None else (volume,)
    values = [entry.value(name, entry.rule["rank_by"], bucket) for name in volumes]
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(values) if len(defined) == len(values) else None


def _spread(key: str, rank: float, ranks: Float64, ends: Sequence[float]) -> RankSpread:
    low, high = ends
    return RankSpread(key, int(rank), math.floor(low), math.ceil(high), float(ranks.mean()), float((ranks == 1).mean()))


def _ranks(values: Float64) -> Float64:
    """Return ranks in each column, float64 (methods, resamples); equals share the smallest."""
    import numpy as np

    from mitobench.uncertainty import NOISE

    return np.stack([1.0 + (values - own > NOISE).sum(axis=0) for own in values])


def _better(keys: Sequence[str], values: Float64) -> dict[str, dict[str, float]]:
    from mitobench.uncertainty import NOISE

    def share(own: Float64, other: Float64) -> float:
        difference = own - other
        return float(((difference > NOISE).mean() + (difference >= -NOISE).mean()) / 2)

    rows = list(zip(keys, values, strict=True))
    return {key: {name: share(own, other) for name, other in rows if name != key} for key, own in rows}
