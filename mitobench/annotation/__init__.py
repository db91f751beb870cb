"""The front door for two versions of an annotation: what was edited, and what that does to a score."""

from mitobench.annotation._attribution import Attribution
from mitobench.annotation._diff import DIFF_SCHEMA_VERSION, AnnotationDiff, ScoreChange
from mitobench.annotation._edits import EDIT_KINDS, TOUCH_UP_IOU
from mitobench.annotation._front import diff_annotations

__all__ = [
    "DIFF_SCHEMA_VERSION",
    "EDIT_KINDS",
    "TOUCH_UP_IOU",
    "AnnotationDiff",
    "Attribution",
    "ScoreChange",
    "diff_annotations",
]
