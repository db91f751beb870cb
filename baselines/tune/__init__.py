"""The settings of a decoding chosen by score, on a part of the data that nothing was trained on."""

from baselines.tune._check import count_instances
from baselines.tune._file import read_decoding, write_decoding
from baselines.tune._grid import GRIDS
from baselines.tune._part import predict_part
from baselines.tune._result import Trial, Tuning
from baselines.tune._search import tune

__all__ = [
    "GRIDS",
    "Trial",
    "Tuning",
    "count_instances",
    "predict_part",
    "read_decoding",
    "tune",
    "write_decoding",
]
