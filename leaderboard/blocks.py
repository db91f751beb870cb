"""Which entries were measured on the same blocks of the same ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from leaderboard.entry import Entry
    from mitobench.report import Report, Resamples
    from mitobench.resampling import Bootstrap
    from mitobench.types import Float64

__all__ = ["BlockScores", "alike"]


@dataclass(frozen=True)
class BlockScores:
    """An entry, and the metric that it is ranked by, block by block and resample by resample.

    Attributes
    ----------
    entry
        Measured, with intervals from blocks of the volumes.
    bootstrap
        How the blocks were drawn.
    resamples
        Of each volume, in their order.
    ground_truth
        Name, fingerprint and number of blocks of each volume.
    """

    entry: Entry
    bootstrap: Bootstrap
    resamples: tuple[Resamples, ...]
    ground_truth: tuple[tuple[str, str, int], ...]

    @classmethod
    def of(cls, entry: Entry) -> BlockScores:
        """Find the blocks of an entry.

        Raises
        ------
        InvalidInputError
            It has none; the message is the reason.
        """
        report = entry.report
        if report is None:
            raise InvalidInputError("published numbers come without resamples")
        bootstrap, resamples = _bootstrap(report), tuple(v.resamples for v in report.volumes if v.resamples is not None)
        if bootstrap is None or len(resamples) < len(report.volumes):
            raise InvalidInputError("scored without intervals, or by an older mitobench")
        if bootstrap.unit != "blocks":
            raise InvalidInputError("its intervals are of single instances, not of blocks")
        if any(len(one.values["all"]) != bootstrap.resamples or not one.by_block["all"] for one in resamples):
            raise InvalidInputError("its resamples are not complete")
        truth = tuple(
            (volume.name, volume.gt.fingerprint, len(one.by_block["all"]))
            for volume, one in zip(report.volumes, resamples, strict=True)
        )
        return cls(entry, bootstrap, resamples, truth)

    def values(self, bucket: str, volume: str | None = None) -> Float64:
        """Return the metric in each resample, float64 (resamples,), NaN where undefined.

        Parameters
        ----------
        bucket
            ``all``, ``small``, ``medium`` or ``large``.
        volume
            Name of a volume; by default the mean over all, undefined where one of them is.
        """
        import numpy as np

        chosen = self.resamples if volume is None else [self.resamples[self.entry.volumes.index(volume)]]
        return np.asarray(np.mean([np.array(one.values[bucket], np.float64) for one in chosen], axis=0))


def alike(
    entries: Iterable[Entry], key: Callable[[BlockScores], Hashable], difference: str
) -> tuple[tuple[BlockScores, ...], dict[str, str]]:
    """Return the largest group of entries that have a key in common, and why each other entry is not in it.

    Parameters
    ----------
    entries
        Of two groups that are equally large, the one with the first entry counts.
    key
        What has to be equal.
    difference
        Said of those that differ.

    Returns
    -------
    group : tuple[BlockScores, ...]
        Empty if no entry has blocks.
    left_out : dict[str, str]
        Key of the entry -> reason.
    """
    groups: dict[Hashable, list[BlockScores]] = {}
    left_out = {}
    for entry in entries:
        try:
            scores = BlockScores.of(entry)
        except InvalidInputError as error:
            left_out[entry.key] = str(error)
            continue
        groups.setdefault(key(scores), []).append(scores)
    largest = max(groups.values(), key=len, default=[])
    others = [scores for group in groups.values() if group is not largest for scores in group]
    left_out |= {scores.entry.key: f"{difference} than {largest[0].entry.key}" for scores in others}
    return tuple(largest), left_out


def _bootstrap(report: Report) -> Bootstrap | None:
    """Return how the resamples were made; None if there are none."""
    from mitobench.resampling import Bootstrap

    made = report.uncertainty
    if made is None or "unit" not in made:
        return None
    return Bootstrap(resamples=made["resamples"], level=made["level"], unit=made["unit"], seed=made["seed"])
