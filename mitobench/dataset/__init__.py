"""MitoEM in every published layout, and other data sets described in TOML: opened lazily, divided and checked."""

from mitobench.dataset._check import CheckReport, InstanceCount, check_dataset
from mitobench.dataset._mitoem import open_mitoem
from mitobench.dataset._splits import SPLITS, split_sections
from mitobench.dataset._toml import open_dataset, open_toml
from mitobench.dataset._values import Dataset, DatasetVolume, Part, Problem, Source
from mitobench.dataset.conversion import Conversion, convert

__all__ = [
    "SPLITS",
    "CheckReport",
    "Conversion",
    "Dataset",
    "DatasetVolume",
    "InstanceCount",
    "Part",
    "Problem",
    "Source",
    "check_dataset",
    "convert",
    "open_dataset",
    "open_mitoem",
    "open_toml",
    "split_sections",
]
