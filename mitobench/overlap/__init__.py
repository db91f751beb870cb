"""From two label volumes to the table of shared voxels, in one streaming pass."""

from mitobench.overlap._count import overlap_pass
from mitobench.overlap._stream import DEFAULT_MEMORY, check_same_shape, default_workers, stream
from mitobench.overlap._table import Instances, OverlapTable

__all__ = [
    "DEFAULT_MEMORY",
    "Instances",
    "OverlapTable",
    "check_same_shape",
    "default_workers",
    "overlap_pass",
    "stream",
]
