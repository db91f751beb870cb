"""Prediction of volumes of any size: a fixed grid of windows, blended, in bounded memory, resumable."""

from baselines.predict._front import PredictReport, predict, predict_array
from baselines.predict._plan import Plan, Tile, plan_prediction
from baselines.predict._window import Window

__all__ = ["Plan", "PredictReport", "Tile", "Window", "plan_prediction", "predict", "predict_array"]
