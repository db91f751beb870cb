"""Augmentations of training crops: pure functions of an image, its labels and a Generator, and chains of them.

An image is float32 (z, y, x) from 0 to 1; its labels are integers of the same shape. Whatever moves the image moves the
labels too, by the same random numbers; labels take the id of the nearest pixel, so no id appears that was not there.
"""

from baselines.augment._chain import Augmentation, Step, crop_needed, worker_generator
from baselines.augment._geometry import Elastic, Flip, Rescale, Rotate
from baselines.augment._intensity import Brightness, CutBlur, CutNoise
from baselines.augment._recipes import AUGMENTATIONS
from baselines.augment._sections import Misalignment, MissingParts, MissingSection, MotionBlur
from baselines.augment._transform import Transform

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Brightness",
    "CutBlur",
    "CutNoise",
    "Elastic",
    "Flip",
    "Misalignment",
    "MissingParts",
    "MissingSection",
    "MotionBlur",
    "Rescale",
    "Rotate",
    "Step",
    "Transform",
    "crop_needed",
    "worker_generator",
]
