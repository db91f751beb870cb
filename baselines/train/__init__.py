"""Training of a recipe, by Lightning: kept in a run folder, and resumed from it as if it had never stopped."""

from baselines.train._front import Precision, train
from baselines.train._run import RunFolder

__all__ = ["Precision", "RunFolder", "train"]
