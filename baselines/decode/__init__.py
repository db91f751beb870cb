"""From probabilities to instances: connected components, or a watershed from seeds; exact, and of any size."""

from baselines.decode._front import DecodeReport, decode, decode_array, write_scores
from baselines.decode._methods import METHODS, Components, MarkerWatershed, Method, method_of

__all__ = [
    "METHODS",
    "Components",
    "DecodeReport",
    "MarkerWatershed",
    "Method",
    "decode",
    "decode_array",
    "method_of",
    "write_scores",
]
