"""Slow twins of the fast code: literal loops after the text of the definitions, for tests to compare with."""

from mitobench.testing.annotation import edit_groups, intermediate, pair_numbers
from mitobench.testing.associations import associations
from mitobench.testing.metrics import average_precision, detection
from mitobench.testing.overlap import (
    counts_of_table,
    lengths_like_sizes,
    overlap_table,
    random_volumes,
    table_from_counts,
)
from mitobench.testing.pieces import pieces
from mitobench.testing.population import Population, random_population, random_prediction
from mitobench.testing.resampling import best_precision, repeated

__all__ = [
    "Population",
    "associations",
    "average_precision",
    "best_precision",
    "counts_of_table",
    "detection",
    "edit_groups",
    "intermediate",
    "lengths_like_sizes",
    "overlap_table",
    "pair_numbers",
    "pieces",
    "random_population",
    "random_prediction",
    "random_volumes",
    "repeated",
    "table_from_counts",
]
