"""What is compared with what, and the open files of it."""

from __future__ import annotations

import math
from contextlib import ExitStack, closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.cable import need_kimimaro, read_cable_lengths
from mitobench.errors import InvalidInputError
from mitobench.overlap import check_same_shape
from mitobench.scores import Scores, read_scores
from mitobench.volumes import open_image, open_labels

if TYPE_CHECKING:
    from mitobench.cable import CableLengths
    from mitobench.rules import Rule
    from mitobench.types import PathOrStr, Volume

__all__ = ["MITOEM_VOXEL_SIZE", "OpenedPair", "Pair", "as_pair", "name_of"]

MITOEM_VOXEL_SIZE = (30.0, 8.0, 8.0)
"""Nanometres along z, y and x."""


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
    cable_lengths
        Length in nm of the skeleton of each ground truth, for rules that sort by it: id -> length, an (n, 2) array, or
        a CSV file of such a table. Measured with kimimaro if a rule needs them and they are not given.
    cable_file
        Where measured lengths are kept: they are read again if they belong to this very ground truth, whatever its
        file is called, else measured and written.
    voxel_size
        Nanometres along z, y and x, for cable lengths that are measured.
    """

    pred: Any
    gt: Any
    scores: Scores | None = None
    heat_map: Any = None
    heat_channel: int | None = None
    cable_lengths: CableLengths | None = None
    cable_file: PathOrStr | None = None
    voxel_size: tuple[float, float, float] = MITOEM_VOXEL_SIZE

    def __post_init__(self) -> None:
        if self.scores is not None and self.heat_map is not None:
            raise InvalidInputError("scores and a heat map are given; expected one of them, leave the other out")
        if self.heat_channel is not None and self.heat_map is None:
            raise InvalidInputError("a heat channel is given without a heat map; name the heat map too")
        if len(self.voxel_size) != 3 or not all(math.isfinite(n) and n > 0 for n in self.voxel_size):
            raise InvalidInputError(f"voxel_size is {self.voxel_size!r}; expected three numbers above 0, in nm")


class OpenedPair:
    """The open files of a pair."""

    def __init__(self, pair: Pair, files: ExitStack, rule: Rule, *, rgb: bool) -> None:
        self.pair = pair
        self.pred = open_labels(pair.pred, rgb=rgb)
        _close_later(files, pair.pred, self.pred)
        self.gt = open_labels(pair.gt, rgb=rgb)
        _close_later(files, pair.gt, self.gt)
        check_same_shape(self.gt, self.pred)
        self.scores = None if pair.scores is None else read_scores(pair.scores)
        self.cable_lengths = None if pair.cable_lengths is None else read_cable_lengths(pair.cable_lengths)
        if rule.size_by == "cable-length" and self.cable_lengths is None and not _is_there(pair.cable_file):
            need_kimimaro(self.gt.name)
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


def as_pair(pair: Pair | tuple[Any, Any]) -> Pair:
    """Return the pair that (prediction, ground truth) stands for."""
    return pair if isinstance(pair, Pair) else Pair(pred=pair[0], gt=pair[1])


def _is_there(file: PathOrStr | None) -> bool:
    return file is not None and Path(file).exists()


def name_of(source: object, otherwise: str) -> str:
    """Return the path of a table that was given as a file, or what else to call it in a message."""
    return str(source) if isinstance(source, str | PathLike) else otherwise
