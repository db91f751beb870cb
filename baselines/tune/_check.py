"""The volumes: checked before the first of them is decoded, and held in memory where they are small."""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.errors import InputWarning, InvalidInputError
from mitobench.overlap import check_same_shape, overlap_pass
from mitobench.types import Box
from mitobench.volumes import open_image, open_labels
from mitobench.volumes.array import ArrayVolume

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mitobench.rules import Rule
    from mitobench.types import Volume

__all__ = ["check_pairs", "count_instances", "held"]

_FEW = 10


def check_pairs(
    probabilities: Sequence[Any], gts: Sequence[Any], rule: Rule, *, memory: int, workers: int | None
) -> int:
    """Return the number of instances, if volumes and ground truths belong together.

    Raises
    ------
    InvalidInputError
        Their numbers or shapes differ, or a ground truth holds no instance.
    MitobenchError
        A volume cannot be opened, or a ground truth not be read.

    Warns
    -----
    InputWarning
        There are few instances.
    """
    for what, given in (("probabilities", probabilities), ("gts", gts)):
        if isinstance(given, str | PathLike) or hasattr(given, "shape"):
            raise InvalidInputError(f"{what}: a single volume; expected several, as in a list; put it into one")
    if not probabilities or len(probabilities) != len(gts):
        raise InvalidInputError(
            f"{len(probabilities)} volume(s) of probabilities and {len(gts)} ground truth(s); expected as many of the "
            "one as of the other, and at least one"
        )
    for probability, gt in zip(probabilities, gts, strict=True):
        with _opened(probability, open_image(probability)[0]) as mask, _opened(gt, open_labels(gt)) as labels:
            check_same_shape(labels, mask)
    found = sum(count_instances(gt, rule, memory=memory, workers=workers) for gt in gts)
    if found < _FEW:
        warnings.warn(
            f"the ground truth holds {found} instance(s), and of fewer than {_FEW} each decides much: the best setting "
            "may be best by chance; see which others come close, or tune on more",
            InputWarning,
            stacklevel=3,
        )
    return found


def count_instances(gt: Any, rule: Rule, *, memory: int, workers: int | None) -> int:  # noqa: ANN401 - paths and arrays
    """Return the number of instances of a ground truth that a rule counts.

    Raises
    ------
    InvalidInputError
        There is none, or it holds what is no id.
    MitobenchError
        It cannot be read.
    """
    with _opened(gt, open_labels(gt)) as volume:
        nothing = open_labels(np.broadcast_to(np.uint8(0), volume.shape))
        sizes = overlap_pass(volume, nothing, memory=memory, workers=workers).gt.size
    found = int(np.count_nonzero(sizes >= rule.min_gt_size))
    if not found:
        raise InvalidInputError(
            f"{volume.name}: holds no instance that the rule {rule.name} counts; expected some, to tell settings "
            "apart; check the labels, or name another part"
        )
    return found


def held(source: Any, most: int) -> tuple[Any, int]:  # noqa: ANN401 - paths and arrays
    """Return probabilities in memory if they are in a file and take no more bytes than that, and how many they take.

    So their chunks are inflated once, and not for every setting. Otherwise what was given is returned, and 0.
    """
    if not isinstance(source, str | PathLike):
        return source, 0
    channels = open_image(source)
    with _opened(source, channels[0]) as first:
        size = len(channels) * math.prod(first.shape) * first.dtype.itemsize
        if size > most:
            return source, 0
        whole = np.stack([channel.read(Box((0, 0, 0), channel.shape)) for channel in channels])
    return ArrayVolume(whole, first.name.removesuffix("[0]")), size


@contextmanager
def _opened(source: object, volume: Volume) -> Iterator[Volume]:
    """Close what was opened here; what the caller opened stays open."""
    try:
        yield volume
    finally:
        if isinstance(source, str | PathLike):
            volume.close()
