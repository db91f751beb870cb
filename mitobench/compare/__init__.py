"""The front door for two predictions of one ground truth: how far they differ, and whether it is more than chance."""

from mitobench.compare._comparison import COMPARISON_SCHEMA_VERSION, Comparison, Difference
from mitobench.compare._front import compare_pair

__all__ = ["COMPARISON_SCHEMA_VERSION", "Comparison", "Difference", "compare_pair"]
