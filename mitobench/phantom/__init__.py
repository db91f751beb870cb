"""Synthetic volumes with known instances: a ground truth and a prediction derived from it, for benchmarks and tests.

All geometry is drawn first, a few numbers per instance. Every voxel is then a function of its position alone: volumes
of any size are painted slab by slab, and the thickness of the slabs changes nothing.
"""

from mitobench.phantom._geometry import VOXEL_NM, Mitochondria
from mitobench.phantom._labels import LabelOptions, LabelPlan, label_slabs, plan_labels
from mitobench.phantom._quality import Quality
from mitobench.phantom._write import write_label_pair

__all__ = [
    "VOXEL_NM",
    "LabelOptions",
    "LabelPlan",
    "Mitochondria",
    "Quality",
    "label_slabs",
    "plan_labels",
    "write_label_pair",
]
