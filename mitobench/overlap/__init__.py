"""From two label volumes to the table of shared voxels, in one streaming pass."""

from mitobench.overlap._count import is_one_value, overlap_pass, refuse_negative_ids, unsigned_lines
from mitobench.overlap._stream import DEFAULT_MEMORY, check_same_shape, stream, stream_one
from mitobench.overlap._table import Instances, OverlapTable

__all__ = [
    "DEFAULT_MEMORY",
    "Instances",
    "OverlapTable",
    "check_same_shape",
    "is_one_value",
    "overlap_pass",
    "refuse_negative_ids",
    "stream",
    "stream_one",
    "unsigned_lines",
]
