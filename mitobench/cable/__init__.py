"""Cable length of ground-truth instances: read from tables, measured along skeletons, kept for the next run."""

from mitobench.cable._measure import cable_lengths, need_kimimaro
from mitobench.cable._store import load_cable_lengths, save_cable_lengths
from mitobench.cable._table import CableLengths, read_cable_lengths

__all__ = [
    "CableLengths",
    "cable_lengths",
    "load_cable_lengths",
    "need_kimimaro",
    "read_cable_lengths",
    "save_cable_lengths",
]
