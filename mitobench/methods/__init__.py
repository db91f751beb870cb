"""Methods: what learns from labelled volumes and finds the instances of others, of this package or of any other."""

from mitobench.methods._protocol import Description, Method
from mitobench.methods._registry import list_methods, load_method
from mitobench.methods._volumes import TrainingVolume, training_volumes

__all__ = ["Description", "Method", "TrainingVolume", "list_methods", "load_method", "training_volumes"]
