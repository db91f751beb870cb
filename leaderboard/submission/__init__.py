"""Submissions to the challenge: pack one, open one of a stranger, and say all that is wrong with it."""

from leaderboard.problem import Problem
from leaderboard.submission._check import CheckReport, FoundVolume, check_submission
from leaderboard.submission._contents import contents_of
from leaderboard.submission._open import Submission, open_submission
from leaderboard.submission._pack import PackedVolume, PackReport, pack_submission

__all__ = [
    "CheckReport",
    "FoundVolume",
    "PackReport",
    "PackedVolume",
    "Problem",
    "Submission",
    "check_submission",
    "contents_of",
    "open_submission",
    "pack_submission",
]
