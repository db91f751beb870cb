"""Slow twins of the fast code: literal loops after the text of the definitions, for tests to compare with."""

from mitobench.testing.metrics import average_precision, detection
from mitobench.testing.overlap import counts_of_table, overlap_table, random_volumes, table_from_counts

__all__ = [
    "average_precision",
    "counts_of_table",
    "detection",
    "overlap_table",
    "random_volumes",
    "table_from_counts",
]
