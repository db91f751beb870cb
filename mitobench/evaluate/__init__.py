"""The front door: score a prediction, or the predictions of a benchmark, against ground truth."""

from mitobench.evaluate._front import evaluate_benchmark, evaluate_pair
from mitobench.evaluate._pair import Pair

__all__ = ["Pair", "evaluate_benchmark", "evaluate_pair"]
