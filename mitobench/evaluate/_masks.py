"""Labels that look like a binary mask."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from mitobench.errors import InputWarning
from mitobench.types import Box

if TYPE_CHECKING:
    from mitobench.overlap import Instances
    from mitobench.types import LabelVolume

__all__ = ["warn_of_mask"]

_MASK_SHARE = 0.9
"""A single id that covers this share of the foreground ..."""
_MASK_PIECES = 10
"""... in so many pieces in one section is probably a mask."""


def warn_of_mask(volume: LabelVolume, instances: Instances) -> list[str]:
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
