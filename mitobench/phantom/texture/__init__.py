"""What places look like in the microscope."""

from mitobench.phantom.texture._kernels import develop, render

__all__ = ["develop", "render"]
