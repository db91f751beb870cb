"""The facts of the challenge that submissions and scores must agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mitobench.types import Shape

__all__ = ["MITOEM", "Challenge", "ChallengeVolume"]


@dataclass(frozen=True)
class ChallengeVolume:
    """One of the volumes to segment.

    Attributes
    ----------
    name
        What reports and tables call it.
    key
        What command lines and the platform's scores call it.
    file
        Its prediction inside a submission.
    """

    name: str
    key: str
    file: str


@dataclass(frozen=True)
class Challenge:
    """What a submission has to hold.

    Attributes
    ----------
    volumes
        In the order of the tables.
    shape
        Of each prediction, voxels along z, y, x.
    first_section
        Of the whole volume: where the predicted part begins.
    dataset
        HDF5 dataset that the submission is written to; any is read if it is the only one.
    """

    volumes: tuple[ChallengeVolume, ...]
    shape: Shape
    first_section: int
    dataset: str


MITOEM = Challenge(
    volumes=(
        ChallengeVolume("MitoEM-H", "human", "0_human_instance_seg_pred.h5"),
        ChallengeVolume("MitoEM-R", "rat", "1_rat_instance_seg_pred.h5"),
    ),
    shape=(500, 4096, 4096),
    first_section=500,
    dataset="dataset_1",
)
