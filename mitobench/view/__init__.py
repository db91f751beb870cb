"""Look at the errors of a report in 3D: in the browser with neuroglancer, or as layers for napari."""

from mitobench.view._napari import napari_layers
from mitobench.view._scene import Scene, open_scene
from mitobench.view._start import MOST_ERRORS, Session, open_browser, start_viewer

__all__ = ["MOST_ERRORS", "Scene", "Session", "napari_layers", "open_browser", "open_scene", "start_viewer"]
