"""The augmentations of the published recipes, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baselines.augment._chain import Step
from baselines.augment._geometry import Elastic, Flip, Rescale, Rotate
from baselines.augment._intensity import Brightness, CutBlur, CutNoise
from baselines.augment._sections import Misalignment, MissingParts, MissingSection, MotionBlur

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AUGMENTATIONS"]

_OLD_RESCALE = Rescale(low=0.8, high=1.2, factors="window")

_V2 = (
    Step(CutNoise(), 0.75),
    Step(CutBlur(), 0.5),
    Step(MotionBlur(), 0.5),
    Step(Misalignment(), 0.5),
    Step(MissingSection(), 0.5),
    Step(MissingParts(), 0.9),
    Step(Brightness(), 0.75),
    Step(Elastic(), 0.75),
    Step(Rescale(), 0.5),
    Step(Rotate(), 0.5),
    Step(Flip()),
)

AUGMENTATIONS: Mapping[str, tuple[Step, ...]] = {
    "none": (),
    "u2d": (
        Step(Brightness(), 0.5),
        Step(Elastic(alpha=12.0), 0.5),
        Step(Rotate(angles="any"), 0.5),
        Step(Flip()),
    ),
    "v1-paper": (
        Step(MissingParts(), 0.9),
        Step(Brightness(), 0.75),
        Step(Elastic(alpha=12.0), 0.75),
        Step(Flip()),
    ),
    "v1-code": (
        Step(Misalignment(rotate=0.0)),
        Step(MissingSection(), 0.5),
        Step(MissingParts(), 0.9),
        Step(Brightness(), 0.75),
        Step(Elastic(alpha=12.0), 0.75),
        Step(_OLD_RESCALE, 0.5),
        Step(Rotate(angles="any")),
        Step(Flip()),
    ),
    "v1-7089000": (
        Step(CutBlur(), 0.5),
        Step(MotionBlur(), 0.5),
        Step(Misalignment(), 0.5),
        Step(MissingSection(), 0.5),
        Step(MissingParts(), 0.9),
        Step(Brightness(), 0.75),
        Step(Elastic(), 0.75),
        Step(_OLD_RESCALE, 0.5),
        Step(Rotate(angles="any"), 0.5),
        Step(Flip()),
    ),
    "v2": _V2,
    "pytc2021": (
        *_V2[:5],
        Step(MissingParts(radius=64, one_in=2), 0.9),
        *_V2[6:9],
        Step(Rotate()),
        Step(Flip()),
    ),
}
"""Name -> steps in the order in which they are done.

``u2d``: what the public template of U2D-B names, with strengths of our own. ``v1-paper``: what the paper of the
benchmark names. ``v1-code``: what the code of that time did by default. ``v1-7089000``: the first public configuration.
``v2``: the configuration dated at the result of 0.810 (b3dd590).
``pytc2021``: the public one with the cosine schedule (e7383b8).
"""
