"""Synthetic volumes with known instances: a ground truth and a prediction derived from it, for benchmarks and tests.

All geometry is drawn first, a few numbers per instance. Every voxel is then a function of its position alone: volumes
of any size are painted slab by slab, and the thickness of the slabs changes nothing.

`plan_tissue` and `write_tissue` make an image too, of tissue in which the mitochondria lie. `plan_labels` and
`write_label_pair` make labels only, of simpler shapes, as fast as files can be written.
"""

from mitobench.phantom._geometry import VOXEL_NM, Mitochondria
from mitobench.phantom._imaging import Artefacts, Sections
from mitobench.phantom._labels import LabelOptions, LabelPlan, label_slabs, plan_labels
from mitobench.phantom._quality import Quality
from mitobench.phantom._tissue import TissueOptions, TissuePlan, plan_tissue
from mitobench.phantom._write import write_label_pair, write_tissue

__all__ = [
    "VOXEL_NM",
    "Artefacts",
    "LabelOptions",
    "LabelPlan",
    "Mitochondria",
    "Quality",
    "Sections",
    "TissueOptions",
    "TissuePlan",
    "label_slabs",
    "plan_labels",
    "plan_tissue",
    "write_label_pair",
    "write_tissue",
]
